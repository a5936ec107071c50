#!/bin/sh
# featlas runs: the steering runs that were kept, by the command line too.
. "$TESTS_DIR/lib.sh"
copy_sample
steer() { "$FEATLAS" steer "$atlas" --backend fake --prompt "Tell me about the garden" -n 20 "$@" --json; }
runs() { "$FEATLAS" runs "$atlas" "$@"; }
hash_of() { printf '%s\n' "$out" | sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }

check "those that came with the atlas" 0 runs
is "are listed" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 2
has "with what was done and said" "$out" "^[^$tab]*${tab}atlas${tab}#8 2x add${tab}seed [0-9]+${tab}Tell me what you saw\.${tab}I saw the moon"

check "a run" 0 steer --feature 1:3x
one=$out h1=$(hash_of)
check "another" 0 steer --feature '1:1x:add:if=#2' --seed 7
h2=$(hash_of)
check "are kept" 0 runs --json
has "with all that they take" "$out" "\"seed\":7,.*\"model\":\"fake world\",.*\"hash\":\"$h2\",\"time\":[0-9]+"
is "before those of the atlas" "$(printf '%s\n' "$out" | head -n 2 | grep -c '"time"')" 2
check "the same again" 0 steer --feature 1:3x
check "is one run" 0 runs
is "... of four" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 4
check "so many" 0 runs --limit 1
is "and no more" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 1

check "one" 0 runs "$(printf %.6s "$h1")"
has "by the beginning of its hash" "$out" "^run +$h1$"
has "how it was asked for" "$out" '^sampling +seed 1, temperature 0, 20 tokens, on the reply, chat template$'
check "as it was printed" 0 runs "$h1" --json
is "and the time" "$(printf '%s\n' "$out" | sed 's/,"time":[0-9]*//')" "$one"
check "two" 0 runs "$h1" --diff "$h2"
has "how they differ" "$out" '^features  #1 3x add  \|  #1 1x add if #2$'
has "... and the seed" "$out" '^seed  1  \|  7$'
lacks "not what is the same" "$out" '^prompt'
has "the words of one" "$out" '\[-.*-\]'
has "the words of the other" "$out" '\{\+.*\+\}'
check "in JSON" 0 runs "$h1" --diff "$h2" --json
has "one object" "$out" "^\{\"a\":\"$h1\",\"b\":\"$h2\",\"differences\":\[\"features"
check "a run and itself" 0 runs "$h1" --diff "$h1"
lacks "do not differ" "$out" '\[-|\{\+'

check "all of them" 0 runs --export "$tmp/all.jsonl"
has "are told" "$err" "4 runs in '$tmp/all.jsonl'"
is "oldest first" "$(tail -n 1 "$tmp/all.jsonl" | sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/')" \
	"$(runs --json | head -n 1 | sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/')"
check "one alone" 0 runs "$h2" --export "$tmp/one.jsonl"
check "ships with an atlas" 0 "$FEATLAS" prune "$atlas" "$tmp/p.atlas" --runs "$tmp/one.jsonl"
check "where it is" 0 "$FEATLAS" runs "$tmp/p.atlas" --json
has "the same run" "$out" "\"hash\":\"$h2\""
check "run again" 0 "$FEATLAS" steer "$tmp/p.atlas" --backend fake --prompt "Tell me about the garden" -n 20 --feature '1:1x:add:if=#2' --seed 7 --json
run "$FEATLAS" runs "$tmp/p.atlas"
is "a run that came along is listed once" "$(printf '%s\n' "$out" | grep -c "^$(printf %.8s "$h2")")" 1
check "sound" 0 "$FEATLAS" verify "$tmp/p.atlas"
check "and a database too" 0 "$FEATLAS" verify "$atlas"

check "too short a hash" 2 runs abc
has "is refused" "$err" "'abc' is not the beginning of a run's hash"
check "no such run" 2 runs 0123456789
has "is told" "$err" "there is no run '0123456789'; 'featlas runs ATLAS' lists them"
check "a difference to nothing" 2 runs --diff "$h1"
has "is refused too" "$err" 'with a run that is named'
rm "$atlas/labels.db"* && sed 's/"runs"/"rune"/' "$atlas/atlas.json" >"$tmp/j" && cp "$tmp/j" "$atlas/atlas.json"
check "none at all" 1 runs
is "is nothing" "$out" ""

# what cannot be kept is shown all the same
chmod a-w "$atlas"
if [ -w "$atlas" ]; then
	skip "a folder that may not be written" "root may write everything"
else
	XDG_DATA_HOME=/nowhere; export XDG_DATA_HOME
	check "a run that cannot be kept" 0 steer --feature 1:3x
	has "is told" "$err" 'this run is not kept'
fi
finish
