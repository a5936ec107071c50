#!/bin/sh
# featlas steer on the sample atlas and the made-up model.
. "$TESTS_DIR/lib.sh"
copy_sample
SAMPLE=$atlas
steer() { "$FEATLAS" steer "$SAMPLE" --backend fake --prompt "Tell me about the garden" "$@"; }

check "two texts" 0 steer --feature 1:3x
has "the baseline" "$out" '^baseline$'
has "the steered text" "$out" '^steered$'
has "what was done" "$out" '^#1 add [0-9.]+  words about rivers$'
has "and how much" "$out" '^change over the median norm [0-9.]+, repeated 4-grams [0-9]+ %, first difference at token [0-9]+$'

check "--json" 0 steer --feature 1:3x --json
is "is one line" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 1
has "prompt and texts" "$out" '^\{"prompt":"Tell me about the garden","baseline":"[^"]+","steered":"[^"]*(river|stream|boat)[^"]*",'
has "features" "$out" '"features":\[\{"id":1,"method":"add","strength":"3x","coefficient":[0-9.]+,"label":"words about rivers"\}\]'
has "options" "$out" '"seed":1,"temperature":0\.0,"n":60,"where":"reply","chat":true,'
has "measures" "$out" '"first_difference":[0-9]+,"change_over_norm":[0-9.]+,"repeated_4grams":[0-9.]+,"model":"fake world",'
has "heat of each token" "$out" '"heat":\{"baseline":\[\[[0-9]+,[0-9.]+\],.*\[[0-9]+,null\]\],"steered":\[\[[0-9]+,[0-9.]+\],.*\]\},'
has "the hash" "$out" ',"hash":"[0-9a-f]{64}"\}$'
first=$out
check "again" 0 steer --feature 1:3x --json
is "is the same" "$out" "$first"

