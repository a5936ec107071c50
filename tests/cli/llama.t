#!/bin/sh
# The program featlas-llama: its arguments, its refusals and, with a model at hand, the protocol.
llama=$BUILD_DIR/src/featlas-llama
[ -x "$llama" ] || { echo "1..0 # SKIP built without libllama"; exit 0; }
model=${FEATLAS_TEST_MODEL:-${FEATLAS_MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/featlas/models/SmolLM2-135M-Instruct-BF16.gguf}}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
XDG_CACHE_HOME=$dir/cache; export XDG_CACHE_HOME
n=0
check() { # name, then a command that must succeed
	n=$((n + 1)) name=$1; shift
	if "$@"; then echo "ok $n - $name"; else echo "not ok $n - $name"; cat -v "$dir/out" "$dir/err" | cut -c1-400 | head -20 | sed 's/^/# /'; fi
}
status() { # the status that is wanted, then the command; its output in $dir
	want=$1; shift
	timeout 120 "$@" <"$dir/in" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got -eq "$want" ] || { echo "status $got" >>"$dir/err"; false; }
}
says() { grep -aqF -- "$2" "$dir/$1"; }
one_line() { [ "$(wc -l <"$dir/$1")" -eq 1 ]; }
: >"$dir/in"

check "--help answers" status 0 "$llama" --help
check "... with the options" says out "--convert IN.gguf OUT.gguf"
check "a missing model is refused" status 2 "$llama" -m "$dir/none.gguf" --try
check "... by name, in one line" eval 'says err "$dir/none.gguf" && one_line err'
printf 'GGUF rubbish' >"$dir/bad.gguf"
check "a file that is no model is refused" status 2 "$llama" -m "$dir/bad.gguf" --try
check "... by name" says err "cannot load '$dir/bad.gguf'"
check "threads are a number" status 2 "$llama" -t 0 --try
check "... or a sentence" says err "'0' is not a number of threads"
check "--convert takes two files" status 2 "$llama" --convert "$dir/bad.gguf"
check "... and a model" status 2 "$llama" --convert "$dir/bad.gguf" "$dir/out.gguf"
check "... and leaves nothing" [ ! -e "$dir/out.gguf" ]
if [ ! -r "$model" ]; then
	n=$((n + 1)); echo "ok $n - a real model # SKIP no $model: ./bootstrap obtains it, or set FEATLAS_TEST_MODEL"
	echo "1..$n"
	exit 0
fi

check "--try decodes" status 0 "$llama" -m "$model" --try
check "... and says so in one line" eval 'one_line out && says out "The capital of France is Paris"'

ln -s "$(realpath "$model")" "$dir/Some-Model.Q8_0.gguf"
check "--convert copies" status 0 "$llama" --convert "$dir/Some-Model.Q8_0.gguf" "$dir/copy.gguf"
call() { printf '{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' "$@"; }
{ call 1 initialize '{"protocol":"1.0"}'; call 2 shutdown '{}'; } >"$dir/in"
check "the copy answers" status 0 "$llama" -m "$dir/copy.gguf"
check "... under the name of what it was made of" says out '"name":"Some-Model, Q8_0 to BF16"'
check "... and its checksum" says out "\"sha256\":\"$(sha256sum <"$model" | cut -c1-64)\""
rm -f "$dir/copy.gguf"

{
	call 1 initialize '{"protocol":"1.0"}'
	call 2 template '{"messages":[{"role":"user","content":"What did you do last weekend?"}],"open":true}'
	call 3 tokenize '{"messages":[{"role":"user","content":"What did you do last weekend?"}],"open":true}'
	call 4 detokenize '{}'
	call 5 states '{"hooks":["blocks.0.hook_resid_pre"]}'
	call 6 shutdown '{}'
} >"$dir/in"
check "a conversation" status 0 "$llama" -m "$model"
check "... says how far the load is" says out '"what":"loading"'
check "... knows the model" says out '"d_model":576,"n_layers":30,"n_vocab":49152'
check "... and its template" says out '"template":"<|im_start|>system\nYou are a helpful AI assistant named SmolLM'
check "... renders chats" says out 'Hugging Face<|im_end|>\n<|im_start|>user\nWhat did you do last weekend?<|im_end|>\n<|im_start|>assistant\n"'
check "... tokenizes them into 37" says out '"dtype":"U32","shape":[37]'
check "... refuses what is not whole" says out '"id":4,"error"'
check "... replies to each once" [ "$(grep -aoE '"id":[0-9]+,"(result|error)"' "$dir/out" | sort -u | wc -l)" -eq 6 ]
check "... and prints nothing else" [ ! -s "$dir/err" ]
demo=$TESTS_DIR/../share/featlas/demo.atlas
: >"$dir/in"
check "the demo atlas takes its own model" status 0 "$FEATLAS" text "$demo" planets --backend "featlas-llama -t 2 -m '$model'" --json
check "... without a warning, on any number of threads" eval '! says err warning'

echo "1..$n"
