#!/bin/sh
# featlas import: exports of every format against what tests/golden/make_imports.py computed of them.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/imports
cd "$tmp" || exit 99

# ---- what comes out ----
for name in neuronpedia neuronpedia-gz dashboards neurons viewer circuit; do
	check "$name" 0 "$FEATLAS" import "$golden/$name" $name.atlas
	n=0
	: >$name.got
	while read -r line; do
		"$FEATLAS" show $name.atlas $n --json -w 100 >>$name.got 2>&1
		n=$((n + 1))
	done <"$golden/$name.expect"
	ok "$name is shown as computed elsewhere" cmp $name.got "$golden/$name.expect"
	check "$name has no faults" 0 "$FEATLAS" verify $name.atlas
	ok "$name leaves nothing beside it" test ! -e $name.atlas.part
done
a=neuronpedia.atlas
has "the report counts what stands twice" "$("$FEATLAS" import "$golden/neuronpedia" n2.atlas --json)" \
	'"n_features":23,"n_contexts":110,"n_tokens":1210,.*"n_labels":22,"n_repeated":2,"n_negative":0'
has "and what is below zero" "$("$FEATLAS" import "$golden/neurons" n3.atlas)" '^12 activations below zero are left out$'
run "$FEATLAS" info $a
has "info: the model" "$out" '^model +made-up$'
has "info: the hook" "$out" '^hook +blocks.7.hook_resid_pre$'
has "info: the numbers are others'" "$out" 'statistics as published, over how many tokens is not said'
has "the source is kept" "$(cat $a/atlas.json)" '"source": "7-res-jb"'
has "search finds labels" "$("$FEATLAS" search $a 'river 17, . 1')" '^#17'
is "neighbours are those that came along" "$("$FEATLAS" near $a 3 | cut -f1,2)" "#5${tab}0.500
#4${tab}0.250"
run "$FEATLAS" near dashboards.atlas 3
has "without any it is said why" "$err" "'dashboards.atlas' has no decoder rows, only what was imported"
run "$FEATLAS" neighbours $a
has "without a dictionary none are made" "$err" "there is no dictionary here, only what was imported"
check "the form that ships" 0 "$FEATLAS" prune $a pruned.atlas
check "has no faults" 0 "$FEATLAS" verify pruned.atlas
is "and the same numbers" "$("$FEATLAS" show pruned.atlas 17 --json -w 100)" "$(sed -n 18p "$golden/neuronpedia.expect")"
has "SAEDashboard says how many tokens" "$("$FEATLAS" info dashboards.atlas)" \
	'1024 tokens indexed.*; activations only near the contexts; statistics as published'
"$FEATLAS" export $a features out --format neuronpedia --width 4096 >/dev/null
check "what export writes for Neuronpedia" 0 "$FEATLAS" import "$(dirname "$(find out -name activations)")" back.atlas
# a token without a picture is shown by its number, which is another one there
"$FEATLAS" show $a 17 | sed 's/<[0-9]*>/<>/g' >before
"$FEATLAS" show back.atlas 17 | sed 's/<[0-9]*>/<>/g' >after
ok "comes back as it was" cmp before after
"$FEATLAS" export $a features dash --format saedashboard --width 4096 >/dev/null
check "and for SAEDashboard" 0 "$FEATLAS" import dash back2.atlas
"$FEATLAS" show back2.atlas 17 | sed 's/<[0-9]*>/<>/g' | grep '…\|interval' >after2
grep '…\|interval' before >before2
ok "the texts too" cmp before2 after2
"$FEATLAS" import "$golden/neuronpedia" named.atlas --model 'My model' --hook blocks.3.hook_resid_post >/dev/null
has "--model and --hook" "$("$FEATLAS" info named.atlas)" '^model +My model$'
check "one file alone" 0 "$FEATLAS" import "$golden/neuronpedia/explanations/batch-0.jsonl" one.atlas
has "is labels without a store" "$("$FEATLAS" show one.atlas 5)" 'river 5, . 0  \(machine, oai_token-act-pair\)'
check "several sources" 0 "$FEATLAS" import "$golden/circuit/0.json" "$golden/circuit/2.json" two.atlas
"$FEATLAS" show two.atlas 2 --json >two.got
"$FEATLAS" show circuit.atlas 2 --json >circuit.got2
ok "as the folder" cmp two.got circuit.got2
check "what is there is not written over" 2 "$FEATLAS" import "$golden/neuronpedia" $a
has "and said" "$err" "'$a' is there already"

