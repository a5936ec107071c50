#!/bin/sh
# featlas effects on the sample atlas and the made-up model.
. "$TESTS_DIR/lib.sh"
effects() { "$FEATLAS" effects "$SAMPLE" --backend fake "$@"; }

check "a prompt" 0 effects --plain "She saw the river under the bridge"
has "names the likeliest token" "$out" '^target ".+", p 0\.[0-9]{4}, log p -[0-9.]+, the likeliest next token$'
has "a line a feature, with three ranks" "$out" '^ +[+-][0-9.]+ +1 +[0-9.]+ +[0-9]+ +[+-][0-9.]+ +[0-9]+  #[0-9]+ +".+" [0-9]+'
has "correlations of all" "$out" '^ +activation +-?[01]\.[0-9]{2} +-?[01]\.[0-9]{2} +-?[01]\.[0-9]{2} +-?[01]\.[0-9]{2}$'
has "how sure it is" "$out" '^rows put back unchanged move the target by [0-9.e-]+$'
lacks "nothing about a template" "$out" "template"
check "in a chat" 0 effects "The river"
has "the template's last token is said to be read" "$out" "^the last token is the chat template's"
check "--limit" 0 effects --plain --limit 2 "She saw the river"
is "two features" "$(printf '%s\n' "$out" | grep -c '  #[0-9]')" 2
has "and how many more" "$out" '^[0-9]+ more$'

check "--target and --against" 0 effects --plain --target " arch" --against " river" "under the bridge"
has "are both said" "$out" '^against " river", p [0-9.]+, log p -[0-9.]+, difference [+-][0-9.]+$'
check "a target of two tokens" 2 effects --plain --target " bridge over" "under"
is "is refused with its pieces" "$err" "featlas effects: ' bridge over' is 2 tokens, not one: \" bridge\", \" over\""
check "a target that lacks its blank" 2 effects --plain --target "bridge" "under"
has "is told so" "$err" "with a blank before it it is one$"
check "the same token on both sides" 2 effects --plain --target " bridge" --against " bridge" "under"
check "no position like that" 2 effects --plain --position 77 "under the bridge"
has "says which there are" "$err" "^featlas effects: --position is a token of the prompt, 0 to [0-9]+, or a range of them, not '77'$"
check "a range backwards" 2 effects --plain --position 2-1 "under the bridge"
check "no order like that" 2 effects --plain --by size "under the bridge"
has "says which there are" "$err" "^featlas effects: --by is effect, activation or attribution, not 'size'$"
check "only the first token" 1 effects --plain --position 0 "under the bridge"
check "an empty prompt" 1 effects --plain ""
check "hostile text" 0 effects --plain "$(printf 'a\033[31mb')"
check "no model" 2 "$FEATLAS" effects "$SAMPLE" x --backend none

check "--json" 0 effects --plain --json "She saw the river under the bridge"
has "is one object" "$out" '^\{"prompt":"She saw the river under the bridge","plain":true,"tokens":8,"positions":7,"target":\{'
if command -v python3 >/dev/null; then
	printf '%s\n' "$out" >"$tmp/all"
	run effects --plain --json --position 7 "She saw the river under the bridge"
	printf '%s\n' "$out" >"$tmp/last"
	run effects --plain --json --by activation --limit 5 "She saw the river under the bridge"
	printf '%s\n' "$out" >"$tmp/five"
	ok "ranks and correlations are those of the numbers" python3 - "$tmp/all" "$tmp/last" "$tmp/five" <<'PY'
import json, math, sys
j, last, five = (json.load(open(p)) for p in sys.argv[1:])
def pearson(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / math.sqrt(
        sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))
def ranks(x):
    return [sum(b < a for b in x) + (sum(b == a for b in x) + 1) / 2 for a in x]
def check(c, f):
    e = [x["effect"] for x in f]
    for by in "activation", "attribution":
        v = [x[by] for x in f]
        for sizes in "", "_of_sizes":
            a, b = (v, e) if not sizes else ([abs(x) for x in v], [abs(x) for x in e])
            assert abs(c[by]["pearson" + sizes] - pearson(a, b)) < 1e-5, by
            assert abs(c[by]["spearman" + sizes] - pearson(ranks(a), ranks(b))) < 1e-5, by
    assert c["features"] == len(f)
f = j["features"]
check(j["correlations"]["all"], f)
for by in "effect", "activation", "attribution":
    for x in f:
        assert x["rank"][by] == 1 + sum(abs(y[by]) > abs(x[by]) for y in f), (by, x)
assert [abs(x["effect"]) for x in f] == sorted((abs(x["effect"]) for x in f), reverse=True)
# those at the last token, asked for alone
check(last["correlations"]["all"], last["features"])
here = {x["id"]: x for x in f}
assert j["correlations"]["last"]["features"] == len(last["features"]) > 4
for x in last["features"]:
    assert abs(x["attribution"] - here[x["id"]]["attribution"]) < 1e-4
    assert x["positions"] == 1 and x["position"] == 7
silent = {x["id"] for x in f} - {x["id"] for x in last["features"]}
assert silent and all(here[i]["attribution"] == 0 for i in silent)
assert len(five["features"]) == 5 and [x["rank"]["activation"] for x in five["features"]] == [1, 2, 3, 4, 5]
PY
fi
finish
