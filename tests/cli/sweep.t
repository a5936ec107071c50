#!/bin/sh
# featlas sweep on the sample atlas and the made-up model.
. "$TESTS_DIR/lib.sh"
copy_sample
sweep() { "$FEATLAS" sweep "$atlas" --backend fake "$@"; }

check "a sweep" 0 sweep --feature 1 --strengths -1,0..3:0.5 --seeds 3 -n 20
has "what was done" "$out" '^#1 words about rivers  add$'
has "how large the grid is" "$out" '^8 strengths, 3 seeds, 1 prompt; 20 tokens, temperature 0.7, on the reply$'
has "the measures" "$out" '^ strength  change activation +max +excess +repeats +kl +gain +words +hits$'
has "the baseline" "$out" '^ baseline +0\.00 '
has "nothing done is nothing" "$out" '^ +0x +0\.00 .* 0\.00 +0\.00 +[0-9.]+ +[0-9]+ %$'
has "onset is marked" "$out" '^ +[0-9.]+x .* \|$'
has "and said" "$out" '^effect begins at [0-9.]+x, does not fall apart; works from [0-9.]+x to 3x, activation rises in [0-9] of [0-9] steps, gain in [0-9], rank correlation [0-9.]+ \(of all texts [0-9.]+\)$'
has "the curve, in braille" "$out" '⠒⠒|⠤⠤|⠉⠉'
has "its measures" "$out" '^ +nats a token above the baseline, unsteered$'
has "strengths below it" "$out" '^ +-1x .* 3x$'
first=$out
check "again" 0 sweep --feature 1 --strengths -1,0..3:0.5 --seeds 3 -n 20
is "is the same" "$out" "$first"
check "--ascii" 0 sweep --feature 1 --strengths 0..3 --seeds 2 -n 10 --ascii
lacks "has no braille" "$out" '[^ -~]'
has "but a curve" "$out" '\*-'

check "no words" 0 sweep --feature 26:5 --strengths 0,5 --seeds 1 -n 4
lacks "have no curve" "$out" 'the listed words gain'
has "the others do" "$out" 'repeated 4-grams'

check "--json" 0 sweep --feature 1 --strengths 0,2 --seeds 11-12 --prompt a --prompt "b c" -n 12 --json --watch 3 --random \
	--words river,boat
is "is one line" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 1
has "features" "$out" '^\{"features":\[\{"id":1,"method":"add",.*"label":"words about rivers"\}\],"unit":"x","seeds":\[11,12\],"prompts":\["a","b c"\],"words":\["river","boat"\],'
has "options" "$out" '"temperature":0\.69999999|"temperature":0\.7,"n":12,"where":"reply","chat":true,"model":"fake world",'
has "medians and quartiles" "$out" '"baseline":\{"n":4,"activation":[0-9.]+,.*"quartiles":\{"activation":\[[0-9.]+,[0-9.]+\]'
has "doses" "$out" '"strength":2\.0,"change_over_norm":[0-9.]+\}\],"spread":[0-9.]+,"onset":'
has "the control" "$out" '"random":\{"doses":\[\{"n":4,'
cells() { printf '%s\n' "$out" | grep -o "\"kind\":\"$1\"" | wc -l | tr -d ' '; }
is "every text" "$(cells baseline) $(cells steered) $(cells random)" "4 8 8"
has "a text's measures" "$out" '\{"kind":"steered","prompt":1,"seed":12,"strength":2\.0,"text":"[^"]+","tokens":12,"nll":[0-9.]+,"excess":-?[0-9.e-]+,"kl":[0-9.e-]+,"gain":-?[0-9.e-]+,"repeats":[0-9.]+,"words":[0-9]+,"hit":(true|false),"activations":\[\{"id":1,"mean":[0-9.]+,"max":[0-9.]+\},\{"id":3,'
steered() { printf '%s\n' "$1" | grep -o '"steered":"[^"]*"' | sed 's/.*:"//; s/"$//'; }
one=$("$FEATLAS" steer "$atlas" --backend fake --feature 1:2x --prompt "b c" --seed 12 --temperature 0.7 -n 12 --json)
has "a text is what steer writes" "$out" "\"seed\":12,\"strength\":2\.0,\"text\":\"$(steered "$one")\""
json=$out
check "--out" 0 sweep --feature 1 --strengths 0,2 --seeds 11-12 --prompt a --prompt "b c" -n 12 --watch 3 --random \
	--words river,boat --out "$tmp/sweep.json"
