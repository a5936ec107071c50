#!/bin/sh
# featlas harvest: what is kept, marks, resuming, and modules that die on the way.
. "$TESTS_DIR/lib.sh"
harvest() { "$FEATLAS" harvest "$@" --backend "${backend:-fake}"; }

for i in 1 2 3 4 5 6 7 8 9 10; do
	printf '{"text":"The river and the sea number %d"}\n\n' $i
	printf '{"messages":[{"role":"user","content":"Tell me about bridges %d"},{"role":"assistant","content":"The bridge is steel."}]}\n' $i
done >"$tmp/c.jsonl"
check "two hooks" 0 harvest "$tmp/c.jsonl" "$tmp/a.acts" --hook blocks.2.hook_resid_post --hook 3 --json
has "says what there is" "$out" '^\{"acts":".*a\.acts","n_texts":20,"n_tokens":([0-9]+),"n_tokens_new":\1,"hooks":\[\{"name":"blocks\.2\.hook_resid_post","norm_median":[0-9.]+\},\{"name":"blocks\.3\.hook_resid_post",'
first=$out
ok "about the model" grep -q '"name": "fake world"' "$tmp/a.acts/acts.json"
check "again" 0 harvest "$tmp/c.jsonl" "$tmp/a.acts" --hook 2 --hook 3 --json
is "does nothing more" "$out" "$(printf '%s\n' "$first" | sed 's/"n_tokens_new":[0-9]*/"n_tokens_new":0/')"

check "info of it" 0 "$FEATLAS" info "$tmp/a.acts"
has "its model" "$out" '^model +fake world, 4 layers, 48 wide$'
has "its texts, and those that are never trained on" "$out" '^texts +20, [0-3] of them held out; [0-9]+ tokens, of c\.jsonl$'
has "its hooks" "$out" '^hooks +blocks\.2\.hook_resid_post, median norm [0-9.]+$'
has "all of them" "$out" '^ +blocks\.3\.hook_resid_post, median norm [0-9.]+$'
check "as JSON" 0 "$FEATLAS" info "$tmp/a.acts" --json
has "is one object" "$out" '^\{"acts":"[^"]*a\.acts","model":\{.*"n_texts":20,"n_texts_held_out":[0-3],"n_tokens":[0-9]+,"hooks":\[\{"name":"blocks\.2\.hook_resid_post","layer":2,"norm_median":[0-9.]+\},'
check "it is no atlas" 2 "$FEATLAS" show "$tmp/a.acts" 1
has "and what it is is said" "$err" "a\.acts' is a harvest, not an atlas; make one of it with 'featlas train "

if python3 -c 'import numpy, safetensors' 2>/dev/null; then
	ok "marks of tokens" python3 - "$tmp/a.acts" <<'PY'
import sys
import numpy as np
from safetensors.numpy import load_file
t = load_file(sys.argv[1] + "/shard-00000.safetensors")
ptr, flags, tokens = t["text_ptr"], t["token_flags"], t["tokens"]
assert len(ptr) == 21 and ptr[-1] == len(tokens) == len(flags) == len(t["rows.2"]) == len(t["rows.3"])
FIRST, SPECIAL, SINK, PROMPT = 1, 2, 4, 8
for i in range(20):
    f = flags[ptr[i]:ptr[i + 1]]
    assert f[0] & FIRST and not (f[1:] & FIRST).any()
    assert f[0] & SINK and not (f[1:] & SINK).any()  # the made-up model's sink
    if i % 2 == 0:  # plain
        assert not (f & PROMPT).any() and f[0] & SPECIAL and not (f[1:] & SPECIAL).any()
    else:
        n = int((f & PROMPT != 0).sum())
        assert (f[:n] & PROMPT).all() and not (f[n:] & (PROMPT | SPECIAL)).any() and 0 < n < len(f)
        assert f[n - 1] & SPECIAL and f[n - 2] & SPECIAL and not (f[1:n - 2] & SPECIAL).any()
PY
fi

# in two goes it is the same rows, token for token
check "a part" 0 harvest "$tmp/c.jsonl" "$tmp/b.acts" --hook 2 --limit 7
check "and the rest" 0 harvest "$tmp/c.jsonl" "$tmp/b.acts" --hook 2 --json
has "goes on where it was" "$out" '"n_texts":20,'
if python3 -c 'import numpy, safetensors' 2>/dev/null; then
	ok "is the same harvest" python3 - "$tmp/a.acts" "$tmp/b.acts" <<'PY'
