#!/bin/sh
# featlas label and undo.
. "$TESTS_DIR/lib.sh"
copy_sample

check "nothing to undo" 1 "$FEATLAS" undo "$atlas"
is "is said" "$err" "featlas undo: there is nothing to undo"
ok "reading makes no database" [ ! -e "$atlas/labels.db" ]
check "a label" 0 "$FEATLAS" label "$atlas" 3 'la langue française'
is "is told" "$out" "#3${tab}la langue française"
check "it is shown" 0 "$FEATLAS" show "$atlas" 3
has "first" "$out" '^#3 la langue française  \(person\)$'
check "it is found" 0 "$FEATLAS" search "$atlas" 'langue française$' --json
has "by id" "$out" '^\{"id":3,"label":"la langue française"'
check "what it replaced is found too" 0 "$FEATLAS" search "$atlas" '^words about French$' --json
has "as matched" "$out" '"label":"la langue française".*"matched":"words about French"'
check "another" 0 "$FEATLAS" label "$atlas" 4 'letters that want money'
check "an empty one" 0 "$FEATLAS" label "$atlas" '#5' ''
is "rejects" "$out" "#5${tab}rejected"
check "what is rejected" 1 "$FEATLAS" search --query "$atlas" '/^words about/ id:5'
check "is in the JSON" 0 "$FEATLAS" show "$atlas" 5 --json
has "as such" "$out" '"rejected":true'
check "undo" 0 "$FEATLAS" undo "$atlas"
is "says what" "$out" "took back the label of #5"
check "undo again" 0 "$FEATLAS" undo "$atlas"
is "goes on, across runs" "$out" "took back the label of #4"
check "redo" 0 "$FEATLAS" undo --redo "$atlas"
is "puts it back" "$out" "put back the label of #4"
is "and it is there" "$("$FEATLAS" search "$atlas" 'letters that want' --count)" 1
check "a label after an undo" 0 "$FEATLAS" label "$atlas" 6 'six'
check "forgets the redo" 1 "$FEATLAS" undo --redo "$atlas"

check "a newline" 2 "$FEATLAS" label "$atlas" 3 'two
lines'
is "is refused" "$err" "featlas label: a label is one line"
check "no such feature" 2 "$FEATLAS" label "$atlas" 512 x
check "too long" 2 "$FEATLAS" label "$atlas" 3 "$(printf '%05000d' 0)"
has "is refused" "$err" 'at most 4096 bytes'
is "nothing was lost on the way" "$("$FEATLAS" show "$atlas" 3 | head -1)" '#3 la langue française  (person)'

# many programs at once
for i in 0 1 2 3 4 5 6 7; do "$FEATLAS" label "$atlas" "10$i" "at once $i" >/dev/null 2>"$tmp/err$i" & done
wait
is "many programs at once" "$("$FEATLAS" search "$atlas" '^at once \d$' --count; cat "$tmp"/err?)" 8

printf 'this is not a database, but it is precious' >"$tmp/precious"
cp "$tmp/precious" "$atlas/labels.db"
rm -f "$atlas/labels.db-wal" "$atlas/labels.db-shm"
check "a labels.db that is none" 3 "$FEATLAS" label "$atlas" 3 x
has "is named" "$err" 'labels.db. is damaged .*left as it is'
ok "and left as it is" cmp "$tmp/precious" "$atlas/labels.db"
check "the atlas opens all the same" 0 "$FEATLAS" search "$atlas" 'words about French'
has "with a warning" "$err" '^featlas search: warning: .*damaged'
check "undo there" 3 "$FEATLAS" undo "$atlas"

if [ "$(id -u)" != 0 ]; then
	copy_sample
	chmod a-w "$atlas"
	check "a folder that may not be written" 0 "$FEATLAS" label "$atlas" 3 'kept at home'
	ok "keeps edits in the data folder" [ -e "$XDG_DATA_HOME/featlas/5a3ef1a5-0000-4000-8000-000000000001.db" ]
	is "from where they are read" "$("$FEATLAS" search "$atlas" 'kept at home' --count)" 1
else
	skip "a folder that may not be written" "root may write everywhere"
fi
finish
