#!/bin/sh
# featlas train: an atlas from activations, stopped and gone on with, and what it refuses.
. "$TESTS_DIR/lib.sh"
tool=$BUILD_DIR/tests/cli/tool
"$tool" acts "$tmp/a.acts" 200 || exit 99
small="--features 64 --k 2 --batch 128 --steps 300 --lr 0.005 --seed 3"

# shellcheck disable=SC2086
train() { "$FEATLAS" train "$tmp/a.acts" "$@" $small; }

check "trains" 0 train "$tmp/one.atlas" --json
has "and says how well" "$out" '^\{"fvu":0\.[0-2][0-9]*,"l0":[12](\.[0-9]*)?,"dead_share":[0-9.]*,"tokens":38400,"steps":300,"seed":3,'
has "on the way too" "$err" '^step 50  fvu [0-9.]*  l0 '
has "texts are held out, first tokens left out" "$err" '^1[12][0-9]{3} rows to train on, [0-9]{3} held out'
check "is an atlas" 0 "$FEATLAS" info "$tmp/one.atlas" --json
has "of its model and hook" "$out" '"name":"made-up".*"blocks\.3\.hook_resid_post"'
has "with its dictionary" "$out" '"topk","n_features":64,"d_model":16,"dtype":"F32","k":2'
check "that is whole" 0 "$FEATLAS" verify "$tmp/one.atlas"
ok "no checkpoint is left" [ ! -e "$tmp/one.atlas.checkpoint" ]

check "one thread" 0 env FEATLAS_THREADS=1 "$FEATLAS" train "$tmp/a.acts" "$tmp/two.atlas" $small
"$tool" close "$tmp/one.atlas/sae_weights.safetensors" "$tmp/two.atlas/sae_weights.safetensors" W_enc 0 >"$tmp/same"
is "the same to the bit" "$?$(cat "$tmp/same")" 0

# killed outright once there is a checkpoint
"$FEATLAS" train "$tmp/a.acts" "$tmp/cut.atlas" $small --steps 3000 --checkpoint-every 10 2>"$tmp/log" &
pid=$!
await [ -e "$tmp/cut.atlas.checkpoint" ]
kill -9 $pid
wait $pid 2>"$tmp/killed"
ok "killed, it leaves a checkpoint and no atlas" \
	[ -e "$tmp/cut.atlas.checkpoint" -a ! -e "$tmp/cut.atlas/atlas.json" ]
check "another run does not go on with it" 2 "$FEATLAS" train "$tmp/a.acts" "$tmp/cut.atlas" $small --steps 3000 --k 3
has "and says what differs" "$err" 'k differs'
check "the same goes on" 0 "$FEATLAS" train "$tmp/a.acts" "$tmp/cut.atlas" $small --steps 3000
has "after the step it had" "$err" '^going on after step [0-9]*0, from '
check "undisturbed" 0 "$FEATLAS" train "$tmp/a.acts" "$tmp/whole.atlas" $small --steps 3000
ok "it comes to the same" "$tool" close "$tmp/whole.atlas/sae_weights.safetensors" \
	"$tmp/cut.atlas/sae_weights.safetensors" W_enc 0

# ^C: the step at hand is finished and kept
# shellcheck disable=SC2086
"$FEATLAS" train "$tmp/a.acts" "$tmp/int.atlas" $small --steps 100000 --checkpoint-every 10 2>"$tmp/log" &
pid=$!
await [ -e "$tmp/int.atlas.checkpoint" ]
kill -INT $pid
wait $pid
is "interrupted, it exits with 130" $? 130
has "and says that it can go on" "$(cat "$tmp/log")" 'stopped after step [0-9]+; the same command goes on from there'
ok "and has no atlas yet" [ ! -e "$tmp/int.atlas/atlas.json" ]

