#!/bin/sh
# featlas find on the sample atlas and the made-up model.
. "$TESTS_DIR/lib.sh"
cat >"$tmp/pos" <<'X'
The river runs under the stream and the boat.
{"text": "a boat on the river"}

stream and river, river and stream
X
printf 'The garden has a tree.\nbread and butter\nthe metal of the engine\n' >"$tmp/neg"
find() { "$FEATLAS" find "$SAMPLE" --backend fake --plain --pos "$tmp/pos" --neg "$tmp/neg" "$@"; }
check "find" 0 find --limit 3
has "says how many texts" "$out" '^3 positive, 3 negative texts; chosen without a fold and judged on it: AUROC [01]\.[0-9]+'
has "the river's feature" "$out" '^#1 +AUROC 1\.000 +\+[0-9.]+ +fires on 3 of 3, 0 of 3 +words about rivers$'
check "--json" 0 find --json
has "is one object" "$out" '^\{"positive":3,"negative":3,"held_out":\{"auroc":[0-9.]+,"folds":3,"feature":[0-9]+,"times":[0-9]\},"features":\[\{"id":[0-9]+,'
check "on all of these and on none of those" 0 find --on 1 --off 0 --limit 100
lacks "is all that is left" "$out" 'fires on [012] of 3|, [123] of 3  '
check "what no feature does" 1 find --on 1 --off 0 --not "$tmp/pos"
has "says how many are barred" "$out" '^[1-9][0-9]* features fire on the 3 texts on which they may not$'
check "a share above 1" 2 find --on 2
has "is refused" "$err" '^featlas find: --on is a share, from 0 to 1$'
check "--not alone" 0 "$FEATLAS" find "$SAMPLE" --backend fake --plain --pos "$tmp/pos" --not "$tmp/neg" --json
has "is negative too" "$out" '"positive":3,"negative":3,.*"barred":[1-9]'
lacks "and bars" "$out" '"fires_on_negative":[1-9]'
copy_sample
check "--tag" 0 "$FEATLAS" find "$atlas" --backend fake --plain --pos "$tmp/pos" --neg "$tmp/neg" --limit 2 --tag rivers
ids=$(printf '%s\n' "$out" | sed -n 's/^#\([0-9]*\).*/\1/p' | sort -n)
run "$FEATLAS" search "$atlas" --query tag:rivers
is "is a query" "$(printf '%s\n' "$out" | sed 's/^#\([0-9]*\).*/\1/' | sort -n)" "$ids"
run "$FEATLAS" find "$atlas" --backend fake --plain --pos "$tmp/pos" --neg "$tmp/neg" --limit 2 --tag rivers
run "$FEATLAS" search "$atlas" --query tag:rivers --count
is "that a second time leaves as it is" "$out" 2
run "$FEATLAS" find "$atlas" --backend fake --plain --pos "$tmp/pos" --neg "$tmp/neg" --limit 2 --tag " rivers "
run "$FEATLAS" search "$atlas" --query tag:rivers --count
is "nor with blanks around it" "$out" 2
for tag in "" "two words"; do
	check "--tag '$tag'" 2 timeout 60 "$FEATLAS" find "$atlas" --backend 'featlas-fake --crash-after 0' --pos "$tmp/pos" --neg "$tmp/neg" --tag "$tag"
	has "is refused before the texts are read" "$err" "^featlas find: a tag is one word, not '$tag'"
done
printf '{"text": "a boat on the river", "positive": true}\n{"text": "bread and butter", "positive": false}\n' >"$tmp/both"
check "one file of both kinds" 0 "$FEATLAS" find "$SAMPLE" --backend fake --plain --pos "$tmp/both" --json
has "is enough" "$out" '^\{"positive":1,"negative":1,'
check "without --neg" 2 "$FEATLAS" find "$SAMPLE" --backend fake --pos "$tmp/pos"
has "is refused" "$err" '^featlas find: --pos and --neg name files of texts'
: >"$tmp/neg"
check "an empty file" 2 find
has "is named" "$err" "neg' has no text"
echo '{"words": 1}' >"$tmp/neg"
check "a line without a text" 3 find
has "is named with its number" "$err" "neg', line 1,"
check "a file that is not there" 2 "$FEATLAS" find "$SAMPLE" --backend fake --pos "$tmp/none" --neg "$tmp/pos"
finish
