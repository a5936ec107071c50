#!/bin/sh
# featlas lens on the sample atlas and the made-up model.
. "$TESTS_DIR/lib.sh"
lens() { "$FEATLAS" lens "$SAMPLE" --backend fake "$@"; }

check "a text" 0 lens --plain "She saw the river"
has "is read at its last token" "$out" '^after " river" \(4\): target ".+", likeliest from layer [0-3] on$'
is "a line a layer" "$(printf '%s\n' "$out" | grep -cE '^ +[0-3] +[0-9]+  [01]\.[0-9]{4} ( ".+" [01]\.[0-9]{2}){5}$')" 4
check "-k" 0 lens --plain -k 2 "She saw the river"
is "so many tokens" "$(printf '%s\n' "$out" | grep -cE '^ +[0-3] +[0-9]+  [01]\.[0-9]{4} ( "[^"]+" [01]\.[0-9]{2}){2}$')" 4
check "--position all" 0 lens --plain --position all "She saw the river"
is "every token" "$(printf '%s\n' "$out" | grep -c '^after ')" 5
check "--position" 0 lens --plain --position 2 "She saw the river"
has "that token" "$out" '^after " saw" \(2\)'
check "no token like that" 2 lens --plain --position 9 "She saw the river"
check "a target of two tokens" 2 lens --plain --target " river bank" "She saw"
has "is refused with its pieces" "$err" '" river", " bank"$'
check "an empty text" 0 lens --plain ""
check "no model" 2 "$FEATLAS" lens "$SAMPLE" x --backend none

check "--json" 0 lens --plain --json --target " bank" --position all "She saw the river"
is "is a line a position" "$(printf '%s\n' "$out" | grep -c '^{"position":[0-4],"token":')" 5
if command -v python3 >/dev/null; then
	printf '%s\n' "$out" >"$tmp/j"
	run "$FEATLAS" effects "$SAMPLE" --backend fake --plain --json --target " bank" "She saw the river"
	printf '%s\n' "$out" >"$tmp/e"
	ok "the last layer says what the model says" python3 - "$tmp/j" "$tmp/e" <<'PY'
import json, sys
last = [json.loads(l) for l in open(sys.argv[1])][-1]
e = json.load(open(sys.argv[2]))
assert last["target"]["token"] == " bank"
layer = last["layers"][-1]
assert [t["id"] for t in layer["top"]] == [t["id"] for t in e["likeliest"]][:5]
for a, b in zip(layer["top"], e["likeliest"]):
    assert abs(a["logp"] - b["logp"]) < 1e-4
assert abs(layer["logp"] - e["target"]["logp"]) < 1e-4
PY
fi
finish
