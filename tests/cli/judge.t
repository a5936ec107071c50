#!/bin/sh
# featlas judge and explain: by words alone, and by a chat endpoint on loopback that answers well and badly.
. "$TESTS_DIR/lib.sh"
copy_sample
judge() { "$FEATLAS" judge "$atlas" "$@"; }

# without a model
check "judge by words" 0 judge 0 3 --method lexical
has "prints a line a label" "$out" "^#0${tab}[01]\.[0-9]{3}${tab}[0-9]+/10${tab}[0-9]+/10${tab}words about bridges$"
ok "says nothing else" [ -z "$err" ]
check "--json" 0 judge 3 --method lexical --json
has "is one object a line" "$out" '^\{"id":3,"label":"words about French","kind":"machine","method":"lexical","model":null,"balanced_accuracy":'
has "with counts by level" "$out" '"fires":\{"asked":10,"right":[0-9]+\},"silent":\{"asked":10,"right":[0-9]+\},"neighbours":\{"asked":5,.*"levels":\[\[[0-9]+,[0-9]+\],.*"assumed":0,"unjudged":0\}$'
check "verify" 0 "$FEATLAS" verify "$atlas"
run "$FEATLAS" show "$atlas" 3 --json
has "show --json has it" "$out" '"judged":\[\{"method":"lexical","label":"words about French","seed":1,"balanced_accuracy":'
run "$FEATLAS" search "$atlas" --query 'judged:0..1' --count
is "judged: finds the two" "$out" 2
run "$FEATLAS" info "$atlas"
has "info names the part" "$out" 'parts .*evidence'
check "by the feature's topic words" 0 judge 0 --method topic
check "all of a kind, together" 0 judge --method lexical --kind lexical --summary --json
has "median and quartiles" "$out" '^\{"kind":"all","labels":[0-9]+,"lower_quartile":0\.[0-9]+,"median":0\.[0-9]+,'
check "a query" 0 judge --query 'near:0' --method lexical --no-keep
ok "gives several" [ "$(printf '%s\n' "$out" | grep -c '^#')" -gt 3 ]
check "a feature without a label" 2 judge 505 --method lexical
has "is refused" "$err" 'none of these features has such a label'
check "an endpoint for words" 2 judge 0 --method lexical --endpoint http://localhost:1
has "is refused" "$err" 'asks nobody'
check "no endpoint" 2 judge 0
has "is asked for" "$err" '^featlas judge: --endpoint and --model name who is asked$'

printf 'keys #\ntype 3\nkeys <Enter>\nexpect words .50  fake explainer\nkeys =\nexpect lexical 0.5: 0 of 10, silent 10 of 10: "words about French"\n' >"$tmp/keys"
check "the feature's page shows it" 0 "$FEATLAS" open "$atlas" --backend fake --script "$tmp/keys"

# damaged
cp "$atlas/evidence.safetensors" "$tmp/kept"
python3 - "$atlas/evidence.safetensors" <<'X'
import json, struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
n = struct.unpack("<Q", b[:8])[0]
at = json.loads(b[8:8 + n])["counts"]["data_offsets"][0] + 8 + n
b[at:at + 2] = struct.pack("<H", 3)
open(sys.argv[1], "wb").write(b)
X
check "counts that do not fit" 3 "$FEATLAS" verify "$atlas"
has "are named" "$out$err" "evidence.safetensors': judgement 0 has (counts that do not add up|more right answers than questions)"
cp "$tmp/kept" "$atlas/evidence.safetensors"
python3 - "$atlas/evidence.safetensors" <<'X'
import json, struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
n = struct.unpack("<Q", b[:8])[0]
at = json.loads(b[8:8 + n])["balanced_accuracy"]["data_offsets"][0] + 8 + n
b[at:at + 4] = struct.pack("<f", 0.99)
open(sys.argv[1], "wb").write(b)
X
check "a figure that does not follow" 3 "$FEATLAS" verify "$atlas"
has "is named" "$out$err" "judgement 0 has another balanced accuracy than its counts"
cp "$tmp/kept" "$atlas/evidence.safetensors"

"$FEATLAS" judge "$atlas" 1 --endpoint http://127.0.0.1:1/v1 --model m --retries 0 --no-keep >"$tmp/out" 2>"$tmp/err"
if grep -q 'without libcurl' "$tmp/err"; then
	skip "chat endpoints" "built without libcurl"
	finish
fi
has "nobody listens: not judged" "$(cat "$tmp/err")" '1 of 1 labels were not judged: .*127.0.0.1'

python3 "$TESTS_DIR/cli/chat_server.py" "$tmp/port" "$tmp/log" &
server=$!
trap 'kill $server 2>/dev/null; chmod -R u+rwx "$tmp"; rm -rf "$tmp"' EXIT
await [ -e "$tmp/port" ] || exit 99
port=$(cat "$tmp/port")
unset OPENAI_API_KEY FEATLAS_API_KEY
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export no_proxy=127.0.0.1
ask() { # mode, arguments of judge
	mode=$1
	shift
	: >"$tmp/log"
	judge --endpoint "http://127.0.0.1:$port/$mode/v1" --model some-model "$@"
}

