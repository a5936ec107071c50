#!/usr/bin/env python3
"""What SAELens itself makes of the sample atlas, and dictionaries that SAELens wrote.

    make.py SAMPLE.atlas        (in a virtual environment with sae-lens)

sample/io.safetensors: inputs `x` [n, d], activations `acts` [n, F] and reconstruction `recon` [n, d], f32, of
the atlas's dictionary loaded with SAE.load_from_disk.  The other folders hold small dictionaries
written by save_model, each with its io.safetensors.  tests/unit/test_saelens.c holds featlas to them.
"""
import pathlib
import sys

import numpy as np
import sae_lens
import torch
from sae_lens import (JumpReLUSAE, JumpReLUSAEConfig, SAE, StandardSAE, StandardSAEConfig, TopKSAE, TopKSAEConfig)
from safetensors.numpy import load_file, save_file

here = pathlib.Path(__file__).parent


def store(name, sae, x):
    with torch.no_grad():
        acts = sae.encode(torch.from_numpy(x))
        recon = sae.decode(acts)
    meta = {"sae_lens": sae_lens.__version__, "torch": torch.__version__, "class": type(sae).__name__}
    save_file({"x": x, "acts": acts.numpy(), "recon": recon.numpy()}, here / name / "io.safetensors", metadata=meta)
    print(name, meta, "active a row:", (acts > 0).sum(1).tolist())


def sample(folder, rng, n=24):
    """Rows near where the dictionary lives: its mean, a few of its directions, and noise.

    Features 440 to 463 are near 48 to 71; a tie may fall either way, so a row that would activate
    them is not taken.
    """
    w = load_file(folder / "sae_weights.safetensors")
    x = w["b_dec"] + rng.normal(0, 0.3, (n, w["b_dec"].shape[0]))
    sae = SAE.load_from_disk(str(folder), device="cpu")
    for row in x:
        start = row.copy()
        while True:
            row[:] = start
            for i in rng.choice(500, 5, replace=False):
                row += rng.uniform(2, 12) * w["W_dec"][i]
            acts = sae.encode(torch.from_numpy(row.astype(np.float32)[None]))[0]
            if not acts[48:72].any() and not acts[440:464].any():
                break
    x[-1] = 0
    (here / "sample").mkdir(exist_ok=True)
    store("sample", sae, x.astype(np.float32))


def written(name, cls, config, rng, n=6, d=8, f=24, dtype="float32", **more):
    sae = cls(config(d_in=d, d_sae=f, dtype=dtype, device="cpu", **more))
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(0, 0.6, tuple(parameter.shape))))
        if hasattr(sae, "threshold"):
            sae.threshold.abs_()
    (here / name).mkdir(exist_ok=True)
    sae.save_model(here / name)
    again = SAE.load_from_disk(str(here / name), device="cpu")
    store(name, again, rng.normal(0, 2, (n, d)).astype(np.float32))


rng = np.random.default_rng(7)
sample(pathlib.Path(sys.argv[1]), rng)
written("standard", StandardSAE, StandardSAEConfig, rng)
written("no-b-dec", StandardSAE, StandardSAEConfig, rng, apply_b_dec_to_input=False)
written("layer-norm", StandardSAE, StandardSAEConfig, rng, normalize_activations="layer_norm")
written("constant-norm", StandardSAE, StandardSAEConfig, rng, normalize_activations="constant_norm_rescale")
written("topk", TopKSAE, TopKSAEConfig, rng, k=4)
written("topk-rescale", TopKSAE, TopKSAEConfig, rng, k=4, rescale_acts_by_decoder_norm=True)
written("jumprelu", JumpReLUSAE, JumpReLUSAEConfig, rng)
