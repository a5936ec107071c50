#!/bin/sh
# The conformance suite on the fake module, and on llama where there is one with a model.
# $FEATLAS_CONFORMANCE: another backend to try.
conformance=$BUILD_DIR/tests/conformance
model=${FEATLAS_TEST_MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/featlas/models/SmolLM2-135M-Instruct-BF16.gguf}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
XDG_CACHE_HOME=$dir; export XDG_CACHE_HOME
n=0 bad=0
try() { # backend
	timeout 300 "$conformance" "$@" >"$dir/out" || bad=1
	[ "$(tail -n 1 "$dir/out" | cut -c1-3)" = 1.. ] || { echo "not ok $((n = n + 1)) - $1 ran to its end"; bad=1; }
	while IFS= read -r line; do
		case $line in
		'ok '*) echo "ok $((n = n + 1)) - $1: ${line#* - }" ;;
		'not ok '*) echo "not ok $((n = n + 1)) - $1: ${line#* - }" ;;
		1..*) ;;
		*) echo "$line" ;;
		esac
	done <"$dir/out"
}
try fake
if [ -n "${FEATLAS_CONFORMANCE:-}" ]; then
	try "$FEATLAS_CONFORMANCE"
elif [ -x "$BUILD_DIR/src/featlas-llama" ] && [ -r "$model" ]; then
	try "llama:$model" 0.005
else
	echo "ok $((n = n + 1)) - llama # SKIP no featlas-llama, or no model: ./bootstrap obtains both"
fi
echo "1..$n"
exit $bad
