#!/bin/sh
# Dictionaries that are not what they say: one sentence that names the file and what is wrong, nothing on stdout.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/formats tool=$BUILD_DIR/tests/cli/tool
x=$golden/saelens-standard.want.safetensors

# take CASE: a copy of a good one at $d, the part that is opened at $o
take() {
	rm -rf "$tmp/d"
	cp -r "$golden/$1" "$tmp/d"
	chmod -R u+w "$tmp/d"
	o=$(awk -F'\t' -v c="$1" '$1 == c { print substr($2, length(c) + 1) }' "$golden/cases.tsv")
	o=$tmp/d$o
}

# refused NAME STATUS REGEX: what is at $o is, and the message has the file (below $tmp/d) and the reason
refused() {
	run "$FEATLAS" encode "$o" --x "$x" --out "$tmp/out.st"
	is "$1" "$status '$out' $(printf '%s\n' "$err" | grep -cE "^featlas encode: .*($tmp/d|$golden).*") $(
		printf '%s\n' "$err" | wc -l | tr -d ' ')" "$2 '' 1 1"
	has "says why" "$err" "$3"
	[ ! -e "$tmp/out.st" ] || ok "leaves nothing behind" false
}

# json FILE FROM TO: with sed
json() {
	sed "s|$2|$3|" "$1" >"$tmp/.json" && ! cmp -s "$tmp/.json" "$1" || fail_ "edit of $1" "$2 is not in it"
	cp "$tmp/.json" "$1"
}

# edit FILE FROM TO: bytes, by as many
edit() {
	"$tool" edit "$@" || fail_ "edit of $1" "$2 is not in it"
}

# --- cut short, every weight file of every layout
while IFS="$tab" read -r name opened options file; do
	case $name in *-scaled) continue ;; esac
	take "$name"
	for w in $(find "$tmp/d" -type f ! -name '*.json' ! -name '*.yaml' ! -name sparsity.safetensors | sort); do
		size=$(wc -c <"$w" | tr -d ' ')
		cp "$w" "$tmp/whole"
		all=
		for n in 0 1 7 $((size / 3)) $((size - 25)) $((size - 1)); do
			head -c "$n" "$tmp/whole" >"$w"
			run "$FEATLAS" encode "$o" --x "$golden/$file" --out "$tmp/out.st"
			case $status/$out/$(printf '%s\n' "$err" | grep -c "$(basename "$w")") in [23]//1) ;; *)
				all="$all $n: $status $out $err" ;;
			esac
		done
		cp "$tmp/whole" "$w"
		rm -f "$tmp/out.st"
		is "$name: $(basename "$w") cut short" "$all" ''
	done
done <"$golden/cases.tsv"

