#!/bin/sh
# The commands that = and Y show can be pasted: on atlases whose folders' names hold blanks, quotes and a $, with
# patterns and texts that begin with "-" or hold what shells take for their own, a shell reads each command back to
# the same folders and texts, and the command runs.
. "$TESTS_DIR/lib.sh"
EDITOR="sh $tmp/editor" VISUAL= FEATLAS_BACKEND=fake
export EDITOR VISUAL FEATLAS_BACKEND
printf '%s\n' "printf 'it'\\''s \"\$HOME\"\\n\\tthe river' >\"\$1\"" >"$tmp/editor"
here="a b'c" other="other \$1 \`x\`"
cp -r "$SAMPLE" "$tmp/$here"
chmod -R u+w "$tmp/$here"
"$FEATLAS" synth "$tmp/$other" --features 300 --d-model 48 --seed 3 >/dev/null
cd "$tmp" || exit 99

# \n and the like in $'...' are new in POSIX: the shells that know them are asked, not sh
sh=sh
for s in ksh zsh bash; do
	command -v $s >/dev/null && sh=$s
done
reads=$($sh -c "printf %s \$'\\101'" 2>/dev/null)

# What the script's dump has: the command in the box of =, and in the line of Y.
commands() {
	"$FEATLAS" open --script "$tmp/keys" "$here" "$other" 2>&1 |
		sed -n -e 's/.*│ \(featlas .*[^ ]\) *│.*/\1/p' -e 's/^ \(featlas .*[^ ]\)   (:set clipboard=.*/\1/p' \
			-e 's/.*; \(featlas .*\) prints .*/\1/p'
}

# name, the subcommands shown by = and Y, a word that the last must have, keys and lines of a script
screen() {
	name=$1 want=$2 word=$3 last=
	shift 3
	{
		echo size 450x60
		printf '%s\n' "$@" wait 'keys =' dump 'keys <Esc> Y' dump
	} >"$tmp/keys"
	commands >"$tmp/commands"
	is "$name: commands" "$(sed 's/^featlas \([a-z]*\).*/\1/' "$tmp/commands" | xargs)" "$want"
	while IFS= read -r line; do
		case $line in
		*"\$'"* | *'<('*) [ "$reads" = A ] || { skip "$name: $line" "no shell reads it" && continue; } ;;
		esac
		printf '%s\n' 'featlas() { for w; do printf "<%s>\n" "$w"; done; }' "$line" >"$tmp/paste"
		last=$($sh "$tmp/paste")
		is "$name: the folder" "$(printf '%s\n' "$last" | sed -n 2p)" "<$here>"
		printf '%s\n' 'featlas() { "$FEATLAS" "$@"; }' "$line" >"$tmp/paste"
		check "$name: it runs" 0 $sh "$tmp/paste"
	done <"$tmp/commands"
	[ -z "$word$last" ] || ok "$name: the word" contains "$last" "${word:+<$word>}"
}

contains() {
	case $1 in
	*"$2"*) true ;;
	*) printf '%s\n' "$2 is not in" "$1" && false ;;
	esac
}

text="-it's \"\$HOME\" \`x\`"
screen "the list" "show top" --by 'keys g f'
screen "the list, by number" "show search" "" 'keys g f s i'
screen "a search" "show search" "-|it's" 'keys g f /' "type -|it's" 'keys <Enter>'
screen "a query" "show search" "/it's/ or density:<1" 'keys g f &' "type /it's/ or density:<1" 'keys <Enter>'
screen "a feature" "show show" "" 'keys g o'
screen "neighbours" "near show" "" 'keys g o <S-Tab>'
screen "the graph" "near near" "" 'keys g n'
screen "the map" near "" 'keys g m'
screen "the queue" "show show" "" 'keys g q'
screen "a quiz" "quiz quiz" "" 'keys g z'
screen "a text" "text text" "$text" 'keys g t i <C-u>' "type $text" 'keys <Enter>'
screen "effects" "effects effects" "$text" 'keys g t i <C-u>' "type $text" 'keys <Enter>' wait 'keys s'
screen "lens" "lens lens" "$text" 'keys g L i <C-u>' "type $text" 'keys <Enter>'
screen "steering" "steer steer" "$text" 'keys g s i <C-u>' "type $text" 'keys <Enter>'
screen "a condition" "steer steer" "" 'keys g s o i' "type /it's|\"/" 'keys <Enter>'
screen "a sweep" "sweep sweep" "$text" 'keys g w o w i <C-u>' "type $text" 'keys <Enter>'
screen "runs" "runs runs" "" 'keys g r'
screen "finding" "find find" "" 'keys g F a' "type $text" 'keys <Enter> <Tab> a' "type it's" 'keys <Enter>'
screen "side by side" diff "$other" 'keys g c'
screen "the dictionary" "info show top" "" 'keys g d' dump 'keys <Esc>'
screen "labels" "export show top" "" 'keys g f e <C-u>' 'type a bridge' 'keys <Enter> x l' dump
screen "two lines" "steer steer" "it's \"\$HOME\"
${tab}the river" 'keys g s E'
finish
