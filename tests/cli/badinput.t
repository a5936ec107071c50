#!/bin/sh
# What nobody should type and no disk should hold: one sentence, the right status, no crash, nothing lost.
. "$TESTS_DIR/lib.sh"
copy_sample
bytes=$(printf '\377\376')
long=$(printf '%0131000d' 0) # the longest argument that a system passes on is 131071 bytes

# one NAME STATUS COMMAND ...: exits with STATUS, prints nothing, and says why in one line
one() {
	name=$1 want=$2
	shift 2
	run "$@"
	is "$name" "$status '$out' $(printf '%s\n' "$err" | grep -c .)" "$want '' 1"
}

# --- numbers
for id in 512 -1 99999999999999999999 1e3 0x10 5.5 ' 5' '' "$bytes" 'x#5'; do
	one "show '$id'" 2 "$FEATLAS" show "$atlas" "$id"
	one "near '$id'" 2 "$FEATLAS" near "$atlas" "$id"
	one "label '$id'" 2 "$FEATLAS" label "$atlas" "$id" text
	one "steer '$id'" 2 "$FEATLAS" steer "$atlas" --backend fake --prompt a --feature "$id"
done
for n in -1 nan 1e9 99999999999999999999 ''; do
	one "--limit '$n'" 2 "$FEATLAS" top "$atlas" --limit "$n"
	one "-k '$n'" 2 "$FEATLAS" near "$atlas" 5 -k "$n"
	one "--width '$n'" 2 "$FEATLAS" show "$atlas" 5 --width "$n"
	one "--temperature '$n'" 2 "$FEATLAS" steer "$atlas" --backend fake --prompt a --feature 5:2x --temperature "$n"
done
for s in nan inf -inf 1e999 1e39 nanx x -x 2y 2x:bogus 2x:add:on=7 2x:add:foo 2x:add:hook=99; do
	one "strength $s" 2 "$FEATLAS" steer "$atlas" --backend fake --prompt a --feature "5:$s"
done
check "minus nothing" 0 "$FEATLAS" steer "$atlas" --backend fake --prompt a --feature 5:-0 -n 2
has "is nothing" "$out" '^#5 add 0  '
one "a strength beyond all sense" 2 "$FEATLAS" steer "$atlas" --backend fake --prompt a --feature 5:1e30 -n 2
has "is named" "$err" 'strength 1e\+30 is too large'

# --- texts and patterns
for p in '[a' '(' '\' "$bytes" "$long"; do
	one "pattern $(printf %.3s "$p")" 2 "$FEATLAS" search "$atlas" "$p"
done
for q in '' 'a and (' 'not' "$long"; do
	one "query '$(printf %.7s "$q")'" 2 "$FEATLAS" search "$atlas" --query "$q"
done
check "a pattern without end" 1 "$FEATLAS" search "$atlas" '(?R)'
has "gives up and says so" "$err" 'gave up'
one "a text the model cannot take" 2 "$FEATLAS" text "$atlas" "$long" --backend fake
has "says how long it is" "$err" 'the text has [0-9]+ tokens, the model takes 2048$'
one "a prompt the model cannot take" 2 "$FEATLAS" steer "$atlas" --prompt "$long" --feature 5:2x --backend fake
one "a label without end" 2 "$FEATLAS" label "$atlas" 5 "$long"
check "bytes that are no text" 0 "$FEATLAS" text "$atlas" "a${bytes}b" --backend fake
check "as a prompt" 0 "$FEATLAS" steer "$atlas" --prompt "$bytes" --feature 5:2x --backend fake -n 2 --json
one "no such module" 2 "$FEATLAS" text "$atlas" a --backend nosuch
one "a module that ends" 2 "$FEATLAS" text "$atlas" a --backend /bin/false
one "a module that echoes" 2 "$FEATLAS" text "$atlas" a --backend /bin/cat
one "no terminal" 2 "$FEATLAS" open "$atlas"
one "no such atlas" 2 "$FEATLAS" "$tmp/nosuch.atlas"

