#!/bin/sh
# The concept suite keeps its rules; eval by itself, and on a small suite of the made-up model's words, chosen and judged.
. "$TESTS_DIR/lib.sh"
suite=$TESTS_DIR/../share/featlas/concepts
if command -v python3 >/dev/null; then
	ok "the suite keeps its rules" python3 "$TESTS_DIR/cli/concepts.py" "$suite"
else
	skip "the suite keeps its rules" "no python3"
fi

copy_sample
check "an atlas by itself" 0 "$FEATLAS" eval "$atlas"
has "the histogram" "$out" '^  10\^-[0-9.]+ +[0-9]+ #+$'
has "neighbours share more topic words than chance" "$out" '^  topic +0\.[0-9]+ against 0\.[0-9]+, sd 0\.[0-9]+, z [0-9.]+ '
check "as JSON" 0 "$FEATLAS" eval "$atlas" --json
is "every feature is in a bin or never fires" "$(printf '%s' "$out" |
	sed 's/.*"counts":\[\([0-9,]*\)\],"dead":\([0-9]*\).*/\1,\2/' | tr ',' '\n' | awk '{ n += $1 } END { print n }')" 512
is "twelve never fire" "$(printf '%s' "$out" | sed 's/.*"dead":\([0-9]*\),.*/\1/')" 12
check "as Markdown" 0 "$FEATLAS" eval "$atlas" --markdown
has "has tables" "$out" '^\| topic \| 0\.[0-9]+ \|'
rm "$atlas/graph.safetensors"
sed 's/"graph"/"other"/' "$SAMPLE/atlas.json" >"$atlas/atlas.json"
check "without a graph" 0 "$FEATLAS" eval "$atlas"
has "says what makes one" "$out" "featlas neighbours"
copy_sample

# Observed agreement of topic words, from what show prints.
if command -v python3 >/dev/null; then
	"$FEATLAS" eval "$atlas" --json >"$tmp/eval.json"
	for id in $(seq 0 511); do "$FEATLAS" show "$atlas" "$id" --json; done >"$tmp/all.jsonl"
	cat >"$tmp/agree.py" <<'X'
import json, sys
f = [json.loads(l) for l in open(sys.argv[1])]
w = {x['id']: set(x['topic_words']) for x in f}
pairs = [(x['id'], n['id']) for x in f for n in x['neighbours'] if w[x['id']] and w[n['id']]]
own = sum(len(w[a] & w[b]) / len(w[a] | w[b]) for a, b in pairs) / len(pairs)
c = json.load(open(sys.argv[2]))['coherence']['topic']
print(len(pairs), own, c)
sys.exit(not (len(pairs) == c['pairs'] and abs(own - c['observed']) < 1e-9 and c['z'] > 3 and c['shuffled'] < own))
X
	ok "the agreement is what the words say" python3 "$tmp/agree.py" "$tmp/all.jsonl" "$tmp/eval.json"
else
	skip "the agreement is what the words say" "no python3"
fi

