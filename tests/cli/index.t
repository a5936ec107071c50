#!/bin/sh
# featlas index, prune and eval on a harvest of the made-up model, against the sample atlas, whose
# numbers were made by another program.
. "$TESTS_DIR/lib.sh"
mksample=$BUILD_DIR/tools/mksample
[ -x "$mksample" ] || bail "no tools/mksample"
"$mksample" "$tmp/made.atlas" "$tmp/t.acts" || exit 99
acts=$tmp/t.acts
copy_sample
printf '# a comment\n3\twritten by hand, with "quotes"\r\n\n40\tdie Br\303\274cke\n' >"$tmp/labels.tsv"

check "everything is made anew" 0 "$FEATLAS" index "$atlas" "$acts" --backend fake --labels "$tmp/labels.tsv" --json
has "counts of the store" "$out" '"n_tokens_indexed":20000,"n_tokens_kept":19800,'
has "dead features" "$out" '"n_dead":12,'
check "no faults" 0 "$FEATLAS" verify "$atlas"

number() { "$FEATLAS" show "$1" "$2" --json | sed "s/.*\"$3\":\\([-0-9.e+]*\\).*/\\1/"; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d <= 0.01 * (b < 0 ? -b : b)) }'; }
for id in 0 7 33 100 300; do
	ok "density of #$id" near "$(number "$atlas" $id density)" "$(number "$SAMPLE" $id density)"
	ok "maximum of #$id" near "$(number "$atlas" $id max)" "$(number "$SAMPLE" $id max)"
done
run "$FEATLAS" show "$atlas" 3 --json
has "a label from the file comes first" "$out" '"labels":\[\{"text":"written by hand, with \\"quotes\\""'
has "and the automatic one stays" "$out" '"lexical"'
has "topic words" "$out" '"topic_score":[0-9]'
has "promoted tokens" "$out" '"promoted":\[\{'
run "$FEATLAS" search "$atlas" '^die Br.cke$' --json
has "labels of any script" "$out" '"id":40'
run "$FEATLAS" search "$atlas" . --count
ok "every feature that fires has a label" [ "$out" -ge 500 ]
has "a feature that writes about its topic scores" "$(number "$atlas" 0 topic_score | awk '{ print ($1 > 0.01) ? "yes" : "no " $1 }')" yes

ok "the model has left its fingerprint" grep -q '"fingerprint"' "$atlas/atlas.json"
find "$SAMPLE"/ -type f ! -name atlas.json -exec cksum {} + | sed 's/ [^ ]*\/ */ /' | sort >"$tmp/sums"
cp -r "$SAMPLE" "$tmp/f.atlas"; chmod -R u+w "$tmp/f.atlas"
check "a fingerprint alone" 0 "$FEATLAS" index "$tmp/f.atlas" --only fingerprint --backend fake
find "$tmp/f.atlas"/ -type f ! -name atlas.json -exec cksum {} + | sed 's/ [^ ]*\/ */ /' | sort >"$tmp/sums2"
ok "changes nothing but atlas.json" cmp "$tmp/sums" "$tmp/sums2"
check "... and has no faults" 0 "$FEATLAS" verify "$tmp/f.atlas"
steered() { "$FEATLAS" steer "$tmp/f.atlas" --backend "$1" --prompt x --feature 1 -n 4 --json; }
check "the same model" 0 steered fake
is "is told nothing" "$err" ""
# the norm of the second token, and so all of it, of another sign and size
sed '/"rows"/,/\]/{ /"[0-9a-f]\{72\}"/ s/"\(..\)\(..\)\(..\)../"\1\2\345/; }' "$tmp/f.atlas/atlas.json" >"$tmp/j"
cp "$tmp/j" "$tmp/f.atlas/atlas.json"
check "another model" 0 steered fake
has "is told" "$err" "^featlas steer: warning: the live model 'fake world' computes other rows than the atlas' model did \([0-9.e+]+ % apart, 0\.7 % is allowed\)"
has "... in the JSON too" "$out" '"warning":"the live model'
printf 'keys #\ntype 1\nkeys <Enter> gs <Enter>\nwait\nkeys j k <Esc>\ndump steered\nkeys gf\ndump features\n' >"$tmp/keys"
check "on screen" 0 "$FEATLAS" open --backend fake --script "$tmp/keys" "$tmp/f.atlas"
is "it stands in the first line of every screen" "$(printf '%s\n' "$out" | grep -c 'fake ready, another model *$')" 2
sed 's/"text": "In 1904/"text": "/; /"rows"/,/\]/s/"[0-9a-f]\{72\}"/"00"/' "$tmp/j" >"$tmp/f.atlas/atlas.json"
check "a damaged fingerprint" 3 "$FEATLAS" verify "$tmp/f.atlas"
has "is told" "$out$err" 'the fingerprint in atlas\.json makes no sense'
check "a fingerprint is the model's" 2 "$FEATLAS" index "$tmp/f.atlas" --only fingerprint --no-model
has "... it says" "$err" 'come from the model'

