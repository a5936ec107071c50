#!/bin/sh
# The stories of share/featlas/demos on the atlas that ships; recording, the tour, sessions that go on.
. "$TESTS_DIR/lib.sh"
demos=$TESTS_DIR/../share/featlas/demos demo=$TESTS_DIR/../share/featlas/demo.atlas
[ -e "$demo/atlas.json" ] || bail "no demo atlas"
demo=$(cd "$demo" && pwd)
mkdir "$tmp/demo.atlas" && ln -s "$demo"/*.json "$demo"/*.jsonl "$demo"/*.safetensors "$tmp/demo.atlas" || exit 99
cd "$tmp" || exit 99
for story in bridge conflict scam; do
	check "$story" 0 "$FEATLAS" open demo.atlas --script "$demos/$story.keys"
	ok "$story says what it shows" [ "$(printf '%s\n' "$out" | grep -c '^== ')" -ge 4 ]
done
check "the tour" 0 "$FEATLAS" open demo.atlas --tour --script "$demos/tour.keys"
has "it labels" "$out" '#[0-9]+ is "my own name for it"'
run "$FEATLAS" label demo.atlas 0 ''
ok "and takes it back" sh -c '! "$1" search demo.atlas "my own name" >/dev/null' - "$FEATLAS"

printf '%s\n' 'keys <Esc>' 'expect the tour is over' 'keys j' 'dump' >leave.keys
check "Esc leaves the tour" 0 "$FEATLAS" open demo.atlas --tour --script leave.keys
lacks "for good" "$out" "tour 1 of"
printf '%s\n' 'keys / <Esc>' 'expect tour 1 of' >stay.keys
check "an Esc for the prompt does not" 0 "$FEATLAS" open demo.atlas --tour --script stay.keys
printf '%s\n' 'expect no such words' >wrong.keys
check "what is expected must be there" 2 "$FEATLAS" open demo.atlas --script wrong.keys
has "and is named" "$err" "expects 'no such words'"

# a feature whose working range ships begins in its middle, another at 1.25 of its maximum
printf '%s\n' 'keys #' 'type 4714' 'keys <Enter>gs' dump 'keys o w' dump 'keys a' 'type 0' 'keys <Enter>' dump >range.keys
run "$FEATLAS" open demo.atlas --script range.keys
has "in the middle" "$out" '^> #4714 .* add +1\.50x .*\|.*!'
has "which is said" "$out" "effect begins  ! falls apart"
has "elsewhere" "$out" '^> #0 .* add +1\.25x '
lacks "no range is a run" "$out" '^ 7 recorded runs'
has "six are" "$out" '^ 6 recorded runs'

# what is recorded does the same again
printf '%s\n' 'keys / ' 'type a <b>#c' 'keys <C-w> <Enter> <Esc> gg 3 j <Space> <BS> <M-b> <lt> g n' 'size 100x30' >first.keys
echo dump >>first.keys
run "$FEATLAS" open demo.atlas --script first.keys --record again.keys
first=$out
echo dump >>again.keys
run "$FEATLAS" open demo.atlas --script again.keys
is "a recording does the same again" "$out" "$first"
check "a recording needs a place" 2 "$FEATLAS" open demo.atlas --script first.keys --record no/such/place

# a session goes on
printf '%s\n' 'keys s d' 'keys /' 'type bridge' 'keys <Enter>' 'keys j <Enter> gn' dump >one.keys
run "$FEATLAS" open demo.atlas --resume --script one.keys
has "no session yet" "$out" "bridge"
was=$(printf '%s\n' "$out" | sed 1q)
printf '%s\n' 'dump' 'keys gf' 'dump' >two.keys
run "$FEATLAS" open demo.atlas --resume --script two.keys
is "on the same screen" "$(printf '%s\n' "$out" | sed 1q)" "$was"
has "with the same search" "$out" "/bridge"
has "and order" "$out" "density↓"
printf '%s\n' 'keys gf' 'keys jjgm' >map.keys
run "$FEATLAS" open demo.atlas --resume --script map.keys
run "$FEATLAS" open demo.atlas --resume --script two.keys
has "on the map too" "$(printf '%s\n' "$out" | sed 1q)" "map"
printf '%s\n' 'keys gf' 'keys j j gm + + l L' dump >map.keys
run "$FEATLAS" open demo.atlas --resume --script map.keys
was=$out
printf '%s\n' dump >two.keys
run "$FEATLAS" open demo.atlas --resume --script two.keys
is "where it was" "$out" "$was"
printf '%s\n' 'keys gf' 'keys j j gs i <C-u>' 'type My  "place" = #1' 'keys <Enter> l l L' dump >steer.keys
run "$FEATLAS" open demo.atlas --resume --script steer.keys
was=$out
run "$FEATLAS" open demo.atlas --resume --script two.keys
is "rows, strengths and prompt of a run to be" "$out" "$was"
ls "$XDG_STATE_HOME"/featlas >names
sed -i 's/"id":[0-9]*/"id":4294967294/' "$XDG_STATE_HOME/featlas/$(grep session names)"
printf '%s\n' dump 'keys l <Space> = <Esc>' dump >two.keys
run "$FEATLAS" open demo.atlas --resume --script two.keys
lacks "a feature that is not there is not steered" "$out" 4294967294
has "and the screen opens as ever" "$(printf '%s\n' "$out" | sed 1q)" "steer"
head -c 3000 /dev/urandom >"$XDG_STATE_HOME/featlas/$(grep session names)"
check "a spoilt one is no reason to stay out" 0 "$FEATLAS" open demo.atlas --resume --script two.keys

# the screen in four forms
printf '%s\n' 'keys x a x h x s x t' 'shot got.html' >save.keys
check "saving the screen" 0 "$FEATLAS" open demo.atlas --script save.keys
has "as text" "$(cat featlas-features-1.txt)" "density"
has "with colours" "$(cat featlas-features-1.ans)" "$(printf '\033')\[0;"
has "for a browser" "$(cat featlas-features-1.html)" "<span style="
has "as a picture" "$(cat featlas-features-1.svg)" "<svg "
is "the same text" "$(sed 's/\x1b\[[0-9;]*m//g; s/ *$//' featlas-features-1.ans)" "$(sed 's/⟦//g; s/⟧//g' featlas-features-1.txt)"
printf '%s\n' 'shot got.gif' >save.keys
check "no other form" 2 "$FEATLAS" open demo.atlas --script save.keys
bootstrap=$TESTS_DIR/../bootstrap
if [ -f "$bootstrap" ]; then
	has "bootstrap demo without a terminal runs it so" "$(cat "$bootstrap")" '--tour --script share/featlas/demos/tour\.keys'
else
	skip "bootstrap demo without a terminal runs it so" "no bootstrap in the archive"
fi
finish