# A suite of two concepts.
mkdir "$tmp/suite"
line() { printf '{"text": "%s", "positive": %s, "language": "%s"}\n' "$1" "$2" "$3"; }
{
	printf '# a comment\n\nrivers\tRivers and streams\t\\brivers?\\b\t'
	printf 'river,stream,bank,flood,current,delta,water,boat,ferry,valley,rapids,estuary\n'
	printf 'money\tMoney\t\\bmoney\\b\tmoney,market,stock,price,loan,debt,interest,profit,budget,coin,trade,tax\n'
} >"$tmp/suite/concepts.tsv"
{
	line 'The river runs under the boat and the ferry.' true en
	line 'a boat on the stream' true en
	line 'stream and flood, rapids and water' true en
	line 'We came to the delta of the river.' true en
	line 'The current took my boat over the rapids.' true en
	line 'The garden has a tree.' false en
	line 'bread and butter for the soup' false en
	line 'the metal of the engine' false en
	line 'She took a coin to the market.' false en
	line 'the piano and the violin' false en
	line 'le bateau, stream et river' true fr
	line 'la maison et le café' false fr
} >"$tmp/suite/rivers.jsonl"
{
	line 'The market and the stock, the price of a loan' true en
	line 'debt and interest' true en
	line 'profit of the trade' true en
	line 'He gave money for the tax.' true en
	line 'the budget and the loan' true en
	line 'The river runs under the boat.' false en
	line 'bread and butter and soup' false en
	line 'the piano' false en
	line 'a wolf and a bear' false en
	line 'rain and snow and wind' false en
} >"$tmp/suite/money.jsonl"
# 5 folds of five texts of either kind
concepts() { "$FEATLAS" eval "$atlas" --concepts --suite "$tmp/suite" --backend fake --plain "$@"; }
check "the suite is read" 0 concepts
has "the river's feature" "$out" '^rivers +1\.000  1\.000  [01]\.[0-9]+  #1 +fr 1\.00 words about rivers$'
has "both are known" "$out" '^known +2 of 2 concepts'
has "in both languages" "$out" '^languages +1 of 1 '
before=$out
check "what was read is kept" 0 "$FEATLAS" eval "$atlas" --concepts --suite "$tmp/suite" --plain --no-model
is "and needs no model" "$(printf '%s' "$out" | grep rivers)" "$(printf '%s' "$before" | grep rivers)"
run "$FEATLAS" eval "$atlas" --concepts --no-model
case $err in
*"cannot open '"*"/concepts/concepts.tsv': No such file"*)
	mkdir "$tmp/checkout"
	cp -r "$atlas" "$tmp/checkout/a.atlas"
	cp -r "$tmp/suite" "$tmp/checkout/concepts"
	check "where none is installed, that beside the atlas is taken" 0 \
		"$FEATLAS" eval "$tmp/checkout/a.atlas/" --concepts --plain --no-model
	is "which is the same" "$(printf '%s' "$out" | grep rivers)" "$(printf '%s' "$before" | grep rivers)"
	check "from inside, too" 0 sh -c 'cd "$1/checkout" && exec "$2" eval a.atlas --concepts --plain --no-model' - \
		"$tmp" "$FEATLAS" ;;
*) skip "where none is installed" "one is" ;;
esac
check "another way was not read" 2 "$FEATLAS" eval "$atlas" --concepts --suite "$tmp/suite" --no-model
has "says so" "$err" "the texts of 'rivers' have not been read through this model yet"
check "by the mean" 0 concepts --value mean --json
has "is said" "$out" '"read":"plain","value":"mean","folds":5'
has "with all about a concept" "$out" '"name":"rivers","title":"Rivers and streams","positive":5,"negative":5,"held_out":\{"auroc":1\.0,"folds":5,"feature":1,"times":5\},"dense_probe":[01]\.[0-9]+,"languages":\{"fr":\{"auroc":1\.0,"positive":1,"negative":1\}\}'

check "features are chosen" 0 concepts --choose --steering "$tmp"
has "and told" "$err" '^rivers: chosen #[0-9]+ at [0-9.]+x, [0-9]+ hits of 26 texts'
has "in a table" "$(cat "$tmp/choices.tsv")" "^rivers$tab[0-9]+$tab[0-9.]+${tab}both${tab}26$tab[0-9]+$tab[0-9a-f]{16}$"
has "of a dictionary" "$(cat "$tmp/choices.tsv")" '^# dictionary [0-9a-f]{64}$'
has "with all that was tried" "$(cat "$tmp/trials.tsv")" "^rivers${tab}1${tab}1.5${tab}1${tab}5$tab"
cp "$tmp/choices.tsv" "$tmp/before.tsv"
check "chosen once is enough" 0 concepts --choose --steering "$tmp"
lacks "nothing is done again" "$err" '^rivers: '
ok "and nothing changes" cmp "$tmp/before.tsv" "$tmp/choices.tsv"
grep -v '^rivers' "$tmp/before.tsv" >"$tmp/choices.tsv"
check "what is missing is chosen again" 0 concepts --choose --steering "$tmp"
has "only that" "$err" '^rivers: '
lacks "not the other" "$err" '^money: '
is "and comes out the same" "$(sort "$tmp/choices.tsv")" "$(sort "$tmp/before.tsv")"