# ---- the same, whatever happens on the way ----
# an atlas without what must differ: its ids, and so the checksums
plain() {
	uuid=$(sed -n 's/.*"uuid": "\([^"]*\)".*/\1/p' "$1/atlas.json")
	build=$(sed -n 's/.*"build_id": "\([^"]*\)".*/\1/p' "$1/atlas.json" | head -1)
	for f in "$1"/*; do
		echo "${f##*/}"
		LC_ALL=C sed "s/$uuid/UUID/g; s/$build/BUILD/g; s/\"sha256\": \"[0-9a-f]*\"/SUM/; s/\"name\": \"$2\"/NAME/" "$f" | cksum
	done
}
big() { # 12 batches, some two megabytes each
	mkdir -p "$1/activations"
	for b in 0 1 2 3 4 5 6 7 8 9 10 11; do
		awk -v b=$b 'BEGIN {
			for (i = b * 40; i < b * 40 + 40; i++)
				for (k = 0; k < 20; k++) {
					printf "{\"id\":\"%d-%d\",\"modelId\":\"m\",\"layer\":\"1-x\",\"index\":\"%d\",\"tokens\":[\"a\"", i, k, i
					for (t = 1; t < 128; t++) printf ",\"%c w%d\"", 97 + b, (i * 31 + k * 7 + t * t) % 997
					printf "],\"values\":[0.0"
					for (t = 1; t < 128; t++) printf ",%d.%d", t == k ? 9 + k : 0, t == k ? 5 : 0
					printf "],\"binMin\":-1}\n"
				}
		}' >"$1/activations/batch-$b.jsonl"
	done
}
big big
"$FEATLAS" import big whole.atlas --workers 1 >/dev/null
plain whole.atlas whole >whole.sums
"$FEATLAS" import big pair.atlas --workers 2 >/dev/null
plain pair.atlas pair >pair.sums
ok "two workers make the same files as one" cmp whole.sums pair.sums
killed=no
for try in 1 2 3 4 5 6; do
	rm -rf cut.atlas cut.atlas.part
	"$FEATLAS" import big cut.atlas --workers 1 >/dev/null 2>&1 &
	pid=$!
	await test -e cut.atlas.part/batch-000000
	kill -9 $pid
	wait $pid 2>/dev/null
	if [ ! -e cut.atlas/atlas.json ]; then killed=yes; break; fi
done
is "an import is killed in the middle" $killed yes
ls cut.atlas.part >left.txt
check "and goes on" 0 "$FEATLAS" import big cut.atlas --workers 2
has "as it says" "$err" '^featlas import: going on; [0-9]+ of 12 batches are there$'
plain cut.atlas cut >cut.sums
ok "to the same files" cmp whole.sums cut.sums
ok "it had begun" grep -q batch-000000 left.txt
lacks "and was not done" "$(cat left.txt)" batch-000011
# killed while the files of the atlas are written: what had been begun is swept away
mkdir begun.atlas && echo x >begun.atlas/activations.safetensors.part-1
check "what was killed while it wrote goes on" 0 "$FEATLAS" import big begun.atlas
plain begun.atlas begun >begun.sums
ok "and nothing else is left" cmp whole.sums begun.sums
# killed by the system while a batch is written (its file may not grow beyond 64 KiB)
mkdir -p mixed/activations
head -3 big/activations/batch-0.jsonl >mixed/activations/batch-0.jsonl
cp big/activations/batch-1.jsonl mixed/activations/batch-1.jsonl
cp big/activations/batch-2.jsonl mixed/activations/batch-2.jsonl
mkdir -p bulk/activations && cat mixed/activations/batch-0.jsonl >bulk/activations/batch-0.jsonl
"$FEATLAS" import mixed m1.atlas >/dev/null
plain m1.atlas m1 >m1.sums
(ulimit -f 128; "$FEATLAS" import mixed m2.atlas --workers 1 >/dev/null 2>&1)
ok "a write that fails leaves no atlas" test ! -e m2.atlas/atlas.json
check "the import goes on" 0 "$FEATLAS" import mixed m2.atlas
plain m2.atlas m2 >m2.sums
ok "and is the same" cmp m1.sums m2.sums
# what is there is believed only for the same source
mkdir -p s/activations
head -2 big/activations/batch-0.jsonl >s/activations/batch-0.jsonl
echo '{"index":1,"tokens":["a"],"values":[1,2]}' >s/activations/batch-1.jsonl
check "a fault stops it" 3 "$FEATLAS" import s s.atlas
ok "what was read is kept" test -e s.atlas.part/batch-000000
echo '{"index":1,"tokens":["a"],"values":[1.5]}' >s/activations/batch-1.jsonl
check "a source that has changed does not go on" 2 "$FEATLAS" import s s.atlas
has "and the sentence says what to do" "$err" "'s.atlas.part' holds an unfinished import of another source.*remove that folder"
rm -r s.atlas.part
check "then it does" 0 "$FEATLAS" import s s.atlas

