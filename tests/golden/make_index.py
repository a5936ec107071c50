#!/usr/bin/env python3
"""make_index.py - tests/golden/index.safetensors: a small harvest, a dictionary, and the store
that belongs to them, by plain float64 loops from the definitions of featlas-atlas(5)."""
import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(7)
F, d, k, V, bins, n_top = 12, 8, 3, 40, 20, 6
texts = []
for t in range(40):
    n = int(rng.integers(4, 30))
    texts.append((rng.integers(0, V, n).astype(np.uint32), (rng.normal(size=(n, d)) * 3).astype(np.float16)))
texts[4] = (texts[4][0], (texts[4][1] * np.float16(1.5)))
for t in (9, 17, 31):  # a strong text again and again: its windows count once
    texts[t] = (texts[4][0].copy(), texts[4][1].copy())
tokens = np.concatenate([t for t, _ in texts])
rows = np.concatenate([r for _, r in texts])
ptr = np.concatenate([[0], np.cumsum([len(t) for t, _ in texts])]).astype(np.uint64)
N = len(tokens)
flags = np.zeros(N, np.uint8)
flags[ptr[:-1].astype(int)] |= 1
flags[rng.choice(N, 25, replace=False)] |= 2
flags[rng.choice(N, 60, replace=False)] |= 8
sinks = rng.choice(np.flatnonzero(flags & 3 == 0), 3, replace=False)
rows[sinks] = (rows[sinks].astype(np.float64) * 40).astype(np.float16)

w_enc = rng.normal(size=(F, d)).astype(np.float32)
w_dec = rng.normal(size=(F, d)).astype(np.float32)
w_dec /= np.linalg.norm(w_dec, axis=1, keepdims=True)
b_enc = (rng.normal(size=F) * 0.3 - 1).astype(np.float32)
b_enc[5] = -1000  # never fires
b_dec = (rng.normal(size=d) * 0.5).astype(np.float32)

norm = np.linalg.norm(rows.astype(np.float64), axis=1)
median = np.median(norm[flags & 3 == 0])
out_flags = flags.copy()
out_flags[norm > 6 * median] |= 4
assert set(sinks) == set(np.flatnonzero(out_flags & 4)), "the sinks stand out"
kept = out_flags & 7 == 0

p = (rows.astype(np.float64) - b_dec) @ w_enc.T.astype(np.float64) + b_enc
f = np.zeros((N, F))
for i in np.flatnonzero(kept):
    top = np.argsort(-p[i])[: k + 1]
    assert p[i][top[k - 1]] - p[i][top[k]] > 1e-4, "no near ties"
    for j in top[:k]:
        f[i, j] = max(p[i, j], 0)

text_of = np.searchsorted(ptr, np.arange(N), side="right") - 1


def window(at):
    t = text_of[at]
    a, b = max(int(ptr[t]), at - 8), min(int(ptr[t + 1]), at + 9)
    return (at - a, tuple(tokens[a:b]))


fptr, pos, val, top_ptr, top_pos, edges, counts = [0], [], [], [0], [], [], []
for j in range(F):
    on = np.flatnonzero(f[:, j] > 0)
    pos += list(on)
    val += list(f[on, j])
    fptr.append(len(pos))
    m = f[:, j].max()
    e = np.float32(m) * np.arange(bins + 1) / bins
    edges.append(e)
    counts.append(np.histogram(f[on, j], np.linspace(0, m, bins + 1))[0] if m > 0 else np.zeros(bins))
    peaks = {}
    for at in on:
        t = text_of[at]
        if t not in peaks or f[at, j] > f[peaks[t], j]:
            peaks[t] = at
    seen, mine = set(), []
    for at in sorted(peaks.values(), key=lambda a: (-np.float32(f[a, j]), a)):
        if window(at) not in seen and len(mine) < n_top:
            seen.add(window(at))
            mine.append(at)
    top_pos += mine
    top_ptr.append(len(top_pos))
on = f > 0
save_file(
    {
        "rows": rows, "tokens": tokens, "flags": flags, "text_ptr": ptr,
        "w_enc": w_enc, "w_dec": w_dec, "b_enc": b_enc, "b_dec": b_dec,
        "out_flags": out_flags, "norm_median": np.array([median], np.float32),
        "feature_ptr": np.array(fptr, np.uint64), "act_pos": np.array(pos, np.uint32),
        "act": np.array(val, np.float32), "count": on.sum(0).astype(np.uint64),
        "density": (on.sum(0) / kept.sum()).astype(np.float32), "max": f.max(0).astype(np.float32),
        "mean": (f.sum(0) / np.maximum(on.sum(0), 1)).astype(np.float32),
        "hist_edge": np.array(edges, np.float32), "hist_count": np.array(counts, np.uint64),
        "top_ptr": np.array(top_ptr, np.uint64), "top_pos": np.array(top_pos, np.uint32),
    },
    __file__.rsplit("/", 1)[0] + "/index.safetensors",
)
print(N, "tokens,", len(pos), "activations,", len(top_pos), "top contexts; duplicates left out where windows agree")
