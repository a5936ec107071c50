#!/bin/sh
# featlas text on the sample atlas and the made-up model.
. "$TESTS_DIR/lib.sh"
text() { "$FEATLAS" text "$SAMPLE" --backend fake "$@"; }

check "a line a token" 0 text "The river and the sea"
is "with the template" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 8
has "the features of a token" "$out" '^ +2   river +#1 [0-9.]+ words about rivers  #'
has "the template is not encoded" "$out" '^ +0  <\|begin\|> +\(not encoded\)$'
check "--plain" 0 text --plain "The river and the sea"
is "without it" "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 6
check "--top" 0 text --top 1 "The river"
lacks "one feature a token" "$out" '#.*#'

check "--json" 0 text --json "The river and the sea"
is "is a line a token" "$(printf '%s\n' "$out" | grep -c '^{"position":[0-9]*,"token":"')" 8
has "features with activation and label" "$out" '^\{"position":2,"token":" river","id":[0-9]+,"features":\[\{"id":1,"activation":[0-9.]+,"label":"words about rivers"\},'
is "masked tokens are marked and hold nothing" "$(printf '%s\n' "$out" | grep -c '"masked":true,"features":\[\]}$')" 3
if command -v python3 >/dev/null; then
	printf '%s\n' "$out" >"$tmp/j"
	ok "the strongest first, at most k" python3 -c '
import json, sys
for line in open(sys.argv[1]):
    a = [f["activation"] for f in json.loads(line)["features"]]
    assert a == sorted(a, reverse=True) and len(a) <= 8 and all(x > 0 for x in a)' "$tmp/j"
	# the dictionary of the sample by numpy, on rows of its own
	if python3 -c 'import numpy, safetensors' 2>/dev/null; then
		printf '{"text":"The river and the sea"}\n' >"$tmp/c.jsonl"
		check "the same rows, harvested" 0 "$FEATLAS" harvest "$tmp/c.jsonl" "$tmp/o.acts" --hook 2 --backend fake
		run text --plain --json "The river and the sea"
		printf '%s\n' "$out" >"$tmp/j"
		ok "activations are what float64 makes of them" python3 - "$SAMPLE" "$tmp/o.acts" "$tmp/j" <<'PY'
import json, sys
import numpy as np
from safetensors.numpy import load_file
w = {k: v.astype(np.float64) for k, v in load_file(sys.argv[1] + "/sae_weights.safetensors").items()}
cfg = json.load(open(sys.argv[1] + "/cfg.json"))
rows = load_file(sys.argv[2] + "/shard-00000.safetensors")["rows.2"].astype(np.float64)
x = rows - w["b_dec"] if cfg.get("apply_b_dec_to_input") else rows
p = x @ w["W_enc"] + w["b_enc"]
for line in open(sys.argv[3]):
    j = json.loads(line)
    for f in j["features"]:
        want = p[j["position"], f["id"]]
        # the harvest keeps f16 rows
        assert abs(f["activation"] - want) < 2e-3 * max(1, abs(p[j["position"]]).max()), (j["position"], f, want)
PY
	fi
fi

check "hostile text" 0 text --plain "$(printf 'a\033[31mb')"
check "an empty text" 0 text ""
check "a missing module" 2 "$FEATLAS" text "$SAMPLE" x --backend none
has "is named" "$err" "^featlas text: there is no backend module 'none'"
check "a missing atlas" 2 "$FEATLAS" text "$tmp/none" x --backend fake
cat >"$tmp/nosy" <<-END
	#!/bin/sh
	env >"$tmp/seen"
	exec "$BUILD_DIR/src/featlas-fake"
END
chmod +x "$tmp/nosy"
check "a module" 0 env FEATLAS_API_KEY=abcdefgh OTHER_KEY=1 "$FEATLAS" text "$SAMPLE" 'the bridge' --backend "$tmp/nosy"
ok "has the environment" grep -q '^OTHER_KEY=1$' "$tmp/seen"
lacks "but no key of an endpoint" "$(cat "$tmp/seen")" abcdefgh
finish
