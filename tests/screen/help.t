#!/bin/sh
# Help on the screens of matrix/list that have a view of their own: no line is cut at 80 columns, no key stands
# there twice.
. "$TESTS_DIR/lib.sh"
copy_sample
"$FEATLAS" synth "$tmp/other.atlas" --features 300 --d-model 48 --seed 3 >/dev/null

for name in features feature graph map text steer sweep runs lens quiz find triage jobs messages options diff; do
	line=$(grep "^$name+*: " "$TESTS_DIR/screen/matrix/list")
	other=
	case ${line%%: *} in *+) other=$tmp/other.atlas ;; esac
	{
		printf '%s\n' "${line#*: }" | awk '{ gsub(/ ; /, "\n"); print }'
		printf '%s\n' wait 'size 80x200' 'keys ?' dump
	} >"$tmp/keys"
	run "$FEATLAS" open --backend fake --script "$tmp/keys" "$atlas" $other
	has "$name: help comes" "$out" '^ on this screen \('
	lacks "$name: no line is cut" "$out" '>$'
	# the column of keys, up to the glossary; the ways of one action are on one line
	twice=$(printf '%s\n' "$out" | sed -n '/on this screen/,/words on the screens/s/^  \([^ ].\{1,17\}\) .*/\1/p' |
		tr ' ' '\n' | grep . | sort | uniq -d | tr '\n' ' ')
	is "$name: each key stands there once" "$twice" ""
done
finish
