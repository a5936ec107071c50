#!/usr/bin/env python3
"""neighbours.py - tests/golden/neighbours.safetensors: rows with their nearest by cosine, and
where features fire with their Jaccard index and NPMI, all in float64 from the definitions."""
import os

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(11)

# rows in clusters, some nearly the same, two opposite, one of zeros
n, d, k = 420, 70, 12
centre = rng.normal(size=(20, d))
rows = centre[rng.integers(0, 20, n)] + 0.6 * rng.normal(size=(n, d))
rows[100:120] = rows[99] + 1e-3 * rng.normal(size=(20, d))
rows[7] = -rows[8]
rows[300] = 0
norm = np.linalg.norm(rows, axis=1, keepdims=True)
rows = np.where(norm > 0, rows / np.maximum(norm, 1e-300), 0).astype(np.float32)
x = rows.astype(np.float64)
cosine = x @ x.T
np.fill_diagonal(cosine, -np.inf)
cosine[:, 300] = -np.inf
order = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
near = np.take_along_axis(cosine, order, axis=1)
gap = near[:, :-1] - near[:, 1:]
assert (gap[np.arange(n) != 300].min() > 0), "no ties"
query = rng.normal(size=(5, d))
query /= np.linalg.norm(query, axis=1, keepdims=True)
query = query.astype(np.float32)
qcos = query.astype(np.float64) @ x.T
qcos[:, 300] = -np.inf
qorder = np.argsort(-qcos, axis=1, kind="stable")[:, :k]

# F features over N tokens: groups that fire together, a rare one, a dead one, twins
F, N = 60, 3000
fires = np.zeros((F, N), bool)
kept = np.ones(N, bool)
kept[::50] = False  # masked tokens, where nothing fires
group = rng.integers(0, 8, F)
for g in range(8):
    hot = rng.random(N) < 0.03
    for f in np.flatnonzero(group == g):
        fires[f] = (hot & (rng.random(N) < 0.5)) | (rng.random(N) < rng.choice([0.001, 0.01, 0.05]))
fires[10] = fires[11]
fires[20] = False
fires[21] = False
fires[21, 1001] = True
fires &= kept
count = fires.sum(1).astype(np.int64)
both = fires.astype(np.int64) @ fires.T.astype(np.int64)
jaccard, npmi = np.zeros((F, F)), np.zeros((F, F))
tokens = int(kept.sum())
for a in range(F):
    for b in range(F):
        if a == b or not both[a, b]:
            jaccard[a, b] = npmi[a, b] = -2  # never together: not listed
            continue
        jaccard[a, b] = both[a, b] / (count[a] + count[b] - both[a, b])
        pab, pa, pb = both[a, b] / tokens, count[a] / tokens, count[b] / tokens
        npmi[a, b] = np.log(pab / (pa * pb)) / -np.log(pab)

ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.uint64)
pos = np.concatenate([np.flatnonzero(fires[f]) for f in range(F)]).astype(np.uint32)
save_file(
    {
        "rows": rows,
        "id": order.astype(np.uint32),
        "cosine": near,
        "query": query,
        "query_id": qorder.astype(np.uint32),
        "query_cosine": np.take_along_axis(qcos, qorder, axis=1),
        "fires_ptr": ptr,
        "fires_pos": pos,
        "kept": kept.astype(np.uint8),
        "both": both.astype(np.uint32),
        "jaccard": jaccard,
        "npmi": npmi,
    },
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "neighbours.safetensors"),
)
