#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_imports.py OUT

Writes small exports in every format that 'featlas import' reads, and beside each (NAME.expect) what
'featlas show --json -w 100' must print for each of its features. It shares no code with featlas: what a store
is to hold of an export is computed here from the description in featlas-formats(7) and featlas-atlas(5).
All activations are multiples of 1/8, so halves hold them exactly.
"""
import gzip
import json
import os
import random
import sys

OUT = sys.argv[1]
NONE = None


def dump(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = "".join(json.dumps(r) + "\n" for r in rows).encode()
    with (gzip.GzipFile(path, "wb", mtime=0) if path.endswith(".gz") else open(path, "wb")) as f:
        f.write(text)


def dump_one(path, value, **how):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(value, f, **how)


class Atlas:
    """What the import is to make: tokens numbered as they are met, texts in the order of contexts."""

    def __init__(self, n):
        self.ids, self.n = {}, n
        self.contexts = [[] for _ in range(n)]
        self.labels = [[] for _ in range(n)]
        self.numbers = [{} for _ in range(n)]

    def token(self, s):
        return self.ids.setdefault(s, len(self.ids))

    def context(self, feature, kind, rank, tokens, values):
        for t in tokens:
            self.token(t)
        values = [v if v > 0 else 0.0 for v in values]
        self.contexts[feature].append((kind, rank, tokens, values))

    def expect(self, has_store=True, has_logits=True, has_graph=False):
        lines, position, text = [], 0, 0
        for f in range(self.n):
            x = self.numbers[f]
            order = {"top": 0, "interval": 1, "random": 2}
            listed = sorted(enumerate(self.contexts[f]), key=lambda p: (
                order[p[1][0]], -p[1][1] if p[1][0] == "interval" else 0,
                -max(p[1][3]) if p[1][0] != "random" else 0, p[0]))
            ranks = sorted({c[1] for c in self.contexts[f] if c[0] == "interval"})
            shown = []
            for _, (kind, rank, tokens, values) in listed:
                peak = values.index(max(values))
                c = {"context": text, "position": position + peak, "activation": max(values), "kind": kind}
                if kind == "interval":
                    c["interval"] = ranks.index(rank)
                c.update(peak=peak, tokens=tokens, activations=values)
                shown.append(c)
                position += len(tokens)
                text += 1
            top = max([c["activation"] for c in shown] + [x.get("max", 0.0)])
            lines.append({
                "id": f, "labels": self.labels[f], "density": x.get("density", 0.0) if has_store else None,
                "max": float(top) if has_store else None, "input_score": None, "output_score": None,
                "topic_score": None, "topic_words": [],
                "histogram": x.get("histogram", self.no_histogram) if has_store else {"edges": [], "counts": []},
                "promoted": [self.shown(t, v) for t, v in x.get("promoted", [])],
                "suppressed": [self.shown(t, v) for t, v in x.get("suppressed", [])],
                "contexts": shown,
                "neighbours": [{"id": i, "score": s, "metric": "cosine",
                                "label": self.labels[i][0]["text"] if self.labels[i] else None}
                               for i, s in x.get("near", [])]})
        return lines

    no_histogram = {"edges": [], "counts": []}

    def shown(self, token, value):
        return {"token": token, "id": self.token(token), "value": value}


def write_expect(name, lines):
    with open(f"{OUT}/{name}.expect", "w") as f:
        for line in lines:
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


WORDS = [" the", " river", "\u0000", " b\u00e9\u0000", "\u65e5\u672c", "\n", "<bos>", "\u2190", '"', "\\", "",
         "\U0001f600"] + [f" w{i}" for i in range(60)]


def texts(rng, n_tokens, peak_at, top):
    tokens = [rng.choice(WORDS) for _ in range(n_tokens)]
    values = [0.0] * n_tokens
    for _ in range(3):
        values[rng.randrange(n_tokens)] = rng.randrange(1, max(2, int(top * 8))) / 8 / 2
    values[peak_at] = float(top)
    return tokens, values


def label(text, source, model="", author="", score=None):
    j = {"text": text, "source": source, "kind": "machine", "score": score}
    if model:
        j["model"] = model
    if author:
        j["author"] = author
    return j


def neuronpedia(name, gz):
    """Indices as text in the order of texts, batches that are no ranges, ids that stand there twice."""
    rng, n, zip_ = random.Random(7), 23, ".gz" if gz else ""
    a, root = Atlas(n), f"{OUT}/{name}"
    source = {"modelId": "made-up", "layer": "7-res-jb"}
    lines = []
    for i in range(n):
        if i == 11:
            continue  # a feature without a single text
        for k in range(5):
            tokens, values = texts(rng, 9 + k, (i + k) % 9, 8 - k + i / 8)
            tokens[-1] = f" {i}." if k == 4 else tokens[-1]  # so that the order of batches shows
            low = -1 if k < 2 else [4.0, 2.0, 0.5][k - 2]
            lines.append({"id": f"a{i}-{k}", **source, "index": str(i), "tokens": tokens, "values": values,
                          "maxValue": max(values), "binMin": low, "binMax": 99, "binContains": -1 if k < 2 else 0.25,
                          "dfaValues": [], "lossValues": None})
            a.context(i, "top" if k < 2 else "interval", low, tokens, values)
    # one of them was exported before, otherwise: its tokens are met, its text is not kept
    old = dict(lines[7], tokens=[" once", " upon"], values=[1.0, 0.0])
    b = Atlas(n)
    ordered = [old] + lines[::-1] if gz else [old] + lines
    for line in ordered:
        for t in line["tokens"]:
            b.token(t)
    a.ids = b.ids
    dump(f"{root}/activations/batch-0.jsonl{zip_}", ordered[:40])
    dump(f"{root}/activations/batch-2.jsonl{zip_}", ordered[40:80])
    dump(f"{root}/activations/batch-10.jsonl{zip_}", ordered[80:])
    by_text = sorted(range(n), key=str)
    features = []
    for i in by_text:
        up, down = [(" the", 1.5), (f" only{i}", 0.5)], [(" river", -2.0), (" the" if i == 11 else f" {i}.", -1.0)]
        middles, heights = [1.0, 3.0, 5.0, 7.0], [40, 20, i, 1]
        features.append({**source, "index": str(i), "maxActApprox": 9.5, "hookName": "blocks.7.hook_resid_pre",
                         "hasVector": False, "vector": [], "frac_nonzero": i / 128,
                         "pos_str": [t for t, _ in reversed(up)], "pos_values": [v for _, v in reversed(up)],
                         "neg_str": [t for t, _ in down], "neg_values": [v for _, v in down],
                         "freq_hist_data_bar_heights": heights, "freq_hist_data_bar_values": middles,
                         "topkCosSimIndices": [i, (i + 1) % n, (i + 2) % n], "topkCosSimValues": [1.0, 0.25, 0.5]})
        for t, _ in reversed(up):
            a.token(t)
        for t, _ in down:
            a.token(t)
        a.numbers[i] = {"max": 9.5, "density": i / 128 if i else 0.0, "promoted": up, "suppressed": down,
                        "histogram": {"edges": [0.0, 2.0, 4.0, 6.0, 8.0], "counts": heights},
                        "near": [((i + 2) % n, 0.5), ((i + 1) % n, 0.25)]}
    dump(f"{root}/features/batch-0.jsonl{zip_}", features[:10])
    dump(f"{root}/features/batch-1.jsonl{zip_}", features[10:])
    explanations = []
    for i in by_text:
        for k in range(i % 3):  # none, one or two
            explanations.append({"id": f"e{i}-{k}", **source, "index": str(i), "authorId": "someone",
                                 "description": f"river {i}, \u00e9 {k}", "embedding": [0.5] * 8,
                                 "typeName": "oai_token-act-pair", "explanationModelName": f"gpt-{k}"})
            a.labels[i].append(label(f"river {i}, \u00e9 {k}", "oai_token-act-pair", f"gpt-{k}", "someone"))
    dump(f"{root}/explanations/batch-0.jsonl{zip_}", explanations[:1] + explanations)
    dump(f"{root}/source.jsonl", [{"modelId": "made-up", "id": "7-res-jb", "dataset": "a corpus"}])
    write_expect(name, a.expect(has_graph=True))


def dashboards():
    """Indices as numbers, activations before the index, more bins in one feature than another."""
    rng, n = random.Random(8), 6
    a, root = Atlas(n), f"{OUT}/dashboards"
    features = []
    for i in (0, 2, 3):
        activations = []
        for k in range(4):
            tokens, values = texts(rng, 12, k, 6 - k)
            kind, low = ("top", -1) if k == 0 else ("interval", 3.0 - k)
            activations.append({"bin_min": low, "bin_max": 9.0, "bin_contains": 0.1 if k else -1, "tokens": tokens,
                                "values": values, "qualifying_token_index": k})
            a.context(i, kind, low, tokens, values)
        middles = [0.5, 1.5, 2.5][:2 + i % 2]
        heights = [5, 3, 1][:2 + i % 2]
        f = {"frac_nonzero": 0.25, "pos_str": [" the"], "pos_values": [2.0], "neg_str": ["\n"], "neg_values": [-1.0],
             "freq_hist_data_bar_heights": heights, "freq_hist_data_bar_values": middles, "n_prompts_total": 64,
             "n_tokens_in_prompt": 16, "dataset": "a corpus", "vector": [], "correlated_features_l1": [0.1]}
        f = {"activations": activations, "feature_index": i, **f} if i == 2 else \
            {"feature_index": i, **f, "activations": activations}
        features.append(f)
        edges = [0.0, 1.0, 2.0, 3.0] if i % 2 else [0.0, 1.0, 2.0, 2.0]
        a.numbers[i] = {"density": 0.25, "promoted": [(" the", 2.0)], "suppressed": [("\n", -1.0)],
                        "histogram": {"edges": edges, "counts": heights + [0] * (3 - len(heights))}}
    a.ids = {}  # tokens are met where they stand in the file
    for f in features:
        for key, value in f.items():
            if key in ("pos_str", "neg_str"):
                for t in value:
                    a.token(t)
            elif key == "activations":
                for x in value:
                    for t in x["tokens"]:
                        a.token(t)
    a.no_histogram = {"edges": [0.0] * 4, "counts": [0] * 3}
    dump_one(f"{root}/batch-0.json", {"model_id": "made-up", "layer": 3, "sae_set": "res", "features": features[:2]})
    dump_one(f"{root}/batch-1.json", {"model_id": "made-up", "layer": 3, "sae_set": "res", "features": features[2:]},
             indent=1)
    dump_one(f"{root}/skipped_indexes.json", {"model_id": "made-up", "layer": "3", "sae_set": "res",
                                               "log_sparsity": -5, "skipped_indexes": [1, 4, 5]})
    dump_one(f"{root}/run_settings.json", {"sae_set": "res", "sparsity_threshold": float("nan")})
    write_expect("dashboards", a.expect())


def neurons():
    """Keys in the order of texts, so the index comes last; activations below zero; explanations with scores."""
    rng, n = random.Random(9), 4
    a, root = Atlas(n), f"{OUT}/neurons"
    for i in (1, 3):
        def records(kind, rank, count):
            out = []
            for k in range(count):
                tokens, values = texts(rng, 8, k, 4 - rank - k / 8 if kind != "random" else 1.0)
                values[7] = -0.5
                out.append({"activations": values, "tokens": tokens})
                a.context(i, kind, rank, tokens, values)
            return out
        record = {"most_positive_activation_records": records("top", 0, 2), "random_sample": records("random", 0, 2),
                  "random_sample_by_quantile": [records("interval", 1, 1), records("interval", 2, 1)],
                  "neuron_id": {"layer_index": 5, "neuron_index": i}, "mean": 0.1, "variance": 1.0,
                  "quantile_boundaries": [0.5, 0.9]}
        dump_one(f"{root}/{i}.json", record, sort_keys=True)
    explanations = []
    for i in (1, 3):
        explanations.append({"neuron_id": {"layer_index": 5, "neuron_index": i}, "scored_explanations": [
            {"explanation": "less good", "scored_simulation": {"ev_correlation_score": 0.25, "rsquared_score": 0.1}},
            {"explanation": "better", "scored_simulation": {"ev_correlation_score": 0.5, "rsquared_score": 0.1}}]})
        a.labels[i] = [label("better", "neuron explainer", score=0.5), label("less good", "neuron explainer", score=0.25)]
    dump(f"{root}/explanations.jsonl", explanations)
    a.ids = {}
    for i in (1, 3):
        record = json.load(open(f"{root}/{i}.json"))
        for key in ("most_positive_activation_records", "random_sample"):
            for x in record[key]:
                for t in x["tokens"]:
                    a.token(t)
        for q in record["random_sample_by_quantile"]:
            for x in q:
                for t in x["tokens"]:
                    a.token(t)
    write_expect("neurons", a.expect())


def viewer():
    rng, n = random.Random(10), 13
    a, root = Atlas(n), f"{OUT}/viewer"
    for i in (5, 12):
        def infos(kind, count):
            out = []
            for k in range(count):
                tokens, values = texts(rng, 6, k, 3 - k / 8)
                out.append({"density": 0.5, "doc_id": k, "idx": k, "acts": values, "act": values[k], "tokens": tokens,
                            "token_ints": [1] * 6})
                a.context(i, kind, 0, tokens, values)
            return out
        dump_one(f"{root}/{i}.json", {"density": 0.125, "mean_act": 0.5, "mean_act_squared": 1.0, "hist": {"0": 3},
                                      "random": infos("random", 2), "top": infos("top", 2)})
        a.numbers[i] = {"density": 0.125}
    write_expect("viewer", a.expect())


def circuit():
    rng, n = random.Random(11), 3
    a, root = Atlas(n), f"{OUT}/circuit"
    for i in (0, 2):
        quantiles = []
        for q in range(3):
            examples = []
            for k in range(2):
                tokens, values = texts(rng, 7, k, 5 - q - k / 8)
                examples.append({"tokens": tokens, "tokens_acts_list": values, "train_token_ind": k,
                                 "is_repeated_datapoint": False})
                a.context(i, "top" if q == 0 else "interval", -q, tokens, values)
            quantiles.append({"quantile_name": "Top activations" if q == 0 else f"Subsample Interval {q}",
                              "examples": examples})
        dump_one(f"{root}/{i}.json", {"transcoder_id": "made-up-20", "index": i, "examples_quantiles": quantiles,
                                      "top_logits": [" a", " b"], "bottom_logits": [" c"], "act_min": 0.0, "act_max": 8.0,
                                      "quantile_values": [], "histogram": [], "activation_frequency": 0.0625})
        for t in (" a", " b", " c"):
            a.token(t)
        a.numbers[i] = {"max": 8.0, "density": 0.0625, "promoted": [(" a", 0.0), (" b", 0.0)],
                        "suppressed": [(" c", 0.0)]}
    write_expect("circuit", a.expect())


neuronpedia("neuronpedia", False)
neuronpedia("neuronpedia-gz", True)
dashboards()
neurons()
viewer()
circuit()
