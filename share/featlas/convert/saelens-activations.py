#!/usr/bin/env python3
# saelens-activations.py - activations that SAELens cached, as a harvest that featlas reads.
# usage: saelens-activations.py CACHED OUT.acts [--hook NAME] [--model NAME] [--special ID,ID,...] [--limit ROWS]
# CACHED is the folder that CacheActivationsRunner wrote (a Hugging Face dataset on disk: a column named by the
# hook, [context, d], and token_ids).  Runs in a Python that has datasets, numpy and safetensors.
# Flags as featlas-atlas(5) has them: the first token of a row, special tokens (--special), and tokens
# whose norm is over six times the median, which is that of the first 65,536 tokens.  Values beyond half
# precision are cut to its largest.
import argparse, json, re, sys
from pathlib import Path
import numpy as np
from datasets import load_from_disk
from safetensors.numpy import save_file

FIRST, SPECIAL, SINK, SHARD, SINK_MULTIPLE = 1, 2, 4, 65536, 6

p = argparse.ArgumentParser()
p.add_argument("cached"), p.add_argument("out")
p.add_argument("--hook"), p.add_argument("--model", default=""), p.add_argument("--limit", type=int)
p.add_argument("--special", default="", help="ids of special tokens, with commas")
a = p.parse_args()

data = load_from_disk(a.cached)
columns = [c for c in data.column_names if c != "token_ids"]
hook = a.hook or (columns[0] if len(columns) == 1 else None)
if hook not in columns:
    sys.exit(f"{a.cached}: --hook is one of {', '.join(columns)}")
if "token_ids" not in data.column_names:
    sys.exit(f"{a.cached}: no token_ids: an older cache, which does not say what its tokens were")
layer = int((re.search(r"\d+", hook) or ["0"])[0])
special = np.array([int(s) for s in a.special.split(",") if s], dtype=np.uint32)
out = Path(a.out)
if (out / "acts.json").exists():
    sys.exit(f"{out} is there already")
out.mkdir(parents=True, exist_ok=True)
data = data.with_format("numpy")
n_rows = min(len(data), a.limit or len(data))

shards, median, rows, tokens, lengths = [], None, [], [], []

def write():
    global median
    x, t, ends = np.concatenate(rows), np.concatenate(tokens), np.cumsum([0] + lengths)
    flags = np.zeros(len(t), np.uint8)
    flags[ends[:-1]] |= FIRST
    flags[np.isin(t, special)] |= SPECIAL
    norm = np.linalg.norm(x, axis=1)
    if median is None:
        median = float(np.median(norm[flags == 0])) if (flags == 0).any() else 0.0
    flags[norm > SINK_MULTIPLE * median] |= SINK
    name = f"shard-{len(shards):05}.safetensors"
    save_file({f"rows.{layer}": np.clip(x, -65504, 65504).astype(np.float16), "tokens": t, "token_flags": flags,
               "text_ptr": ends.astype(np.uint64)}, out / name)
    shards.append({"file": name, "n_tokens": len(t), "n_texts": len(lengths)})
    about = {"format": "featlas-acts", "version": 1,
             "model": {"name": a.model, "sha256": "", "d_model": int(x.shape[1]), "n_layers": 0, "n_vocab": 0},
             "template": "", "corpus": f"cached by SAELens: {Path(a.cached).name}", "d": int(x.shape[1]),
             "mask": {"sink_multiple": SINK_MULTIPLE},
             "hooks": [{"name": hook, "layer": layer, "tensor": f"rows.{layer}", "norm_median": median}],
             "shards": shards}
    (out / "acts.json").write_text(json.dumps(about, indent=2) + "\n")
    rows.clear(), tokens.clear(), lengths.clear()

for i in range(n_rows):
    row = data[i]
    x, t = np.asarray(row[hook], np.float32), np.asarray(row["token_ids"]).astype(np.uint32)
    if x.ndim != 2 or len(x) != len(t):
        sys.exit(f"{a.cached}: row {i} has {x.shape} activations for {len(t)} tokens")
    rows.append(x), tokens.append(t), lengths.append(len(t))
    if sum(lengths) >= SHARD:
        write()
if lengths:
    write()
print(f"{out}: {sum(s['n_tokens'] for s in shards)} tokens of {n_rows} rows at {hook}, median norm {median:.4g}")
