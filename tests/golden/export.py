#!/usr/bin/env python3
"""export.py - what an export of some features of an atlas must say, read from the atlas's files apart.

usage: export.py ATLAS OUT FEATURE...      writes OUT/{features,activations,explanations}.jsonl, OUT/dashboard.jsonl

Independent of the program: the files as featlas-atlas(5) has them, one segment, contexts of 7 tokens.
"""
import json, os, re, sys
import numpy as np
from safetensors import safe_open

WIDTH, TOP = 7, 20
atlas, out, features = sys.argv[1], sys.argv[2], [int(f) for f in sys.argv[3:]]
about = json.load(open(os.path.join(atlas, "atlas.json")))


def read(name):
    with safe_open(os.path.join(atlas, name + ".safetensors"), "np") as f:
        return {k: f.get_tensor(k) for k in f.keys()}, f.metadata()


store, _ = read("activations")
vocab, _ = read("vocab")
logits, _ = read("logits")
graph, _ = read("graph")
labels, meta = read("labels")
sources = json.loads(meta["sources"])
model, source, sets = "fake", "2-sample", "sample"
n_intervals = int(store["ctx_interval"][store["ctx_kind"] == 1].max()) + 1


def num(v):
    v = np.float32(v)
    return float(str(v)) if np.isfinite(v) else None


def nums(v):
    return [num(x) for x in v]


def token(t):
    b = vocab["bytes"][vocab["offset"][t]:vocab["offset"][t + 1]].tobytes()
    return b.decode("utf-8", "replace")


def acts(f, a, b):
    o = np.zeros(b - a, np.float32)
    i = slice(store["feature_ptr"][f], store["feature_ptr"][f + 1])
    for p, v in zip(store["act_pos"][i], store["act_val"][i]):
        if a <= p < b:
            o[p - a] = np.float32(v) * store["act_scale"][f]
    return o


def contexts(f):
    fmax = np.float32(store["max"][f])
    for c in range(store["ctx_ptr"][f], store["ctx_ptr"][f + 1]):
        pos, kind, at = int(store["ctx_pos"][c]), int(store["ctx_kind"][c]), int(store["ctx_interval"][c])
        text = np.searchsorted(store["text_ptr"], pos, side="right") - 1
        start, end = int(store["text_ptr"][text]), int(store["text_ptr"][text + 1])
        a = max(start, pos - WIDTH // 2)
        b = min(end, a + WIDTH)
        low, high, share = 0, 0, 0
        if kind == 0:
            low, high, share = -1, fmax, -1
        elif kind == 1:
            low, high = fmax * np.float32(at) / np.float32(n_intervals), fmax * np.float32(at + 1) / np.float32(n_intervals)
            e, n = store["hist_edge"][f].astype(np.float64), store["hist_count"][f]
            inside = [k * max(0, min(e[i + 1], high) - max(e[i], low)) / (e[i + 1] - e[i]) for i, k in enumerate(n)
                      if e[i + 1] > e[i]]
            share = sum(inside) / n.sum()
        yield a, b, pos - a, num(low), num(high), num(share)


def numbers(f, o):
    for key, name in (("neg", "suppressed"), ("pos", "promoted")):
        o[key + "_str"] = [token(t) for t in logits[name + "_token"][f][:TOP]]
        o[key + "_values"] = nums(logits[name + "_value"][f][:TOP])
    o["frac_nonzero"] = num(store["density"][f])
    e = store["hist_edge"][f]
    o["freq_hist_data_bar_heights"] = [int(n) for n in store["hist_count"][f]]
    o["freq_hist_data_bar_values"] = nums((e[:-1] + e[1:]) / np.float32(2))
    for name in ("neuron_alignment_indices neuron_alignment_values neuron_alignment_l1 correlated_neurons_indices "
                 "correlated_neurons_pearson correlated_neurons_l1 correlated_features_indices "
                 "correlated_features_pearson correlated_features_l1 logits_hist_data_bar_heights "
                 "logits_hist_data_bar_values decoder_weights_dist").split():
        o[name] = []
    return o


def line(file, o):
    text = json.dumps(o, ensure_ascii=False, separators=(",", ":"))
    file.write(re.sub(r"\\u[0-9a-f]{4}", lambda m: "\\u" + m[0][2:].upper(), text) + "\n")


os.makedirs(out, exist_ok=True)
files = {n: open(os.path.join(out, n + ".jsonl"), "w") for n in ("features", "activations", "explanations", "dashboard")}
for f in features:
    where = {"modelId": model, "layer": source, "index": str(f)}
    near = graph["neighbour_id"][f] != 0xFFFFFFFF
    line(files["features"], numbers(f, {
        **where, "creatorId": None, "sourceSetName": sets, "maxActApprox": num(store["max"][f]), "hasVector": False,
        "vector": [], "vectorLabel": None, "vectorDefaultSteerStrength": None, "hookName": about["hook"]["name"],
        "topkCosSimIndices": [int(i) for i in graph["neighbour_id"][f][near]],
        "topkCosSimValues": nums(graph["neighbour_score"][f][near])}))
    seen = []
    for n, (a, b, peak, low, high, share) in enumerate(contexts(f)):
        words, v = [token(t) for t in store["tokens"][a:b]], acts(f, a, b)
        line(files["activations"], {
            "id": "%s.a%d.%d" % (about["uuid"], f, n), **where, "creatorId": None, "dataSource": "", "tokens": words,
            "values": nums(v), "maxValue": num(v.max()), "minValue": num(v.min()), "maxValueTokenIndex": int(v.argmax()),
            "qualifyingTokenIndex": peak, "dfaValues": [], "dfaMaxValue": None, "dfaTargetIndex": None, "binMin": low,
            "binMax": high, "binContains": share})
        seen.append({"bin_min": low, "bin_max": high, "bin_contains": share, "tokens": words, "values": nums(v),
                     "qualifying_token_index": peak})
    line(files["dashboard"], {**numbers(f, {"feature_index": f}), "n_prompts_total": 0, "n_tokens_in_prompt": WIDTH,
                              "dataset": "", "vector": [], "activations": seen})
    mine = np.flatnonzero(labels["feature"] == f)
    # the one that is shown first: a machine's of the best score before lexical ones; the others as they stand
    rank = [({"machine": 1, "person": 2}.get(sources[labels["source"][i]]["kind"], 0),
             -np.inf if np.isnan(labels["score"][i]) else labels["score"][i]) for i in mine]
    best = max(range(len(mine)), key=lambda i: (rank[i], -i), default=None)
    order = [best] + [i for i in range(len(mine)) if i != best] if len(mine) else []
    for n, i in enumerate(mine[j] for j in order):
        said = labels["bytes"][labels["offset"][i]:labels["offset"][i + 1]].tobytes().decode("utf-8", "replace")
        s = sources[labels["source"][i]]
        line(files["explanations"], {
            "id": "%s.e%d.%d" % (about["uuid"], f, n), **where, "authorId": None, "description": said, "embedding": [],
            "typeName": s["name"], "explanationModelName": None, "score": num(labels["score"][i]), "umap_x": 0,
            "umap_y": 0, "umap_cluster": 0, "umap_log_feature_sparsity": 0})