check "--dry-run" 0 ask ones 1 --dry-run
is "prints the requests" "$(printf '%s\n' "$out" | grep -c '^{"model":"some-model","messages":')" 4
has "says where they would go" "$err" '^featlas judge: 4 requests would go to http://127.0.0.1:[0-9]+/ones/v1/chat/completions, [0-9]+ bytes, about [0-9]+ tokens; nothing was sent$'
is "and sends nothing" "$(cat "$tmp/log")" ""
check "an endpoint that says yes to all" 0 ask ones 1 --json --price 2,10
has "is right where it fires and wrong elsewhere" "$out" '"method":"detection","model":"some-model","balanced_accuracy":0\.5,.*"fires":\{"asked":10,"right":10\},"silent":\{"asked":10,"right":0\}'
has "what it cost is said" "$err" '^featlas judge: 4 requests, 400 tokens sent, 28 received, cost 0\.0011$'
is "five texts at a time, without a key" "$(sort -u "$tmp/log")" "ones - 5 True"
check "the same again" 0 ask ones 1 --json
is "is not asked again" "$(cat "$tmp/log")" ""
check "--again" 0 ask ones 1 --again
is "asks" "$(grep -c . "$tmp/log")" 4
check "an answer after some thought" 0 ask thinks 2 --json --no-keep
has "counts, the list at its end" "$out" '"fires":\{"asked":10,"right":0\},"silent":\{"asked":10,"right":10\}'
check "fuzzing" 0 ask ones 1 --method fuzzing --dry-run
has "marks places" "$out" '⟦'
check "verify" 0 "$FEATLAS" verify "$atlas"

# keys
FEATLAS_API_KEY=secret-1 OPENAI_API_KEY=secret-2
export FEATLAS_API_KEY OPENAI_API_KEY
check "a key in the environment" 0 ask ones 4
is "goes along" "$(sort -u "$tmp/log")" "ones secret-1 5 True"
unset FEATLAS_API_KEY
check "OpenAI's" 0 ask ones 6
is "too" "$(sort -u "$tmp/log")" "ones secret-2 5 True"
ok "it stands in no file" sh -c '! grep -rqs "secret-[12]" "$1"' - "$atlas"
check "a key for an open line" 2 judge 1 --endpoint http://example.invalid/v1 --model m
has "is not sent" "$err" 'a key is sent over https or to this machine only'
check "a host that looks like this machine" 2 judge 1 --endpoint http://localhost@example.invalid/v1 --model m
check "a refused key" 1 ask key 7
lacks "is not repeated" "$out$err" 'secret'
is "and not tried again" "$(grep -c . "$tmp/log")" 1
has "but said" "$err" '1 of 1 labels were not judged: the endpoint refuses the key in the environment \(status 401\)'
check "an error that repeats the key" 1 ask echo 7
lacks "is printed without it, and harmless" "$out$err" "secret|$(printf '\033')"
has "with the rest" "$err" 'status 400: .*no: \*+'
check "a redirect" 1 ask elsewhere 7
is "is not followed" "$(sort -u "$tmp/log")" "elsewhere secret-2 5 True"
check "a proxy" 0 env -u no_proxy http_proxy="http://127.0.0.1:$port" ALL_PROXY="http://127.0.0.1:$port" \
	"$FEATLAS" judge "$atlas" 7 --endpoint "http://127.0.0.1:$port/ones/v1" --model some-model --no-keep
is "is not on the way to this machine" "$(sort -u "$tmp/log" | tail -1)" "ones secret-2 5 True"
OPENAI_API_KEY=a-much-longer-secret-key
check "a message cut within the key" 1 ask cut 14
lacks "shows no piece of it" "$out$err" 'a-much'
check "the key in place of JSON" 1 ask raw 14
has "is no JSON" "$err" 'not judged: the answer is not JSON'
check "the key in the model's name" 2 judge 14 --endpoint "http://127.0.0.1:$port/v1" --model "x-$OPENAI_API_KEY"
has "is refused" "$err" 'the key in the environment stands in --model, too'
lacks "and not printed" "$out$err" 'secret'
check "in the address" 2 judge 14 --endpoint "http://127.0.0.1:$port/$OPENAI_API_KEY/v1" --model m --dry-run
lacks "not either" "$out$err" 'secret'
check "as the address" 2 judge 14 --endpoint "$OPENAI_API_KEY" --model m
lacks "not either" "$out$err" 'secret'
check "explain: the key as a label" 1 "$FEATLAS" explain "$atlas" 44 --endpoint "http://127.0.0.1:$port/repeats/v1" --model m
has "is no label" "$err" '1 of 1 got no label: the answer repeats the key in the environment'
lacks "is not shown" "$out$err" 'my key'
ok "and not kept" sh -c '! grep -rqs "a-much-longer" "$1"' - "$atlas"
OPENAI_API_KEY=none
check "a word for a key" 0 ask ones 14 --no-keep
OPENAI_API_KEY='**'
check "stars for a key" 1 ask echo 14 --no-keep
unset OPENAI_API_KEY
for url in "http://user:word@127.0.0.1:$port/v1" "https://word@example.invalid/v1" "ftp://user:word@example.invalid/" \
	"https://example.invalid/v1?key=word" "https://example.invalid/v1#word" "http://127.0.0.1\\word"; do
	: >"$tmp/log"
	check "the address $url" 2 judge 14 --endpoint "$url" --model m --dry-run
	lacks "is not printed" "$out$err" 'word'
