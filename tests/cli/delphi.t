#!/bin/sh
# featlas import of Delphi's caches and explanations; the golden run is by tests/golden/make_delphi.py.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/delphi module=layers.3.mlp
a=$tmp/run.atlas b=$tmp/whole.atlas
check "a run" 0 "$FEATLAS" import "$golden/run" "$a" --json
is "reports" "$out" '{"from":"Delphi cache","n_features":40,"n_contexts":441,"n_tokens":192,"n_activations":455,"n_labels":3,"n_negative":1}'
check "has no faults" 0 "$FEATLAS" verify "$a"
number() { "$FEATLAS" show "$a" "$1" --json | sed "s/.*\"$2\":\\([-0-9.e+]*\\).*/\\1/"; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(d * d <= 1e-12 + 1e-10 * b * b) }'; }
while read -r id density max; do
	ok "density of #$id" near "$(number "$id" density)" "$density"
	ok "maximum of #$id" near "$(number "$id" max)" "$max"
done <"$golden/expected.tsv"
check "info" 0 "$FEATLAS" info "$a" --json
has "model, hook and coverage" "$out" '"name":"a/model".*"hook":"layers\.3\.mlp".*"coverage":"full"'
check "labels" 0 "$FEATLAS" show "$a" 0 --json
has "with what detection gave" "$out" '"labels":\[\{"text":"ends of words","source":"delphi detection","kind":"machine","score":0\.625'
check "labels" 0 "$FEATLAS" show "$a" 5 --json
has "else fuzzing" "$out" '"text":"says \\"so\\", → often","source":"delphi fuzzing","kind":"machine","score":0\.75'
check "labels" 0 "$FEATLAS" show "$a" 11 --json
has "else none" "$out" '"text":"a third one","source":"delphi","kind":"machine","score":null'
check "an empty one" 0 "$FEATLAS" show "$a" 12 --json
has "is none" "$out" '"labels":\[\]'

check "one file in no order" 0 "$FEATLAS" import "$golden/whole/$module.safetensors" "$b"
for id in 0 5 11 39; do
	"$FEATLAS" show "$a" $id --json | sed 's/"labels":.*"density"/"density"/' >"$tmp/a.json"
	"$FEATLAS" show "$b" $id --json | sed 's/"labels":.*"density"/"density"/' >"$tmp/b.json"
	ok "#$id is the same" cmp "$tmp/a.json" "$tmp/b.json"
done

damage() { # file, offset, octal bytes: in a copy of the run, its shape kept
	rm -rf "$tmp/bad" "$tmp/bad.atlas" && cp -r "$golden/run" "$tmp/bad" && chmod -R u+w "$tmp/bad"
	file=$tmp/bad/latents/$module/$1
	[ -z "$3" ] || printf "$3" | dd of="$file" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
refused() { # what, status, words
	check "$1" "$2" "$FEATLAS" import "$tmp/bad" "$tmp/bad.atlas"
	has "is refused" "$err" "$3"
	ok "and nothing is an atlas" [ ! -e "$tmp/bad.atlas/atlas.json" ]
}
header=$(($(od -An -t u8 -N 8 "$golden/run/latents/$module/0_12.safetensors") + 8))
spot=$(strings -n 30 "$golden/run/latents/$module/0_12.safetensors" | sed -n 's/.*"locations":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/p')
damage 0_12.safetensors $((header + spot)) '\377\377'
refused "a row beyond the tokens" 3 "location 0 is \(65535, [0-9]+, [0-9]+\), which is outside"
damage 0_12.safetensors $((header + spot + 4)) '\377\000'
refused "a latent beyond its range" 3 "location 0 is \([0-9]+, [0-9]+, 255\), which is outside"
damage 0_12.safetensors 0 ''
head -c $((header + 40)) "$golden/run/latents/$module/0_12.safetensors" >"$file"
refused "a file cut short" 3 "0_12\.safetensors"
damage 0_12.safetensors 0 ''
cp "$tmp/bad/latents/$module/13_25.safetensors" "$tmp/bad/latents/$module/12_20.safetensors"
refused "ranges that overlap" 3 "12_20\.safetensors' has latents that the file before it has too"
damage 0_12.safetensors 0 ''
cp -r "$tmp/bad/latents/$module" "$tmp/bad/latents/other.module"
refused "a run of two modules" 2 "caches of several modules: --hook says which"
check "of which one is chosen" 0 "$FEATLAS" import "$tmp/bad" "$tmp/bad.atlas" --hook other.module
damage 0_12.safetensors 0 ''
echo '{"not": "a string"}' >"$tmp/bad/explanations/${module}_latent0.txt"
refused "an explanation that is none" 3 "latent0\.txt' is not a JSON string"
finish