is "writes the same beside the table" "$(cat "$tmp/sweep.json")" "$json"
has "the control's table" "$out" '^a random direction of the same norm$'

ln -s /dev/stdout "$tmp/stdout" # not the machine's own, lest a fault replaces it
check "--out /dev/stdout" 0 sweep --feature 1 --strengths 0,2 --seeds 1 -n 4 --out "$tmp/stdout"
has "comes whole" "$(printf '%s\n' "$out" | tail -1)" '^\{"features":.*\}$'
has "behind the table" "$(printf '%s\n' "$out" | head -1)" '^#1 words about rivers'

check "two features move together" 0 sweep --feature 1:1x --feature 2:-2x --strengths 0,1 --seeds 1 -n 8
has "both named" "$out" '^#2 words about '
check "a clamp" 0 sweep --feature 1:5:clamp --strengths 0,5,10 --seeds 1 -n 8
has "its change is not known beforehand" "$out" '^ +5 +- '
check "a factor" 0 sweep --feature 1:1:orthogonal --strengths 0,1,2 --seeds 2 -n 8
has "of 1 is nothing done" "$out" '^ +1 +- +0\.00 .* 0\.00 +0\.00 +[0-9.]+ +[0-9]+ %'
check "factors below 1" 0 sweep --feature 1:orthogonal --strengths 0,0.5 --seeds 2 -n 12
has "turn nothing up" "$out" '^no effect on this grid'
check "only while another fires" 0 sweep --feature '1:2x:add:if=#3' --strengths 0,2 --seeds 1 -n 8
has "how often is not known beforehand" "$out" '^ +2x +- '
check "one strength has no curve" 0 sweep --feature 1 --strengths 2 --seeds 1 -n 8
lacks "but a table" "$out" 'its own activation'

# a place of its own
place=blocks.1.hook_resid_post
at() { "$FEATLAS" sweep "$atlas" --backend fake --strengths 0,2 --seeds 12-12 -n 12 "$@"; }
check "another hook" 0 at --feature 1:2x:add:hook=$place
has "stands in the table" "$out" "^#1 words about rivers  add at $place\$"
has "its change over the atlas' norm is not known" "$out" '^ +2x +- '
check "another hook, --json" 0 at --feature 1:2x:add:hook=$place --prompt "b c" --json
has "has it" "$out" "\"hook\":\"$place\""
one=$("$FEATLAS" steer "$atlas" --backend fake --feature 1:2x:add:hook=$place --prompt "b c" --seed 12 --temperature 0.7 -n 12 --json)
has "and its text is what steer writes" "$out" "\"seed\":12,\"strength\":2\.0,\"text\":\"$(steered "$one")\""
run "$FEATLAS" steer "$atlas" --backend fake --feature 1:2x:add:hook=$place --prompt "b c" -n 4
has "which names the place" "$out" "^#1 add [0-9.]+  at $place  words about rivers\$"
lacks "and no change" "$out" 'change over'

