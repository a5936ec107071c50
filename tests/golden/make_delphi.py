#!/usr/bin/env python3
# make_delphi.py - a small run of Delphi's, and what an atlas of it must show.
# usage: make_delphi.py delphi    (writes delphi/run, delphi/whole and delphi/expected.json)
import json, sys
import numpy as np
from pathlib import Path
from safetensors.numpy import save_file

out, rng = Path(sys.argv[1]), np.random.default_rng(3)
rows, context, F = 12, 16, 40
module = "layers.3.mlp"
acts = rng.uniform(0.25, 9, (rows, context, F)) * (rng.random((rows, context, F)) < 0.06)
acts[..., 7] = 0             # never fires
acts[2, 5, 11] = -3          # below zero: a cache holds what is not 0
acts[rng.random(acts.shape) < 0.002] *= 0
acts = acts.astype(np.float16)
tokens = rng.integers(0, 300, (rows, context))

run = out / "run"
cache = run / "latents" / module
cache.mkdir(parents=True, exist_ok=True)
where = np.argwhere(np.abs(acts) > 1e-5)
value = acts[tuple(where.T)]
bounds = np.linspace(0, F, 4).astype(int)
for a, b in zip(bounds[:-1], bounds[1:] - 1):
    mine = (where[:, 2] >= a) & (where[:, 2] <= b)
    place = where[mine].copy()
    place[:, 2] -= a
    save_file({"locations": place.astype(np.uint16), "activations": value[mine], "tokens": tokens},
              cache / f"{a}_{b}.safetensors")
(cache / "config.json").write_text(json.dumps({"dataset_repo": "some/text", "ctx_len": context, "model_name": "a/model"}))
whole = out / "whole"
whole.mkdir(exist_ok=True)
order = rng.permutation(len(where))  # put together from several: in no order
save_file({"locations": where[order].astype(np.int64), "activations": value[order].astype(np.float32), "tokens": tokens},
          whole / f"{module}.safetensors")

def judged(hits, misses, false, rejected):
    made = [(True, True)] * hits + [(True, False)] * misses + [(False, True)] * false + [(False, False)] * rejected
    return [{"activating": t, "prediction": p, "correct": t == p, "distance": 1, "str_tokens": ["a"]} for t, p in made]

texts = {0: "ends of words", 5: 'says "so", \u2192 often', 11: "a third one", 12: ""}
scores = {("detection", 0): judged(3, 1, 2, 2), ("fuzz", 0): judged(4, 0, 0, 4), ("fuzz", 5): judged(2, 2, 0, 2)}
(run / "explanations").mkdir(exist_ok=True)
for i, t in texts.items():
    (run / "explanations" / f"{module}_latent{i}.txt").write_text(json.dumps(t, ensure_ascii=False))
(run / "explanations" / "other.module_latent0.txt").write_text('"not of this module"')
for (method, i), s in scores.items():
    (run / "scores" / method).mkdir(parents=True, exist_ok=True)
    s.append({"activating": True, "prediction": None})  # the judge gave no answer
    (run / "scores" / method / f"{module}_latent{i}.txt").write_text(json.dumps(s))

a = acts.astype(np.float64)
expected = {"n_activations": int((a > 0).sum()), "features": []}
for i in (0, 5, 7, 11, 39):
    f = a[..., i]
    expected["features"].append({"id": i, "density": float((f > 0).mean()), "max": float(f.max()),
                                 "count": int((f > 0).sum())})
# for the shell: id, density to six digits, maximum
(out / "expected.tsv").write_text("".join(f"{x['id']}\t{x['density']:.6f}\t{x['max']:.6f}\n" for x in expected["features"]))
