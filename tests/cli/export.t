#!/bin/sh
# featlas export.
. "$TESTS_DIR/lib.sh"
copy_sample

check "tsv" 0 "$FEATLAS" export "$atlas" labels
is "is id, tab, label" "$(printf '%s\n' "$out" | head -2)" "0${tab}words about bridges
1${tab}words about rivers"
is "with two fields a line" "$(printf '%s\n' "$out" | awk -F'\t' 'NF != 2' | wc -l | tr -d ' ')" 0
"$FEATLAS" label "$atlas" 7 'says "hello", and commas' >/dev/null
"$FEATLAS" label "$atlas" 8 "a${tab}tab" >/dev/null
check "only what people wrote" 0 "$FEATLAS" export "$atlas" labels --kind person
is "as tsv" "$out" "7${tab}says \"hello\", and commas
8${tab}a tab"
check "as csv" 0 "$FEATLAS" export "$atlas" labels --kind person --format csv
is "quoted" "$out" '7,"says ""hello"", and commas"
8,a tab'
check "as jsonl" 0 "$FEATLAS" export "$atlas" labels --kind person --format jsonl
is "as it was written" "$out" '{"id":7,"label":"says \"hello\", and commas","kind":"person","source":"person"}
{"id":8,"label":"a\ttab","kind":"person","source":"person"}'
"$FEATLAS" label "$atlas" 0 '' >/dev/null
lacks "a rejected label is not exported" "$("$FEATLAS" export "$atlas" labels)" "^0$tab"
cp -r "$SAMPLE" "$tmp/bare.atlas" && chmod -R u+w "$tmp/bare.atlas" && rm "$tmp/bare.atlas/labels.safetensors"
check "no labels at all" 1 "$FEATLAS" export "$tmp/bare.atlas" labels
has "is said" "$err" "^featlas export: no feature has such a label$"
check "an unknown format" 2 "$FEATLAS" export "$atlas" labels --format xml
is "is named" "$err" "featlas export: --format is tsv, csv or jsonl, not 'xml'"
check "an unknown thing" 2 "$FEATLAS" export "$atlas" dreams
has "is named" "$err" "not 'dreams'"

# --- bookmarks
check "no bookmarks" 1 "$FEATLAS" export "$SAMPLE" bookmarks
echo 'keys : 4 <Enter> mk : 9 <Enter> m3' >"$tmp/mark.keys" # they are set on a screen
"$FEATLAS" open "$atlas" --script "$tmp/mark.keys" >/dev/null
check "bookmarks" 0 "$FEATLAS" export "$atlas" bookmarks
is "are model@source:index" "$out" "fake@2-sample:9
fake@2-sample:4"
check "as csv" 0 "$FEATLAS" export "$atlas" bookmarks --format csv --model gpt2-small --source 6-res-jb
is "with their letters" "$out" "3,gpt2-small@6-res-jb:9
k,gpt2-small@6-res-jb:4"
check "as json" 0 "$FEATLAS" export "$atlas" bookmarks --json
has "by member" "$out" '^\{"bookmark":"k","model":"fake","source":"2-sample","index":4\}$'

# --- features, as others read them; what is wanted was read from the atlas by tests/golden/export.py
want=$TESTS_DIR/golden/export some='"index":"(3|41|300)"'
check "as Neuronpedia" 0 "$FEATLAS" export "$SAMPLE" features --format neuronpedia --width 7 "$tmp/np"
has "says how it is named" "$out" '/np  fake@2-sample, 512 features$'
for what in features activations explanations; do
	grep -E "$some" "$tmp/np/$what/batch-0.jsonl" >"$tmp/$what.jsonl"
	ok "$what are those of the atlas" diff "$want/$what.jsonl" "$tmp/$what.jsonl"
done
is "a line each" "$(wc -l <"$tmp/np/features/batch-0.jsonl" | tr -d ' ')" 512
check "compressed" 0 "$FEATLAS" export "$SAMPLE" features --format neuronpedia --width 7 --gzip "$tmp/gz" --json
has "in one object" "$out" '^\{"out":".*/gz","model":"fake","source":"2-sample","features":512\}$'
for what in features activations explanations; do
	gzip -dc "$tmp/gz/$what/batch-0.jsonl.gz" >"$tmp/plain"
	ok "$what hold the same" cmp "$tmp/plain" "$tmp/np/$what/batch-0.jsonl"
done
check "other names, one kind of label, vectors" 0 "$FEATLAS" export "$SAMPLE" features --format neuronpedia --width 3 \
	--model gpt2-small --source 6-res-jb --kind lexical --vectors "$tmp/named"
