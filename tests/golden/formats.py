#!/usr/bin/env python3
"""formats.py - a small dictionary in every layout of the field, and what it makes of rows, in float64.

usage: formats.py OUT      writes OUT/CASE/..., OUT/CASE.want.safetensors and OUT/cases.tsv

Independent of the program.  The files follow the projects' own code (SAELens 6.54, sparsify 1.3,
dictionary_learning 0.1, llamascopium, OpenAI's sparse_autoencoder, e2e_sae, circuit-tracer 0.5): names,
keys, shapes, transposes, dtypes and containers.  The numbers are their formulas on the weights as stored.
Where a case has ties or meets a threshold exactly, all its numbers are multiples of small powers of two, so
that no order of summation can blur them; everywhere else every cut is checked to be wide, and rows are drawn
again until it is.  Among the rows are a row of zeros, a row of equal values and one on which nothing fires.

cases.tsv: name, what to open, options of encode or -, the file of what is wanted.
"""
import json, os, sys
import numpy as np
from formats_io import A, npz, one_storage, Parameter, safetensors, shards, state_dict, tensor, torch_save

OUT = sys.argv[1]
D, F, N, K = 12, 40, 10, 5
HOOK = "blocks.3.hook_resid_post"
cases = []
rng = None


class TooNear(Exception):
    """No draw of rows is clear of every cut: the weights must be drawn again."""


salt = {}
seeded = None


def seed(name):
    global rng, seeded
    seeded = name
    rng = np.random.default_rng([ord(c) for c in name] + [salt.get(name, 0)])


def path(*p):
    p = os.path.join(OUT, *p)
    os.makedirs(os.path.dirname(p), exist_ok=True)
    return p


def text(where, what):
    with open(path(*where), "w") as f:
        f.write(what if isinstance(what, str) else json.dumps(what, indent=2) + "\n")


# --- the functions: p [n,F] to f [n,F], and how far the nearest cut is from any p

def relu(p):
    return np.maximum(p, 0), np.abs(p)


def jump(threshold):
    def act(p):
        edge = np.abs(p - threshold)
        return np.maximum(p, 0) * (p > threshold), np.minimum(np.where(edge == 0, 9, edge), np.abs(p) + (p == 0))
    return act


def topk(k):
    def act(p):
        order = np.argsort(-p, axis=1, kind="stable")  # equal: the lower id first
        at = np.arange(len(p))
        last, first_out = p[at, order[:, k - 1]], p[at, order[:, k]]
        f = np.zeros_like(p)
        for i in at:
            f[i, order[i, :k]] = np.maximum(p[i, order[i, :k]], 0)
        gap = np.where((last == first_out) | (last < 0), 9, last - first_out)
        near = np.min(np.where(f > 0, f, 9), axis=1)
        return f, np.minimum(gap, near)[:, None]
    return act


def groupmax(k):
    def act(p):
        q = np.maximum(p, 0).reshape(len(p), k, -1)
        f = np.zeros_like(q)
        best = q.argmax(2)
        np.put_along_axis(f, best[:, :, None], q.max(2)[:, :, None], 2)
        two = np.sort(q, axis=2)[:, :, -2:]
        gap = two[:, :, 1] - two[:, :, 0]
        return f.reshape(p.shape), np.where(two[:, :, 1] == 0, 9, np.minimum(gap, two[:, :, 1])).min(1)[:, None]
    return act


def gated(r_mag, b_gate, b_mag):
    """p here is x W_enc, without bias."""
    def act(p):
        gate, mag = p + b_gate, p * np.exp(r_mag) + b_mag
        near = np.where(gate == 0, 9, np.abs(gate))
        return (gate > 0) * np.maximum(mag, 0), np.minimum(near, np.where(gate > 0, np.abs(mag), 9))
    return act


# --- the pipeline

def norm_in(x, how):
    if how == "constant":
        with np.errstate(divide="ignore", invalid="ignore"):
            c = np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
            return x * c, lambda y: y / c
    if how == "layer":
        mu = x.mean(1, keepdims=True)
        sd = (x - mu).std(1, ddof=1, keepdims=True)
        return (x - mu) / (sd + 1e-5), lambda y: y * sd + mu
    return x, lambda y: y


def run(x, w, act, subtract, norm="none", before=1.0, after=1.0, size=None, glu=None, skip=None, undo=True):
    """before: x times it; after: y over it; size: p times it under act, f over it after; skip reads x."""
    z, back = norm_in(x, norm)
    z = z * before - (w["b_dec"] if subtract else 0)
    p = z @ w["W_enc"] + w.get("b_enc", 0)
    if glu:
        p = p / (1 + np.exp(-(z @ glu[0] + glu[1])))
    f, near = act(p * size if size is not None else p)
    if size is not None:
        f = f / size
    return f, near, f, back, after, skip, undo


def decode(x, w, f, back, after=1.0, skip=None, undo=True, size=None):
    y = f if size is None else f / size
    y = y @ w["W_dec"] + w["b_dec"]
    y = back(y) if undo else y
    return y / after + (x @ skip if skip is not None else 0)


def pursue(x, w, threshold, most, stop_on_same):
    """SAELens' matching pursuit, one row at a time."""
    f, near = np.zeros((len(x), len(w["W_dec"]))), np.full(len(x), 9.0)
    for i, r in enumerate(x.copy()):
        before = None if not stop_on_same else np.zeros(f.shape[1], bool)
        for _ in range(most):
            p = np.maximum(r @ w["W_dec"].T, 0)
            best = p.argmax()
            two = np.sort(p)[-2:]
            if two[1] > 0:
                near[i] = min(near[i], two[1] - two[0])
            f[i, best] += p[best]
            r = r - p[best] * w["W_dec"][best]
            size = np.linalg.norm(r)
            now = f[i] != 0
            done = False
            if stop_on_same:
                done = (now == before).all()
                before = now
            if threshold > 0:
                near[i] = min(near[i], abs(size - threshold))
                done = done or size < threshold
            if done:
                break
    return f, 10 * near[:, None]  # gaps shrink with what is left, and so do errors


