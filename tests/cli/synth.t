#!/bin/sh
# featlas synth: made-up atlases are whole, the same for any number of threads, and as described.
. "$TESTS_DIR/lib.sh"
one=$tmp/one.atlas two=$tmp/two.atlas

check "synth" 0 "$FEATLAS" synth "$one" --features 3000 --d-model 24 --seed 7
is "says what it made" "$out" "$one  3000 features of 24 numbers, seed 7"
check "the atlas is whole" 0 "$FEATLAS" verify "$one"
check "one thread" 0 env FEATLAS_THREADS=1 "$FEATLAS" synth "$two" --features 3000 --d-model 24 --seed 7 --json
is "as JSON" "$out" '{"n_features":3000,"d_model":24,"seed":7}'
# past the headers, which name the atlas
data() { tail -c +"$(($(od -An -tu8 -N8 "$1" | tr -d ' ') + 9))" "$1" | cksum; }
for part in sae_weights labels vocab activations; do
	is "the same $part" "$(data "$two/$part.safetensors")" "$(data "$one/$part.safetensors")"
done
check "another seed" 0 "$FEATLAS" synth "$tmp/three" --features 3000 --d-model 24 --seed 8
ok "another atlas" test "$(data "$tmp/three/labels.safetensors")" != "$(data "$one/labels.safetensors")"

run "$FEATLAS" export "$one" labels
printf '%s\n' "$out" >"$tmp/labels"
is "a label for each" "$(wc -l <"$tmp/labels" | tr -d ' ')" 3000
is "of about 40 bytes, some not in ASCII" "$(cut -f2 "$tmp/labels" | LC_ALL=C awk '
	{ n += length($0); other += /[\200-\377]/ }
	END { print (n / NR > 36 && n / NR < 44), (other / NR > 0.01 && other / NR < 0.03) }')" "1 1"
is "words are as frequent as their rank says" "$(cut -f2 "$tmp/labels" | awk '
	{ time += / time/; water += / water/ } END { print (time > 2 * water && water > 20) }')" 1
# rows of a cluster are like each other, and its labels have a word in common
check "near" 0 "$FEATLAS" near "$one" 5 -k 20 --json
is "neighbours are near" "$(printf '%s\n' "$out" | sed 's/.*"cosine":\([0-9.]*\).*/\1/' | awk '
	{ n += $1 > 0.4 } END { print (n > 15) }')" 1
is "densities spread over decades" "$("$FEATLAS" top "$one" --by density --limit 3000 | cut -f3 | awk '
	$1 > 5e-3 { many++ } $1 > 0 && $1 < 1e-5 { few++ } $1 == 0 { dead++ }
	END { print (many > 30), (few > 300), (dead > 20 && dead < 120) }')" "1 1 1"

check "labels only" 0 "$FEATLAS" synth "$tmp/labels.atlas" --features 70000 --labels-only
has "of one number" "$out" "70000 features of 1 numbers"
check "whole" 0 "$FEATLAS" verify "$tmp/labels.atlas"
check "no store" 2 "$FEATLAS" top "$tmp/labels.atlas" --by density
check "the words can be searched" 0 "$FEATLAS" search "$tmp/labels.atlas" -c '\bology|logy\b'
ok "and are there" test "$out" -gt 500

check "one feature" 0 "$FEATLAS" synth "$tmp/single" --features 1 --d-model 1
check "whole too" 0 "$FEATLAS" verify "$tmp/single"
check "not over another" 2 "$FEATLAS" synth "$one" --features 10
has "says so" "$err" "is there already"
check "how many" 2 "$FEATLAS" synth "$tmp/x"
check "too many" 2 "$FEATLAS" synth "$tmp/x" --features 4294967295
check "no room" 2 "$FEATLAS" synth "$tmp/no/where" --features 10
finish
