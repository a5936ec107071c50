#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden numbers for tests/unit/test_map.c, in float64 with numpy; shares no code with featlas.

make_map.py OUT.safetensors

rows [N][D] in eight groups; neighbour_id, neighbour_score [N][K] by cosine; component [N][2], the rows
on their first two principal components; weight [N][N], the fuzzy union of exp(-(d - rho) / sigma)
with sum log2(K), as McInnes, Healy and Melville (2018) define it.
"""
import sys

import numpy as np
from safetensors.numpy import save_file

N, D, K, GROUPS = 240, 12, 8, 8
rng = np.random.default_rng(7)
centre = rng.normal(size=(GROUPS, D)) * np.linspace(2, 0.6, D)
rows = centre[np.arange(N) % GROUPS] + 0.35 * rng.normal(size=(N, D))
rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

x = rows.astype(np.float64)
centred = x - x.mean(0)
values, vectors = np.linalg.eigh(centred.T @ centred)
axes = vectors[:, ::-1][:, :2]
axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
component = centred @ axes

cosine = x @ x.T
np.fill_diagonal(cosine, -2)
order = np.argsort(-cosine, axis=1, kind="stable")[:, :K]
score = np.take_along_axis(cosine, order, 1).astype(np.float32)

weight = np.zeros((N, N))
for i in range(N):
    d = 1 - score[i].astype(np.float64)
    low, high = 1e-9, 1e3
    for _ in range(300):
        sigma = (low + high) / 2
        if np.exp(-(d - d.min()) / sigma).sum() > np.log2(K):
            high = sigma
        else:
            low = sigma
    weight[i, order[i]] = np.exp(-(d - d.min()) / sigma)
weight = weight + weight.T - weight * weight.T

save_file({
    "rows": rows,
    "neighbour_id": order.astype(np.uint32),
    "neighbour_score": score,
    "component": component.astype(np.float32),
    "weight": weight.astype(np.float32),
}, sys.argv[1])
