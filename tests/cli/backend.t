#!/bin/sh
# A module's side of featlas-backend(7), spoken to by hand: frames, errors, cancel, limits.
. "$TESTS_DIR/lib.sh"
fake=$BUILD_DIR/src/featlas-fake
[ -x "$fake" ] || bail "no featlas-fake"

call() { printf '{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' "$@"; }
# what the module answers to what stands on stdin, raw bytes as they are; status in $status
ask() {
	status=0
	timeout 60 "$fake" "$@" <"$tmp/in" >"$tmp/raw" 2>"$tmp/err" || status=$?
	out=$(tr -d '\000' <"$tmp/raw" | LC_ALL=C sed -n '/{"jsonrpc"/p')
	err=$(cat "$tmp/err")
}
replies() { printf '%s\n' "$out" | grep -c "\"id\":$1,\"\(result\|error\)\""; }

check "--help" 0 "$fake" --help
has "says the switches" "$out" 'featlas-fake \[--delay-ms N\]'
check "--version" 0 "$fake" --version
has "says the protocol" "$out" '^featlas-fake [0-9.]+, protocol 1\.1$'

{ call 1 initialize '{"protocol":"1.0"}'; call 2 shutdown '{}'; call 3 vocab '{}'; } >"$tmp/in"
ask
is "shutdown ends it" "$status" 0
has "initialize says who" "$out" '"id":1,"result":\{"protocol":"1\.1","module":"featlas-fake",.*"n_vocab":650,'
has "... and what it can do" "$out" '"capabilities":\["tokenize","detokenize","vocab","template","states","generate","score","lens","load_encoder","update"\]'
lacks "nothing is served after shutdown" "$out" '"id":3'

{
	call 1 tokenize '{"text":"sea"}'
	call 2 initialize '{"protocol":"2.0"}'
	call 3 initialize '{}'
	call 4 nonsense '{}'
	echo 'rubbish'
	echo '[1,2]'
	echo '{"jsonrpc":"1.0","id":5,"method":"vocab"}'
	echo '{"jsonrpc":"2.0","id":[6],"method":"vocab"}'
	echo '{"jsonrpc":"2.0","id":7,"method":"vocab","params":[1]}'
	echo '{"jsonrpc":"2.0","method":"who knows"}'
	echo
	call 8 initialize '{"protocol":"1.9"}'
	call 9 tokenize '{}'
	call 10 tokenize '{"messages":[{"role":"user"}]}'
	call 11 states '{"hooks":["blocks.0.hook_resid_post"]}'
	call 12 generate '{"runs":[]}'
	echo '{"jsonrpc":"2.0","id":"a name","method":"detokenize","arrays":[{"name":"tokens","dtype":"U32","shape":[0]}],"bytes":0}'
} >"$tmp/in"
ask
is "bad requests do not end it" "$status" 0
has "initialize comes first" "$out" '"id":1,"error":\{"code":-32002,"message":"initialize comes first"'
has "a foreign protocol is refused" "$out" '"id":2,"error":\{"code":-32001,"message":"this module speaks protocol 1\.1, not 2\.0"'
has "a missing one too" "$out" '"id":3,"error":\{"code":-32602'
has "a method that is not there" "$out" '"id":4,"error":\{"code":-32601,"message":"there is no method .nonsense.'
is "what is no JSON object" "$(printf '%s\n' "$out" | grep -c '"id":null,"error":{"code":-32700')" 2
is "what is no request" "$(printf '%s\n' "$out" | grep -c '"error":{"code":-32600')" 3
has "a later minor is served" "$out" '"id":8,"result"'
has "no text" "$out" '"id":9,"error":\{"code":-32602,"message":"params have neither'
has "half a message" "$out" '"id":10,"error":\{"code":-32602,"message":"a message: .content. is missing'
has "an array that is missing" "$out" '"id":11,"error":\{"code":-32602,"message":"array .tokens. is missing'
has "no runs" "$out" '"id":12,"error":\{"code":-32602'
has "an id may be a string" "$out" '"id":"a name","result":\{"text":"","tokens":\[\]\}'
is "one reply a request" "$(printf '%s\n' "$out" | grep -c '"id":[0-9"]')" 12

