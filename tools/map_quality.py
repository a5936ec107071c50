#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many neighbours a map keeps, beside baselines: map_quality.py X.atlas

Computed from decoder rows with numpy, sharing no code with featlas: the share of the 15 nearest by
cosine that are among the 15 nearest in the plane, and trustworthiness (Venna and Kaski 2001), for
the map, two principal components, and a random layout.
"""
import sys

import numpy as np
from safetensors.numpy import load_file

K = 15
rows = load_file(f"{sys.argv[1]}/sae_weights.safetensors")["W_dec"].astype(np.float32)
rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
n = len(rows)


def measure(xy, sample):
    kept = penalty = 0
    for i in sample:
        cosine = -(rows @ rows[i])
        cosine[i] = -np.inf
        rank = np.empty(n, int)
        rank[np.argsort(cosine, kind="stable")] = np.arange(n)
        distance = ((xy - xy[i]) ** 2).sum(1)
        distance[i] = np.inf
        near = np.argpartition(distance, K)[:K]
        kept += (rank[near] <= K).sum()
        penalty += np.maximum(rank[near] - K, 0).sum()
    m = len(sample)
    return kept / (m * K), 1 - 2 * penalty / (m * K * (2 * n - 3 * K - 1))


rng = np.random.default_rng(0)
sample = rng.choice(n, min(n, 500), replace=False)
centred = rows - rows.mean(0)
_, vectors = np.linalg.eigh(centred.T @ centred)
layouts = {
    "map": load_file(f"{sys.argv[1]}/map.safetensors")["xy"],
    "principal components": centred @ vectors[:, -2:],
    "random": rng.random((n, 2)),
}
for name, xy in layouts.items():
    kept, trust = measure(xy, sample)
    print(f"{name:22} kept {100 * kept:5.1f} %  trustworthiness {trust:.3f}")
