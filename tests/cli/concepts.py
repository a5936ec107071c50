"""concepts.py FOLDER: does a concept suite keep its own rules?  Prints what does not, and then a count.

At least 40 concepts; of each at least 24 positive and 24 negative texts in English, and where there are other languages 8
and 8 of each; six concepts in five languages; in each language a quarter of the positives without the key words and a
quarter of the negatives with them; no text twice; every text 8 to 70 words; word lists of 15 and more."""
import json, os, re, sys

folder, faults, seen, many = sys.argv[1], [], {}, 0
rows = [l.rstrip('\n').split('\t') for l in open(os.path.join(folder, 'concepts.tsv'), encoding='utf-8') if l.strip() and l[0] != '#']
files = {f[:-6] for f in os.listdir(folder) if f.endswith('.jsonl')}
if files != {r[0] for r in rows}:
    faults.append('files and rows differ: %s' % sorted(files ^ {r[0] for r in rows}))
for name, title, key, words in rows:
    key, words, kinds = re.compile(key, re.I), words.split(','), {}
    if len(set(words)) < 15 or len(set(words)) != len(words) or any(w != w.strip().lower() or not w for w in words):
        faults.append('%s: words' % name)
    for n, line in enumerate(open(os.path.join(folder, name + '.jsonl'), encoding='utf-8'), 1):
        o = json.loads(line)
        if set(o) != {'text', 'positive', 'language'} or type(o['positive']) is not bool:
            faults.append('%s:%d: fields' % (name, n))
        same = ' '.join(re.findall(r'\w+', o['text'].lower()))
        if same in seen:
            faults.append('%s:%d: as %s' % (name, n, seen[same]))
        seen[same] = '%s:%d' % (name, n)
        if not 8 <= len(o['text'].split()) <= 70:
            faults.append('%s:%d: length' % (name, n))
        # texts, and those on the harder side: positive without the key, negative with it
        k = kinds.setdefault((o['language'], o['positive']), [0, 0])
        k[0] += 1
        k[1] += bool(key.search(o['text'])) != o['positive']
    languages = {l for l, _ in kinds}
    many += len(languages) >= 5
    for l in languages:
        for positive in (True, False):
            all_, hard = kinds.get((l, positive), [0, 0])
            if all_ < (24 if l == 'en' else 8):
                faults.append('%s: %d %s texts in %s' % (name, all_, 'positive' if positive else 'negative', l))
            if 4 * hard < all_:
                faults.append('%s: %d of %d %s texts in %s are %s the key' % (
                    name, hard, all_, 'positive' if positive else 'negative', l, 'without' if positive else 'with'))
if len(rows) < 40:
    faults.append('%d concepts' % len(rows))
if many < 6:
    faults.append('%d concepts in five languages' % many)
print('\n'.join(faults + ['%d concepts, %d texts, %d faults' % (len(rows), len(seen), len(faults))]))
sys.exit(bool(faults))