# ---- what is refused, and how ----
bad() { # name, text of a batch, sentence
	rm -rf bad bad.atlas bad.atlas.part
	mkdir -p bad/activations
	printf "$2" >bad/activations/batch-0.jsonl
	run "$FEATLAS" import bad bad.atlas
	is "$1: exit status" "$status" 3
	has "$1" "$err" "$3"
	ok "$1: no atlas" test ! -e bad.atlas/atlas.json
}
good='{"index":"0","tokens":["a"],"values":[1.0]}\n'
at="^featlas import: 'bad/activations/batch-0.jsonl' line"
bad "a line that is cut off" "$good"'{"index":"1","tok' "'bad/activations/batch-0.jsonl' ends in the middle of a value"
bad "no JSON" "$good"'index: 5\n' "$at 2: not JSON: "
bad "lengths that differ" "$good"'{"index":"1","tokens":["a","b"],"values":[1.0]}\n' \
	"$at 2: 'tokens' has 2 items, but 'values' 1"
bad "no tokens" '{"index":"1","tokens":[],"values":[]}\n' "$at 1: 'tokens' is missing or empty"
bad "no index" '{"tokens":["a"],"values":[1.0]}\n' "$at 1: 'index' is missing"
bad "an index below zero" '{"index":"-1","tokens":["a"],"values":[1.0]}\n' "$at 1: 'index' is no whole number from 0 to"
bad "an index with a point" '{"index":1.0,"tokens":["a"],"values":[1.0]}\n' "$at 1: 'index' is no whole number"
bad "an index beyond all" '{"index":99999999999999999999,"tokens":["a"],"values":[1.0]}\n' "$at 1: 'index' is no whole number"
bad "an index that is nothing" '{"index":null,"tokens":["a"],"values":[1.0]}\n' "$at 1: 'index' is no whole number"
bad "a token that is a number" '{"index":1,"tokens":[7],"values":[1.0]}\n' "$at 1: an item of 'tokens' is no string"
bad "a value that is a string" '{"index":1,"tokens":["a"],"values":["1"]}\n' "$at 1: 'values' is no number"
bad "a value that is NaN" '{"index":1,"tokens":["a"],"values":[NaN]}\n' "$at 1: NaN is no JSON value"
bad "a value beyond all" '{"index":1,"tokens":["a"],"values":[1e999]}\n' "$at 1: 'values' is 1e999, which no double holds"
bad "a value beyond floats" '{"index":1,"tokens":["a"],"values":[1e99]}\n' "$at 1: an activation is no finite number"
bad "a key that stands twice" '{"index":1,"index":2,"tokens":["a"],"values":[1]}\n' "$at 1: 'index' stands twice in one object"
bad "bytes that are not UTF-8" "$good"'{"index":1,"tokens":["\377"],"values":[1]}\n' "$at 2: not JSON: .*UTF8"
bad "two dictionaries" '{"index":1,"layer":"5-a","tokens":["a"],"values":[1]}\n{"index":1,"layer":"6-a","tokens":["a"],"values":[1]}\n' \
	"$at 2: the source is '6-a', that of records before it '5-a'"