mkdir "$tmp/again"
grep -v '^rivers' "$tmp/before.tsv" >"$tmp/again/choices.tsv"
awk -F "$tab" '$1 != "rivers" || ($4 == 1 && $2 == 1)' "$tmp/trials.tsv" >"$tmp/again/trials.tsv"
printf 'rivers\t512\t2\t1\t20\t20\t9\t0.1\n' >>"$tmp/again/trials.tsv"
check "a first round that was made" 0 concepts --choose --steering "$tmp/again"
is "is not made again" "$(awk -F "$tab" '$1 == "rivers" && $4 == 1' "$tmp/again/trials.tsv" | wc -l | tr -d ' ')" 3
is "and says who goes on, if there is such a feature" \
	"$(awk -F "$tab" '$1 == "rivers" && $4 > 1 { print $2 }' "$tmp/again/trials.tsv" | sort -u)" 1

grep -v '^rivers' "$tmp/before.tsv" >"$tmp/again/choices.tsv"
awk -F "$tab" -v OFS="$tab" '$1 == "rivers" { $6 = 0; $7 = 0 } { print }' "$tmp/trials.tsv" >"$tmp/again/trials.tsv"
check "a first round of which nothing goes on" 0 concepts --choose --steering "$tmp/again"
is "is made again" "$(sort "$tmp/again/trials.tsv")" "$(sort "$tmp/trials.tsv")"
is "and chosen from" "$(sort "$tmp/again/choices.tsv")" "$(sort "$tmp/before.tsv")"

check "the choices are judged" 0 concepts --judge --steering "$tmp" --transcript "$tmp/texts.jsonl" --json
has "and told" "$err" '^rivers: #[0-9]+ at [0-9.]+x hit [0-9]+ of 10 seeds, [0-9]+ of 30 texts; baseline [0-9]+, random [0-9]+'
has "in the report" "$out" '"seeds":10,"seeds_hit":[0-9]+,"texts":30,"texts_hit":[0-9]+,"baseline_hit":[0-9]+,"random_hit":[0-9]+,"nats_above":'
has "with what the scores say" "$out" '"predicts":\{"judged":\{"detects":\{"rho":.*"density":\{"rho":'
is "every text is written down" "$(grep -c '"concept":"rivers"' "$tmp/texts.jsonl")" 90
is "as many hits as told" "$(grep -c '"concept":"rivers".*"kind":"steered".*"hit":true' "$tmp/texts.jsonl")" \
	"$(printf '%s' "$err" | sed -n 's/^rivers: .*seeds, \([0-9]*\) of.*/\1/p')"
check "judged once is enough" 0 concepts --judge --steering "$tmp" --markdown
lacks "nothing is done again" "$err" '^rivers: '
has "a table of it" "$out" '^\| rivers \| #[0-9]+ \| .* \| [0-9.]+x \| [0-9]+/10 \| [0-9]+/30 \| [0-9]+/30 \| [0-9]+/30 \| [+-][0-9.]+ \| (yes|no) \|$'
sed -i 's/,estuary/,harbour/' "$tmp/suite/concepts.tsv"
check "another list" 0 concepts --steering "$tmp"
lacks "is another question" "$out" '^  rivers +[0-9]+/10'
has "the other's figure stands" "$out" '^  money +[0-9]+/10'
lacks "one feature has no rank" "$out" 'nan'
sed -i 's/^# dictionary ./# dictionary g/' "$tmp/choices.tsv"
check "choices of another dictionary" 2 concepts --steering "$tmp"
has "are refused" "$err" "choices.tsv' is about another dictionary"

check "--choose alone" 2 "$FEATLAS" eval "$atlas" --choose
check "a folder without a suite" 2 "$FEATLAS" eval "$atlas" --suite "$tmp/none"
has "is named" "$err" "none/concepts.tsv'"
printf 'x\ttoo few\n' >"$tmp/suite/concepts.tsv"
check "a row with too few fields" 3 concepts
has "is named by line" "$err" "concepts.tsv', line 1, wants four fields"
printf 'rivers\tr\tr\tr\n' >"$tmp/suite/concepts.tsv"
echo '{"text": "x", "positive": 1, "language": "en"}' >"$tmp/suite/rivers.jsonl"
check "a text that is neither" 3 concepts
has "is named by line" "$err" "rivers.jsonl', line 1, 'positive' is neither true nor false"
line 'a boat' true en >"$tmp/suite/rivers.jsonl"
check "only one kind" 3 concepts
has "is not enough" "$err" "rivers.jsonl' has no negative text in en"
finish
