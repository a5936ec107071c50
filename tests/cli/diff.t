#!/bin/sh
# featlas diff: two dictionaries side by side.
. "$TESTS_DIR/lib.sh"
check "an atlas and itself" 0 "$FEATLAS" diff "$SAMPLE" "$SAMPLE"
has "each feature finds itself" "$out" '^[a-z]+	512 features; nearest in [a-z]+: median cosine 1\.000, [19][0-9.]+ % at 0\.9 or more, [0-9.]+ % below 0\.5$'
has "by the same number" "$out" '^[0-9]+ features have the same number on both sides$'
check "--summary --json" 0 "$FEATLAS" diff "$SAMPLE" "$SAMPLE" --summary --json
has "is one object" "$out" '^\{"a":\{"atlas":"[a-z]+","n_features":512,"median_cosine":[01.]+[0-9]*,"at_least_0\.9":[0-9]+,"below_least":[0-9]+\},"b":\{.*\},"least":0\.5,"mutual":[0-9]+,"split":[0-9]+,"same_number":[0-9]+\}$'
check "one feature" 0 "$FEATLAS" diff "$SAMPLE" "$SAMPLE" --of 1
is "is its own nearest" "$out" "#1$tab${tab}words about rivers
  =#1${tab}1.000${tab}words about rivers"
check "--json" 0 "$FEATLAS" diff "$SAMPLE" "$SAMPLE" --of 1 --json
has "has nearest, mutual and children" "$out" '^\{"id":1,"label":"words about rivers",.*"nearest":\{"id":1,"cosine":1\.0,"label":"words about rivers"\},"mutual":true,"children":\[\{"id":1,"cosine":1\.0,"label":"words about rivers"\}\]\}$'
check "a cosine that is none" 2 "$FEATLAS" diff "$SAMPLE" "$SAMPLE" --least 2
is "is refused" "$err" "featlas diff: --least is a cosine above 0 and at most 1, not 2"
check "an unknown feature" 2 "$FEATLAS" diff "$SAMPLE" "$SAMPLE" --of 512
check "nothing there" 2 "$FEATLAS" diff "$SAMPLE" nowhere.atlas
finish