cp "$atlas/labels.safetensors" "$tmp/before"
check "labels alone need no model" 0 "$FEATLAS" index "$atlas" --only labels --no-model
run "$FEATLAS" show "$atlas" 3 --json
lacks "without the file its labels are gone" "$out" 'by hand'

check "a second segment" 0 "$FEATLAS" index "$atlas" "$acts" --only store --append
run "$FEATLAS" info "$atlas" --json
has "twice the tokens" "$out" '"n_tokens_indexed":40000,"n_tokens_kept":39600'
ok "the same density" near "$(number "$atlas" 33 density)" "$(number "$SAMPLE" 33 density)"
check "no faults with two segments" 0 "$FEATLAS" verify "$atlas"

check "pruned" 0 "$FEATLAS" prune "$atlas" "$tmp/p.atlas" --window 4
run "$FEATLAS" info "$tmp/p.atlas" --json
has "examples only" "$out" '"coverage":"examples"'
has "statistics stay" "$out" '"n_tokens_indexed":40000,"n_tokens_kept":39600'
has "the weights are halves" "$out" '"dtype":"(F16|float16)"'
check "no faults in it" 0 "$FEATLAS" verify "$tmp/p.atlas"
ok "it is smaller" [ "$(cat "$tmp"/p.atlas/* | wc -c)" -lt "$(cat "$atlas"/* | wc -c)" ]
printf '%s\n' '{"prompt":"p","baseline":"b","steered":"s"}' '{"range":{"feature":1,"onset":1}}' >"$tmp/runs.jsonl"
check "runs go along" 0 "$FEATLAS" prune "$atlas" "$tmp/r.atlas" --runs "$tmp/runs.jsonl"
ok "as they are" cmp "$tmp/runs.jsonl" "$tmp/r.atlas/runs.jsonl"
check "and the atlas is whole" 0 "$FEATLAS" verify "$tmp/r.atlas"
is "it is called after its folder" "$("$FEATLAS" info "$tmp/r.atlas" --json | grep -c '"name":"r"')" 1
printf '%s\n' '{"prompt":"p"}' >"$tmp/bad.jsonl"
check "a run without its text is refused" 3 "$FEATLAS" prune "$atlas" "$tmp/s.atlas" --runs "$tmp/bad.jsonl"
has "by line" "$err" "bad.jsonl' line 1: 'steered' is missing"
check "not over another atlas" 2 "$FEATLAS" prune "$atlas" "$tmp/p.atlas"
has "says so" "$err" 'is there already'

check "evaluated" 0 "$FEATLAS" eval "$atlas" "$acts" --backend fake --texts 3 --write --json
has "three texts" "$out" '"ce_texts":3,'
has "splicing x itself changes nothing" "$(printf '%s' "$out" |
	sed 's/.*"ce_clean":\([0-9.e-]*\).*"ce_self_spliced":\([0-9.e-]*\).*/\1 \2/' |
	awk '{ d = $1 - $2; print (d < 1e-5 && d > -1e-5) ? "same" : "differs " $0 }')" same
run cat "$atlas/atlas.json"
has "the figures are kept" "$out" '"ce_recovered"'
check "without a model" 0 "$FEATLAS" eval "$atlas" "$acts" --no-model
has "rows only" "$out" '^FVU'

check "a harvest that is not there" 2 "$FEATLAS" index "$atlas" "$tmp/none.acts" --no-model
has "is named" "$err" 'none.acts'
check "no harvest" 2 "$FEATLAS" index "$atlas" --no-model
check "an unknown part" 2 "$FEATLAS" index "$atlas" --only soup
has "is refused by name" "$err" "not 'soup'"
check "another hook" 2 "$FEATLAS" index "$atlas" "$acts" --only store --hook blocks.1.hook_resid_post
check "no backend" 2 "$FEATLAS" index "$atlas" --only vocab --backend /nonexistent
printf '999\tno such feature\n' >"$tmp/bad.tsv"
check "a label for no feature" 2 "$FEATLAS" index "$atlas" --only labels --no-model --labels "$tmp/bad.tsv"
has "the line is named" "$err" "line 1: it wants a feature below 512"
printf '9\t\377\n' >"$tmp/bad.tsv"
check "a label that is not UTF-8" 2 "$FEATLAS" index "$atlas" --only labels --no-model --labels "$tmp/bad.tsv"
head -c 3000 "$acts/shard-00000.safetensors" >"$tmp/cut" && cp "$tmp/cut" "$acts/shard-00000.safetensors"
check "a shard cut short" 3 "$FEATLAS" index "$atlas" "$acts" --only store
check "after all that, no faults" 0 "$FEATLAS" verify "$atlas"
finish