# outputs that cannot be kept are said before the model is asked, which here dies at once
dead='featlas-fake --crash-after 0'
check "--out in a folder that is not there" 2 "$FEATLAS" sweep "$atlas" --backend "$dead" --feature 1 --out "$tmp/no/where.json"
has "is said first" "$err" "^featlas sweep: cannot create '.*/no/where.json': No such file"
check "a model that dies at once" 2 "$FEATLAS" sweep "$atlas" --backend "$dead" --feature 1 --out "$tmp/none.json"
ok "leaves no file" sh -c '! ls "$1" | grep none' - "$tmp"
cp -r "$atlas" "$tmp/junk.atlas"
rm -f "$tmp/junk.atlas"/labels.db*
echo junk >"$tmp/junk.atlas/labels.db"
check "a labels.db that is none" 2 "$FEATLAS" sweep "$tmp/junk.atlas" --backend "$dead" --feature 1
has "is said first" "$(printf '%s\n' "$err" | head -1)" "warning: '.*/labels.db' is damaged"
check "and then" 0 "$FEATLAS" sweep "$tmp/junk.atlas" --backend fake --feature 1 --seeds 1 -n 4
is "only once" "$(printf '%s\n' "$err" | grep -c warning)" 1
has "with the table" "$out" '^ baseline '
(ulimit -f 24; exec "$FEATLAS" sweep "$tmp/junk.atlas" --backend fake --feature 1 --strengths 0..3 --seeds 12 -n 4 \
	--out "$tmp/full.json" 2>"$tmp/e" >"$tmp/o")
has "a file that cannot grow" "$(cat "$tmp/e")" "^featlas sweep: cannot write '.*/full.json'"
has "loses nothing" "$(cat "$tmp/o")" '^ baseline '
ok "and leaves no half of it" sh -c '! ls "$1" | grep full' - "$tmp"

# a model that dies leaves what is done
check "a model that dies" 2 "$FEATLAS" sweep "$atlas" --backend 'featlas-fake --crash-after 60' --feature 1 --strengths 0..9:0.1 \
	--seeds 1 -n 8 --out "$tmp/part.json"
has "says how far it came" "$err" '^featlas sweep: only [1-9][0-9]* of 92 texts are done: .*died|ended'
has "shows what is done" "$out" '^ baseline '
has "and writes it" "$(cat "$tmp/part.json")" '"cells":\[\{"kind":"baseline"'

refused() { # name, regex, options ...
	name_r=$1 regex_r=$2
	shift 2
	check "$name_r is refused" 2 sweep "$@"
	has "... in one sentence" "$err" "$regex_r"
	is "... and no more" "$(printf '%s\n' "$err" | wc -l | tr -d ' ')" 1
}
refused "no feature" '^featlas sweep: --feature is missing'
refused "an unknown feature" 'there is no feature 512' --feature 512
refused "falling strengths" "in rising order, not '2,1'" --feature 1 --strengths 2,1
refused "no seeds" "not '0'" --feature 1 --seeds 0
refused "a coefficient without a range" '--strengths is missing' --feature 1:5
refused "what is ablated" 'has no strength to sweep' --feature 1:ablate --strengths 0,1
refused "a place" "not 'never'" --feature 1 --where never
refused "no words" '--words wants words' --feature 1 --words ,
refused "another's number" "'x' is not a feature's number" --feature 1 --watch x
refused "too large a grid" 'more than 100000 cells' --feature 1 --strengths 0..9:0.01 --seeds 900
refused "a factor's usual range" '^featlas sweep: --strengths is missing' --feature 1:orthogonal
refused "what waits for words" 'which a sweep does not follow' --feature 1:2x:add:if=/a/
refused "a hook without a name" 'hook wants the name of a place' --feature 1:2x:add:hook=
refused "a hook of a name too long" 'hook wants the name of a place' --feature "1:2x:add:hook=$(printf %070d 1)"
refused "a hook that is none" "^featlas sweep: cannot steer feature 1 there: hook 'nope' is none of" --feature 1:2x:add:hook=nope
refused "a layer that is none" "hook 'blocks.99.hook_resid_pre' is not there: the model has 4 layers" \
	--feature 1:2x:add:hook=blocks.99.hook_resid_pre
refused "a strength that is too large, at the end of the grid" '^featlas sweep: strength .* is too large' --feature 1:1e-10 \
	--feature 2:1e3 --strengths 1e-12,1
refused "a random pin" 'cannot be pinned' --feature 1:1:pin --strengths 0,1 --random
finish
