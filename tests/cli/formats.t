#!/bin/sh
# A small dictionary in every layout of the field, against the numbers that tests/golden/formats.py computed apart.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/formats tool=$BUILD_DIR/tests/cli/tool

n=0
while IFS="$tab" read -r name opened options file; do
	n=$((n + 1))
	[ "$options" = - ] && options=
	# shellcheck disable=SC2086 # options are words
	run "$FEATLAS" encode "$golden/$opened" --x "$golden/$file" --out "$tmp/out.st" $options
	is "$name opens" "$status $err" "0 "
	ok "$name" "$tool" agree "$tmp/out.st" "$golden/$file" 1e-4
	rm -f "$tmp/out.st"
done <"$golden/cases.tsv"

# a Hugging Face cache: snapshots are links into blobs, named by their hashes
hub=$tmp/hub/models--made--up at=layers.10
mkdir -p "$hub/blobs" "$hub/snapshots/0123abcd/$at"
for f in cfg.json sae.safetensors; do
	cp "$golden/sparsify/$at/$f" "$hub/blobs/$(cksum <"$golden/sparsify/$at/$f" | tr -d ' ')"
	ln -s "../../../blobs/$(cksum <"$golden/sparsify/$at/$f" | tr -d ' ')" "$hub/snapshots/0123abcd/$at/$f"
done
check "a snapshot of links" 0 "$FEATLAS" encode "$hub/snapshots/0123abcd/$at" --x "$golden/sparsify.want.safetensors" --out "$tmp/out.st"
ok "is the dictionary" "$tool" agree "$tmp/out.st" "$golden/sparsify.want.safetensors" 1e-4
name=gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71
mkdir -p "$hub/snapshots/0123abcd/$name"
cp "$golden/gemma-scope/$name/params.npz" "$hub/blobs/npz"
ln -s ../../../../../../blobs/npz "$hub/snapshots/0123abcd/$name/params.npz"
check "one of a zip" 0 "$FEATLAS" encode "$hub/snapshots/0123abcd/$name" --x "$golden/gemma-scope.want.safetensors" --out "$tmp/out.st"
ok "too" "$tool" agree "$tmp/out.st" "$golden/gemma-scope.want.safetensors" 1e-4

# the configuration names it as well as the folder; so do the weights
for f in cfg.json sae_weights.safetensors; do
	check "by its $f" 0 "$FEATLAS" encode "$golden/saelens-gated/$f" --x "$golden/saelens-gated.want.safetensors" --out "$tmp/out.st"
	ok "it is the same" "$tool" agree "$tmp/out.st" "$golden/saelens-gated.want.safetensors" 1e-4
done
# a checkpoint of a training, its configuration a folder above
mkdir -p "$tmp/trainer_0/checkpoints"
cp "$golden/dl-batch-topk/ae.pt" "$tmp/trainer_0/checkpoints/ae_500.pt"
cp "$golden/dl-batch-topk/config.json" "$tmp/trainer_0"
check "a checkpoint" 0 "$FEATLAS" encode "$tmp/trainer_0/checkpoints/ae_500.pt" --x "$golden/dl-batch-topk.want.safetensors" \
	--out "$tmp/out.st"
ok "is of its training's class" "$tool" agree "$tmp/out.st" "$golden/dl-batch-topk.want.safetensors" 1e-4
cp -r "$golden/saelens-jumprelu" "$tmp/lie" && chmod -R u+w "$tmp/lie"
sed 's/"jumprelu"/"standard"/' "$golden/saelens-jumprelu/cfg.json" >"$tmp/lie/cfg.json"
check "a standard dictionary with thresholds" 0 "$FEATLAS" info "$tmp/lie"
has "is a guess" "$out" "^  threshold +not used  \\[guess: a tensor 'threshold' is there: is it a JumpReLU dictionary\\?\\]$"
has "and what is not known of the model is left out" "$out" '^model +made-up, 12 wide$'
# what rests on a guess is seen on every screen
printf 'keys p\nattrs\ndump\n' >"$tmp/p.keys"
check "a hook that a folder's name gives" 0 "$FEATLAS" open "$hub/snapshots/0123abcd/$name" --script "$tmp/p.keys" --size 80x24
has "turns the stamp" "$out" '^@0,[0-9]+-[0-9]+ title-guess$'
has "and stands first in the line" "$out" '^ hook blocks\.20\.hook_resid_post \(guess\)'
has "of which nothing is cut" "$out" ' dtype F32$'
check "a factor that no file has" 0 "$FEATLAS" open "$golden/saelens-expected-average" --norm-scale 0.375 --script "$tmp/p.keys" --size 80x24
has "can be given to the screens" "$out" ' normalisation none, factor 0\.375 \(given\)'
check "nothing is guessed" 0 "$FEATLAS" open "$golden/saelens-topk" --script "$tmp/p.keys" --size 80x24
lacks "of this one" "$out" 'title-guess|\(guess\)'
check "one thread" 0 env FEATLAS_THREADS=1 "$FEATLAS" encode "$golden/saelens-topk" --x "$golden/saelens-topk.want.safetensors" \
	--out "$tmp/one.st"
check "several" 0 env FEATLAS_THREADS=4 "$FEATLAS" encode "$golden/saelens-topk" --x "$golden/saelens-topk.want.safetensors" \
	--out "$tmp/four.st"
ok "give the same bytes" cmp "$tmp/one.st" "$tmp/four.st"

ok "all were there" [ "$n" -ge 68 ]
check "the comparison can fail" 1 "$tool" agree "$golden/goodfire.want.safetensors" "$golden/mwhanna.want.safetensors" 1e-4
finish
