#!/bin/sh
# A dictionary made elsewhere, without an atlas: opened as it lies, and made the dictionary of one.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/formats
topk=$golden/dl-topk

# ---- alone ----
check "info" 0 "$FEATLAS" info "$topk"
has "the format" "$out" '^  format +dictionary_learning +\[file: config.json: trainer\]'
has "the architecture and its k" "$out" '^  architecture +AutoEncoderTopK, k 5 +\[file: '
has "what is subtracted" "$out" '^  b_dec +subtracted from the input +\[default: '
has "what is only a guess" "$out" '^  bos +prepended +\[guess: '
has "all else is missing, and how it is made" "$out" "^missing +all others; .*featlas import $topk OUT.atlas"
has "labels go to the user's folder" "$out" "^edits +$XDG_DATA_HOME/featlas/[-0-9a-f]*\\.db"
run "$FEATLAS" info "$topk" --json
has "as JSON" "$out" '"provenance":\[\{"name":"format","value":"dictionary_learning","origin":"file","why":'
has "with a remedy for each part" "$out" '"store":"no activation store; make an atlas of this dictionary first'
run "$FEATLAS" info "$golden/saelens-expected-average"
has "a factor that no file holds is a guess" "$out" '^  normalisation +.*factor 1 +\[guess: .*--norm-scale'
run "$FEATLAS" info "$golden/saelens-expected-average" --norm-scale 0.375
has "until it is given" "$out" '^  normalisation +none, factor 0.375 +\[given: --norm-scale\]'
check "a factor that is none" 2 "$FEATLAS" info "$topk" --norm-scale -1
has "is named" "$err" 'norm scale -1'

check "show" 0 "$FEATLAS" show "$topk" 3
has "says what it lacks" "$out" 'no activation store'
check "near" 0 "$FEATLAS" near "$topk" 3 -k 4
is "lists as many as asked" "$(echo "$out" | wc -l)" 4
check "label" 0 "$FEATLAS" label "$topk" 3 "of a stranger"
run "$FEATLAS" show "$topk" 3
has "is there the next time" "$out" 'of a stranger'
ok "nothing is written beside the dictionary" [ ! -e "$topk/labels.db" ]
check "search" 0 "$FEATLAS" search "$topk" stranger
printf 'dump list\nkeys <Enter>\ndump page\n' >"$tmp/keys"
check "the screens" 0 "$FEATLAS" open --script "$tmp/keys" "$topk"
has "list its features" "$out" 'of a stranger'
check "what needs an atlas" 2 "$FEATLAS" index "$topk" "$tmp/no.acts"
has "says how one is made" "$err" 'has no atlas.json; of a dictionary, .featlas import'
check "neither" 2 "$FEATLAS" info "$tmp"
has "says what is there" "$err" 'has no atlas.json, and as a dictionary: .*holds no dictionary'
check "several" 2 "$FEATLAS" info "$golden"
has "names some" "$err" 'name one of them: '

# ---- of an atlas ----
check "import" 0 "$FEATLAS" import "$golden/saelens-expected-average" "$tmp/far.atlas" --norm-scale 0.375
is "makes atlas.json alone" "$(ls "$tmp/far.atlas")" atlas.json
run "$FEATLAS" info "$tmp/far.atlas"
has "remembers the factor" "$out" 'factor 0.375'
has "and the remedies are an atlas's" "$out" "no activation store; make it with 'featlas index $tmp/far.atlas OUT.acts'"
check "verify" 0 "$FEATLAS" verify "$tmp/far.atlas"
cp -r "$golden/saelens-jumprelu" "$tmp/mine"
"$FEATLAS" import "$tmp/mine" "$tmp/mine.atlas" >/dev/null
printf 'x' >>"$tmp/mine/sae_weights.safetensors"
check "a dictionary that was damaged since" 3 "$FEATLAS" info "$tmp/mine.atlas"
cp "$golden/saelens-standard/sae_weights.safetensors" "$golden/saelens-standard/cfg.json" "$tmp/mine"
check "one that is another now" 3 "$FEATLAS" info "$tmp/mine.atlas"
has "is named" "$err" "'$tmp/mine' is not the dictionary that '$tmp/mine.atlas/atlas.json' names"
check "verify says so" 3 "$FEATLAS" verify "$tmp/mine.atlas"

# the made-up model's own dictionary, as if it were a stranger's
mksample=$BUILD_DIR/tools/mksample
"$mksample" "$tmp/made.atlas" "$tmp/t.acts" || exit 99
mkdir "$tmp/stranger"
cp "$tmp/made.atlas/cfg.json" "$tmp/made.atlas/sae_weights.safetensors" "$tmp/stranger"
check "import" 0 "$FEATLAS" import "$tmp/stranger" "$tmp/s.atlas"
check "index" 0 "$FEATLAS" index "$tmp/s.atlas" "$tmp/t.acts" --backend fake
check "verify" 0 "$FEATLAS" verify "$tmp/s.atlas"
run "$FEATLAS" show "$tmp/s.atlas" 7 --json
has "features have their contexts" "$out" '"contexts":\[\{'
check "text" 0 "$FEATLAS" text "$tmp/s.atlas" 'some words' --backend fake
check "steer" 0 "$FEATLAS" steer "$tmp/s.atlas" --backend fake --prompt a --feature 5:2x:clamp -n 3
check "prune leaves the dictionary where it is" 0 "$FEATLAS" prune "$tmp/s.atlas" "$tmp/p.atlas"
ok "no weights are copied" [ ! -e "$tmp/p.atlas/sae_weights.safetensors" ]
check "and what comes out opens" 0 "$FEATLAS" info "$tmp/p.atlas"
check "text with a bare dictionary" 0 "$FEATLAS" text "$tmp/stranger" 'some words' --backend fake
check "steer with one" 0 "$FEATLAS" steer "$tmp/stranger" --backend fake --prompt a --feature 5:3 -n 3

# ---- what an architecture cannot be asked for ----
sed 's/"normalize_activations": "none"/"normalize_activations": "layer_norm"/' "$tmp/stranger/cfg.json" >"$tmp/cfg"
cp "$tmp/cfg" "$tmp/stranger/cfg.json"
check "clamping through a layer norm" 2 "$FEATLAS" steer "$tmp/stranger" --backend fake --prompt a --feature 5:3:clamp -n 3
has "is refused by name" "$err" 'cannot clamp feature 5: the dictionary normalises each row'
check "adding is not" 0 "$FEATLAS" steer "$tmp/stranger" --backend fake --prompt a --feature 5:3 -n 3
finish