bad "a list instead of an object" '[1]\n' "$at 1: the record is no object"
bad "nothing" '' "'bad/activations/batch-0.jsonl' holds no JSON value"
deep="{\"x\":$(printf '%0100d' 0 | sed 's/0/[/g')"
bad "deep nesting" "$deep" "$at 1: values nest deeper than 64"
long=$(printf '%05000d' 0)
bad "a token that is too long" "{\"index\":1,\"tokens\":[\"$long\"],\"values\":[1]}" "$at 1: a token of 5000 bytes"
two() { # name, first feature's fields, sentence
	rm -rf bad bad.atlas bad.atlas.part
	mkdir -p bad/features
	printf '%s\n' "$2" >bad/features/batch-0.jsonl
	run "$FEATLAS" import bad bad.atlas
	has "$1" "$err" "$3"
}
two "more words than values" '{"index":0,"pos_str":["a"],"pos_values":[]}' "'pos_str' has 1 items, but 'pos_values' 0"
two "more bars than middles" '{"index":0,"freq_hist_data_bar_heights":[1],"freq_hist_data_bar_values":[]}' \
	"'freq_hist_data_bar_values' has 0 items, but 'freq_hist_data_bar_heights' 1"
two "a share above one" '{"index":0,"frac_nonzero":1.5}' "'frac_nonzero' is 1.5, no share of the tokens"
two "a neighbour that is no feature" '{"index":0,"topkCosSimIndices":[-1],"topkCosSimValues":[1]}' \
	"'topkCosSimIndices' holds -1, which is no feature"
two "vectors of two widths" '{"index":0,"vector":[1,2]}
{"index":1,"vector":[1]}' "line 2: a vector has 1 numbers, those before it 2"
rm -rf bad bad.atlas bad.atlas.part
mkdir -p bad/activations
gzip -c "$golden/neuronpedia/activations/batch-0.jsonl" | head -c 700 >bad/activations/batch-0.jsonl.gz
run "$FEATLAS" import bad bad.atlas
has "gzip that is cut off" "$err" "'bad/activations/batch-0.jsonl.gz' is cut off: its compressed data end too soon"
check "gzip that is damaged: exit status" 3 sh -c "rm -r bad.atlas.part; gzip -c '$golden/neuronpedia/activations/batch-0.jsonl' |
	LC_ALL=C sed 's/[a-m]/~/g' >bad/activations/batch-0.jsonl.gz; '$FEATLAS' import bad bad.atlas"
rm -rf bad.atlas.part && mkdir -p other && echo '{"what":1}' >other/x.json
check "a file of no known format" 2 "$FEATLAS" import other bad.atlas
has "is named" "$err" "'other/x.json' is of no format known here"
mkdir none
check "a folder with nothing" 2 "$FEATLAS" import none bad.atlas
has "is named too" "$err" "'none' holds nothing to import"
check "a source that is not there" 2 "$FEATLAS" import nowhere bad.atlas
mkdir -p v && cp "$golden/viewer/5.json" v/five.json
check "a viewer's file without a number" 3 "$FEATLAS" import v bad.atlas
has "says what it wants" "$err" "'v/five.json': such a file is named by its feature, as in 12.json"
cp "$golden/neurons/1.json" v/1.json && rm v/five.json bad.atlas.part -r
sed 's/"layer_index": 5/"layer_index": 6/' "$golden/neurons/3.json" >v/3.json
check "neurons of two layers" 3 "$FEATLAS" import v bad.atlas
has "are told apart" "$err" "the source is '6', that of records before it '5'"

# ---- decoder rows that come along ----
mkdir -p vec/features
printf '%s\n' '{"index":0,"vector":[1,0,0]}' '{"index":1,"vector":[0.6,0.8,0]}' '{"index":2,"vector":[0,0,2]}' >vec/features/batch-0.jsonl
check "vectors" 0 "$FEATLAS" import vec vec.atlas
is "are decoder rows" "$("$FEATLAS" near vec.atlas 0 -k 1 --json)" '{"id":1,"score":0.6,"metric":"cosine","label":null,"cosine":0.6}'
check "without faults" 0 "$FEATLAS" verify vec.atlas

