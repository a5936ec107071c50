#!/usr/bin/env python3
# make_check.py - a dictionary that explains its rows, for tests/cli/check.t.
# usage: make_check.py check    writes check/{dict,layer,scale,topk,jump}/{cfg.json,sae_weights.safetensors} and rows
# dict: x = b_dec + a few features; b_dec is long, so reading it wrongly is seen at once.
# layer: rows that only layer normalisation brings to one scale.
# scale: rows thirty times as long as those of the training, whose factor no file has.
# topk: features that share a direction, so that every encoder sees a little of every feature that is there.
# jump: a positive bias, which makes all features fire a little that are not there, in long rows.
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

def write(name, norm, b_dec, x, W_dec=W_dec, b_enc=-0.4, gain=1, more={}, threshold=None):
    (out / name).mkdir(parents=True, exist_ok=True)
    F, d = W_dec.shape
    cfg = {"architecture": "standard", "d_in": d, "d_sae": F, "dtype": "float32", "device": "cpu",
           "apply_b_dec_to_input": True, "normalize_activations": norm, "reshape_activations": "none",
           "metadata": {"hook_name": "blocks.1.hook_resid_post", "model_name": "none"}, **more}
    (out / name / "cfg.json").write_text(json.dumps(cfg, indent=2) + "\n")
    f32 = lambda a: np.ascontiguousarray(a, dtype=np.float32)
    weights = {"W_enc": f32(gain * W_dec.T), "W_dec": f32(W_dec), "b_enc": f32(np.full(F, b_enc)), "b_dec": f32(b_dec)}
    if threshold is not None:
        weights["threshold"] = f32(np.full(F, threshold))
    save_file(weights, out / name / "sae_weights.safetensors")
    save_file({"x": f32(x)}, out / f"{name}.x.safetensors")

b = 5 * rng.standard_normal(d)
write("dict", "none", b, b + rows() @ W_dec + 0.01 * rng.standard_normal((n, d)))
z = rows() @ W_dec
z = (z - z.mean(1, keepdims=True)) / z.std(1, ddof=1, keepdims=True)
write("scale", "expected_average_only_in", np.zeros(d), 30 * z[:150], W_dec, 1, 0.75, {"architecture": "jumprelu"}, 1.5)
write("layer", "layer_norm", np.zeros(d), z * rng.uniform(2, 60, (n, 1)) + rng.uniform(-9, 9, (n, 1)))

d2, F2, n2, k2, shared = 72, 64, 200, 16, 0.1
Q = np.linalg.qr(rng.standard_normal((d2, F2 + 1)))[0].T
near = np.sqrt(1 - shared) * Q[:F2] + np.sqrt(shared) * Q[F2]

def crowd(counts, W):
    f = np.zeros((n2, F2))
    for r, k in zip(f, counts):
        r[rng.choice(F2, k, replace=False)] = rng.uniform(1, 3, k)
    return f @ W + 0.01 * rng.standard_normal((n2, d2))

write("topk", "none", np.zeros(d2), crowd([k2] * n2, near), near, -shared * 2 * (k2 - 1),
      more={"architecture": "topk", "k": k2})
write("jump", "none", np.zeros(d2), 20 * crowd(rng.integers(6, 28, n2), Q[:F2]), Q[:F2], 10, 0.75,
      {"architecture": "jumprelu"}, 20)
