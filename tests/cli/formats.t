#!/bin/sh
# A small dictionary in every layout of the field, against the numbers that tests/golden/formats.py computed apart.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/formats tool=$BUILD_DIR/tests/cli/tool

n=0
while IFS="$tab" read -r name opened options file; do
	n=$((n + 1))
	[ "$options" = - ] && options=
	# shellcheck disable=SC2086 # options are words
	run "$FEATLAS" encode "$golden/$opened" --x "$golden/$file" --out "$tmp/out.st" $options
	if [ "$status" != 0 ]; then
		fail_ "$name opens" "exit status $status: $err"
		continue
	fi
	ok "$name" "$tool" agree "$tmp/out.st" "$golden/$file" 1e-4
	rm -f "$tmp/out.st"
done <"$golden/cases.tsv"
ok "all were there" [ "$n" -ge 65 ]
check "the comparison can fail" 1 "$tool" agree "$golden/goodfire.want.safetensors" "$golden/mwhanna.want.safetensors" 1e-4
finish