import glob, sys
import numpy as np
from safetensors.numpy import load_file
def whole(folder, name):
    return np.concatenate([load_file(f)[name] for f in sorted(glob.glob(folder + "/shard-*.safetensors"))])
for name in ("tokens", "token_flags", "rows.2"):
    assert np.array_equal(whole(sys.argv[1], name), whole(sys.argv[2], name)), name
PY
fi

backend='featlas-fake --crash-after 6'
check "a module that dies is started again" 0 harvest "$tmp/c.jsonl" "$tmp/d.acts" --hook 2 --json
has "... and all is there" "$out" '"n_texts":20,'
backend='featlas-fake --crash-after 0'
check "one that dies twice on a text ends it" 2 harvest "$tmp/c.jsonl" "$tmp/e.acts" --hook 2
has "... with the text's number" "$err" 'text 1: .*ended with status 134: featlas-fake: assertion failed'
backend=fake

# ^C keeps what is done
backend='featlas-fake --delay-ms 50'
"$FEATLAS" harvest "$tmp/c.jsonl" "$tmp/f.acts" --hook 2 --backend "$backend" 2>"$tmp/e" &
pid=$!
await has_child $pid
kill -INT $pid
wait $pid
is "^C is status 130" "$?" 130
backend=fake
check "and it goes on" 0 harvest "$tmp/c.jsonl" "$tmp/f.acts" --hook 2 --json
has "to the end" "$out" '"n_texts":20,'

# token ids: one record of a chat (begin, " river", end, newline, " sea") with a prompt of 4
printf '\007\000\000\000\004\000\000\000\005\000\000\000\000\000\020\001\001\000\014\000\017\001' >"$tmp/t.docs"
check "token ids" 0 harvest "$tmp/t.docs" "$tmp/g.acts" --hook 2 --ids --json
has "are taken as they are" "$out" '"n_texts":1,"n_tokens":5,'
if python3 -c 'import numpy, safetensors' 2>/dev/null; then
	ok "with marks" python3 - "$tmp/g.acts" <<'PY'
import sys
from safetensors.numpy import load_file
t = load_file(sys.argv[1] + "/shard-00000.safetensors")
assert list(t["tokens"]) == [0, 272, 1, 12, 271], t["tokens"]
assert list(t["token_flags"] & 11) == [11, 8, 10, 10, 0], t["token_flags"]
PY
fi
check "--length cuts" 0 harvest "$tmp/t.docs" "$tmp/k.acts" --hook 2 --ids --length 3 --json
has "a text" "$out" '"n_texts":1,"n_tokens":3,'
printf '\007\000\000\000\004\000\000\000\005\000\000\000\000\000' >"$tmp/torn.docs"
check "a torn record" 3 harvest "$tmp/torn.docs" "$tmp/h.acts" --hook 2 --ids
has "is named" "$err" 'the record at byte 0 is not whole'

check "no hook" 2 harvest "$tmp/c.jsonl" "$tmp/i.acts"
check "a hook that is not there" 2 harvest "$tmp/c.jsonl" "$tmp/i.acts" --hook 9
has "is named" "$err" 'the model has 4 layers'
check "a corpus that is not there" 2 harvest "$tmp/none.jsonl" "$tmp/i.acts" --hook 2
echo '{"text":' >"$tmp/bad.jsonl"
check "a broken line" 3 harvest "$tmp/bad.jsonl" "$tmp/i.acts" --hook 2
has "has its number" "$err" 'line 1'
echo '{"title":"x"}' >"$tmp/bad.jsonl"
check "a line without text" 3 harvest "$tmp/bad.jsonl" "$tmp/j.acts" --hook 2
has "has its number too" "$err" 'line 1 has neither'
: >"$tmp/empty"
check "an empty corpus" 2 harvest "$tmp/empty" "$tmp/i.acts" --hook 2
sed 1d "$tmp/c.jsonl" >"$tmp/other.jsonl"
check "another corpus into the same folder" 2 harvest "$tmp/other.jsonl" "$tmp/a.acts" --hook 2 --hook 3
has "is refused" "$err" 'holds a harvest of another corpus'
finish
