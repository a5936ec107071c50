#!/bin/sh
# featlas near and neighbours; the sample's own graph was made pair by pair by tools/mksample.c.
. "$TESTS_DIR/lib.sh"
tool=$BUILD_DIR/tests/cli/tool
copy_sample

check "near" 0 "$FEATLAS" near "$SAMPLE" 3
is "lists ten" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 10
has "id, cosine and label" "$out" "^#[0-9]+${tab}0\.[0-9]{3}${tab}."
check "near --json" 0 "$FEATLAS" near "$SAMPLE" '#3' -k 4 --json
is "prints an object a line" "$(printf '%s\n' "$out" | grep -cE \
	'^\{"id":[0-9]+,"score":[0-9.]+,"metric":"cosine","label":("[^"]*"|null),"cosine":[0-9.]+\}$')" 4
ids() { "$FEATLAS" near "$1" "$2" -k "$3" | cut -f1 | tr '\n' ' '; }
# after three the sample has ties but for rounding
stored=$(ids "$SAMPLE" 3 3)

check "neighbours" 0 "$FEATLAS" neighbours "$atlas" -k 12
is "says what it made" "$out" "512 features, 12 neighbours of each"
check "the atlas is whole" 0 "$FEATLAS" verify "$atlas"
is "the nearest are those of every pair" "$(ids "$atlas" 3 3)" "$stored"
check "as many as the sample has" 0 "$FEATLAS" neighbours "$atlas" -k 16 --json
has "as JSON" "$out" '^\{"n_features":512,"k":16,"n_alone":[0-9]+\}$'
ok "the scores are those of every pair" "$tool" close "$atlas/graph.safetensors" "$SAMPLE/graph.safetensors" \
	neighbour_score 1e-3
cp "$atlas/graph.safetensors" "$tmp/two"
check "one thread" 0 env FEATLAS_THREADS=1 "$FEATLAS" neighbours "$atlas" -k 16
ok "the same ids" "$tool" close "$atlas/graph.safetensors" "$tmp/two" neighbour_id 0
ok "the same scores" "$tool" close "$atlas/graph.safetensors" "$tmp/two" neighbour_score 0

is "more than the graph has are compared anew" "$(ids "$atlas" 3 40 | cut -d " " -f 1-3) " "$stored"
is "all of them" "$("$FEATLAS" near "$atlas" 3 -k 100000 | wc -l | tr -d ' ')" 511
rm "$atlas/graph.safetensors"
is "without a graph they are compared too" "$(ids "$atlas" 3 3)" "$stored"

# the difference of two features, and vectors
check "a difference" 0 "$FEATLAS" near "$SAMPLE" 3-7 -k 511
lacks "without its own two" "$out" "^#(3|7)$tab"
is "of all others" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 510
first=$(printf '%s\n' "$out" | head -1 | cut -f1) last=$(printf '%s\n' "$out" | tail -1 | cut -f1)
run "$FEATLAS" near "$SAMPLE" 7-3 -k 511
is "the other way round" "$(printf '%s\n' "$out" | sed -n '1p;$p' | cut -f1 | tr '\n' ' ')" "$last $first "
check "nothing between one and itself" 2 "$FEATLAS" near "$SAMPLE" 3-3
has "says so" "$err" "no direction"
ok "a row as a vector" "$tool" row "$SAMPLE/sae_weights.safetensors" W_dec 3 "$tmp/v"
check "--vector" 0 "$FEATLAS" near "$SAMPLE" --vector "$tmp/v" -k 4
is "is nearest itself, then as the feature" "$(printf '%s\n' "$out" | cut -f1 | tr '\n' ' ')" "#3 $stored"
check "a vector of another length" 2 "$FEATLAS" near "$SAMPLE" --vector "$SAMPLE/vocab.safetensors"
check "--text" 0 "$FEATLAS" near "$SAMPLE" --text "the bridge over the bay" --plain --backend fake -k 3
has "finds bridges" "$out" "bridge"
check "one of them" 2 "$FEATLAS" near "$SAMPLE" 3 --vector "$tmp/v"
check "none of them" 2 "$FEATLAS" near "$SAMPLE"

# what fires together
check "--by jaccard" 0 "$FEATLAS" near "$SAMPLE" 3 --by jaccard --json -k 3
is "prints how often" "$(printf '%s\n' "$out" | grep -cE \
	'^\{"id":[0-9]+,"score":[0-9.]+,"metric":"jaccard","label":("[^"]*"|null),"both":[0-9]+\}$')" 3
check "--by npmi" 0 "$FEATLAS" near "$SAMPLE" 3 --by npmi -k 3
check "by what" 2 "$FEATLAS" near "$SAMPLE" 3 --by sight
check "of one feature" 2 "$FEATLAS" near "$SAMPLE" 3-7 --by npmi
check "prune" 0 "$FEATLAS" prune "$SAMPLE" "$tmp/pruned.atlas"
check "examples only" 2 "$FEATLAS" near "$tmp/pruned.atlas" 3 --by jaccard
has "says why" "$err" "examples only"

# killed in the middle, it goes on and ends as if nothing had been; the plain kernel is slow enough
big=$tmp/big.atlas
check "a larger one" 0 "$FEATLAS" synth "$big" --features 12000 --d-model 96
check "its neighbours" 0 "$FEATLAS" neighbours "$big" -k 5
cp "$big/graph.safetensors" "$tmp/whole"
rm "$big/graph.safetensors"
FEATLAS_KERNEL=plain FEATLAS_THREADS=1 "$FEATLAS" neighbours "$big" -k 5 --checkpoint-every 1 >"$tmp/first" 2>&1 &
job=$!
ended() { [ -e "$big/graph.checkpoint" ] || ! kill -0 $job 2>/dev/null; }
await ended
kill -KILL $job 2>/dev/null
wait $job 2>/dev/null
if [ -e "$big/graph.checkpoint" ]; then
	check "another number is another comparison" 2 "$FEATLAS" neighbours "$big" -k 6
	check "the same goes on" 0 "$FEATLAS" neighbours "$big" -k 5
	has "and says so" "$err" "going on from"
	ok "the checkpoint is gone" test ! -e "$big/graph.checkpoint"
	ok "the same ids" "$tool" close "$big/graph.safetensors" "$tmp/whole" neighbour_id 0
	ok "the same scores" "$tool" close "$big/graph.safetensors" "$tmp/whole" neighbour_score 0
else
	skip "resuming" "it was done within a second"
fi

check "no such feature" 2 "$FEATLAS" near "$SAMPLE" 512
check "not a number" 2 "$FEATLAS" near "$SAMPLE" x
check "none asked for" 2 "$FEATLAS" near "$SAMPLE" 3 -k 0
check "no such atlas" 2 "$FEATLAS" neighbours "$tmp/none"
finish
