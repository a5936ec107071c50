#!/bin/sh
# featlas show on the sample atlas.
. "$TESTS_DIR/lib.sh"

check "a page" 0 "$FEATLAS" show "$SAMPLE" 3
has "begins with id and label" "$out" '^#3 words about French  \(machine, fake explainer\)$'
has "tells other labels" "$out" '^  also: French, broadly  \(machine, second explainer\)$'
has "has the numbers" "$out" '^  density 0\.0[0-9]+  max [0-9.]+  detects [0-9.]+  writes 0\.84  output '
has "promoted tokens" "$out" '^promotes .* jour '
has "marks the peak" "$out" '⟦ [^ ]+⟧'
has "names neighbours" "$out" '^ +0\.[0-9]+  #35 French together with cooking$'
is "#3 and NAME#3 are the same" "$("$FEATLAS" show "$SAMPLE" '#3')" "$("$FEATLAS" show "$SAMPLE" 'sample#3')"
check "--limit" 0 "$FEATLAS" show "$SAMPLE" 3 --limit 1 --width 4
is "one context of a kind" "$(printf '%s\n' "$out" | sed -n '/^top$/,/^$/p' | grep -c '⟦')" 1

check "--json" 0 "$FEATLAS" show "$SAMPLE" 3 --json
is "is one line" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 1
has "labels" "$out" '^\{"id":3,"labels":\[\{"text":"words about French","source":"fake explainer","kind":"machine","score":0\.87\},'
has "numbers" "$out" '"density":0\.[0-9]+,"max":[0-9.]+,"input_score":[0-9.]+,"output_score":[0-9.]+,"topic_score":0\.84,'
has "topic words" "$out" '"topic_words":\[" jour"'
has "histogram" "$out" '"histogram":\{"edges":\[0\.0,[^]]*\],"counts":\[[0-9,]+\]\}'
has "promoted" "$out" '"promoted":\[\{"token":" jour","id":[0-9]+,"value":0\.[0-9]+\}'
has "contexts" "$out" '"contexts":\[\{"context":[0-9]+,"position":[0-9]+,"activation":[0-9.]+,"kind":"top","peak":[0-9]+,"tokens":\['
has "neighbours" "$out" '"neighbours":\[\{"id":35,"score":0\.[0-9]+,"metric":"cosine","label":"French together with cooking"\}'
if command -v python3 >/dev/null; then
	printf '%s\n' "$out" >"$tmp/3.json"
	ok "the contexts agree with themselves" python3 -c '
import json, sys
j = json.load(open(sys.argv[1]))
assert len(j["histogram"]["edges"]) == len(j["histogram"]["counts"]) + 1
kinds = [c["kind"] for c in j["contexts"]]
assert set(kinds) == {"top", "interval", "random"}, kinds
tops = [c["activation"] for c in j["contexts"] if c["kind"] == "top"]
assert tops == sorted(tops, reverse=True) and abs(tops[0] - j["max"]) < 2e-3 * j["max"]
for c in j["contexts"]:
    assert len(c["tokens"]) == len(c["activations"]) <= 21
    assert abs(c["activations"][c["peak"]] - c["activation"]) < 2e-3 * (1 + c["activation"]), c
    assert max(c["activations"]) >= c["activations"][c["peak"]]
' "$tmp/3.json"
else
	skip "the contexts agree with themselves" "no python3"
fi
check "a dead feature" 0 "$FEATLAS" show "$SAMPLE" 511 --json
has "has no contexts" "$out" '"density":0\.0,.*"contexts":\[\]'
lacks "and no NaN anywhere" "$out" 'NaN|nan'

# bytes that are no text: the suppressed tokens of #3 have some
check "broken bytes" 0 "$FEATLAS" show "$SAMPLE" 3 --json
has "stand beside their replacement" "$out" '"token":"�","bytes":"[0-9a-f]+"'
ok "the output is UTF-8" iconv -f UTF-8 -t UTF-8 "$tmp/.out"
check "a label that drives terminals" 0 "$FEATLAS" show "$SAMPLE" 60
lacks "is shown without its escape" "$out" "$(printf '\033')"
has "but shown" "$out" '␛\[2J'

check "an id beyond the last" 2 "$FEATLAS" show "$SAMPLE" 512
is "is named with the range" "$err" "featlas show: there is no feature 512: the atlas has 0 to 511"
check "no id" 2 "$FEATLAS" show "$SAMPLE" abc
is "is refused" "$err" "featlas show: 'abc' is not a feature's number"
check "a huge id" 2 "$FEATLAS" show "$SAMPLE" 99999999999999999999999
check "another atlas" 2 "$FEATLAS" show "$SAMPLE" 'other#3'
check "a bad width" 2 "$FEATLAS" show "$SAMPLE" 3 --width -1
finish