part() { printf '%s\n' "$out" | sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/'; }
check "strength 0" 0 steer --feature 1:0 --json
is "says what the baseline says" "$(part steered)" "$(part baseline)"
has "and nothing differs" "$out" '"first_difference":null,"change_over_norm":0\.0'
check "ablating a dead feature" 0 steer --feature 505::ablate:on=both --json
is "changes nothing" "$(part steered)" "$(part baseline)"
check "a clamp" 0 steer --feature 1:3x:clamp --json
has "writes about it" "$(part steered)" 'river|stream|boat'
check "ablate needs no strength" 0 steer --feature 1:ablate --json
has "and is a clamp to 0" "$out" '"method":"ablate","strength":"[^"]*","coefficient":0\.0'
check "two features" 0 steer --feature 1 --feature '#13:1.5x' -n 12 --json
has "both told" "$out" '"id":1,.*"id":13,'
has "so many tokens" "$out" '"n":12,'
check "--plain" 0 steer --feature 1 --plain --json
has "leaves the template off" "$out" '"chat":false'
check "--where" 0 steer --feature 1 --where both --json
has "is told" "$out" '"where":"both"'

check "a seed" 0 steer --feature 1:1x --temperature 1 --seed 5 --json
drawn=$out
check "again" 0 steer --feature 1:1x --temperature 1 --seed 5 --json
is "the same seed, the same text" "$out" "$drawn"
check "another seed" 0 steer --feature 1:1x --temperature 1 --seed 6 --json
ok "another text" test "$(part baseline)" != "$(printf '%s\n' "$drawn" | sed 's/.*"baseline":"\([^"]*\)".*/\1/')"

check "only if a feature fires" 0 steer --feature '1:3x:add:if=#2>0.2x' --json
has "is told" "$out" '"features":\[\{"id":1,"method":"add","strength":"3x","coefficient":[0-9.]+,"if":"#2>0.2x"'
check "... in words" 0 steer --feature '1:3x:add:if=#2>0.2x'
has "before the label" "$out" '^#1 add [0-9.]+  if #2>0.2x  words about rivers$'
check "only while a regex matches" 0 steer --feature '1:3x:add:if=/ river/' --json
has "nothing differs before it does" "$out" '"baseline":"([^"]* river)[^"]*","steered":"\1'
ok "and something after it" test "$(part steered)" != "$(part baseline)"
check "never" 0 steer --feature '1:3x:add:if=/xyzzy/' --json
has "is nothing" "$out" '"first_difference":null,"change_over_norm":0\.0'
check "never" 0 steer --feature '1:3x:add:if=/xyzzy/'
has "is said" "$out" 'the condition never held$'
check "the part along a feature" 0 steer --feature 1:orthogonal --json
has "is taken away" "$out" '"method":"orthogonal","strength":"0","coefficient":0\.0'
check "a cap" 0 steer --feature 1:0.1x:cap:on=both --json
has "is one" "$out" '"method":"cap","strength":"0.1x",'

check "the best of several seeds" 0 steer --feature 1:1x --temperature 1 --seed 5 --best 3 --json
is "is a line a seed" "$(printf '%s\n' "$out" | grep -c '^{"prompt"')" 3
is "the seeds that were asked for" "$(printf '%s\n' "$out" | sed 's/.*"seed":\([0-9]*\).*/\1/' | sort | tr '\n' ' ')" "5 6 7 "
ll=$(printf '%s\n' "$out" | sed 's/.*"loglik":\([-0-9.e]*\).*/\1/')
is "the likeliest first" "$ll" "$(printf '%s\n' "$ll" | sort -gr)"
is "each as it is alone" "$(printf '%s\n' "$out" | grep '"seed":5' | sed 's/.*"baseline":"\([^"]*\)","steered":"\([^"]*\)".*/\1|\2/')" \
	"$(printf '%s\n' "$drawn" | sed 's/.*"baseline":"\([^"]*\)","steered":"\([^"]*\)".*/\1|\2/')"
check "... in words" 0 steer --feature 1:1x --temperature 1 --seed 5 --best 3 -n 10
has "with the measure and the repetitions" "$out" '^1\. seed [567]  -[0-9.]+ nats a token \(baseline -[0-9.]+\), repeated 4-grams [0-9]+ %$'

refused() { # name, regex, command ...
	name_r=$1 regex_r=$2
	shift 2
	check "$name_r is refused" 2 "$@"
	has "... in one sentence" "$err" "$regex_r"
	is "... and no more" "$(printf '%s\n' "$err" | wc -l | tr -d ' ')" 1
}
refused "an unknown feature" 'there is no feature 512: the atlas has 512' steer --feature 512
refused "a word for a feature" "'river' is not a feature's number" steer --feature river
refused "a strength beyond numbers" "strength 1e\+30 is too large: a change of size 1e\+30, and 1e\+09 is the most" steer --feature 1:1e30
refused "a strength that is none" "'2y' is not a strength" steer --feature 1:2y
refused "a method that is none" "'sing' is no method" steer --feature 1:2x:sing
refused "the best of equal texts" 'at temperature 0 all seeds give one text' steer --feature 1 --best 3
refused "more than fits" '20 seeds of 60 tokens each, steered and not, need [0-9]+ tokens of context; the model has 2048' \
	steer --feature 1 --best 20 --temperature 1
refused "a condition that is none" "if=/a" steer --feature '1:2x:add:if=/a'
refused "a regex that is none" 'if=/a\(/' steer --feature '1:2x:add:if=/a(/'
refused "a module that has no update" "cannot steer on a regex of the text: the backend has no 'update'; a condition on a feature, if=#ID, needs none" \
	"$FEATLAS" steer "$SAMPLE" --backend "featlas-fake | sed -u 's/,\"update\"//'" --prompt x --feature '1:2x:add:if=/a/'
refused "a module of protocol 1.0" "speaks protocol 1\.0, which has no conditions, no orthogonal and no cap; they came with 1\.1" \
	"$FEATLAS" steer "$SAMPLE" --backend "featlas-fake | sed -u 's/\"protocol\":\"1.1\"/\"protocol\":\"1.0\"/'" --prompt x --feature '1:orthogonal'
refused "a dead feature's 2x" 'feature 505 never fired' steer --feature 505
refused "no feature" '--feature is missing' "$FEATLAS" steer "$SAMPLE" --backend fake --prompt x
refused "no prompt" '--prompt is missing' "$FEATLAS" steer "$SAMPLE" --backend fake --feature 1
refused "a place that is none" "not 'nowhere'" steer --feature 1 --where nowhere
refused "too long a reply" 'do not fit' steer --feature 1 -n 5000
refused "a missing module" "there is no backend module 'none'" "$FEATLAS" steer "$SAMPLE" --backend none --prompt x --feature 1
refused "a module that dies" "ended with status 134: featlas-fake: assertion failed" \
	"$FEATLAS" steer "$SAMPLE" --backend 'featlas-fake --crash-after 3' --prompt x --feature 1
refused "a module that is none" "does not speak the protocol; it said 'hello'" \
	"$FEATLAS" steer "$SAMPLE" --backend 'echo hello' --prompt x --feature 1
FEATLAS_BACKEND_TIMEOUT=0.5; export FEATLAS_BACKEND_TIMEOUT
refused "a module that hangs" 'has said nothing' "$FEATLAS" steer "$SAMPLE" --backend 'featlas-fake --hang' --prompt x --feature 1
unset FEATLAS_BACKEND_TIMEOUT
refused "no model at hand" 'bootstrap' "$FEATLAS" steer "$SAMPLE" --prompt x --feature 1


# ^C ends it with 130
"$FEATLAS" steer "$SAMPLE" --backend 'featlas-fake --delay-ms 20' --prompt x --feature 1 -n 1000 >"$tmp/o" 2>"$tmp/e" &
pid=$!
await has_child $pid
kill -INT $pid
wait $pid
is "^C is status 130" "$?" 130
finish
