#!/bin/sh
# featlas quiz: questions on a pipe, answers kept in labels.db, queries for them, undo.
. "$TESTS_DIR/lib.sh"
copy_sample
quiz() { "$FEATLAS" quiz "$atlas" 5 "$@"; }
check "quiz" 0 quiz
is "asks ten" "$(printf '%s\n' "$out" | grep -cE '^ ?[0-9]+ ')" 10
has "says which label" "$out" '^#5  words about '
lacks "tells no truth" "$out" 'fires|neighbour|right|WRONG'
first=$out
run quiz
is "the same again" "$out" "$first"
run quiz --seed 2
ok "another seed asks others" [ "$out" != "$first" ]
check "--json" 0 quiz --json
has "is one object" "$out" '^\{"id":5,"label":"words about [a-z]+","method":"detection","seed":1,"texts":\[\{"number":1,"text":"'
lacks "without the truth" "$out" 'truth|activation'
ok "nothing is kept yet" [ ! -e "$atlas/labels.db" ]
check "--answers" 0 quiz --answers '' --json
yes=$(printf '%s\n' "$out" | sed 's/{"number"/\n&/g' | sed -n 's/^{"number":\([0-9]*\),.*"truth":"fires".*/\1/p' | tr '\n' ',')
has "none: half right" "$out" '"balanced_accuracy":0\.5,.*"recall":0\.0,.*"fires":\{"asked":[456],"right":0\}'
has "silence is known in a full store" "$out" '"assumed":0,'
check "the right ones" 0 quiz --answers "$yes"
has "score 1" "$out" '^balanced accuracy 1: ([456]) of \1 that fire, ([456]) of \2 that do not$'
printf '[%s]\n' "${yes%,}" >"$tmp/answers"
status=0
out=$("$FEATLAS" quiz "$atlas" 5 --answers - <"$tmp/answers") || status=$?
is "answers on a pipe" "$status" 0
has "score the same" "$out" '^balanced accuracy 1'
check "no answers on a pipe" 2 quiz --answers -
has "are none" "$err" 'no answers came'
check "a number beyond" 2 quiz --answers 11
has "is refused" "$err" "wants numbers from 1 to 10, not '11'"
run "$FEATLAS" search "$atlas" --query 'quiz:>0.9' --json
has "quiz: finds it" "$out" '^\{"id":5,'
run "$FEATLAS" search "$atlas" --query 'quiz:<0.9' --count
is "and only it" "$out" 0
run "$FEATLAS" show "$atlas" 5 --json
has "show --json has it" "$out" '"quiz":\{"detection":\{"label":"words about [a-z]+","seed":1,"answers":\[[01],.*"balanced_accuracy":1\.0'
check "verify" 0 "$FEATLAS" verify "$atlas"
check "undo" 0 "$FEATLAS" undo "$atlas"
has "takes it back" "$out" 'took back the quiz of #5'
run "$FEATLAS" search "$atlas" --query 'quiz:>0.9' --count
is "to the answers before" "$out" 0
check "--method fuzzing" 0 quiz --method fuzzing
has "marks places" "$out" '⟦.*⟧'
check "an unknown method" 2 quiz --method guess
check "a dead feature" 2 "$FEATLAS" quiz "$atlas" 505
has "says why" "$err" '^featlas quiz: #505 has no label to be judged$'
"$FEATLAS" label "$atlas" 505 'nothing' >/dev/null
check "a feature without contexts" 2 "$FEATLAS" quiz "$atlas" 505
has "says why" "$err" '^featlas quiz: #505 has too few contexts to ask about$'
rm "$atlas/activations.safetensors"
check "no store" 2 quiz
has "names the remedy" "$err" 'no activation store.*make it with'
finish
