#!/bin/sh
# Every example in featlas(1) is run as it stands, beside a copy of the sample atlas.  A line "$ ..."
# is a command, the lines up to the next are its output; "..." stands for any lines to the end.
. "$TESTS_DIR/lib.sh"
page=$BUILD_DIR/man/featlas.1
[ -e "$page" ] || page=$TESTS_DIR/../man/featlas.1
copy_sample
cd "$tmp" || exit 99
mkdir bin
ln -s "$FEATLAS" bin/featlas
PATH=$tmp/bin:$PATH

compare() { # command, wanted output
	[ -n "$1" ] || return 0
	sh -c "$1" >got 2>&1 </dev/null || echo "(exit status $?)" >>got
	case $2 in
	*...)
		lines=$(printf '%s\n' "$2" | grep -c '')
		is "$1" "$(head -n $((lines - 1)) got)" "$(printf '%s\n' "$2" | head -n $((lines - 1)))"
		[ "$(grep -c '' got)" -ge "$lines" ] || [ "$lines" = 1 ] || fail_ "$1 prints more" "$(cat got)"
		;;
	*) is "$1" "$(cat got)" "$2" ;;
	esac
}

sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$page" |
	sed -n '/^\.Bd -literal/,/^\.Ed/p' |
	sed 's/^\.Bd.*/$ /; /^\.Ed/d; s/\\e/\\/g; s/\\-/-/g; s/\\&//g' >examples
command_= wanted=
while IFS= read -r line; do
	case $line in
	'$ '*)
		compare "$command_" "$wanted"
		command_=${line#??} wanted=
		;;
	*) wanted=$wanted${wanted:+
}$line ;;
	esac
done <examples
compare "$command_" "$wanted"
ok "there are examples" [ "$n_tests" -ge 5 ]

ok "every command is in the manual" sh -c '
	featlas help | sed -n "s/^  \([a-z][a-z]*\) .*/\1/p" | while read -r c; do
		grep -q "^\.It Cm ..$c\$\|^\.It Cm ..$c " "$1" || { echo "$c"; exit 1; }
	done' - "$page"
if command -v mandoc >/dev/null; then
	is "mandoc has nothing to say" "$(mandoc -T lint -W warning "$page" 2>&1 | grep -v 'referenced manual not found\|operating system')" ""
else
	skip "mandoc has nothing to say" "no mandoc"
fi

if command -v bash >/dev/null; then
	words=$(bash -c '. "$1"; COMP_WORDS=(featlas se) COMP_CWORD=1; _featlas; echo "${COMPREPLY[*]}"' - \
		"$BUILD_DIR/share/completion/featlas" 2>&1)
	is "bash completes commands" "$words" "search"
	words=$(bash -c '. "$1"; COMP_WORDS=(featlas search --q) COMP_CWORD=2; _featlas; echo "${COMPREPLY[*]}"' - \
		"$BUILD_DIR/share/completion/featlas" 2>&1)
	is "and their options" "$words" "--query"
else
	skip "bash completes commands" "no bash"
	skip "and their options" "no bash"
fi
finish
