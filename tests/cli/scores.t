#!/bin/sh
# featlas scores: the same as index made, stopped and taken up, and the factor that works.
. "$TESTS_DIR/lib.sh"
copy_sample
scores() { "$FEATLAS" scores "$atlas" --backend fake "$@"; }
check "every feature is scored" 0 scores
has "how many write" "$out" '^writes +[0-9]+$'
has "the factors tried" "$out" '^ +10  mean [0-9.e-]+ +median'
is "one of them works best" "$(printf '%s\n' "$out" | grep -c 'works best')" 1
check "the atlas is whole" 0 "$FEATLAS" verify "$atlas"
run cat "$atlas/atlas.json"
has "the factor is noted" "$out" '"tuned_factor"'
run "$FEATLAS" show "$atlas" 0 --json
has "a score at it" "$out" '"output_score_tuned":[0-9]'
run "$FEATLAS" search "$atlas" 'writes:>0.02' --query --count
writes=$out
run "$FEATLAS" search "$atlas" 'tuned:>0 writes:>0.02' --query --count
is "tuned: is a key" "$out" "$writes"
check "and sorts" 0 "$FEATLAS" top "$atlas" --by tuned --limit 3
is "three lines" "$(printf '%s\n' "$out" | wc -l)" 3
run "$FEATLAS" search "$atlas" 'detects:>0.5 or output:>0.5' --query --count
ok "detects: and output: too" [ "$out" -gt 0 ]

# A model that ends after some batches: it goes on from there, and what comes of it is the same to the bit.
numbers() { tail -c 49152 "$1" | cksum; } # four scores and twenty words of 512 features
cut='stdbuf -o0 head -c 200000 | featlas-fake'
if command -v stdbuf >/dev/null; then
	check "in one go" 0 scores --strength 3 --json
	want=$(numbers "$atlas/scores.safetensors")
	FEATLAS_BACKEND_TIMEOUT=30
	export FEATLAS_BACKEND_TIMEOUT
	check "the model goes away" 2 "$FEATLAS" scores "$atlas" --backend "$cut" --strength 3
	has "what is done is kept" "$err" 'goes on from there'
	ok "in a file" [ -e "$atlas/scores.part.safetensors" ]
	check "another question" 0 scores --strength 4 --json
	has "begins anew" "$out" '"resumed":false'
	ok "and leaves nothing lying" [ ! -e "$atlas/scores.part.safetensors" ]
	run "$FEATLAS" scores "$atlas" --backend "$cut" --strength 3
	check "taken up" 0 scores --strength 3 --json
	has "where it stopped" "$out" '"resumed":true'
	is "with the same scores" "$(numbers "$atlas/scores.safetensors")" "$want"
else
	skip "a model that goes away" "no stdbuf"
fi

# ^C during a request, which would last ten minutes
slow='featlas-fake --delay-ms 600000' FEATLAS_BACKEND_TIMEOUT=30
export FEATLAS_BACKEND_TIMEOUT
interrupt() { # name, command ...
	name_i=$1
	shift
	FEATLAS_BACKEND=$slow "$FEATLAS" "$@" >"$tmp/o" 2>"$tmp/e" </dev/null &
	pid=$!
	await has_child $pid
	kill -INT $pid
	wait $pid
	is "^C stops $name_i" "$?" 130
	has "... which is said" "$(cat "$tmp/e")" "^featlas $1: (.*: )?(interrupted|cancelled|stopped)"
}
for part in scores logits fingerprint; do
	interrupt "index --only $part" index "$atlas" --only $part
done
interrupt scores scores "$atlas"
interrupt sweep sweep "$atlas" --feature 1 --strengths 0,1 --seeds 1
interrupt steer steer "$atlas" --feature 1 --prompt x
interrupt effects effects "$atlas" "the river"
interrupt lens lens "$atlas" "the river"
echo "the river" >"$tmp/pos"
echo "a song" >"$tmp/neg"
interrupt find find "$atlas" --pos "$tmp/pos" --neg "$tmp/neg"
interrupt eval eval "$atlas" --concepts --suite "$TESTS_DIR/../share/featlas/concepts"
finish