def rows(w=None, d=D, grid=None):
    x = rng.normal(size=(N, d)) * 2
    x[7] = 0
    x[8] = round(rng.uniform(0.5, 1) * 64) / 64
    if w is not None and "b_dec" in w and len(w["b_dec"]) == d:
        x[9] = w["b_dec"]
    return np.round(x * grid) / grid if grid else x


def weights(d=D, out=None, F=F, unit=False, grid=None, dtype="f32", scale=1.0):
    """Values, still to be stored; biases below 0, so that a centred row of zeros fires nothing."""
    out = out or d
    w = {"W_enc": rng.normal(size=(d, F)) * 0.4, "b_enc": -np.abs(rng.normal(size=F)) * 0.3 - 0.05,
         "W_dec": rng.normal(size=(F, out)), "b_dec": rng.normal(size=out) * 0.5}
    if unit == "halves":  # four halves a row: of norm 1 in any dtype
        w["W_dec"] = np.zeros((F, out))
        for row in w["W_dec"]:
            row[rng.choice(out, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    elif unit:
        w["W_dec"] /= np.linalg.norm(w["W_dec"], axis=1, keepdims=True)
    else:
        w["W_dec"] *= rng.uniform(0.5, 2, size=(F, 1)) / np.linalg.norm(w["W_dec"], axis=1, keepdims=True)
    if grid:
        w = {k: np.round(v * grid) / grid for k, v in w.items()}
        w["b_enc"] = np.minimum(w["b_enc"], -1 / grid)
    return {k: A(v, dtype) for k, v in w.items()}


def values(w):
    return {k: a.v for k, a in w.items()}


def want(name, opened, compute, draw, options="", x_dtype="f32"):
    """Draws rows until no cut is near, and writes what is wanted.  compute(x) -> f, near, y."""
    for attempt in range(300):
        x = A(draw(), x_dtype)
        f, near, y = compute(x.v)
        near = np.broadcast_to(near, f.shape)
        if np.all(near > 5e-4 * max(1.0, np.nanmax(np.abs(f)))):
            break
    else:
        raise TooNear(name)
    file = name + ".want.safetensors"
    safetensors(path(file), {"x": x, "acts": A(f), "recon": A(y)})
    cases.append((name, opened, options or "-", file))
    assert np.isfinite(f).all() and np.isfinite(y).all(), name
    on = (f != 0).sum(1)
    print("%-36s active %s" % (name, on))
    assert on.max() > 1 and on.min() == 0 or "pursuit" in name, name


def simple(name, opened, w, act, subtract, draw=None, options="", x_dtype="f32", size=None, f_times_size=False, **how):
    """The usual pipeline.  f_times_size: the activation itself carries the decoder's norm (SAELens' rescale)."""
    glu, skip = how.pop("glu", None), how.get("skip")
    norm, before = how.get("norm", "none"), how.get("before", 1.0)

    def compute(x):
        z, back = norm_in(x, norm)
        z = z * before - (w["b_dec"] if subtract else 0)
        p = z @ w["W_enc"] + w.get("b_enc", 0)
        if glu:
            p = p / (1 + np.exp(-(z @ glu[0] + glu[1])))
        f, near = act(p if size is None else p * size)
        if size is not None and not f_times_size:
            f = f / size
        y = decode(x, w, f, back, how.get("after", 1.0), skip, how.get("undo", True), size if f_times_size else None)
        return f, near, y

    want(name, opened, compute, draw or (lambda: rows(w if subtract else None, w["W_enc"].shape[0])), options, x_dtype)


def ties(w, x, subtract):
    """Copies of the encoder column at the k-th place of each row: below it, above it in id."""
    for i in range(6):
        p = (x[i] - (w["b_dec"].v if subtract else 0)) @ w["W_enc"].v + w["b_enc"].v
        kth = np.argsort(-p, kind="stable")[K - 1]
        for j in ((3 + 5 * i) % F, (F - 1 - 6 * i) % F):
            for k in ("W_enc", "b_enc"):
                w[k].bits[..., j] = w[k].bits[..., kth]
                w[k].v[..., j] = w[k].v[..., kth]
    again = (x - (w["b_dec"].v if subtract else 0)) @ w["W_enc"].v + w["b_enc"].v
    s = -np.sort(-again, axis=1)
    assert (s[:, K - 1] == s[:, K]).sum() >= 3, "no ties left"


def met(w, x, subtract, every=3, dtype="f32"):
    """Thresholds, a third of them met exactly by a row."""
    p = (x - (w["b_dec"].v if subtract else 0)) @ w["W_enc"].v + w["b_enc"].v
    t = np.abs(rng.normal(size=p.shape[1])) * 0.5
    for f in range(0, len(t), every):
        i = np.argmax(p[:, f])
        t[f] = p[i, f] if p[i, f] > 0 else t[f]
    t = A(t, dtype)
    assert (p == t.v).sum() >= 5
    return t


# --- SAELens

def v6(arch, d=D, f=F, hook=HOOK, dtype="float32", **more):
    return {**{"d_in": d, "d_sae": f, "dtype": dtype, "device": "cpu", "apply_b_dec_to_input": True,
               "normalize_activations": "none", "reshape_activations": "none",
               "metadata": {"sae_lens_version": "6.18.0", "sae_lens_training_version": "6.18.0", "model_name": "made-up",
                            "hook_name": hook, "hook_head_index": None, "model_class_name": "HookedTransformer",
                            "model_from_pretrained_kwargs": {}, "prepend_bos": False, "context_size": 128,
                            "dataset_path": "made/up", "exclude_special_tokens": False},
               "architecture": arch}, **more}


def saelens(name, cfg, w, sparsity=False):
    text((name, "cfg.json"), cfg)
    safetensors(path(name, "sae_weights.safetensors"), w, {"format": "pt"})
    if sparsity:
        safetensors(path(name, "sparsity.safetensors"), {"sparsity": A(rng.uniform(-10, -1, F))})
    return values(w)


def saelens_cases():
    name = "saelens-standard"
    seed(name)
    w = saelens(name, v6("standard"), weights(), sparsity=True)
    simple(name, name, w, relu, True)

    name = "saelens-standard-f64"
    seed(name)
    w = saelens(name, v6("standard", dtype="float64", apply_b_dec_to_input=False), weights(dtype="f64"))
    simple(name, name, w, relu, False)

    name = "saelens-topk"
    seed(name)
    w = weights(grid=32)
    x = rows({"b_dec": w["b_dec"].v}, grid=8)
    ties(w, x, True)
    w = saelens(name, v6("topk", k=K, rescale_acts_by_decoder_norm=False), w)
    simple(name, name, w, topk(K), True, lambda: x)

    name = "saelens-topk-rescaled"
    seed(name)
    w = saelens(name, v6("topk", dtype="torch.bfloat16", k=K, rescale_acts_by_decoder_norm=True), weights(dtype="bf16"))
    simple(name, name, w, topk(K), True, size=np.linalg.norm(w["W_dec"], axis=1), f_times_size=True, x_dtype="bf16")

    name = "saelens-jumprelu"
    seed(name)
    w = weights(grid=32, dtype="f16")
    x = rows({"b_dec": w["b_dec"].v}, grid=8)
    w["threshold"] = met(w, x, True, dtype="f32")
    w = saelens(name, v6("jumprelu"), w)
    simple(name, name, w, jump(w["threshold"]), True, lambda: x)

    # checkpoints of a training: not yet made JumpReLU, their threshold is one number and norms are not folded
    for name, arch, rescale in (("saelens-batchtopk", "batchtopk", True), ("saelens-matryoshka", "matryoshka_batchtopk", False)):
        seed(name)
        w = {**weights(), "topk_threshold": A(0.4)}
        w = saelens(name, v6(arch, k=K, rescale_acts_by_decoder_norm=rescale), w)
        size = np.linalg.norm(w["W_dec"], axis=1) if rescale else None
        simple(name, name, w, jump(w["topk_threshold"]), True, size=size, f_times_size=rescale)

    name = "saelens-gated"
    seed(name)
    w = weights(grid=32)
    x = rows({"b_dec": w["b_dec"].v}, grid=8)
    b = w.pop("b_enc")
    p = (x - w["b_dec"].v) @ w["W_enc"].v
    gate = b.v.copy()
    for f in range(0, F, 4):  # gates of exactly 0: closed
        gate[f] = -p[np.argmax(p[:, f]), f]
    w.update(b_gate=A(gate), b_mag=A(rng.normal(size=F) * 0.2 - 0.1), r_mag=A(rng.normal(size=F) * 0.3))
    w = saelens(name, v6("gated"), w)
    for attempt in range(500):
        act = gated(w["r_mag"], w["b_gate"], w["b_mag"])
        if np.all(act(p)[1] > 2e-3 * act(p)[0].max()):
            break
        b_mag = A(rng.normal(size=F) * 0.2 - 0.1)
        safetensors(path(name, "sae_weights.safetensors"), {**{k: A(v) for k, v in w.items()}, "b_mag": b_mag})
        w["b_mag"] = b_mag.v
    simple(name, name, w, gated(w["r_mag"], w["b_gate"], w["b_mag"]), True, lambda: x)

    def trans(arch, out=8, **extra):
        name = "saelens-" + arch.replace("_", "-")
        seed(name)
        w = weights(out=out)
        if "jumprelu" in arch:
            w["threshold"] = A(rng.uniform(0.1, 1, F))
        if "skip" in arch:
            w["W_skip"] = A(rng.normal(size=(out, D)) * 0.3)
        cfg = v6(arch, apply_b_dec_to_input=False, d_out=out, hook="blocks.3.hook_mlp_in", **extra)
        cfg["metadata"]["hook_name_out"] = "blocks.3.hook_mlp_out"
        w = saelens(name, cfg, w)
        simple(name, name, w, jump(w["threshold"]) if "threshold" in w else relu, False,
               skip=w["W_skip"].T if "W_skip" in w else None)

    for arch in ("transcoder", "jumprelu_transcoder", "skip_transcoder", "jumprelu_skip_transcoder"):
        trans(arch)

    for name, norm, arch in (("saelens-layer-norm", "layer", "standard"), ("saelens-constant-norm", "constant", "topk"),
                             ("saelens-layer-norm-jumprelu", "layer", "jumprelu")):
        seed(name)
        w = weights()
        if arch == "jumprelu":
            w["threshold"] = A(rng.uniform(0.1, 0.6, F))
        cfg = v6(arch, normalize_activations={"layer": "layer_norm", "constant": "constant_norm_rescale"}[norm])
        if arch == "topk":
            cfg["k"] = K
        w = saelens(name, cfg, w)

        def draw():
            x = rows(w) + 3
            x[7] = 3.25 if norm == "layer" else x[7]
            # on b_dec times anything nothing fires
            x[9] = w["b_dec"] * (np.sqrt(D) / np.linalg.norm(w["b_dec"]) if norm == "layer" else 2.5)
            return x

        if norm == "constant":  # so that b_dec scaled to norm sqrt(d) is b_dec
            w0 = {k: A(v) for k, v in w.items()}
            w0["b_dec"] = A(w["b_dec"] * np.sqrt(D) / np.linalg.norm(w["b_dec"]))
            w = saelens(name, cfg, w0)
        else:  # the row of equal values becomes zeros; less b_dec it must fire nothing
            w0 = {k: A(v) for k, v in w.items()}
            quiet = np.minimum(w["b_enc"], w["b_dec"] @ w["W_enc"] - 0.05)
            w0["b_enc"] = A(quiet)
            w = saelens(name, cfg, w0)
        act = {"standard": relu, "topk": topk(K), "jumprelu": jump(w.get("threshold"))}[arch]
        simple(name, name, w, act, True, draw, norm=norm)

    name = "saelens-expected-average"
    seed(name)
    w = saelens(name, v6("jumprelu", normalize_activations="expected_average_only_in"),
                {**weights(), "threshold": A(rng.uniform(0.1, 0.6, F))})
    simple(name, name, w, jump(w["threshold"]), True)
    s = 0.375
    folded = {**w, "W_enc": w["W_enc"] * s, "W_dec": w["W_dec"] / s, "b_dec": w["b_dec"] / s}
    simple(name + "-scaled", name, folded, jump(w["threshold"]), True, options="--norm-scale 0.375")

    name = "saelens-hook-z"
    seed(name)
    w = saelens(name, v6("standard", hook="blocks.3.attn.hook_z", reshape_activations="hook_z"), weights())
    simple(name, name, w, relu, True)

    pursuit("saelens-matching-pursuit", {"residual_threshold": 1.5, "max_iterations": None, "stop_on_duplicate_support": True})
    pursuit("saelens-matching-pursuit-few", {"residual_threshold": 0.0, "max_iterations": 4, "stop_on_duplicate_support": False},
            subtract=False)
    pursuit("saelens-matching-pursuit-default", {})
    pursuit("saelens-matching-pursuit-scaled", {"residual_threshold": 1.5}, scale=0.5,
            normalize_activations="expected_average_only_in")

    name = "saelens-shards"
    seed(name)
    w = weights()
    text((name, "cfg.json"), v6("topk", k=K))
    shards(path(name), "sae_weights", [{"W_enc": w["W_enc"], "b_dec": w["b_dec"]}, {"W_dec": w["W_dec"], "b_enc": w["b_enc"]}])
    simple(name, name, values(w), topk(K), True)


def pursuit(name, cfg, subtract=True, scale=1.0, **more):
    seed(name)
    w = {k: a for k, a in weights(unit=True).items() if k in ("W_dec", "b_dec")}
    w = saelens(name, v6("matching_pursuit", apply_b_dec_to_input=subtract, **{**cfg, **more}), w)
    w = {"W_dec": w["W_dec"], "b_dec": w["b_dec"] / scale}
    most = cfg.get("max_iterations") or D

    def compute(x):
        f, near = pursue(x - w["b_dec"] if subtract else x, w, cfg.get("residual_threshold", 1e-2) / scale, most,
                         cfg.get("stop_on_duplicate_support", True))
        # a tied dictionary gives the bias back only where it took it
        return f, near, f @ w["W_dec"] + (w["b_dec"] if subtract else 0)

    def draw():
        x = rows(w)
        if cfg.get("residual_threshold", 1) > 0:  # one direction alone: the pursuit ends early
            x[0] = (3 * w["W_dec"][5]) + (w["b_dec"] if subtract else 0)
        return x

    want(name, name, compute, draw, "--norm-scale %g" % scale if scale != 1 else "")


def flat_cases():
    base = {"model_name": "made-up", "hook_point": HOOK, "hook_point_layer": 3, "hook_point_head_index": None, "d_in": D,
            "d_sae": F, "dtype": "torch.float32", "device": "cuda", "context_size": 128, "expansion_factor": 4,
            "dataset_path": "made/up", "lr": 0.0004, "l1_coefficient": 0.00008, "checkpoint_path": "checkpoints/abc"}

    name = "saelens-flat"
    seed(name)
    w = saelens(name, {**base, "normalize_activations": None, "prepend_bos": True},
                {**weights(), "scaling_factor": A(np.ones(F))})
    simple(name, name, w, relu, True)

    name = "saelens-flat-topk"
    seed(name)
    w = saelens(name, {**base, "architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K},
                       "apply_b_dec_to_input": False, "normalize_activations": "none"}, weights(dtype="f16"))
    simple(name, name, w, topk(K), False, x_dtype="f16")

    name = "saelens-flat-topk-named"
    seed(name)
    w = saelens(name, {**base, "hook_name": HOOK, "hook_layer": 3, "architecture": "standard", "activation_fn": "topk",
                       "activation_fn_kwargs": {"k": K, "signed": False}, "normalize_activations": False}, weights())
    simple(name, name, w, topk(K), True)

    name = "saelens-flat-normalised"
    seed(name)
    w = saelens(name, {**base, "normalize_activations": True}, weights())
    simple(name, name, w, relu, True)
    s = 2.5
    folded = {**w, "W_enc": w["W_enc"] * s, "W_dec": w["W_dec"] / s, "b_dec": w["b_dec"] / s}
    simple(name + "-scaled", name, folded, relu, True, options="--norm-scale 2.5")

    name = "saelens-flat-gated"
    seed(name)
    w = weights()
    b = w.pop("b_enc")
    w.update(b_gate=b, b_mag=A(-np.abs(rng.normal(size=F)) * 0.1), r_mag=A(rng.normal(size=F) * 0.3))
    w = saelens(name, {**base, "architecture": "gated", "hook_point": "blocks.3.attn.hook_z"}, w)
    simple(name, name, w, gated(w["r_mag"], w["b_gate"], w["b_mag"]), True)


# --- Gemma Scope

def gemma_cases():
    for name, folder, compressed in (("gemma-scope", "gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71", False),
                                     ("gemma-scope-deflated", "gemma-scope-9b-pt-att/layer_9/width_16k/average_l0_25", True)):
        seed(name)
        w = weights(grid=32, unit=False)
        x = rows(grid=8)
        w["threshold"] = met(w, x, False)
        w["W_dec"].order = "F" if compressed else "C"
        npz(path(name, folder, "params.npz"), w, compressed)
        w = values(w)
        simple(name, name + "/" + folder, w, jump(w["threshold"]), False, lambda: x)

    name, folder = "gemma-scope-embedding", "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6"
    seed(name)
    w = {**weights(d=16), "threshold": A(rng.uniform(0.05, 0.3, F))}
    npz(path(name, folder, "params.npz"), w)
    w = values(w)
    w["W_enc"], w["W_dec"] = w["W_enc"] / 4, w["W_dec"] * 4  # the root of d
    simple(name, name + "/" + folder, w, jump(w["threshold"]), False)

    name, folder = "gemma-scope-transcoder", "gemma-scope-2b-pt-transcoders/layer_5/width_16k/average_l0_41"
    seed(name)
    w = {**weights(), "threshold": A(rng.uniform(0.1, 0.6, F))}
    npz(path(name, folder, "params.npz"), {k.lower() if k[0] == "W" else k: a for k, a in w.items()})
    w = values(w)
    simple(name, name + "/" + folder, w, jump(w["threshold"]), False)

    def second(name, folder, cfg, affine=False, out=None):
        seed(name)
        w = {**weights(out=out), "threshold": A(rng.uniform(0.1, 0.6, F))}
        stored = {k.lower(): a for k, a in w.items()}
        if affine:
            stored["affine_skip_connection"] = A(rng.normal(size=(D, out or D)) * 0.3)
        safetensors(path(name, folder, "params.safetensors"), stored)
        if cfg:
            text((name, folder, "config.json"), cfg)
        w = values(w)
        simple(name, name + "/" + folder, w, jump(w["threshold"]), False,
               skip=stored["affine_skip_connection"].v if affine else None)

    second("gemma-scope-2", "gemma-scope-2-1b-pt/resid_post/layer_13_width_16k_l0_medium",
           {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "hf_hook_point_in": "model.layers.13.output",
            "width": F, "l0": 53, "type": "sae"})
    second("gemma-scope-2-bare", "gemma-scope-2-4b-it/attn_out/layer_9_width_16k_l0_small", None)
    second("gemma-scope-2-affine", "gemma-scope-2-1b-pt/transcoder/layer_7_width_16k_l0_small_affine",
           {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "affine_connection": True,
            "hf_hook_point_in": "model.layers.7.pre_feedforward_layernorm.output",
            "hf_hook_point_out": "model.layers.7.post_feedforward_layernorm.output"}, affine=True)

    name, folder = "gemma-scope-2-clt", "gemma-scope-2-1b-pt/clt/width_16k_l0_small_affine"
    seed(name)
    w = {**weights(), "threshold": A(rng.uniform(0.1, 0.6, F))}
    stored = {k.lower(): a for k, a in w.items()}
    stored["w_dec"] = A(rng.normal(size=(F, 3, D)) * 0.3)
    stored["affine_skip_connection"] = A(rng.normal(size=(D, D)) * 0.3)
    safetensors(path(name, folder, "layer_4.safetensors"), stored)
    w = {**values(w), "W_dec": stored["w_dec"].v.sum(1)}
    simple(name, name + "/" + folder + "/layer_4.safetensors", w, jump(w["threshold"]), False,
           skip=stored["affine_skip_connection"].v)


# --- Llama Scope and llamascopium

def linear(w, names=("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"), order="C"):
    """torch's Linear: weight [out, in]."""
    enc, be, dec, bd = names
    a = {enc: A(w["W_enc"].v.T, w["W_enc"].dtype, order)}
    if be:
        a[be] = w["b_enc"]
    a[dec] = A(w["W_dec"].v.T, w["W_dec"].dtype)
    if bd:
        a[bd] = w["b_dec"]
    return a


def llama_cases():
    d, average = 16, 6.3125
    s = np.sqrt(d) / average
    name, folder = "llama-scope", "Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L8R-8x"
    seed(name)
    w = weights(d=d, unit="halves", dtype="bf16")
    text((name, folder, "hyperparams.json"),
         {"use_decoder_bias": True, "apply_decoder_bias_to_pre_encoder": False, "expansion_factor": 2.5, "d_model": d,
          "d_sae": F, "act_fn": "jumprelu", "jump_relu_threshold": 0.40234375, "hook_point_in": "blocks.8.hook_resid_post",
          "hook_point_out": "blocks.8.hook_resid_post", "norm_activation": "dataset-wise", "top_k": 50,
          "dataset_average_activation_norm": {"in": average, "out": average}, "sparsity_include_decoder_norm": True,
          "dtype": "torch.bfloat16", "use_glu_encoder": False})
    safetensors(path(name, folder, "checkpoints/final.safetensors"), linear(w))
    # the threshold is in units of the raw residual, the rest in units of norm sqrt(d)
    simple(name, name + "/" + folder, values(w), jump(0.40234375 * s), False, before=s, after=s)

    name, folder = "llama-scope-r1", "Llama-Scope-R1-Distill/400M-Slimpajama-400M-OpenR1-Math-220k/L8R"
    seed(name)
    w = weights(d=d, unit="halves")
    log_t = A(np.log(rng.uniform(0.2, 1, F)))
    hook = "blocks.8.hook_resid_post"
    text((name, folder, "config.json"),
         {"sae_type": "sae", "d_model": d, "expansion_factor": 2.5, "act_fn": "jumprelu", "norm_activation": "dataset-wise",
          "sparsity_include_decoder_norm": True, "use_decoder_bias": True, "use_glu_encoder": False, "top_k": 50,
          "hook_point_in": hook, "hook_point_out": hook, "dtype": "torch.float32"})
    safetensors(path(name, folder, "sae_weights.safetensors"),
                {**linear(w), "log_jumprelu_threshold": log_t, "dataset_average_activation_norm." + hook: A(average)})
    simple(name, name + "/" + folder, values(w), jump(np.exp(log_t.v)), False, before=s, after=s)

    def native(name, act_fn, norm="dataset-wise", glu=False, include=True, out_hook=None, bias=True):
        seed(name)
        w = weights(d=d)
        a = {"W_E": w["W_enc"], "b_E": w["b_enc"], "W_D": w["W_dec"], "b_D": w["b_dec"]}
        if not bias:
            a.pop("b_D")
            w["b_dec"] = A(np.zeros(d))
        if glu:
            a.update(W_E_glu=A(rng.normal(size=(d, F)) * 0.5), b_E_glu=A(rng.normal(size=F) * 0.3))
        act = relu
        if act_fn == "jumprelu":
            a["activation_function.log_jumprelu_threshold"] = A(np.log(rng.uniform(0.2, 1, F)))
            act = jump(np.exp(a["activation_function.log_jumprelu_threshold"].v))
        elif act_fn == "topk":
            act = topk(K)
        out_hook = out_hook or HOOK
        average = {HOOK: 7.5, out_hook: 7.5 if out_hook == HOOK else 2.5}
        for h, v in average.items():
            a["dataset_average_activation_norm." + h] = A(v)
        text((name, "config.json"),
             {"device": "cpu", "dtype": "torch.float32", "sae_type": "sae", "d_model": d, "expansion_factor": 2.5,
              "use_decoder_bias": bias, "act_fn": act_fn, "norm_activation": norm, "sparsity_include_decoder_norm": include,
              "top_k": K, "use_triton_kernel": False, "sparsity_threshold_for_triton_spmm_kernel": 0.996,
              "jumprelu_threshold_window": 2.0, "hook_point_in": HOOK, "hook_point_out": out_hook, "use_glu_encoder": glu})
        safetensors(path(name, "sae_weights.safetensors"), a, {"version": "2.0.0"})
        w = values(w)
        root = np.sqrt(d)
        simple(name, name, w, act, False, size=np.linalg.norm(w["W_dec"], axis=1) if include else None,
               before=root / average[HOOK] if norm == "dataset-wise" else 1.0,
               after=root / average[out_hook] if norm == "dataset-wise" else 1.0,
               norm="constant" if norm == "token-wise" else "none",
               glu=(a["W_E_glu"].v, a["b_E_glu"].v) if glu else None,
               draw=(lambda: np.where(rows() == 0, 0.5, rows())) if norm == "token-wise" else None)

    native("llamascopium-topk", "topk")
    native("llamascopium-jumprelu", "jumprelu", norm="inference")
    native("llamascopium-plain", "jumprelu", include=False)
    native("llamascopium-glu", "relu", glu=True, bias=False)
    native("llamascopium-transcoder", "jumprelu", out_hook="blocks.3.hook_mlp_out")


# --- sparsify

def sparsify_cases():
    def one(name, cfg, dtype="f32", folder="layers.10", act=None, f=F):
        seed(name)
        w = weights(dtype=dtype, F=f)
        a = {"W_dec": w["W_dec"], "b_dec": w["b_dec"], "encoder.bias": w["b_enc"], "encoder.weight": A(w["W_enc"].v.T, dtype)}
        if cfg.get("skip_connection"):
            a["W_skip"] = A(rng.normal(size=(D, D)) * 0.3, dtype)
        text((name, folder, "cfg.json"), {"expansion_factor": 32, "normalize_decoder": True, "num_latents": f, "k": K,
                                          "multi_topk": False, "skip_connection": False, **cfg, "d_in": D})
        text((name, "config.json"), {"sae": {"k": K}, "batch_size": 8, "model": "made/up-1B", "dataset": "made/up", "ctx_len": 2048,
                                     "hookpoints": [folder], "layers": [10]})
        safetensors(path(name, folder, "sae.safetensors"), a, {"format": "pt"})
        simple(name, name + "/" + folder, values(w), act or topk(K), not cfg.get("transcode", False),
               skip=a["W_skip"].v.T if "W_skip" in a else None)

    one("sparsify", {"activation": "topk", "transcode": False}, dtype="bf16", folder="layers.10")
    one("sparsify-old", {"signed": False, "num_latents": 0, "expansion_factor": 4}, folder="layers.3.mlp", f=4 * D)
    one("sparsify-groupmax", {"activation": "groupmax", "transcode": False}, act=groupmax(K))
    one("sparsify-skip", {"activation": "topk", "transcode": False, "skip_connection": True})
    one("sparsify-transcode", {"activation": "topk", "transcode": True, "skip_connection": True}, folder="layers.9.mlp")


# --- torch files

def openai_cases():
    def one(name, where, activation, k=None):
        seed(name)
        w = weights()
        if k:  # zeros and equal values are zeros after the layer norm: they shall fire nothing
            w["b_enc"] = A(np.minimum(w["b_enc"].v, w["b_dec"].v @ w["W_enc"].v - 0.05))
        d = {"pre_bias": w["b_dec"], "latent_bias": w["b_enc"], "stats_last_nonzero": A(rng.integers(0, 9, F), "i64"),
             "latents_activation_frequency": A(rng.integers(0, 999, F), "i64"), "latents_mean_square": A(rng.uniform(size=F)),
             "encoder.weight": A(w["W_enc"].v.T), "decoder.weight": A(w["W_dec"].v.T, order="F")}
        d["activation"] = activation
        d["activation_state_dict"] = {"k": k, "postact_fn": "ReLU"} if k else {}
        d = state_dict(d)
        if not k:
            d["activation_state_dict"] = state_dict({})
        torch_save(path(name, where), d)
        w = values(w)
        simple(name, name + "/" + where, w, topk(k) if k else relu, True, norm="layer" if k else "none")

    one("openai-relu", "resid_delta_mlp_v4/autoencoders/6.pt", "ReLU")
    one("openai-topk", "resid_post_mlp_v5_32k/autoencoders/6.pt", "TopK", K)


def learning_cases():
    def config(name, cls, trainer, **more):
        text((name, "config.json"),
             {"trainer": {"dict_class": cls, "trainer_class": trainer, "activation_dim": D, "dict_size": F, "lr": 0.0001,
                          "steps": 1000, "seed": 0, "device": "cuda:0", "layer": 3, "lm_name": "made/up-70m",
                          "wandb_name": cls, "submodule_name": "resid_post_layer_3", **more},
              "buffer": {"d_submodule": D, "io": "out", "n_ctxs": 30000, "ctx_len": 128, "refresh_batch_size": 64,
                         "out_batch_size": 2048, "device": "cuda:0"}})

    name = "dl-autoencoder"  # its encoder is made by a transpose, and stays strided in the file
    seed(name)
    w = weights(unit=True)
    config(name, "AutoEncoder", "StandardTrainer", l1_penalty=0.1)
    torch_save(path(name, "ae.pt"), state_dict({"bias": w["b_dec"], **linear(w, order="F", names=(
        "encoder.weight", "encoder.bias", "decoder.weight", None))}))
    simple(name, name, values(w), relu, True)

    name = "dl-autoencoder-free"  # its decoder was left free: from_pretrained makes it unit, and scales the encoder
    seed(name)
    w = weights()
    config(name, "AutoEncoder", "StandardTrainerAprilUpdate", l1_penalty=0.1)
    torch_save(path(name, "ae.pt"), state_dict({"bias": w["b_dec"], **linear(w, order="F", names=(
        "encoder.weight", "encoder.bias", "decoder.weight", None))}))
    v = values(w)
    simple(name, name, v, relu, True, size=np.linalg.norm(v["W_dec"], axis=1), f_times_size=True)

    name = "dl-autoencoder-new"
    seed(name)
    w = weights(unit=True)
    config(name, "AutoEncoderNew", "StandardTrainerAprilUpdate", l1_penalty=0.1)
    torch_save(path(name, "ae.pt"), state_dict(linear(w, order="F")))
    simple(name, name, values(w), relu, False)

    name = "dl-gated"
    seed(name)
    w = weights()
    r, mag = A(rng.normal(size=F) * 0.3), A(-np.abs(rng.normal(size=F)) * 0.1)
    config(name, "GatedAutoEncoder", "GatedSAETrainer", l1_penalty=0.1)
    torch_save(path(name, "ae.pt"), state_dict({
        "decoder_bias": w["b_dec"], "r_mag": r, "gate_bias": w["b_enc"], "mag_bias": mag,
        **linear(w, names=("encoder.weight", None, "decoder.weight", None), order="F")}))
    v = values(w)
    act = gated(r.v, v.pop("b_enc"), mag.v)
    simple(name, name, v, act, True)

    name = "dl-jumprelu"
    seed(name)
    w = weights(grid=32)
    x = rows(grid=8)
    t = met(w, x, False)
    w["W_enc"].order = "F"
    config(name, "JumpReluAutoEncoder", "JumpReluTrainer", bandwidth=0.001, target_l0=20.0)
    torch_save(path(name, "ae.pt"), state_dict({**w, "threshold": t}))
    simple(name, name, values(w), jump(t.v), False, lambda: x)

    name = "dl-topk"
    seed(name)
    w = weights(unit=True)
    config(name, "AutoEncoderTopK", "TopKTrainer", k=K, auxk_alpha=0.03125)
    torch_save(path(name, "ae.pt"), state_dict({"b_dec": w["b_dec"], "k": A(K, "i32"), "threshold": A(0.75), **linear(
        w, names=("encoder.weight", "encoder.bias", "decoder.weight", None), order="F")}))
    simple(name, name, values(w), topk(K), True)

    name = "dl-batch-topk"
    seed(name)
    w = weights(unit=True)
    config(name, "BatchTopKSAE", "BatchTopKTrainer", k=K, auxk_alpha=0.03125)
    torch_save(path(name, "ae.pt"), state_dict({"b_dec": w["b_dec"], "k": A(K, "i32"), "threshold": A(0.75), **linear(
        w, names=("encoder.weight", "encoder.bias", "decoder.weight", None), order="F")}))
    simple(name, name, values(w), jump(0.75), True)

    name = "dl-matryoshka"
    seed(name)
    w = weights(unit=True)
    w["W_dec"].order = w["W_enc"].order = "F"
    config(name, "MatryoshkaBatchTopKSAE", "MatryoshkaBatchTopKTrainer", k=K, group_fractions=[0.25, 0.25, 0.5])
    torch_save(path(name, "ae.pt"), state_dict({**w, "k": A(K, "i32"), "threshold": A(0.5), "group_sizes": A([10, 10, 20], "i64")}))
    simple(name, name, values(w), jump(0.5), True)


def other_cases():
    name = "connor-rob"
    seed(name)
    w = weights()
    file = "gpt2-small_L5_Hcat_z_lr1.20e-03_l11.20e+00_ds24576_bs4096_dc1.00e-05_rsanthropic_rie25000_nr4_v9"
    torch_save(path(name, file + ".pt"), {k: t for k, t in one_storage(w).items()})
    text((name, file + "_cfg.json"), {"seed": 49, "batch_size": 4096, "buffer_mult": 384, "lr": 0.0012, "l1_coeff": 1.2,
                                      "act_size": D, "dict_size": F, "act_name": "blocks.5.attn.hook_z", "site": "z", "layer": 5,
                                      "seq_len": 128, "enc_dtype": "fp32", "model_name": "gpt2-small", "head": "cat"})
    simple(name, name + "/" + file + ".pt", values(w), relu, True)

    name = "deepseek-r1"
    seed(name)
    w = weights(dtype="bf16")
    torch_save(path(name, "DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt"), state_dict(linear(w)))
    simple(name, name + "/DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt", values(w), relu, False)

    name = "goodfire"
    seed(name)
    w = weights(dtype="bf16")
    names = ("encoder_linear.weight", "encoder_linear.bias", "decoder_linear.weight", "decoder_linear.bias")
    torch_save(path(name, "Llama-3.1-8B-Instruct-SAE-l19.pth"), state_dict(linear(w, names)))
    simple(name, name + "/Llama-3.1-8B-Instruct-SAE-l19.pth", values(w), relu, False)

    name = "mwhanna"
    seed(name)
    w = weights()
    safetensors(path(name, "layer_3.safetensors"), {"W_enc": A(w["W_enc"].v.T), "W_dec": w["W_dec"], "b_enc": w["b_enc"],
                                                    "b_dec": w["b_dec"]})
    text((name, "config.yaml"), "model_name: \"Qwen/Qwen3-0.6B\"\nmodel_kind: transcoder_set\nfeature_input_hook: mlp.hook_in\n"
         "feature_output_hook: hook_mlp_out\n")
    text((name, "wandb-config.yaml"), "d_model:\n    value: %d\nd_feature:\n    value: %d\nbatch_size:\n    value: 4096\n" % (D, F))
    simple(name, name + "/layer_3.safetensors", values(w), relu, False)

    name = "circuit-tracer"
    seed(name)
    w = weights(dtype="bf16")
    t, skip = A(rng.uniform(0.1, 0.6, F), "bf16"), A(rng.normal(size=(D, D)) * 0.3, "bf16")
    safetensors(path(name, "layer_7.safetensors"),
                {"W_enc": A(w["W_enc"].v.T, "bf16"), "W_dec": w["W_dec"], "b_enc": w["b_enc"], "b_dec": w["b_dec"],
                 "activation_function.threshold": t, "W_skip": skip})
    simple(name, name + "/layer_7.safetensors", values(w), jump(t.v), False, skip=skip.v.T)

    name = "mntss-clt"
    seed(name)
    w = weights()
    dec = A(rng.normal(size=(F, 4, D)) * 0.3)
    safetensors(path(name, "W_enc_2.safetensors"), {"W_enc_2": A(w["W_enc"].v.T), "b_enc_2": w["b_enc"], "b_dec_2": w["b_dec"]})
    safetensors(path(name, "W_dec_2.safetensors"), {"W_dec_2": dec})
    text((name, "config.yaml"), "model_name: \"made/up-1B\"\nmodel_kind: cross_layer_transcoder\n"
         "feature_input_hook: hook_resid_mid\nfeature_output_hook: hook_mlp_out\n")
    simple(name, name + "/W_enc_2.safetensors", {**values(w), "W_dec": dec.v.sum(1)}, relu, False)

    name = "e2e-sae"  # the decoder's columns are made unit when it is used
    seed(name)
    w = weights()
    site = "blocks-6-hook_resid_pre."
    torch_save(path(name, "samples_400000.pt"),
               state_dict({site + k: a for k, a in linear(w, ("encoder.0.weight", "encoder.0.bias", "decoder.weight",
                                                              "decoder.bias")).items()}))
    v = values(w)
    v["W_dec"] = v["W_dec"] / np.linalg.norm(v["W_dec"], axis=1, keepdims=True)
    simple(name, name + "/samples_400000.pt", v, relu, False)
    torch_save(path(name + "-one", "sae.pt"),
               state_dict(linear(w, ("encoder.0.weight", "encoder.0.bias", "decoder.weight", "decoder.bias"))))
    simple(name + "-one", name + "-one/sae.pt", v, relu, False)

    name = "tinymodel"
    seed(name)
    w = weights()
    torch_save(path(name, "M1.pt"), {k: Parameter(tensor(a)) for k, a in linear(w).items()})
    simple(name, name + "/M1.pt", values(w), relu, False)


for group in (saelens_cases, flat_cases, gemma_cases, llama_cases, sparsify_cases, openai_cases, learning_cases, other_cases):
    done = len(cases)
    while True:
        try:
            group()
            break
        except TooNear as e:
            del cases[done:]
            salt[seeded] = salt.get(seeded, 0) + 1
            print("again, for", e)
            if salt[seeded] > 40:
                raise
with open(path("cases.tsv"), "w") as f:
    f.writelines("\t".join(c) + "\n" for c in cases)
print(len(cases), "cases")
