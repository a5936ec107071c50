#!/bin/sh
# Any keys in any order at any size, half of them without waiting for what is being computed, with models that
# die, hold back or never come: the program must end by itself, with status 0 and no word on stderr, still take
# a label then, and nothing that was labelled may be lost: what is in labels.db must be sound and hold a label
# that was given before, and the one given last; also when a second run is killed in the middle.  And each key that a screen
# takes does something there, or says why not.  Keys are drawn
# from a seed (SEEDS, KEYS lines each), so that what fails can be run again.
t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
export HOME="$t" EDITOR=true VISUAL=
draw() { # seed: a key script on stdout
	awk -v seed="$1" -v lines="${KEYS:-300}" '
	function pick(n) { seed = (seed * 16807) % 2147483647; return seed % n }
	BEGIN {
		n = split("j k h l H J K L <C-d> <C-u> <C-f> <C-b> gg G 0 $ ] [ <Tab> <S-Tab> <Enter> <Enter> <lt> > / n N " \
			"& # <Space> v * ma '\''a '\'''\'' s S a d e t r3 r0 u <C-r> c = y Y w + - . f P p R <C-l> ? : gf go " \
			"gn gt gs gm gc gd gb gh gl gi gj gO gF gL gr gw gz x zc zg zn 1 5 g* zl z/ zb zr o i m <Esc> <Esc> <Esc> <BS> <C-c>n 12 3", key, " ")
		n_text = split("bridge|(|[a-|density:<1|tag:x|é橋|99|7|\\|{2}|a long line of words that goes on", text, "|")
		n_size = split("1x1 20x5 39x10 40x9 40x10 60x15 80x24 200x60 500x200", size, " ")
		print "hurry"
		for (i = 0; i < lines; i++) {
			what = pick(100)
			if (what < 3) print "size " size[1 + pick(n_size)]
			else if (what < 8) print "type " text[1 + pick(n_text)]
			else if (what < 9) print "keys gs <Enter>" # the model is asked, and may die
			else if (what < 10) print pick(2) ? "hurry" : "wait"
			else if (what < 11) print "keys <Esc> <Esc> gq" # nothing may eat the g: q alone asks to quit
			else print "keys " key[1 + pick(n)]
		}
	}'
}
last_words() { # out of whatever is open, one more label
	printf '%s\n' 'keys <Esc> <Esc> <Esc> <Esc> <Esc>' wait 'size 80x24' 'keys #' 'type 510' 'keys <Enter> e <C-u>' \
		'type kept to the end' 'keys <Enter> <Esc> gl' 'size 200x200' dump
}
fresh() { rm -rf "$t/w" && mkdir "$t/w" && cp -r "$SAMPLE" "$t/w/a.atlas" && chmod -R u+w "$t/w"; }
play() { (cd "$t/w" && timeout "${LIMIT:-300}" "$FEATLAS" open --backend "$model" --script "$1" a.atlas); }
# Enter on "quit", in help or in the palette, ends the program rightly: the screen before the end has that row.
quit_was_chosen() {
	awk '{ print "dump"; print }' "$t/keys" >"$t/shown"
	fresh
	play "$t/shown" 2>"$t/err" | tail -n 300 | grep -q 'quit; asks only if a job runs'
}
label_of() {
	"$FEATLAS" show "$t/w/a.atlas" "$1" --json | sed -n 's/.*"text":"\([^"]*\)","source":"person".*/\1/p'
}
n=0 bad=0
for seed in ${SEEDS:-12 21 34 43}; do
	n=$((n + 1))
	fresh
	{ draw "$seed" && last_words; } >"$t/keys"
	# a quarter each: a model that works, one that dies now and then, one that never comes up, one that
	# dies at once
	case $((seed % 4)) in
	0) model=featlas-fake ;;
	1) model="featlas-fake --crash-after $((seed % 13 + 2))" ;;
	2) model="featlas-fake --fail-load" ;;
	3) model="featlas-fake --crash-after 0" ;;
	esac
	fault=
	"$FEATLAS" label "$t/w/a.atlas" 511 "a label that must stay" >/dev/null
	play "$t/keys" >"$t/out" 2>"$t/err"
	status=$?
	if [ $status = 0 ] && ! grep -q 'messages' "$t/out" && quit_was_chosen; then
		"$FEATLAS" label "$t/w/a.atlas" 511 "a label that must stay" >/dev/null
		last_words >"$t/last"
		play "$t/last" >"$t/out" 2>"$t/err"
		status=$?
	fi
	[ $status = 0 ] || fault="$fault; status $status"
	[ ! -s "$t/err" ] || fault="$fault; $(tail -1 "$t/err")"
	grep -q 'messages' "$t/out" || fault="$fault; it did not come to the end"
	! grep -q 'does nothing on this screen' "$t/out" || fault="$fault; $(grep -m1 'does nothing on this screen' "$t/out")"
	[ "$(label_of 510)" = "kept to the end" ] || fault="$fault; the last label is lost"
	for round in whole killed; do
		sound=$("$FEATLAS" verify "$t/w/a.atlas" 2>&1)
		[ "${sound##*: }" = "no faults" ] || fault="$fault; $round: $sound"
		[ "$(cat "$t/w/a.atlas"/labels.db* | grep -c "a label that must stay")" -gt 0 ] || fault="$fault; $round: the first label is lost"
		[ $round = killed ] || (cd "$t/w" && timeout -s KILL 0.2 "$FEATLAS" open --backend "$model" --script "$t/keys" a.atlas; :) >/dev/null 2>&1
	done
	if [ -z "$fault" ]; then
		echo "ok $n - seed $seed, $model"
	else
		echo "not ok $n - seed $seed, $model$fault"
		tail -20 "$t/err" | sed 's/^/# /'
		bad=1
	fi
	[ -z "${KEEP:-}" ] || cp "$t/out" "$KEEP/$seed"
done
echo "1..$n"
exit $bad
