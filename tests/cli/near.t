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

check "no such feature" 2 "$FEATLAS" near "$SAMPLE" 512
check "not a number" 2 "$FEATLAS" near "$SAMPLE" x
check "none asked for" 2 "$FEATLAS" near "$SAMPLE" 3 -k 0
check "no such atlas" 2 "$FEATLAS" neighbours "$tmp/none"
finish
