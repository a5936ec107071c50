#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_export.py OUT [--features N] [--contexts N] [--tokens N] [--gz]

Writes a made-up Neuronpedia export: activations in ranges of 1,024 features, features and explanations in
batches by the text of the index, as its database gives them. The same arguments give the same bytes.
Prints the bytes of JSON.
"""
import argparse
import gzip
import json
import os
import random

BATCH = 1024


def open_batch(folder, number, gz):
    path = f"{folder}/batch-{number}.jsonl"
    return gzip.open(path + ".gz", "wb", 5) if gz else open(path, "wb", 1 << 20)


def make_words(rng):
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["\u0000", "<bos>", "\n", " \u00e9t\u00e9", "\u65e5\u672c", ","]
    while len(words) < 30000:
        words.append(" " + "".join(rng.choice(letters) for _ in range(rng.randint(1, 9))))
    return words


def make_tokens(rng, words, n):
    return json.dumps([words[min(int(rng.paretovariate(0.6)) - 1, len(words) - 1)] for _ in range(n)])


def make_values(rng, n):
    values = [0.0] * n
    peak = rng.randrange(n)
    values[peak] = round(rng.uniform(1, 60), 3)
    for _ in range(n // 10):
        values[rng.randrange(n)] = round(rng.uniform(0.1, values[peak]), 3)
    return json.dumps(values), max(values), values.index(max(values))


def activations(args, rng, source):
    words = make_words(rng)
    texts = [make_tokens(rng, words, args.tokens) for _ in range(4096)]
    values = [make_values(rng, args.tokens) for _ in range(1024)]
    size = 0
    for first in range(0, args.features, BATCH):
        with open_batch(args.out + "/activations", first // BATCH, args.gz) as f:
            for i in range(first, min(first + BATCH, args.features)):
                lines = []
                for k in range(args.contexts):
                    v, top, at = values[rng.randrange(len(values))]
                    low, high, share = (-1, top, -1) if k < 20 else (5.0 * (9 - (k - 20) // 5), 99, 0.2)
                    lines.append(f'{{"id":"a{i}x{k}",{source},"index":"{i}","creatorId":"cl0","dataSource":"made up",'
                                 f'"tokens":{texts[rng.randrange(len(texts))]},"values":{v},"maxValue":{top},'
                                 f'"minValue":0.0,"maxValueTokenIndex":{at},"dfaValues":[],"dfaTargetIndex":null,'
                                 f'"dfaMaxValue":null,"binMin":{low},"binMax":{high},"binContains":{share}}}\n')
                text = "".join(lines).encode()
                size += len(text)
                f.write(text)
    return size


def by_text(args, name, line):
    size = 0
    order = sorted(range(args.features), key=str)
    for first in range(0, args.features, BATCH):
        with open_batch(f"{args.out}/{name}", first // BATCH, args.gz) as f:
            for i in order[first:first + BATCH]:
                text = (line(i) + "\n").encode()
                size += len(text)
                f.write(text)
    return size


def feature(args, rng, source, i):
    bars = [round(0.5 + k, 1) for k in range(50)]
    near = [(i + k) % args.features for k in range(25)]
    return (f'{{{source},"index":"{i}","creatorId":"cl0","maxActApprox":60.0,"hasVector":false,"vector":[],'
            f'"hookName":"blocks.20.hook_resid_post","topkCosSimIndices":{near},'
            f'"topkCosSimValues":{[round(1 - k / 25, 4) for k in range(25)]},"neg_str":{json.dumps([" no", " not"] * 5)},'
            f'"neg_values":{[round(-1 + k / 20, 3) for k in range(10)]},"pos_str":{json.dumps([" yes", " so"] * 5)},'
            f'"pos_values":{[round(1 - k / 20, 3) for k in range(10)]},"frac_nonzero":{round(rng.random() / 50, 6)},'
            f'"freq_hist_data_bar_heights":{[rng.randrange(1000) for _ in bars]},"freq_hist_data_bar_values":{bars},'
            f'"logits_hist_data_bar_heights":{[rng.randrange(1000) for _ in bars]},'
            f'"logits_hist_data_bar_values":{bars}}}')


def explanation(source, i):
    embedding = [round(((i * 7 + k) % 100) / 100, 2) for k in range(256)]
    return (f'{{"id":"e{i}",{source},"index":"{i}","authorId":"cl0","description":"made up, number {i}",'
            f'"embedding":{embedding},"typeName":"oai_token-act-pair","explanationModelName":"gpt-4o-mini"}}')


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--features", type=int, default=1024)
    p.add_argument("--contexts", type=int, default=45)
    p.add_argument("--tokens", type=int, default=128)
    p.add_argument("--gz", action="store_true")
    args = p.parse_args()
    rng = random.Random(1)
    source = '"modelId":"made-up","layer":"20-made-res-16k"'
    for name in ("activations", "features", "explanations"):
        os.makedirs(f"{args.out}/{name}", exist_ok=True)
    size = activations(args, rng, source)
    size += by_text(args, "features", lambda i: feature(args, rng, source, i))
    size += by_text(args, "explanations", lambda i: explanation(source, i))
    with open(f"{args.out}/source.jsonl", "w") as f:
        f.write('{"modelId":"made-up","id":"20-made-res-16k","dataset":"made up"}\n')
    print(size)


main()
