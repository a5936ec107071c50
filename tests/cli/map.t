#!/bin/sh
# featlas map: the layout of a copy of the sample, whose own map is planted by tools/mksample.c.
. "$TESTS_DIR/lib.sh"
tool=$BUILD_DIR/tests/cli/tool
copy_sample

check "map" 0 "$FEATLAS" map "$atlas" --epochs 120
has "says how many" "$out" '^512 features, [0-9]+ clusters in [0-9]+ parts$'
has "and how good it is" "$out" '^of 15 nearest [0-9.]+ % are nearest on the map too \(principal components '
check "the atlas is whole" 0 "$FEATLAS" verify "$atlas"
cp "$atlas/map.safetensors" "$tmp/first"
check "one thread" 0 env FEATLAS_THREADS=1 "$FEATLAS" map "$atlas" --epochs 120 --json
has "as JSON" "$out" '^\{"n_features":512,"n_clusters":[0-9]+,"n_parts":[0-9]+,"k":15,"preserved":0\.[0-9]+,'
for t in xy cluster part name_offset; do
	ok "the same $t" "$tool" close "$atlas/map.safetensors" "$tmp/first" $t 0
done
share() { printf '%s\n' "$out" | sed "s/.*\"$1\":\([0-9.]*\).*/\1/"; }
ok "it keeps more neighbours than its start" \
	awk "BEGIN { exit !($(share preserved) > 1.2 * $(share preserved_by_start)) }"
ok "far more than chance" awk "BEGIN { exit !($(share preserved) > 5 * $(share preserved_by_chance)) }"
check "another seed" 0 "$FEATLAS" map "$atlas" --epochs 120 --seed 2
if "$tool" close "$atlas/map.safetensors" "$tmp/first" xy 1e-3 >"$tmp/.ok" 2>&1; then same=yes; else same=no; fi
is "is another map" $same no

"$FEATLAS" label "$atlas" 3 'zebra crossing' && "$FEATLAS" label "$atlas" 51 'zebra' || exit 99
ok "atlas.json tells how it was made" grep -q '"seed": *2' "$atlas/atlas.json"
check "names go by the labels shown" 0 "$FEATLAS" map "$atlas" --epochs 2

check "no epochs" 2 "$FEATLAS" map "$atlas" --epochs 0
rm "$atlas/graph.safetensors"
check "without a graph" 2 "$FEATLAS" map "$atlas"
has "says what makes one" "$err" 'featlas neighbours'
check "no such atlas" 2 "$FEATLAS" map "$tmp/none"
finish
