#!/bin/sh
# featlas encode against the numbers that tests/golden/encode.py computed apart.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/encode tool=$BUILD_DIR/tests/cli/tool

for name in standard topk-ties topk-flat topk-rescaled jumprelu layer-norm constant-norm; do
	check "$name" 0 "$FEATLAS" encode "$golden/$name" --x "$golden/$name/want.safetensors" --out "$tmp/$name.st"
	ok "$name: activations" "$tool" close "$tmp/$name.st" "$golden/$name/want.safetensors" acts 1e-4
	ok "$name: reconstructions" "$tool" close "$tmp/$name.st" "$golden/$name/want.safetensors" recon 1e-4
done
check "the comparison can fail" 1 "$tool" close "$tmp/standard.st" "$golden/jumprelu/want.safetensors" acts 1e-4

check "--json" 0 "$FEATLAS" encode "$golden/topk-ties" --x "$golden/topk-ties/want.safetensors" -o "$tmp/a.st" --json
has "prints one object" "$out" '^\{"out":".*/a\.st","rows":9,"features":300,"l0":4\.7777[0-9]*\}$'
check "one thread" 0 env FEATLAS_THREADS=1 "$FEATLAS" encode "$golden/topk-ties" \
	--x "$golden/topk-ties/want.safetensors" -o "$tmp/b.st"
ok "gives the same bytes" cmp "$tmp/a.st" "$tmp/b.st"
check "a file without rows" 3 "$FEATLAS" encode "$SAMPLE" --x "$tmp/a.st" -o "$tmp/c.st"
has "is named" "$err" "a\.st.*'x'"
check "rows of another width" 3 "$FEATLAS" encode "$SAMPLE" --x "$golden/topk-ties/want.safetensors" -o "$tmp/c.st"
has "say both widths" "$err" "'x'.*12.*48"
ok "nothing is left behind" [ ! -e "$tmp/c.st" ]
check "no --out" 2 "$FEATLAS" encode "$SAMPLE" --x "$tmp/a.st"
check "no such dictionary" 2 "$FEATLAS" encode "$tmp/none" --x "$tmp/a.st" -o "$tmp/c.st"
has "is named" "$err" 'cannot open .*none'
mkdir "$tmp/cut"
cp "$golden/standard/cfg.json" "$tmp/cut"
head -c 5000 "$golden/standard/sae_weights.safetensors" >"$tmp/cut/sae_weights.safetensors"
check "weights cut short are damage" 3 "$FEATLAS" encode "$tmp/cut" --x "$tmp/a.st" -o "$tmp/c.st"
finish
