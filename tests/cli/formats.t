#!/bin/sh
# A small dictionary in every layout of the field, against the numbers that tests/golden/formats.py computed apart.
. "$TESTS_DIR/lib.sh"
golden=$TESTS_DIR/golden/formats tool=$BUILD_DIR/tests/cli/tool
# not read yet
todo="saelens-gated saelens-transcoder saelens-jumprelu-transcoder saelens-skip-transcoder
saelens-jumprelu-skip-transcoder saelens-expected-average-scaled saelens-matching-pursuit
saelens-matching-pursuit-few saelens-matching-pursuit-default saelens-matching-pursuit-scaled
saelens-shards saelens-flat-normalised-scaled saelens-flat-gated gemma-scope
gemma-scope-deflated gemma-scope-embedding gemma-scope-transcoder gemma-scope-2
gemma-scope-2-bare gemma-scope-2-affine gemma-scope-2-clt llama-scope llama-scope-r1
llamascopium-topk llamascopium-jumprelu llamascopium-plain llamascopium-glu
llamascopium-transcoder sparsify sparsify-old sparsify-groupmax sparsify-skip
sparsify-transcode openai-relu openai-topk dl-autoencoder dl-autoencoder-new dl-gated
dl-jumprelu dl-topk dl-batch-topk dl-matryoshka connor-rob deepseek-r1 goodfire mwhanna
circuit-tracer mntss-clt e2e-sae e2e-sae-one tinymodel"
todo=$(echo $todo)

n=0
while IFS="$tab" read -r name opened options file; do
	n=$((n + 1))
	[ "$options" = - ] && options=
	# shellcheck disable=SC2086 # options are words
	run "$FEATLAS" encode "$golden/$opened" --x "$golden/$file" --out "$tmp/out.st" $options
	if [ "$status" != 0 ]; then
		case " $todo " in
		*" $name "*) skip "$name" "$err" ;;
		*) fail_ "$name opens" "exit status $status: $err" ;;
		esac
		continue
	fi
	ok "$name" "$tool" agree "$tmp/out.st" "$golden/$file" 1e-4
	rm -f "$tmp/out.st"
done <"$golden/cases.tsv"
ok "all were there" [ "$n" -ge 65 ]
check "the comparison can fail" 1 "$tool" agree "$golden/goodfire.want.safetensors" "$golden/mwhanna.want.safetensors" 1e-4
finish
