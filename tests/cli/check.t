#!/bin/sh
# featlas check: a wrong reading of a dictionary is found and named.
. "$TESTS_DIR/lib.sh"
mksample=$BUILD_DIR/tools/mksample
"$mksample" "$tmp/made.atlas" "$tmp/t.acts" || exit 99
golden=$TESTS_DIR/golden/check

check "weights alone" 0 "$FEATLAS" check "$SAMPLE"
has "are looked at" "$out" '^sound: the weights are sound; rows of the model'
has "norms" "$out" '^weights   decoder norms [0-9.]+ to [0-9.]+, median 1; [0-9]+ without direction, 0 not finite'
check "with rows" 0 "$FEATLAS" check "$golden/dict" --x "$golden/dict.x.safetensors"
has "of its own" "$out" '^sound: FVU 0\.0404, and no other reading'
check "--json" 0 "$FEATLAS" check "$golden/dict" --x "$golden/dict.x.safetensors" --json
has "is one object" "$out" '^\{"verdict":"sound","sentence":"FVU .*","not_finite":0,"zero_decoder_rows":0,"decoder_norms":\[.*"sample":\{"rows_of":".*","rows":600,"fvu":0\.0403[0-9]*,"l0":3\.0,"silent":0\},"readings":\[\{"reading":"[^"]*","as_opened":true,'

lie() { # dictionary, sed script: a copy whose cfg.json says something else
	rm -rf "$tmp/lie" && cp -r "$golden/$1" "$tmp/lie" && chmod -R u+w "$tmp/lie"
	sed "$2" "$golden/$1/cfg.json" >"$tmp/lie/cfg.json"
	ok "cfg.json lies" [ "$(cmp "$golden/$1/cfg.json" "$tmp/lie/cfg.json" | wc -l)" = 1 ]
}
lie dict 's/"apply_b_dec_to_input": true/"apply_b_dec_to_input": false/'
check "about b_dec" 3 "$FEATLAS" check "$tmp/lie" --x "$golden/dict.x.safetensors"
has "which is found and named" "$out" "^wrong: FVU [0-9.e+]+ as it is opened \(b_dec not subtracted, rows as they are\), 0\.0404 with b_dec subtracted, rows as they are: this file looks like the latter$"
lie layer 's/"layer_norm"/"none"/'
check "about the normalisation" 3 "$FEATLAS" check "$tmp/lie" --x "$golden/layer.x.safetensors"
has "which is found too" "$out" "^wrong: FVU 0\.0229 as it is opened \(b_dec subtracted, rows as they are\), 0\.0106 with b_dec subtracted, rows layer-normed: this"
lie topk 's/"topk"/"standard"/'
check "about TopK" 3 "$FEATLAS" check "$tmp/lie" --x "$golden/topk.x.safetensors"
has "which is found with its k" "$out" '^wrong: FVU 0\.754 as it is opened .*, 0\.04 with b_dec subtracted, rows as they are, only the largest, about 16: this file'
check "TopK as it is" 0 "$FEATLAS" check "$golden/topk" --x "$golden/topk.x.safetensors"
has "promises its k" "$out" '^promised  l0 16 \(k\)$'
lie jump 's/"jumprelu"/"standard"/'
check "about the threshold" 3 "$FEATLAS" check "$tmp/lie" --x "$golden/jump.x.safetensors"
has "which the file has" "$out" '^wrong: FVU 0\.228 as it is opened .*, 0\.00625 with .*, rows as they are, by its thresholds: this file'
lie jump 's/"jumprelu"/"topk", "k": 3/'
check "about the function" 3 "$FEATLAS" check "$tmp/lie" --x "$golden/jump.x.safetensors"
has "which is found too" "$out" '^wrong: FVU 0\.899 .*, 0\.00625 with .*, by its thresholds: this file'
check "no factor" 3 "$FEATLAS" check "$golden/scale" --x "$golden/scale.x.safetensors"
has "is found" "$out" '^wrong: FVU 0\.0634 as it is opened .*, 0\.00356 with'
has "with its size" "$out" '^ +FVU 0\.00356[0-9]* +l0 3 +b_dec subtracted, rows scaled by 0\.03369$'
check "a factor" 0 "$FEATLAS" check "$golden/scale" --norm-scale 0.033333 --x "$golden/scale.x.safetensors"
has "can be given" "$out" '^as opened   FVU 0\.00360.*rows scaled by 0\.03333$'
check "but not of an atlas" 2 "$FEATLAS" check "$SAMPLE" --norm-scale 2
has "whose factor is its own" "$err" 'is an atlas: how its dictionary is computed was said when it was made$'
mkdir "$tmp/average_l0_71" && cp "$golden/jump/"* "$tmp/average_l0_71/"
check "another l0 than the files promise" 0 "$FEATLAS" check "$tmp/average_l0_71" --x "$golden/jump.x.safetensors"
has "is doubtful" "$out" "^doubtful: 16\.36 features fire on a row, 71 are promised \(the folder's name\)$"
cp -r "$golden/jump" "$tmp/results" && chmod u+w "$tmp/results"
echo '{"l0": 16.5, "frac_variance_explained": 0.9}' >"$tmp/results/eval_results.json"
check "results beside it" 0 "$FEATLAS" check "$tmp/results" --x "$golden/jump.x.safetensors"
has "are promises" "$out" '^promised  l0 16\.5, FVU 0\.1 \(eval_results\.json\)$'
has "that are kept" "$out" '^sound: FVU 0\.00625, and'
check "a table of frequencies" 0 "$FEATLAS" check "$TESTS_DIR/golden/formats/saelens-standard"
has "says what is dead" "$out" '^promised  l0 [0-9.]+, [0-9.]+ % dead \(sparsity\.safetensors\)$'
check "a harvest" 0 "$FEATLAS" check "$SAMPLE" "$tmp/t.acts"
has "is a sample too" "$out" '^sample    4096 rows of .*/t\.acts, blocks\.2\.hook_resid_post: FVU 0\.[0-9]+, l0 7\.'