# frames: two tokens 0x0110 and 0x0200, an id beyond the vocabulary, sizes that lie
{
	call 1 initialize '{"protocol":"1.0"}'
	echo '{"jsonrpc":"2.0","id":2,"method":"detokenize","arrays":[{"name":"tokens","dtype":"U32","shape":[2]}],"bytes":8}'
	printf '\020\001\000\000\002\000\000\000'
	echo '{"jsonrpc":"2.0","id":3,"method":"detokenize","arrays":[{"name":"tokens","dtype":"U32","shape":[1]}],"bytes":4}'
	printf '\377\377\000\000'
	echo '{"jsonrpc":"2.0","id":4,"method":"detokenize","arrays":[{"name":"tokens","dtype":"U32","shape":[3]}],"bytes":4}'
	printf '{"x"'
	echo '{"jsonrpc":"2.0","id":5,"method":"detokenize","arrays":[{"name":"tokens","dtype":"U16","shape":[2]}],"bytes":4}'
	printf '\n\n\n\n'
	echo '{"jsonrpc":"2.0","id":6,"method":"vocab","bytes":99999999999}'
	call 7 detokenize '{}'
} >"$tmp/in"
ask
is "frames do not end it" "$status" 0
has "a frame is read" "$out" '"id":2,"result":\{"text":".*","tokens":\[\{"id":272,"text":" river"\},\{"id":2,"text":'
has "a token that is not there" "$out" '"id":3,"error":\{"code":-32602,"message":"token 65535 is not in the vocabulary of 650'
has "sizes that differ are told, and the bytes skipped" "$out" "'bytes' is 4, the arrays take 12"
has "another dtype" "$out" '"id":5,"error":\{"code":-32602,"message":"array .tokens. has another dtype or shape'
has "a frame beyond the limit" "$out" "'bytes' is 99999999999, more than 4294967295"
has "and the lines after them" "$out" '"id":7,"error"'

{ head -c 1100000 /dev/zero | tr '\000' x; echo; call 1 initialize '{"protocol":"1.0"}'; } >"$tmp/in"
ask
has "a line that is too long is refused" "$out" '"error":\{"code":-32700,"message":"a line is longer than 1 MiB"'
has "... and the next one read" "$out" '"id":1,"result"'

printf '{"jsonrpc":"2.0","id":1,"method":"detokenize","arrays":[{"name":"tokens","dtype":"U32","shape":[2]}],"bytes":8}\nabc' >"$tmp/in"
ask
is "half a frame at the end is the end" "$status" 0

# cancel, while the request runs: the pipe is fed step by step, each after an answer came
mkfifo "$tmp/to"
"$fake" --delay-ms 10 <"$tmp/to" >"$tmp/raw" 2>/dev/null &
pid=$!
exec 4>"$tmp/to"
run_on='{"runs":[{"name":"a","tokens":"t"}],"n_tokens":1500}'
call 1 initialize '{"protocol":"1.0"}' >&4
printf '{"jsonrpc":"2.0","id":2,"method":"generate","params":%s,"arrays":[{"name":"t","dtype":"U32","shape":[2]}],"bytes":8}\n' "$run_on" >&4
printf '\000\000\000\000\020\001\000\000' >&4
ok "tokens stream" await grep -aq -e '"method":"token","params":{"id":2,"run":0,"token":{"id":' "$tmp/raw"
call 3 vocab '{}' >&4
call 4 cancel '{"id":3}' >&4
call 5 cancel '{"id":2}' >&4
call 6 cancel '{"id":99}' >&4
call 7 detokenize '{}' >&4
ok "requests after it are served" await grep -aq -e '"id":7,"error"' "$tmp/raw"
exec 4>&-
wait $pid
out=$(tr -d '\000' <"$tmp/raw" | LC_ALL=C sed -n '/{"jsonrpc"/p')
for id in 2 3 4 5 6 7; do
	is "request $id has one reply" "$(replies $id)" 1
done
has "a running request is cancelled" "$out" '"id":2,"error":\{"code":-32800,"message":"cancelled"'
has "a waiting one too" "$out" '"id":3,"error":\{"code":-32800'
has "cancel says what it found" "$out" '"id":5,"result":\{"found":true\}'
has "... or not" "$out" '"id":6,"result":\{"found":false\}'
is "cancel is answered before what it ends" "$(printf '%s\n' "$out" | grep -nE '"id":(2|5),"(result|error)"' | sed 's/.*"id":\([0-9]\).*/\1/' | tr -d '\n')" 52

