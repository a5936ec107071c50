#!/usr/bin/env python3
# make_check.py - a dictionary that explains its rows, for tests/cli/check.t.
# usage: make_check.py check    writes check/{dict,layer}/{cfg.json,sae_weights.safetensors} and rows
# dict: x = b_dec + a few features; b_dec is long, so reading it wrongly is seen at once.
# layer: rows that only layer normalisation brings to one scale.
import json, sys
import numpy as np
from pathlib import Path
from safetensors.numpy import save_file

out, rng = Path(sys.argv[1]), np.random.default_rng(7)
d, F, n, k = 48, 40, 600, 3
M = rng.standard_normal((d, F))
W_dec = np.linalg.qr(M - M.mean(0))[0].T  # orthonormal, each of mean 0

def rows():
    f = np.zeros((n, F))
    for r in f:
        r[rng.choice(F, k, replace=False)] = rng.uniform(1, 3, k)
    return f

def write(name, norm, b_dec, x):
    (out / name).mkdir(parents=True, exist_ok=True)
    cfg = {"architecture": "standard", "d_in": d, "d_sae": F, "dtype": "float32", "device": "cpu",
           "apply_b_dec_to_input": True, "normalize_activations": norm, "reshape_activations": "none",
           "metadata": {"hook_name": "blocks.1.hook_resid_post", "model_name": "none"}}
    (out / name / "cfg.json").write_text(json.dumps(cfg, indent=2) + "\n")
    f32 = lambda a: np.ascontiguousarray(a, dtype=np.float32)
    save_file({"W_enc": f32(W_dec.T), "W_dec": f32(W_dec), "b_enc": f32(np.full(F, -0.4)), "b_dec": f32(b_dec)},
              out / name / "sae_weights.safetensors")
    save_file({"x": f32(x)}, out / f"{name}.x.safetensors")

b = 5 * rng.standard_normal(d)
write("dict", "none", b, b + rows() @ W_dec + 0.01 * rng.standard_normal((n, d)))
z = rows() @ W_dec
z = (z - z.mean(1, keepdims=True)) / z.std(1, ddof=1, keepdims=True)
write("layer", "layer_norm", np.zeros(d), z * rng.uniform(2, 60, (n, 1)) + rng.uniform(-9, 9, (n, 1)))