# --- configurations
cfg() { # CASE, FILE below the part that is opened, FROM, TO, STATUS, REGEX
	take "$1"
	json "$o/$2" "$3" "$4"
	refused "$1 with $4" "$5" "$6"
}
s=saelens-standard
cfg $s cfg.json '"standard"' '"transformer"' 2 "cfg\.json.*architecture 'transformer'"
cfg $s cfg.json '"standard"' '"temporal"' 2 'temporal dictionary.*not supported'
cfg $s cfg.json '"standard"' '"abstopk"' 2 "architecture 'abstopk'"
cfg $s cfg.json '"standard"' '"standard", "activation_fn_str": "tanh-relu"' 2 "activation_fn 'tanh-relu' is not supported"
cfg $s cfg.json '"d_in": 12' '"d_in": 13' 3 "'W_enc'.*12.*13"
cfg $s cfg.json '"d_in": 12' '"d_in": 0' 3 'sizes'
cfg $s cfg.json '"d_in": 12' '"d_in": -12' 3 "'d_in'"
cfg $s cfg.json '"d_in": 12' '"d_in": 12.5' 3 "'d_in'"
cfg $s cfg.json '"d_in": 12' '"d_in": "12"' 3 "'d_in'"
cfg $s cfg.json '"d_in": 12' '"d_in": 99999999999999999999' 3 'cfg\.json'
cfg $s cfg.json '"d_in": 12,' '' 3 "'d_in' is missing"
cfg $s cfg.json '"d_sae": 40' '"d_sae": 41' 3 "'W_enc'.*40.*41"
cfg $s cfg.json '"d_sae": 40' '"d_sae": 4294967336' 3 "'d_sae'"
cfg $s cfg.json '"normalize_activations": "none"' '"normalize_activations": "covariance_whitening"' 2 "'covariance_whitening'"
cfg $s cfg.json '{' '[{' 3 'cfg\.json'
cfg saelens-topk cfg.json '"k": 5' '"k": 0' 3 "'k' is 0"
cfg saelens-topk cfg.json '"k": 5' '"k": 41' 3 "'k'"
cfg saelens-topk cfg.json '"k": 5,' '' 3 "'k' is missing"
cfg saelens-topk cfg.json '"k": 5' '"k": -5' 3 "'k'"
cfg saelens-jumprelu cfg.json '"jumprelu"' '"gated"' 3 "'b_gate'"
cfg saelens-standard cfg.json '"standard"' '"jumprelu"' 3 "'threshold'"
cfg saelens-standard cfg.json '"standard"' '"skip_transcoder"' 3 "'W_skip'"
cfg saelens-transcoder cfg.json '"d_out": 8' '"d_out": 9' 3 "'W_dec'.*8.*9"
cfg saelens-matching-pursuit cfg.json '"residual_threshold": 1.5' '"residual_threshold": -1' 3 'residual_threshold'
cfg saelens-matching-pursuit-few cfg.json '"max_iterations": 4' '"max_iterations": 0' 3 'max_iterations'
cfg sparsify cfg.json '"topk"' '"relu"' 2 "activation 'relu'"
cfg sparsify cfg.json '"k": 5' '"k": 0' 3 "k"
cfg sparsify cfg.json '"num_latents": 40' '"num_latents": 48' 3 '48.*40'
cfg sparsify cfg.json '"d_in": 12' '"d_in": 16' 3 '16.*12'
cfg sparsify cfg.json '"skip_connection": false' '"skip_connection": true' 3 "'W_skip'"
cfg sparsify-groupmax cfg.json '"k": 5' '"k": 7' 3 'k is 7, which does not divide 40'
cfg sparsify-old cfg.json '"signed": false' '"signed": true' 2 'signed'
cfg llama-scope hyperparams.json '"jump_relu_threshold": 0.40234375' '"jump_relu_threshold": null' 3 'jump_relu_threshold'
cfg llama-scope hyperparams.json '"in": 6.3125' '"in": 0' 3 'norm'
cfg llama-scope hyperparams.json '"in": 6.3125' '"in": -1' 3 'norm'
cfg llamascopium-topk config.json '"topk"' '"layertopk"' 2 "act_fn 'layertopk'"
cfg llamascopium-topk config.json '"sae"' '"lorsa"' 2 "sae_type 'lorsa'"
cfg llamascopium-topk config.json '"top_k": 5' '"top_k": 0' 3 "'top_k' is 0"
cfg llamascopium-topk config.json '"top_k": 5' '"top_k": 500' 3 "'top_k'"
cfg gemma-scope-2 config.json '"jump_relu"' '"relu"' 2 'relu'
cfg dl-topk config.json 'AutoEncoderTopK"' 'AutoEncoderTopQ"' 2 "dict_class 'AutoEncoderTopQ'"
cfg dl-topk config.json '"activation_dim": 12' '"activation_dim": 24' 3 "'activation_dim' is 24, but the weights have 12"
cfg dl-topk config.json '"dict_size": 40' '"dict_size": 400' 3 "'dict_size' is 400, but the weights have 40"
cfg dl-gated config.json '"GatedAutoEncoder"' '"JumpReluAutoEncoder"' 3 "ae\.pt"

# --- headers of safetensors
head_() { # CASE, FILE, FROM, TO, REGEX
	take "$1"
	edit "$o/$2" "$3" "$4"
	refused "$1 with $4" 3 "$2.*($5)"
}
w=sae_weights.safetensors
head_ $s $w '"b_enc"' '"b_enx"' "'b_enc'"
head_ $s $w '"shape":[12,40]' '"shape":[40,12]' "'W_enc'.*40.*12"
head_ $s $w '"shape":[12,40]' '"shape":[-2,40]' 'W_enc'
head_ $s $w '"shape":[12,40]' '"shape":[12,41]' 'W_enc'
head_ $s $w '"shape":[12,40]' '"shape":[12.40]' 'W_enc'
head_ $s $w '"shape":[12,40]' '"shape":[48,10]' "'W_enc'"
head_ $s $w '"data_offsets":[0,1920]' '"data_offsets":[0,1921]' 'W_enc'
head_ $s $w '"data_offsets":[0,1920]' '"data_offsets":[0,9920]' 'W_enc'
head_ $s $w '"data_offsets":[0,1920]' '"data_offsets":[9,1929]' 'W_enc|overlap|hole'
head_ $s $w '"data_offsets":[1920,2080]' '"data_offsets":[1900,2060]' 'overlap|b_enc|hole'
head_ $s $w '"dtype":"F32","shape":[40]' '"dtype":"I32","shape":[40]' "'b_enc'.*I32"
head_ $s $w '"dtype":"F32","shape":[40]' '"dtype":"Q32","shape":[40]' 'Q32'
head_ $s $w '"b_dec":{' '"b_dec":[' 'JSON'
head_ saelens-jumprelu $w '"shape":[40],"data_offsets":[2024,2184]' '"shape":[20],"data_offsets":[2024,2184]' "threshold|bytes"
head_ gemma-scope-2 params.safetensors '"threshold"' '"treshhold"' "'threshold'"
take $s
printf '\377\377\377\377\377\377\377\177' | dd of="$o/$w" bs=1 conv=notrunc 2>/dev/null
refused "a header longer than the file" 3 "$w"
take sparsify
edit "$o/sae.safetensors" '"encoder.weight"' '"encoder.xeight"'
refused "sparsify without its encoder" 2 "sae\.safetensors.*no dictionary that is known.*'encoder\.xeight'"

