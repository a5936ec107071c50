#!/bin/sh
# featlas info: the facts, as words and as JSON, and what is missing.
n=0 bad=0
check() { # name, condition
	n=$((n + 1))
	if eval "$2"; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "$out" | sed 's/^/# /'; bad=1; fi
}
has() { case $out in *"$1"*) true ;; *) false ;; esac; }
t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
cp -r "$SAMPLE" "$t/a.atlas"
chmod -R u+w "$t/a.atlas"

out=$("$FEATLAS" info "$t/a.atlas" --json) && status=0 || status=$?
check "info prints one JSON object" '[ $status = 0 ] && [ "$(echo "$out" | wc -l)" = 1 ]'
check "the model" 'has "\"model\":{\"name\":\"fake world\"" && has "\"n_layers\":4"'
check "the hook" 'has "\"hook\":\"blocks.2.hook_resid_post\""'
check "the dictionary" \
	'has "\"dictionary\":{\"architecture\":\"topk\",\"n_features\":512,\"d_model\":48,\"dtype\":\"F32\",\"k\":8}"'
check "the store" \
	'has "\"n_tokens_indexed\":20000,\"n_tokens_kept\":19800,\"n_contexts\":" && has "\"n_activations\":158000,\"coverage\":\"full\""'
check "the labels" 'has "\"n_labels\":551"'
check "the parts" 'has "[\"dictionary\",\"store\",\"vocab\",\"labels\",\"logits\",\"graph\",\"scores\",\"map\",\"runs\"]"'
check "nothing else is missing" 'has "\"missing\":{\"evidence\":\"no judged labels; judge them with '"'featlas judge $t/a.atlas --method lexical'"'\"}"'
check "the database of edits" 'has "\"labels_db\":{\"path\":\"$t/a.atlas/labels.db\",\"exists\":false"'

out=$("$FEATLAS" info "$t/a.atlas")
check "words for people" 'has "topk, 512 features, k 8" && has "20000 tokens indexed" && has "fvu 0.5"'

cp -r "$t/a.atlas" "$t/b c's"
out=$("$FEATLAS" info "$t/b c's")
check "a remedy can be pasted" 'has "judge them with '"'featlas judge '\$t/b c'\\\\''s' --method lexical'"'"'
rm -r "$t/b c's"

rm "$t/a.atlas/graph.safetensors" "$t/a.atlas/activations.safetensors" "$t/a.atlas/runs.jsonl"
out=$("$FEATLAS" info "$t/a.atlas" --json)
check "a store that is gone is null" 'has "\"store\":null"'
check "parts that are gone are missing" 'has "\"graph\":\"no neighbour graph: '"'"'graph.safetensors'"'"' is not there"'
check "with the remedy" 'has "no recorded steering runs: '"'"'runs.jsonl'"'"' is not there; make one with "'

sed 's/"fake world"/"\\u001b[2Jevil \\u202e"/' "$t/a.atlas/atlas.json" >"$t/j" && mv "$t/j" "$t/a.atlas/atlas.json"
out=$("$FEATLAS" info "$t/a.atlas" | od -An -tx1 | tr -d ' \n')
check "a hostile name does not reach the terminal" 'case $out in *1b5b*|*e280ae*) false ;; *) true ;; esac'

out=$("$FEATLAS" info "$t/none.atlas" 2>&1) && status=0 || status=$?
check "no such atlas: status 2 and one sentence" \
	'[ $status = 2 ] && [ "$(echo "$out" | wc -l)" = 1 ] && has "cannot open the atlas"'
out=$("$FEATLAS" info 2>&1) && status=0 || status=$?
check "no argument: usage and status 2" '[ $status = 2 ] && has "usage: featlas info ATLAS"'
echo '{' >"$t/a.atlas/atlas.json"
out=$("$FEATLAS" info "$t/a.atlas" 2>&1) && status=0 || status=$?
check "damage: status 3" '[ $status = 3 ] && has "is not valid JSON"'
echo "1..$n"
exit $bad