# ---- the dictionary they are of ----
cp -r "$SAMPLE" sample.atlas && chmod -R u+w sample.atlas
mkdir sae && cp sample.atlas/cfg.json sample.atlas/sae_weights.safetensors sae
check "--dict" 0 "$FEATLAS" import "$golden/neurons" dict.atlas --dict sae --json
n=$("$FEATLAS" info sample.atlas --json | sed 's/.*"n_features":\([0-9]*\).*/\1/')
has "its size is the atlas's" "$out" "\"n_features\":$n,"
check "has no faults" 0 "$FEATLAS" verify dict.atlas
is "it is there" "$("$FEATLAS" near dict.atlas 3 -k 4 --json | cut -d, -f1)" "$("$FEATLAS" near sample.atlas 3 -k 4 --json | cut -d, -f1)"
has "with its model and hook" "$("$FEATLAS" info dict.atlas)" "^hook +blocks.2.hook_resid_post"
ok "where it lies" test ! -e dict.atlas/sae_weights.safetensors
sed 's/"neuron_index": 3/"neuron_index": 99999/' "$golden/neurons/3.json" >far.json
check "a feature that it has not" 3 "$FEATLAS" import far.json far.atlas --dict sae
has "is named" "$err" "the source has feature 99999, but the dictionary only $n"
check "a dictionary of another place" 0 "$FEATLAS" import "$golden/neuronpedia" place.atlas --dict sae
has "is warned of" "$err" "^featlas import: warning: the dashboards are of blocks\.7\.hook_resid_pre, the dictionary says blocks\.2\.hook_resid_post$"
printf 'keys zn\ndump\n' >zn.keys
check "published values" 0 "$FEATLAS" open place.atlas --script zn.keys --size 80x24
has "are not folded once more" "$out" ' L7 resid_pre · as published '
has "which is said" "$out" '^ values are as published; whether decoder norms are in them is not said$'
check "a dictionary that is none" 2 "$FEATLAS" import "$golden/neurons" far.atlas --dict "$golden/viewer"

# ---- labels into an atlas ----
"$FEATLAS" label $a 4 'what a person says' >/dev/null
printf 'feature,label,source,author,score\r\n3,"a ""cat"", says\nhe",mine,bob,0.5\r\n4,dog,,,\r\n' >l.csv
check "labels as CSV" 0 "$FEATLAS" import l.csv $a --json
is "are counted" "$out" '{"n_read":2,"n_passed":0,"n_labels":24}'
check "the same again" 0 "$FEATLAS" import l.csv $a --json
is "are the same labels" "$out" '{"n_read":2,"n_passed":0,"n_labels":24}'
has "quotes, commas and line ends" "$("$FEATLAS" show $a 3)" '^#3 a "cat", says he  \(machine, mine\)$'
has "author and score" "$("$FEATLAS" show $a 3 --json)" '"source":"mine","kind":"machine","score":0.5,"author":"bob"'
run "$FEATLAS" show $a 4
has "a person's label stays" "$out" '^#4 what a person says  \(person'
has "beside it stands the file's" "$out" 'also: dog  \(machine, l.csv\)'
printf '# a comment\n5\tby hand\n6\t"as it is"\n' >l.tsv
check "TSV without a head" 0 "$FEATLAS" import l.tsv $a --source hand
has "has no quoting" "$("$FEATLAS" show $a 6)" '"as it is"  \(machine, hand\)'
printf '%s\n' '{"feature":7,"label":"n\u0000l\u00e9","score":0.25,"model":"m"}' '{"id":"8","text":"eight","kind":"lexical"}' >l.jsonl
check "JSON lines" 0 "$FEATLAS" import l.jsonl $a
has "text and model" "$("$FEATLAS" show $a 7 --json)" '"text":"n.u0000lé","source":"l.jsonl","kind":"machine","score":0.25,"model":"m"'
has "kind" "$("$FEATLAS" show $a 8 --json)" '"text":"eight","source":"l.jsonl","kind":"lexical"'
check "what was exported" 0 sh -c "'$FEATLAS' export $a labels --format csv >e.csv && '$FEATLAS' import e.csv n2.atlas"
"$FEATLAS" export $a labels --format csv | sort >e1
"$FEATLAS" export n2.atlas labels --format csv | sort >e2
ok "comes in again" grep -q '"a ""cat"", says he"' e2
check "Neuronpedia's explanations" 0 "$FEATLAS" import "$golden/neuronpedia/explanations/batch-0.jsonl" n3.atlas.none 2>/dev/null
cat >graph.json <<'X'
{"metadata":{"slug":"s","scan":"made-up","prompt":"p","prompt_tokens":["p"]},"qParams":{},
 "nodes":[{"node_id":"7_9_1","feature":1,"layer":"7","ctx_idx":1,"feature_type":"cross layer transcoder","clerp":"nine"},
  {"node_id":"6_2_1","feature":1,"layer":"6","ctx_idx":1,"feature_type":"cross layer transcoder","clerp":"two"},
  {"node_id":"7_3_1","feature":1,"layer":"7","ctx_idx":1,"feature_type":"cross layer transcoder","clerp":""},
  {"node_id":"E_5_0","feature":0,"layer":"E","ctx_idx":0,"feature_type":"embedding","clerp":"Emb: p"},
  {"node_id":"27_11_0","feature":0,"layer":"27","ctx_idx":0,"feature_type":"logit","clerp":"out"}],
 "links":[{"source":"E_5_0","target":"7_9_1","weight":0.5}]}
