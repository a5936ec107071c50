#!/bin/sh
# featlas verify: silence for a good atlas, one sentence a fault and status 3 for a bad one.
n=0 bad=0
check() { # name, condition
	n=$((n + 1))
	if eval "$2"; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "$out" | sed 's/^/# /'; bad=1; fi
}
has() { case $out in *"$1"*) true ;; *) false ;; esac; }
t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
fresh() { rm -rf "$t/a.atlas"; cp -r "$SAMPLE" "$t/a.atlas"; chmod -R u+w "$t/a.atlas"; }
run() { out=$("$FEATLAS" verify "$t/a.atlas" "$@" 2>&1) && status=0 || status=$?; }

fresh
run
check "the sample has no faults" '[ $status = 0 ] && has "no faults"'
run --json
check "as JSON" '[ $status = 0 ] && has "\"n_faults\":0,\"faults\":[]"'

printf 'x' | dd of="$t/a.atlas/activations.safetensors" bs=1 seek=900000 conv=notrunc 2>/dev/null
run
check "one changed byte: status 3, the file named" '[ $status = 3 ] && has "activations.safetensors'"'"' has the checksum"'
run --json
check "faults as JSON" '[ $status = 3 ] && has "\"faults\":[\""'

fresh
head -c 5000 "$SAMPLE/scores.safetensors" >"$t/a.atlas/scores.safetensors"
run
check "a truncated file" '[ $status = 3 ] && has "scores.safetensors'"'"' is 5000 bytes long, atlas.json says"'
out=$("$FEATLAS" info "$t/a.atlas" 2>&1) && status=0 || status=$?
check "and opening it fails with status 3" '[ $status = 3 ] && has "scores.safetensors"'

fresh
cp "$SAMPLE/graph.safetensors" "$t/a.atlas/logits.safetensors"
run
check "a file in the place of another" '[ $status = 3 ] && has "has no tensor '"'"'promoted_token'"'"'"'

fresh
printf '\377\377\377\377\377\377\377\377' | dd of="$t/a.atlas/vocab.safetensors" bs=1 conv=notrunc 2>/dev/null
run
check "a header length that lies" '[ $status = 3 ] && has "is no safetensors file: its header would be 18446744073709551615 bytes long"'

fresh
rm "$t/a.atlas/cfg.json"
run
check "a file that is gone" '[ $status = 3 ] && has "cfg.json"'

# what people did
fresh
"$FEATLAS" label "$t/a.atlas" 5 "my own" >/dev/null
run
check "labels.db without a fault" '[ $status = 0 ]'
if python3 -c 'import sqlite3' 2>/dev/null; then
	python3 -c '
import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.execute("insert into value values(0, 99999, \"\", \"x\", 1)")
d.execute("insert into value values(1, 7, \"\", \"9\", 1)")
d.execute("insert into pile values(777, 0)")
d.commit()' "$t/a.atlas/labels.db"
	run
	check "a label of no feature" '[ $status = 3 ] && has "a value of feature 99999, which there is not"'
	check "a rating out of range" 'has "feature 7 has a rating that is not 1 to 5"'
	check "an edit that was never logged" 'has "edit 777 can be undone but is not in the log"'
else
	n=$((n + 1))
	echo "ok $n # SKIP no sqlite3 in Python"
fi
fresh
head -c 20000 /dev/zero >"$t/a.atlas/labels.db"
run
check "a labels.db that is none" '[ $status = 3 ] && has "labels.db"'

rm -rf "$t/a.atlas"
run
check "no atlas: status 2" '[ $status = 2 ] && has "cannot open the atlas"'

# featlas-atlas(5) names every tensor and every member of the files, and is sound
page=$TESTS_DIR/../man/featlas-atlas.5
out=$(for f in "$SAMPLE"/*.safetensors; do head -c 4000 "$f" | tr '{' '\n' | tr -d '\000' | sed -n 's/.*"\([A-Za-z_]*\)":$/\1/p'; done |
	sort -u | while read -r name; do grep -qw -e "$name" "$page" || echo "$name is not in featlas-atlas(5)"; done)
check "the manual names every tensor" '[ -z "$out" ]'
out=$(grep -o '^ *"[a-z_]*"' "$SAMPLE/atlas.json" "$SAMPLE/cfg.json" -h | tr -d ' "' | sort -u |
	grep -vxE 'fvu|device|reshape_activations|prepend_bos|sae_lens_version|n_texts|n_tokens' |
	while read -r name; do grep -qw -e "$name" "$page" || echo "$name is not in featlas-atlas(5)"; done)
check "and every member of atlas.json and cfg.json" '[ -z "$out" ]'
if command -v mandoc >/dev/null; then
	out=$(mandoc -T lint -W warning "$page" 2>&1 | grep -v 'referenced manual not found')
	check "and mandoc has nothing to say" '[ -z "$out" ]'
else
	n=$((n + 1))
	echo "ok $n # SKIP no mandoc"
fi

# the files are what the reference library takes them for
if python3 -c 'import safetensors.numpy' 2>/dev/null; then
	out=$(python3 -c '
import sys, glob
from safetensors import safe_open
for path in glob.glob(sys.argv[1] + "/*.safetensors"):
    with safe_open(path, "np") as f:
        assert f.metadata()["uuid"].startswith("5a3ef1a5"), path
        for name in f.keys():
            f.get_tensor(name)' "$SAMPLE" 2>&1) && status=0 || status=$?
	check "the Python library reads what is written" '[ $status = 0 ]'
else
	n=$((n + 1))
	echo "ok $n # SKIP no Python library for safetensors"
fi
echo "1..$n"
exit $bad
