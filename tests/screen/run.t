#!/bin/sh
# Screens: each NAME.keys is run without a terminal on a copy of the sample atlas, and what it
# dumps is compared with NAME.screen.  A line "# args: ..." in the script adds arguments, a line
# "# rm: ..." names files of the atlas that are not there, a line "# backend: ..." another model.
# UPDATE=1 rewrites what is expected: read the difference before it is committed.
here=$TESTS_DIR/screen
t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
export HOME="$t" EDITOR=false VISUAL=
n=0 bad=0
# Exact numbers of a model hang on the order in which a processor's kernels sum, in their last digits:
# they are compared to four decimals, the tolerance of encoding.
rounded() { sed -E 's/([0-9]\.[0-9]{4})[0-9]{2,} */\1~ /g' "$1"; }
for keys in "$here"/*.keys; do
	name=$(basename "$keys" .keys)
	n=$((n + 1))
	rm -rf "$t/w" && mkdir "$t/w" && cp -r "$SAMPLE" "$t/w/sample.atlas" && chmod -R u+w "$t/w"
	other=$(sed -n 's/^# args:.*other.atlas$/1/p' "$keys")
	backend=$(sed -n 's/^# backend: //p' "$keys")
	args=$(sed -n 's/^# args: //p' "$keys")
	[ -z "$other" ] || "$FEATLAS" synth "$t/w/other.atlas" --features 300 --d-model 48 --seed 3 >/dev/null
	for file in $(sed -n 's/^# rm: //p' "$keys"); do rm "$t/w/sample.atlas/$file"; done
	# shellcheck disable=SC2086
	(cd "$t/w" && "$FEATLAS" open --backend "${backend:-fake}" --script "$keys" ${args%other.atlas} sample.atlas ${other:+other.atlas}) >"$t/got" 2>"$t/err"
	status=$?
	cat "$t/err" >>"$t/got"
	[ $status = 0 ] || echo "exit status $status" >>"$t/got"
	[ -z "$UPDATE" ] || cp "$t/got" "$here/$name.screen"
	rounded "$here/$name.screen" >"$t/want.rounded" && rounded "$t/got" >"$t/got.rounded"
	if cmp -s "$t/got.rounded" "$t/want.rounded"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		diff -u "$here/$name.screen" "$t/got" | sed 's/^/# /'
		bad=1
	fi
done
echo "1..$n"
exit $bad
