#!/bin/sh
# The pages whose commands tell a story: what stands below each is what it prints, on the atlas that ships.
. "$TESTS_DIR/lib.sh"
top=$TESTS_DIR/..
command -v python3 >/dev/null || bail "no python3"
[ -e "$top/share/featlas/demo.atlas/atlas.json" ] || bail "no demo atlas"
for page in stories; do
	check "docs/$page.md prints what it says" 0 python3 "$top/tools/retell" "$(dirname "$FEATLAS")/.." "$top/docs/$page.md" --check
	has "and has commands" "$out" '[1-9][0-9]* commands, 0 differ'
done
finish