for kind in batchtopk jumprelu matryoshka; do
	check "$kind" 0 train "$tmp/$kind.atlas" --kind $kind --json
	has "$kind says how well" "$out" '^\{"fvu":0\.[0-3][0-9]*,"l0":[12](\.[0-9]*)?,.*"kind":"'$kind'"'
	check "info of $kind" 0 "$FEATLAS" info "$tmp/$kind.atlas"
	has "is a jumprelu" "$out" '^dictionary +jumprelu, 64 features, F32'
	has "trained as $kind" "$out" "^training .*kind $kind"
	check "$kind is whole" 0 "$FEATLAS" verify "$tmp/$kind.atlas"
	check "$kind is computed as it was trained" 0 "$FEATLAS" check "$tmp/$kind.atlas" "$tmp/a.acts"
done
check "another kind does not go on" 2 env FEATLAS_THREADS=1 sh -c '
	"$1" train "$2" "$3" '"$small"' --kind jumprelu --steps 100000 --checkpoint-every 10 2>"$3.log" & pid=$!
	until [ -e "$3.checkpoint" ]; do [ -d "/proc/$pid" ] || exit 1; sleep 0.05; done
	kill -INT $pid; wait $pid
	exec "$1" train "$2" "$3" '"$small"' --kind batchtopk --steps 100000' - "$FEATLAS" "$tmp/a.acts" "$tmp/kind.atlas"
has "and says so" "$err" 'the kind differs'
check "a kind that there is not" 2 train "$tmp/x.atlas" --kind gated
has "names those there are" "$err" "'gated'.*topk, batchtopk, jumprelu or matryoshka"

check "half precision" 0 train "$tmp/half.atlas" --dtype float16
ok "is near" "$tool" close "$tmp/half.atlas/sae_weights.safetensors" "$tmp/one.atlas/sae_weights.safetensors" W_dec 1e-3
has "and stored so" "$("$FEATLAS" info "$tmp/half.atlas" --json)" '"F16"'

check "an atlas is not written over" 2 train "$tmp/one.atlas"
has "but named" "$err" 'one\.atlas/atlas\.json.*is there already'
check "no size" 2 "$FEATLAS" train "$tmp/a.acts" "$tmp/x.atlas" --k 3
check "k above the number of features" 2 "$FEATLAS" train "$tmp/a.acts" "$tmp/x.atlas" --features 4 --k 5 --batch 16
has "says so" "$err" 'k is 5'
check "a hook that is not there" 2 train "$tmp/x.atlas" --hook 7
check "more batch than rows" 2 "$FEATLAS" train "$tmp/a.acts" "$tmp/x.atlas" --features 8 --k 2 --batch 1000000
check "a storage that is not known" 2 train "$tmp/x.atlas" --dtype int8
check "steps and tokens" 2 train "$tmp/x.atlas" --tokens 5
check "no activations" 2 "$FEATLAS" train "$tmp/none.acts" "$tmp/x.atlas" --features 8 --k 2
ok "none of these made a folder" [ ! -e "$tmp/x.atlas" ]
check "a checkpoint that is none" 3 sh -c 'echo junk >"$3.checkpoint"; exec "$1" train "$2" "$3" '"$small" - "$FEATLAS" "$tmp/a.acts" "$tmp/x.atlas"
ok "makes none either" [ ! -e "$tmp/x.atlas" ]
ok "nor does one that was interrupted" [ ! -e "$tmp/int.atlas" ]
echo mine >"$tmp/file"
check "a file in its place" 2 train "$tmp/file"
has "is said at once" "$err" "^featlas train: '.*/file' is there already, and is no folder"
is "and stays" "$(cat "$tmp/file")" mine
mkdir "$tmp/sae" && echo mine >"$tmp/sae/sae_weights.safetensors"
check "a dictionary without an atlas" 2 train "$tmp/sae"
has "is not written over" "$err" 'sae_weights.safetensors. is there already'
is "but stays" "$(cat "$tmp/sae/sae_weights.safetensors")" mine
mkdir "$tmp/empty"
check "a folder that is there, refused" 2 "$FEATLAS" train "$tmp/a.acts" "$tmp/empty" --features 4 --k 5 --batch 16
ok "stays" [ -d "$tmp/empty" ]
finish
