#!/bin/sh
# Every screen of matrix/list at three sizes, in UTF-8 and ASCII, in colour and monochrome, on the sample
# atlas.  matrix/NAME.screen has for each size the text, the looks (colours and attributes: script.h) in
# the dark theme and in monochrome, and of the others only the rows that differ from these.
# UPDATE=1 rewrites what is expected: read the difference before it is committed.
# NAMES: only these.
here=$TESTS_DIR/screen/matrix
t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
export HOME="$t" EDITOR=false VISUAL=
n=0 bad=0

sizes="80x24 40x10 200x60"
cp -r "$SAMPLE" "$t/sample.atlas" && chmod -R u+w "$t/sample.atlas"
"$FEATLAS" synth "$t/other.atlas" --features 300 --d-model 48 --seed 3 >/dev/null

# Numbers of a model and how a processor rounds them: see run.t.
rounded() { sed -E 's/([0-9]\.[0-9]{4})[0-9]{2,} */\1~ /g' "$1"; }

# name: the screen at $size with the arguments that follow, into $t/VARIANT.text and .looks
show() {
	variant=$1
	shift
	rm -rf "$t/w" && mkdir "$t/w" && cp -rl "$t/sample.atlas" "$t/w" # what is linked is only read
	other=
	case $name in
	*+) cp -rl "$t/other.atlas" "$t/w" && other=other.atlas ;;
	*-) (cd "$t/w/sample.atlas" && rm activations.safetensors graph.safetensors map.safetensors \
		logits.safetensors scores.safetensors vocab.safetensors) 2>/dev/null ;;
	esac
	(cd "$t/w" && "$FEATLAS" open --backend fake --script "$t/keys" --size "$size" "$@" sample.atlas $other) \
		>"$t/out" 2>&1 || echo "exit status $?" >>"$t/out"
	awk -v file="$t/$variant" '/^--- text$/ { to = file ".text"; next } /^--- looks$/ { to = file ".looks"; next }
		{ print > (to ? to : file ".text") }' "$t/out"
	: >>"$t/$variant.looks"
	# nothing outside ASCII where that was asked for, not one column more than there are
	case " $* " in
	*--ascii*)
		LC_ALL=C grep -n '[^ -~]' "$t/$variant.text" | sed "s/^/# $size, not ASCII: /" >>"$t/faults"
		awk -v w="${size%x*}" '{ gsub(/\[\[|\]\]/, "") } length > w { print "# too wide: " $0 }' "$t/$variant.text" >>"$t/faults" ;;
	esac
}

# The rows of one file that another does not have there; rows of looks begin with their number.
differing() { # text|looks, file, the file it is held against
	if [ "$1" = text ]; then
		awk 'NR == FNR { was[FNR] = $0; next } was[FNR] != $0 { print FNR - 1 "|" $0 }' "$3" "$2"
	else
		awk 'NR == FNR { was[$1] = $0; next } { seen[$1] = 1 } was[$1] != $0
			END { for (row in was) if (!(row in seen)) print row " plain" }' "$3" "$2" | sort -t@ -k2n
	fi
}

section() { # title, lines on stdin; nothing if there are none
	sed "1s/^/-- $1\\
/"
}

while IFS= read -r line; do
	case $line in '#'* | '') continue ;; esac
	name=${line%%: *}
	file=${name%[-+]}
	case " ${NAMES:-$file} " in *" $file "*) ;; *) continue ;; esac
	n=$((n + 1))
	: >"$t/faults"
	{ printf '%s\n' "${line#*: }" | awk '{ gsub(/ ; /, "\n"); print }'; printf 'wait\ndump text\nlooks looks\n'; } >"$t/keys"
	for size in $sizes; do
		rm -f "$t"/*.text "$t"/*.looks
		show colour --theme dark
		show mono --theme mono
		show ascii --theme dark --ascii
		show ascii-mono --theme mono --ascii
		echo "== $size"
		cat "$t/colour.text"
		section "looks, dark" <"$t/colour.looks"
		section "looks, mono" <"$t/mono.looks"
		differing text "$t/mono.text" "$t/colour.text" | section "mono: other text"
		differing text "$t/ascii.text" "$t/colour.text" | section "ascii: other text"
		differing looks "$t/ascii.looks" "$t/colour.looks" | section "ascii: other looks"
		differing text "$t/ascii-mono.text" "$t/ascii.text" | section "ascii, mono: other text"
		differing looks "$t/ascii-mono.looks" "$t/mono.looks" | section "ascii, mono: other looks"
		cmp -s "$t/colour.looks" "$t/mono.looks" && echo "# $size: monochrome looks like colour" >>"$t/faults"
	done >"$t/got"
	[ -z "${UPDATE:-}" ] || cp "$t/got" "$here/$file.screen"
	rounded "$here/$file.screen" >"$t/want.rounded"
	rounded "$t/got" >"$t/got.rounded"
	if cmp -s "$t/got.rounded" "$t/want.rounded" && [ ! -s "$t/faults" ]; then
		echo "ok $n - $file"
	else
		echo "not ok $n - $file"
		cat "$t/faults"
		diff -u "$here/$file.screen" "$t/got" | sed 's/^/# /'
		bad=1
	fi
done <"$here/list"
echo "1..$n"
exit $bad
