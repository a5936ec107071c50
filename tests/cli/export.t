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
cp -r "$SAMPLE" bare.atlas && chmod -R u+w bare.atlas && rm bare.atlas/labels.safetensors
check "no labels at all" 1 "$FEATLAS" export bare.atlas labels
has "is said" "$err" "^featlas export: no feature has such a label$"
check "an unknown format" 2 "$FEATLAS" export "$atlas" labels --format xml
is "is named" "$err" "featlas export: --format is tsv, csv or jsonl, not 'xml'"
check "an unknown thing" 2 "$FEATLAS" export "$atlas" dreams
finish
