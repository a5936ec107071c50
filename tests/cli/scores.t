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

finish
