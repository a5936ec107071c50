#!/bin/sh
# featlas search and top on the sample atlas, whose labels tools/mksample.c planted.
. "$TESTS_DIR/lib.sh"

check "a pattern that is found" 0 "$FEATLAS" search "$SAMPLE" '^words about (bridges|rivers)$'
is "prints id, label, density and maximum" "$(printf '%s\n' "$out" | cut -f1,2)" "#0${tab}words about bridges
#1${tab}words about rivers"
has "with numbers behind tabs" "$out" "^#0${tab}[^${tab}]*${tab}0\.0[0-9]+${tab}[0-9.]+\$"
check "a pattern that is not" 1 "$FEATLAS" search "$SAMPLE" 'no such thing'
is "prints nothing" "$out$err" ""
check "a bad pattern" 2 "$FEATLAS" search "$SAMPLE" 'ab(c'
is "says where it is bad" "$err" "featlas search: bad pattern at offset 4: missing closing parenthesis"
check "a pattern that is not UTF-8" 2 "$FEATLAS" search "$SAMPLE" "$(printf 'a\377')"
has "says so" "$err" 'offset 1: UTF-8 error'

check "exact case by default" 1 "$FEATLAS" search "$SAMPLE" '^WORDS ABOUT'
check "-i" 0 "$FEATLAS" search -i "$SAMPLE" '^WORDS ABOUT BRIDGES'
check "(?i)" 0 "$FEATLAS" search "$SAMPLE" '(?i)^WORDS ABOUT BRIDGES'
check "spaces and parentheses belong to the pattern" 0 "$FEATLAS" search "$SAMPLE" 'words (about|on) (French|Latin)' --count
is "--count counts features" "$out" 1
check "--count of nothing" 1 "$FEATLAS" search "$SAMPLE" 'no such thing' --count
is "is 0" "$out" 0
check "--limit" 0 "$FEATLAS" search "$SAMPLE" '^words about' --limit 3
is "prints that many" "$(printf '%s\n' "$out" | cut -f1 | tr '\n' ' ')" "#0 #1 #2 "
check "a pattern after --" 1 "$FEATLAS" search "$SAMPLE" -- '-x-'
check "UCP: a letter of any script is one" 0 "$FEATLAS" search "$SAMPLE" '\w橋\b|\b橋\w' --count
is "astronaut under a bridge" "$out" 1

check "--json" 0 "$FEATLAS" search "$SAMPLE" '^words about French$' --json
has "prints an object a line" "$out" '^\{"id":3,"label":"words about French","density":0\.0[0-9]+,"max":[0-9.]+\}$'
check "a label that is not shown" 0 "$FEATLAS" search "$SAMPLE" '^French, broadly$' --json
has "is told as matched" "$out" '"label":"words about French",.*"matched":"French, broadly"\}$'
check "--json --count" 0 "$FEATLAS" search "$SAMPLE" '^words about' --json --count --limit 1
has "is one object" "$out" '^\{"count":[0-9]+,"gave_up":0\}$'

check "--query" 0 "$FEATLAS" search --query "$SAMPLE" '(/^words about/ and id:3..4) or id:7'
is "joins terms" "$(printf '%s\n' "$out" | cut -f1 | tr '\n' ' ')" "#3 #4 #7 "
check "dead features" 0 "$FEATLAS" search --query "$SAMPLE" 'is:dead' --count
is "are the twelve planted ones" "$out" 12
check "a feature's neighbours" 0 "$FEATLAS" search --query "$SAMPLE" 'near:3 id:35'
check "promoted tokens" 0 "$FEATLAS" search --query "$SAMPLE" 'promotes:/^jour$/ id:3'
check "a bad query" 2 "$FEATLAS" search --query "$SAMPLE" 'bridge and densty:<1'
is "points at the column" "$err" \
	"featlas search: query, column 12: there is no such key; to search for a text with a colon, quote it"
check "a catastrophic pattern ends" 1 "$FEATLAS" search "$SAMPLE" '^([a-z]+ ?)+\d$'
has "and says what gave up" "$err" '^featlas search: [1-9][0-9]* labels gave up'

check "top by density" 0 "$FEATLAS" top "$SAMPLE" --by density --limit 2
is "limits" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 2
check "top by writes" 0 "$FEATLAS" top "$SAMPLE" --json --limit 400
is "descends" "$(printf '%s\n' "$out" | sed 's/.*"writes"://; s/}//' | sort -grc 2>&1)" ""
check "top by something else" 2 "$FEATLAS" top "$SAMPLE" --by beauty

check "no atlas" 2 "$FEATLAS" search "$tmp/none" x
has "names it" "$err" "$tmp/none"
copy_sample
rm "$atlas/scores.safetensors"
check "a part that is gone" 2 "$FEATLAS" top "$atlas" --by writes
has "is named" "$err" "scores"
rm "$atlas/labels.safetensors"
check "labels that are gone" 2 "$FEATLAS" search "$atlas" x
has "are named" "$err" "labels"
"$FEATLAS" label "$atlas" 3 'a label of my own' >/dev/null
check "what people wrote is found without them" 0 "$FEATLAS" search "$atlas" 'of my own$'
printf 'short' >"$atlas/labels.safetensors"
run "$FEATLAS" search "$atlas" x
ok "a broken part is an error, not a crash" [ "$status" -ge 1 -a "$status" -le 3 ]

# keys that read more than labels
check "context:" 0 "$FEATLAS" search "$SAMPLE" --query 'context:/⟪nothing⟫|harbour/ label:bridges' --limit 3 --json
has "finds what its strongest contexts say" "$out" '"label":"words about bridges"'
check "context: of nothing" 1 "$FEATLAS" search "$SAMPLE" --query 'context:"no such words anywhere"' --count
n=$("$FEATLAS" search "$SAMPLE" --query 'cluster:0' --count)
ok "cluster: has features" [ "$n" -gt 2 ]
is "in one cluster each" "$("$FEATLAS" search "$SAMPLE" --query 'cluster:0 cluster:1' --count)" 0
check "fires:" 0 "$FEATLAS" search "$SAMPLE" --backend fake --query 'fires:"the river and the boat" label:/^words about/' --by max --limit 1
has "asks the model" "$out" 'words about rivers'
check "fires: without one" 2 "$FEATLAS" search "$SAMPLE" --backend /bin/false --query 'fires:river'
a=$("$FEATLAS" search "$SAMPLE" 'words about' --by density --limit 40 | cut -f3)
ok "--by sorts, the largest first" [ "$(printf '%s\n' "$a" | sort -grc && echo sorted)" = sorted ]
check "--by something" 2 "$FEATLAS" search "$SAMPLE" a --by size
rm -rf "$tmp/bare.atlas" && cp -r "$SAMPLE" "$tmp/bare.atlas" && chmod -R u+w "$tmp/bare.atlas" && rm "$tmp/bare.atlas/map.safetensors"
check "cluster: without a map" 2 "$FEATLAS" search "$tmp/bare.atlas" --query 'cluster:0'
has "names the remedy" "$err" "make it with 'featlas map"
finish