done

# what is no answer is no wrong answer
check "a busy server" 0 ask busy 8 --json --retries 1
has "is asked again" "$out" '"fires":\{"asked":10,"right":10\}.*"unjudged":0'
has "which is said" "$err" '4 requests, .*; 4 asked again$'
check "a server that is down" 1 ask down 9 --retries 1
is "gives no score" "$out" ""
has "only a reason" "$err" '1 of 1 labels were not judged: the endpoint answers with status 503'
check "no JSON" 1 ask garbage 9
lacks "is not shown" "$out$err" "$(printf '\033')"
check "no list" 1 ask prose 9
has "is not judged" "$err" '1 of 1 labels were not judged'
check "lists of the wrong length, other numbers" 1 ask wrong 9
check "brackets without end" 0 ask brackets 9 --json --no-keep
has "are passed over" "$out" '"fires":\{"asked":10,"right":10\}'
check "an answer without end" 1 ask huge 9
has "is cut off" "$err" 'the answer is longer than 1048576 bytes'
check "a server that hangs" 1 ask hang 9 --timeout 1 --retries 0
has "is not waited for" "$err" 'no answer came within 1 s'
: >"$tmp/log"
for command in "judge" "explain"; do
	"$FEATLAS" $command "$atlas" 9 --endpoint "http://127.0.0.1:$port/hang/v1" --model m --timeout 25 --retries 0 \
		>"$tmp/o" 2>"$tmp/e" </dev/null &
	pid=$!
	await grep -q hang "$tmp/log"
	: >"$tmp/log"
	kill -INT $pid
	wait $pid
	is "^C stops $command during a request" "$?" 130
done
check "credits that run out" 0 ask first 10 11 12 --json
has "leave what was judged, with the rest marked" "$out" '"id":10,.*"unjudged":15\}'
is "and nothing of the others" "$(printf '%s\n' "$out" | grep -c .)" 1
has "which is said" "$err" '2 of 3 labels were not judged: .*no credits left'
is "no more was sent" "$(grep -c . "$tmp/log")" 2
run "$FEATLAS" show "$atlas" 9 --json
lacks "nothing false is kept" "$out" '"method":"detection"'
chmod a-w "$atlas"
if [ "$(id -u)" = 0 ]; then
	skip "an atlas that may not be written" "root may"
else
	check "an atlas that may not be written" 2 ask ones 13
	is "is seen before anything is sent" "$(cat "$tmp/log")" ""
fi
chmod u+w "$atlas"

# a store with examples only
"$FEATLAS" prune "$atlas" "$tmp/pruned.atlas" --window 8 >/dev/null
check "where silence is assumed" 0 "$FEATLAS" judge "$tmp/pruned.atlas" 0 --method lexical --again --json
has "it is said, and no neighbour is asked about" "$out" '"neighbours":\{"asked":0,"right":0\},.*"assumed":10,'
check "verify" 0 "$FEATLAS" verify "$tmp/pruned.atlas"

# labels
explain() { # mode, arguments
	mode=$1
	shift
	: >"$tmp/log"
	"$FEATLAS" explain "$atlas" --endpoint "http://127.0.0.1:$port/$mode/v1" --model some-model "$@"
}
check "explain --dry-run" 0 explain names 40 --dry-run
has "shows marked texts with their strength" "$out" 'Texts: \[\{\\"strength\\":[0-9]+,\\"text\\":\\"[^⟦]*⟦'
is "and sends nothing" "$(cat "$tmp/log")" ""
check "explain" 0 explain names 40 41
is "prints a label each" "$(printf '%s\n' "$out" | sed 's/.\[31m/ESC/')" "#40${tab}rivers and ESCboats
#41${tab}rivers and ESCboats"
run "$FEATLAS" show "$atlas" 40 --json
has "kept as a machine's" "$out" '\{"text":"rivers and  \[31mboats","source":"explain","kind":"machine","score":null,"model":"some-model"\}'
check "verify" 0 "$FEATLAS" verify "$atlas"
check "again" 0 explain names 40 41
is "is not asked again" "$(cat "$tmp/log")" ""
check "a novel" 1 explain novel 42
has "is no label" "$err" '1 of 1 got no label'
check "a dead feature" 1 explain names 505
has "has nothing to show" "$err" '1 have no context to show'
check "explain, down" 1 explain down 43 --retries 0
has "says why" "$err" '1 of 1 got no label: the endpoint answers with status 503'
finish
