#!/usr/bin/env python3
"""encode.py - dictionaries and what they make of rows, in float64, from SAELens' formulas.

usage: encode.py OUT      writes OUT/CASE/{cfg.json,sae_weights.safetensors,want.safetensors}

Independent of the program: numpy float64 on the weights as stored.  Numbers are multiples of
small powers of two where a case needs exact ties or exact thresholds, so that no order of
summation can blur them; elsewhere the margin at every cut is checked to be wide.
"""
import json, os, sys
import numpy as np
from safetensors.numpy import save_file

D, F, N, K = 12, 300, 9, 5
rng = np.random.default_rng(20)


def bf16(a):
    """Rounded to bfloat16, as its 16 bits."""
    b = np.asarray(a, np.float32).view(np.uint32)
    return ((b + 0x7FFF + (b >> 16 & 1)) >> 16).astype(np.uint16)


def store(path, tensors, dtype):
    """safetensors by hand for bf16, which numpy lacks; returns what was stored, in float64."""
    if dtype != "bf16":
        t = {k: np.ascontiguousarray(v, np.float16 if dtype == "f16" else np.float32) for k, v in tensors.items()}
        save_file(t, path)
        return {k: v.astype(np.float64) for k, v in t.items()}
    head, data, back = {}, b"", {}
    for k, v in tensors.items():
        bits = bf16(v)
        head[k] = {"dtype": "BF16", "shape": list(bits.shape), "data_offsets": [len(data), len(data) + bits.nbytes]}
        data += bits.tobytes()
        back[k] = (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)
    return back


def normalise(x, how):
    if how == "constant_norm_rescale":
        c = np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
        return x * c, lambda y: y / c
    if how == "layer_norm":
        mu = x.mean(1, keepdims=True)
        sd = (x - mu).std(1, ddof=1, keepdims=True)
        return (x - mu) / (sd + 1e-5), lambda y: y * sd + mu
    return x, lambda y: y


def run(x, w, arch, norm="none", subtract=True, rescale=False):
    x, undo = normalise(x.astype(np.float64), norm)
    size = np.linalg.norm(w["W_dec"], axis=1)
    p = (x - w["b_dec"] if subtract else x) @ w["W_enc"] + w["b_enc"]
    if rescale:
        p = p * size
    f = np.maximum(p, 0)
    if arch == "topk":
        ties = 0
        order = np.argsort(-p, axis=1, kind="stable")  # ties: the lower id first
        for i in range(len(p)):
            f[i, order[i, K:]] = 0
            a, b = p[i, order[i, K - 1]], p[i, order[i, K]]
            ties += a == b
            assert a == b or a - b > 1e-3 or a < 0, "a cut is too close"
        print("ties at the cut:", ties)
    if arch == "jumprelu":
        print("thresholds met exactly:", (p == w["threshold"]).sum())
        f = f * (p > w["threshold"])
        d = np.abs(p - w["threshold"])
        assert np.all((d == 0) | (d > 1e-4)), "a threshold is too close"
    y = (f / size if rescale else f) @ w["W_dec"] + w["b_dec"]
    return p, f, undo(y)


def weights(grid=None):
    w = {
        "W_enc": rng.normal(size=(D, F)) * 0.4,
        "W_dec": rng.normal(size=(F, D)) * rng.uniform(0.5, 2, size=(F, 1)),
        "b_enc": rng.normal(size=F) * 0.3 - 0.2,
        "b_dec": rng.normal(size=D),
    }
    return {k: np.round(v * grid) / grid for k, v in w.items()} if grid else w


def case(name, cfg, w, x, dtype="f32", **how):
    folder = os.path.join(sys.argv[1], name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "cfg.json"), "w") as f:
        json.dump(cfg, f, indent=1)
        f.write("\n")
    x = np.asarray(x, np.float32)
    w = store(os.path.join(folder, "sae_weights.safetensors"), w, dtype)
    p, f, y = run(x, w, **how)
    save_file({"x": x, "pre": p.astype(np.float32), "acts": f.astype(np.float32), "recon": y.astype(np.float32)},
              os.path.join(folder, "want.safetensors"))
    print(name, "active a row:", (f > 0).sum(1))


def v6(arch, **more):
    return {"architecture": arch, "d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu",
            "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
            "metadata": {"model_name": "made-up", "hook_name": "blocks.1.hook_resid_post", "prepend_bos": False}, **more}


def rows():
    return rng.normal(size=(N, D)) * 2


case("standard", v6("standard", apply_b_dec_to_input=False), weights(), rows(), arch="standard", subtract=False)

# exact ties across the cut, a row with fewer positive values than k, one with none
w = weights(grid=32)
x = np.round(rows() * 8) / 8
for i in range(N - 2):
    p = (x[i] - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    w["W_enc"][:, 7 + 31 * i] = w["W_enc"][:, 290 - 17 * i] = w["W_enc"][:, np.argsort(-p)[K - 1]]
    w["b_enc"][7 + 31 * i] = w["b_enc"][290 - 17 * i] = w["b_enc"][np.argsort(-p)[K - 1]]
w["b_enc"] = np.minimum(w["b_enc"], -1 / 32)
w["b_enc"][[3, 150, 299]] = [0.5, 0.25, 0.125]
x[N - 2] = w["b_dec"]
case("topk-ties", v6("topk", k=K, rescale_acts_by_decoder_norm=False), w, x, arch="topk")

flat = {"model_name": "made-up", "hook_point": "blocks.1.hook_resid_post", "hook_layer": 1, "d_in": D, "d_sae": F,
        "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}, "dtype": "torch.float16"}
case("topk-flat", flat, weights(), rows(), dtype="f16", arch="topk")
case("topk-rescaled", v6("topk", k=K, rescale_acts_by_decoder_norm=True), weights(), rows(), dtype="bf16", arch="topk",
     rescale=True)

# thresholds that some pre-activations meet exactly: not above, so not active
w = weights(grid=32)
w["threshold"] = np.abs(rng.normal(size=F))
x = np.round(rows() * 8) / 8
p = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
for f in range(0, F, 3):
    i = np.argmax(p[:, f])
    if p[i, f] > 0:
        w["threshold"][f] = p[i, f]
w["threshold"][1] = -1  # a negative threshold still needs a positive value
case("jumprelu", v6("jumprelu"), w, x, arch="jumprelu")

case("layer-norm", v6("standard", normalize_activations="layer_norm"), weights(), rows() + 3, arch="standard",
     norm="layer_norm")
case("constant-norm", v6("topk", k=K, normalize_activations="constant_norm_rescale"), weights(), rows(), dtype="f16",
     arch="topk", norm="constant_norm_rescale")