# --- where the output goes
if [ -w /dev/full ]; then
	for c in --version --help "info $atlas" "show $atlas 5" "show $atlas 5 --json" "search $atlas a" "top $atlas" \
		"near $atlas 5" "export $atlas labels" "verify $atlas" "help show"; do
		# shellcheck disable=SC2086
		"$FEATLAS" $c >/dev/full 2>"$tmp/err"
		is "$c on a full disk" "$? $(grep -c 'cannot write the output: No space left' "$tmp/err")" '2 1'
	done
fi
"$FEATLAS" show "$atlas" 5 >&- 2>"$tmp/err"
is "a closed output" "$? $(cat "$tmp/err")" '2 featlas show: cannot write the output: Bad file descriptor'
"$FEATLAS" prune "$atlas" "$tmp/p.atlas" <&- >&- 2>&-
check "closed descriptors lend no file their number" 0 "$FEATLAS" verify "$tmp/p.atlas"
"$FEATLAS" label "$atlas" 5 'kept' <&- >&- 2>&-
is "nor the labels" "$("$FEATLAS" show "$atlas" 5 | head -1)" '#5 kept  (person)'
check "the atlas is whole" 0 "$FEATLAS" verify "$atlas"

# --- files that are cut or changed: never a crash or a hang, and verify always sees it
damaged() { # how
	for c in info show near search top export; do
		case $c in
		show | near) rest=5 ;;
		search) rest=a ;;
		export) rest=labels ;;
		*) rest= ;;
		esac
		# shellcheck disable=SC2086
		run "$FEATLAS" $c "$tmp/d.atlas" $rest
		[ "$status" -le 3 ] || is "$c of what is $1" "status $status: $err" "0 to 3"
	done
	check "verify sees $1" 3 "$FEATLAS" verify "$tmp/d.atlas"
}
fresh() {
	rm -rf "$tmp/d.atlas" && cp -r "$SAMPLE" "$tmp/d.atlas" && chmod -R u+w "$tmp/d.atlas"
}
for f in activations sae_weights labels logits graph scores vocab; do
	f=$f.safetensors
	size=$(wc -c <"$SAMPLE/$f")
	for cut in 0 7 9 100 $((size / 2)) $((size - 1)); do
		fresh
		head -c "$cut" "$SAMPLE/$f" >"$tmp/d.atlas/$f"
		damaged "$f cut at $cut"
	done
	for at in 0 4 40 $((size - 9)); do
		fresh
		printf '\245' | dd of="$tmp/d.atlas/$f" bs=1 seek=$at conv=notrunc 2>/dev/null
		damaged "$f changed at $at"
	done
done
for cut in 0 1 200; do
	fresh
	head -c $cut "$SAMPLE/atlas.json" >"$tmp/d.atlas/atlas.json"
	one "atlas.json cut at $cut" 3 "$FEATLAS" info "$tmp/d.atlas"
done
fresh
rm "$tmp/d.atlas/atlas.json"
one "no atlas.json" 2 "$FEATLAS" info "$tmp/d.atlas"

# --- a folder that cannot be written: edits go elsewhere and are found again
chmod a-w "$atlas"
if [ -w "$atlas" ]; then
	skip "a label beside a folder that is read only" "this user may write everywhere"
else
	rm -f "$atlas"/labels.db*
	check "a label beside a folder that is read only" 0 "$FEATLAS" label "$atlas" 9 'elsewhere'
	has "is found" "$("$FEATLAS" show "$atlas" 9)" '^#9 elsewhere'
fi
# a file that may grow no further, as on a full disk
(ulimit -f 8; "$FEATLAS" synth "$tmp/full.atlas" --features 5000 >/dev/null 2>"$tmp/full.err"; echo $? >"$tmp/full.status")
is "a file that cannot grow is an error" "$(cat "$tmp/full.status")" 2
has "with a sentence" "$(cat "$tmp/full.err")" '^featlas synth: .*(File too large|cannot write)'
ok "and no half file stays" [ -z "$(ls "$tmp/full.atlas" 2>/dev/null | grep part)" ]
finish
