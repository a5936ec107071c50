#!/bin/sh
# Any keys in any order at any size, with models that die, hold back or never come: the program must
# end by itself, with status 0 and no word on stderr, and nothing that was labelled may be lost: what is
# in labels.db must be sound, and hold a label that was given before.  Keys are drawn from a seed (SEEDS,
# KEYS lines each), so that what fails can be run again.
t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
export HOME="$t" EDITOR=true VISUAL=
draw() { # seed: a key script on stdout
	awk -v seed="$1" -v lines="${KEYS:-300}" '
	function pick(n) { seed = (seed * 16807) % 2147483647; return seed % n }
	BEGIN {
		n = split("j k h l H J K L <C-d> <C-u> <C-f> <C-b> gg G 0 $ ] [ <Tab> <S-Tab> <Enter> <Enter> <lt> > / n N " \
			"& # <Space> v * ma '\''a '\'''\'' s S a d e t r3 r0 u <C-r> c = y Y w + - . f P p R <C-l> ? : gf go " \
			"gn gt gb gh gl gi gq gj gO zc zg 1 5 g* zl z/ zb zr o i m <Esc> <Esc> <Esc> <BS> <C-c>n 12 3", key, " ")
		n_text = split("bridge|(|[a-|density:<1|tag:x|é橋|99|7|\\|{2}|a long line of words that goes on", text, "|")
		n_size = split("1x1 20x5 39x10 40x9 40x10 60x15 80x24 200x60 500x200", size, " ")
		print "dump" # keys may come upon the one that quits
		for (i = 0; i < lines; i++) {
			what = pick(100)
			if (what < 3) print "size " size[1 + pick(n_size)]
			else if (what < 8) print "type " text[1 + pick(n_text)]
			else print "keys " key[1 + pick(n)]
		}
		print "dump"
	}'
}
n=0 bad=0
for seed in ${SEEDS:-12 21 34 43}; do
	n=$((n + 1))
	rm -rf "$t/w" && mkdir "$t/w" && cp -r "$SAMPLE" "$t/w/a.atlas" && chmod -R u+w "$t/w"
	draw "$seed" >"$t/keys"
	# a quarter each: a model that works, one that dies now and then, one that never comes up, one that
	# answers with rubbish
	case $((seed % 4)) in
	0) model=fake ;;
	1) model="featlas-fake --crash-after $((seed % 13 + 2))" ;;
	2) model="featlas-fake --fail-load" ;;
	3) model="featlas-fake --crash-after 0" ;;
	esac
	"$FEATLAS" label "$t/w/a.atlas" 511 "a label that must stay" >/dev/null
	(cd "$t/w" && timeout "${LIMIT:-300}" "$FEATLAS" open --backend "$model" --script "$t/keys" a.atlas) >"$t/out" 2>"$t/err"
	status=$?
	sound=$("$FEATLAS" verify "$t/w/a.atlas" 2>&1)
	log=$(cat "$t/w/a.atlas"/labels.db* | grep -c "a label that must stay")
	if [ $status = 0 ] && [ ! -s "$t/err" ] && [ -s "$t/out" ] && [ "${sound##*: }" = "no faults" ] && [ "$log" -gt 0 ]; then
		echo "ok $n - seed $seed, $model"
	else
		echo "not ok $n - seed $seed, $model: status $status"
		tail -20 "$t/err" | sed 's/^/# /'
		echo "# $sound"
		bad=1
	fi
done
echo "1..$n"
exit $bad