check "an atlas keeps the result" 0 "$FEATLAS" check "$tmp/made.atlas" "$tmp/t.acts" --write
ok "in atlas.json" grep -q '"verdict": *"sound"' "$tmp/made.atlas/atlas.json"
check "and is whole" 0 "$FEATLAS" verify "$tmp/made.atlas"
check "a dictionary is checked as it is imported" 0 "$FEATLAS" import "$golden/dict" "$tmp/linked.atlas"
check "and what was seen" 0 "$FEATLAS" info "$tmp/linked.atlas"
has "is in the atlas" "$out" '^check +sound: the weights are sound'
check "as JSON too" 0 "$FEATLAS" info "$tmp/linked.atlas" --json
has "with its figures" "$out" '"check":\{"verdict":"sound",.*"decoder_norms":\['
zip=$TESTS_DIR/golden/formats/gemma-scope/layer_2/width_16k/average_l0_4/params.npz
[ -f "$zip" ] || zip=$(find "$TESTS_DIR/golden/formats/gemma-scope" -name params.npz | head -1)
mkdir "$tmp/npz" && cp "$zip" "$tmp/npz/params.npz" && chmod u+w "$tmp/npz/params.npz"
check "a zip that is whole" 0 "$FEATLAS" check "$tmp/npz"
printf '\125' | dd of="$tmp/npz/params.npz" bs=1 seek=$(($(wc -c <"$tmp/npz/params.npz") / 2)) conv=notrunc 2>/dev/null
check "a zip with another byte in it" 3 "$FEATLAS" check "$tmp/npz"
has "is found by its checksum" "$err" "params\.npz.*checksum"
good=$(find "$TESTS_DIR/golden/formats" -path '*saelens*' -name cfg.json | xargs grep -l '"jumprelu"' | head -1)
cp -r "$(dirname "$good")" "$tmp/nan" && chmod -R u+w "$tmp/nan"
head=$(($(od -An -t u8 -N 8 "$tmp/nan/sae_weights.safetensors") + 8))
at=$((head + $(head -c "$head" "$tmp/nan/sae_weights.safetensors" | tr -d '\000' | sed 's/.*"threshold": *{[^}]*"data_offsets": *\[\([0-9]*\),.*/\1/')))
printf '\377\377\377\377' | dd of="$tmp/nan/sae_weights.safetensors" bs=1 seek="$at" conv=notrunc 2>/dev/null
check "a threshold that is no number" 3 "$FEATLAS" check "$tmp/nan"
has "is counted" "$out" '^wrong: [12] features? hold'
check "a file without rows" 3 "$FEATLAS" check "$SAMPLE" --x "$SAMPLE/sae_weights.safetensors"
has "are refused" "$err" "has no tensor 'x'"
check "both kinds of rows" 2 "$FEATLAS" check "$SAMPLE" "$tmp/t.acts" --x "$tmp/x"
has "are one too many" "$err" "one of them will do"
finish