has "the names stand in each line" "$(head -1 "$tmp/named/features/batch-0.jsonl")" \
	'^\{"modelId":"gpt2-small","layer":"6-res-jb","index":"0",.*"sourceSetName":"res-jb",.*"hasVector":true,"vector":\[-?0\.[0-9]+,'
lacks "other labels are left out" "$(cat "$tmp/named/explanations/batch-0.jsonl")" 'explainer'
check "as SAEDashboard" 0 "$FEATLAS" export "$SAMPLE" features --format saedashboard --width 7 "$tmp/sd"
for b in 0 1 2 3; do
	has "batch $b has its head" "$(cut -c 1-100 "$tmp/sd/batch-$b.json")" \
		'^\{"model_id":"fake","layer":2,"sae_set":"sample","sae_id_suffix":null,"features":\[\{"feature_index":'
	sed 's/,*{"feature_index"/\n{"feature_index"/g; s/\]}$//' "$tmp/sd/batch-$b.json"
done | grep -E '^\{"feature_index":(3|41|300),' >"$tmp/dashboard.jsonl"
ok "features are those of the atlas" diff "$want/dashboard.jsonl" "$tmp/dashboard.jsonl"
has "features that never fire are skipped" "$(tr -d ' \n' <"$tmp/sd/skipped_indexes.json")" '"skipped_indexes":\[500,501,.*,511\]\}$'
check "a folder that is in use" 2 "$FEATLAS" export "$SAMPLE" features --format saedashboard "$tmp/sd"
has "is named" "$err" "sd' is there already and is not empty"
check "no folder" 2 "$FEATLAS" export "$SAMPLE" features --format neuronpedia
has "is said" "$err" 'a folder to write the features to is missing'
check "a folder for what is printed" 2 "$FEATLAS" export "$SAMPLE" labels "$tmp/labels"
check "an unknown form of features" 2 "$FEATLAS" export "$SAMPLE" features --format csv "$tmp/csv"
ok "makes nothing" [ ! -e "$tmp/csv" ]
# --- the dictionary, of any layout: what SAELens can hold gives the same numbers from its folder
golden=$TESTS_DIR/golden/formats tool=$BUILD_DIR/tests/cli/tool none=
while IFS="$tab" read -r name opened options file; do
	[ "$options" = - ] && options=
	# shellcheck disable=SC2086 # options are words
	run "$FEATLAS" export "$golden/$opened" dict "$tmp/$name" $options
	if [ "$status" != 0 ]; then
		none="$none $name"
		has "$name is refused by name" "$err" "^featlas export: '.*$opened': SAELens does not have "
		ok "and nothing is left of it" [ ! -e "$tmp/$name" ]
		continue
	fi
	run "$FEATLAS" encode "$tmp/$name" --x "$golden/$file" --out "$tmp/out.st"
	ok "$name as SAELens has it" "$tool" agree "$tmp/out.st" "$golden/$file" 1e-4
	has "is version 6" "$(tr -d ' \n' <"$tmp/$name/cfg.json")" '"metadata":\{"sae_lens_version":"6\.'
done <"$golden/cases.tsv"
is "what SAELens does not have" "$none" " llamascopium-topk llamascopium-glu sparsify-groupmax sparsify-skip sparsify-transcode"
check "an atlas's own" 0 "$FEATLAS" export "$SAMPLE" dict --format saelens "$tmp/own" --json
has "in one object" "$out" '^\{"out":".*/own","features":512,"d":48\}$'
check "another format" 2 "$FEATLAS" export "$SAMPLE" dict --format onnx "$tmp/onnx"
check "no dictionary" 2 "$FEATLAS" export "$tmp" dict "$tmp/nothing"
ok "makes no folder" [ ! -e "$tmp/nothing" ]

# --- there and back
contexts() {
	grep -E '"index":"(3|41)".*"binMin":-1' "$1" | sed 's/.*\("index":"[0-9]*"\).*\("tokens":.*\)"minValue".*/\1 \2/'
}
check "what was exported is imported" 0 "$FEATLAS" import "$tmp/np" "$tmp/back.atlas"
check "and exported again" 0 "$FEATLAS" export "$tmp/back.atlas" features --format neuronpedia --width 7 "$tmp/again"
contexts "$tmp/np/activations/batch-0.jsonl" >"$tmp/first"
contexts "$tmp/again/activations/batch-0.jsonl" >"$tmp/second"
ok "there are contexts" [ "$(wc -l <"$tmp/first")" -gt 20 ]
ok "texts and activations of the strongest are the same" diff "$tmp/first" "$tmp/second"
"$FEATLAS" export "$SAMPLE" labels >"$tmp/first"
"$FEATLAS" export "$tmp/back.atlas" labels >"$tmp/second"
ok "so are the labels" diff "$tmp/first" "$tmp/second"
finish