X
check "an attribution graph" 0 "$FEATLAS" import graph.json $a --json --source tracer
has "gives the labels of the atlas's layer" "$out" '"n_read":1,"n_passed":4'
has "which are shown" "$("$FEATLAS" show $a 9)" 'nine  \(machine, tracer\)'
check "without an atlas" 2 "$FEATLAS" import graph.json nine.atlas
has "it is said where they go" "$err" "'graph.json' is an attribution graph: its labels go into an atlas"
"$FEATLAS" index $a --only labels >/dev/null
has "lexical labels leave imported ones" "$("$FEATLAS" show $a 3)" '^#3 a "cat", says he  \(machine, mine\)$'
check "the atlas has no faults" 0 "$FEATLAS" verify $a
refuse() { # name, text, sentence
	printf "$2" >r.txt
	cp $a/atlas.json before.json
	run "$FEATLAS" import r.txt $a
	is "$1: exit status" "$status" 3
	has "$1" "$err" "$3"
	ok "$1: nothing is changed" cmp before.json $a/atlas.json
}
refuse "a feature that is not there" 'feature,label\n1,a\n23,b\n' "'r.txt' line 3: 'feature' is no whole number from 0 to 22"
refuse "no label" 'feature,label\n1,\n' "'r.txt' line 2: 'label' is missing or empty"
refuse "no column of labels" 'feature,name\n1,a\n' "'r.txt' line 1: no column 'label'"
refuse "rows of two lengths" '1,a\n2,b,c\n' "'r.txt' line 2: 3 fields, where the first row has 2"
refuse "an open quote" '1,"a\n2,b\n' "'r.txt' line 1: a quote that never closes"
refuse "text behind a quote" '1,"a"b\n' "'r.txt' line 1: text behind a closing quote"
refuse "a quote in a word" '1,a"b\n' "'r.txt' line 1: a quote inside a field that does not begin with one"
refuse "a score that is none" 'feature\tlabel\tscore\n1\ta\t1-2\n' "'r.txt' line 2: 'score' is no number"
refuse "bytes that are no UTF-8" '1,a\377\n' "'r.txt' line 1: 'label' is not UTF-8"
refuse "an unknown kind" 'feature,label,kind\n1,a,magic\n' "'r.txt' line 2: 'kind' is 'magic'"
refuse "JSON without a feature" '{"label":"a"}\n' "'r.txt' line 1: 'feature' is missing"
refuse "an empty file" '' "'r.txt' is empty"
finish