# --- shards
take saelens-shards
rm "$tmp/d/sae_weights-00002-of-00002.safetensors"
refused "a shard that is not there" 2 '00002-of-00002'
for to in '"../../00002-of-00002.safetensors"' '"/etc/passwd"' '7'; do
	take saelens-shards
	json "$tmp/d/sae_weights.safetensors.index.json" '"W_dec": ".*"' "\"W_dec\": $to"
	refused "a shard at $to" 3 'index\.json.*not a file beside it'
done
take saelens-shards
json "$tmp/d/sae_weights.safetensors.index.json" '"weight_map"' '"weight_nap"'
refused "no map" 3 'index\.json.*weight_map'

# --- zip and npy
take gemma-scope
edit "$o/params.npz" 'b_enc.npy' 'b_enx.npy'
refused "an npz without b_enc" 3 "params\.npz.*'b_enc'"
take gemma-scope
edit "$o/params.npz" '(12, 40)' '(40, 12)'
refused "the other shape" 3 "params\.npz.*'W_dec' is F32 .40, 12., expected"
take gemma-scope
edit "$o/params.npz" '(12, 40)' '(-2, 40)'
refused "a negative shape" 3 'params\.npz.*W_enc.*negative'
take gemma-scope
edit "$o/params.npz" "'<f4', 'fortran_order': False, 'shape': (12, 40)" "'>f4', 'fortran_order': False, 'shape': (12, 40)"
refused "big-endian numbers" 3 'params\.npz.*big-endian'
take gemma-scope
edit "$o/params.npz" "'<f4', 'fortran_order': False, 'shape': (12, 40)" "'|O8', 'fortran_order': False, 'shape': (12, 40)"
refused "Python objects" 3 'params\.npz.*W_enc'

# --- pickles: nothing is run, nothing is guessed
take openai-topk
edit "$o" 'TopK' 'TopX'
refused "contents that were changed" 3 '6\.pt.*checksum'
for b in "$TESTS_DIR"/golden/torch/bad/*; do
	[ -e "$b" ] || continue
	o=$b
	run "$FEATLAS" encode "$o" --x "$x" --out "$tmp/out.st"
	is "$(basename "$b")" "$(expr "$status" : '[23]$') '$out' $(printf '%s\n' "$err" | wc -l | tr -d ' ')" "1 '' 1"
	has "is named" "$err" "$(basename "$b")"
done
for b in "$TESTS_DIR"/golden/containers/bad/*.npz; do
	mkdir -p "$tmp/b"
	cp "$b" "$tmp/b/params.npz"
	chmod u+w "$tmp/b/params.npz"
	run "$FEATLAS" encode "$tmp/b" --x "$x" --out "$tmp/out.st"
	is "$(basename "$b")" "$(expr "$status" : '[23]$') '$out' $(printf '%s\n' "$err" | grep -c 'params\.npz')" "1 '' 1"
done

# --- what is no dictionary
mkdir "$tmp/d2"
o=$tmp/d2
run "$FEATLAS" encode "$o" --x "$x" --out "$tmp/out.st"
is "an empty folder" "$status $out" "2 "
has "is said to be" "$err" 'd2.*empty'
echo hello >"$tmp/d2/readme.md"
run "$FEATLAS" encode "$o" --x "$x" --out "$tmp/out.st"
has "a folder of other things" "$err" "d2.*'readme\.md'"
run "$FEATLAS" encode "$tmp/d2/readme.md" --x "$x" --out "$tmp/out.st"
is "a text" "$(expr "$status" : '[23]$') $out" '1 '
has "is named" "$err" 'readme\.md'
run "$FEATLAS" encode "$golden/saelens-standard" --x "$x" --norm-scale -1 --out "$tmp/out.st"
is "a scale below 0" "$status $out" '2 '
run "$FEATLAS" encode "$golden/saelens-standard" --x "$x" --norm-scale nan --out "$tmp/out.st"
is "a scale that is no number" "$status $out" '2 '
finish