# update, while the request runs: a run that waits for its reader goes on when it has said so
rm "$tmp/to"
mkfifo "$tmp/to"
"$fake" <"$tmp/to" >"$tmp/raw" 2>/dev/null &
pid=$!
exec 4>"$tmp/to"
paced='{"runs":[{"name":"a","tokens":"t","paced":true,"interventions":[{"kind":"add","hook":"blocks.1.hook_resid_post","direction":"d","amount":1,"on":false}]}],"n_tokens":3}'
call 1 initialize '{"protocol":"1.1"}' >&4
call 2 update '{"id":9,"run":0,"seen":1}' >&4
printf '{"jsonrpc":"2.0","id":9,"method":"generate","params":%s,"arrays":[{"name":"t","dtype":"U32","shape":[2]},{"name":"d","dtype":"F32","shape":[48]}],"bytes":200}\n' "$paced" >&4
{ printf '\000\000\000\000\020\001\000\000'; head -c 192 /dev/zero; } >&4
ok "the first token comes" await grep -aq -e '"method":"token","params":{"id":9' "$tmp/raw"
call 3 update '{"id":9,"run":1,"seen":1}' >&4
call 4 update '{"id":9,"run":0,"intervention":1,"on":true}' >&4
call 5 update '{"id":9,"run":0,"intervention":0,"on":7}' >&4
call 6 update '{"id":9,"run":0,"on":true}' >&4
call 7 update '{"id":9,"run":0,"intervention":0,"amount":1e300}' >&4
call 8 update '{"id":9,"run":0,"intervention":0,"on":true,"amount":2}' >&4
ok "updates are answered while it waits" await grep -aq -e '"id":8,"result"' "$tmp/raw"
is "... and it waits" "$(grep -ac '"method":"token"' "$tmp/raw")" 1
printf '{"jsonrpc":"2.0","method":"update","params":{"id":9,"run":0,"seen":1}}\n' >&4
call 10 update '{"id":9,"run":0,"seen":2}' >&4
ok "then it ends" await grep -aq -e '"id":9,"result"' "$tmp/raw"
exec 4>&-
wait $pid
out=$(tr -d '\000' <"$tmp/raw" | LC_ALL=C sed -n '/{"jsonrpc"/p')
has "what does not run is not found" "$out" '"id":2,"result":\{"found":false\}'
has "a run that is not there" "$out" '"id":3,"error":\{"code":-32602,"message":"update: .run. is'
has "an intervention that is not there" "$out" '"id":4,"error":\{"code":-32602,"message":"update: run 0 has 1 interventions, from 0 on"'
has "on is a truth" "$out" '"id":5,"error":\{"code":-32602'
has "of which intervention" "$out" '"id":6,"error":\{"code":-32602,"message":"update: .intervention. is missing"'
has "an amount beyond numbers" "$out" '"id":7,"error":\{"code":-32602'
has "an update is found" "$out" '"id":8,"result":\{"found":true\}'
is "all tokens came" "$(printf '%s\n' "$out" | grep -c '"method":"token"')" 3

# a token that is half a character has its bytes
{
	call 1 initialize '{"protocol":"1.0"}'
	echo '{"jsonrpc":"2.0","id":2,"method":"detokenize","arrays":[{"name":"tokens","dtype":"U32","shape":[1]}],"bytes":4}'
	printf '\344\000\000\000'
} >"$tmp/in"
ask
has "broken bytes are told in hex" "$out" '"tokens":\[\{"id":228,"text":".+","bytes":"e2"\}\]'

# the conversation in featlas-backend(7), line by line; "..." ends a line that goes on
page=$TESTS_DIR/../man/featlas-backend.7
sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$page" | sed 's/\\e/\\/g' >"$tmp/page"
sed -n 's/^> //p' "$tmp/page" >"$tmp/in"
ask
printf '%s\n' "$out" >"$tmp/said"
ok "the manual has an example" test -s "$tmp/in"
line=0
sed -n 's/^< //p' "$tmp/page" >"$tmp/want"
while IFS= read -r want; do
	line=$((line + 1))
	got=$(sed -n "${line}p" "$tmp/said")
	case $want in
	*...) want=${want%...}; got=$(printf '%s' "$got" | cut -c1-${#want}) ;;
	esac
	is "line $line of the manual's example" "$got" "$want"
done <"$tmp/want"

# nobody reads: it ends, and does not spin
{ call 1 initialize '{"protocol":"1.0"}'; for i in 2 3 4 5 6 7 8 9; do call $i vocab '{}'; done; } >"$tmp/in"
timeout 100 sh -c '"$1" --load-ms 200 <"$2" | head -c 10 >/dev/null' sh "$fake" "$tmp/in"
is "a reader that goes away ends it" "$?" 0
finish
