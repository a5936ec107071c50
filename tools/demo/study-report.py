#!/usr/bin/env python3
"""study-report.py DIR: the tables of docs/science.md of what tools/demo/study made in DIR, as far as it is there."""
import json
import pathlib
import sys

where = pathlib.Path(sys.argv[1])
KINDS = [(kind, "22") for kind in ("topk", "batchtopk", "jumprelu", "matryoshka")]
DEPTHS = [("topk", depth) for depth in ("12", "15", "18", "20", "22", "24", "26")]


def read(name):
    path = where / name
    return json.loads(path.read_text()) if path.exists() else None


def mean(values):
    return sum(values) / len(values)


def number(value, form):
    return "-" if value is None else format(value, form)


def judged(name):
    """Held-out text and concepts."""
    e, c = read(name + ".eval.json"), read(name + ".concepts.json")
    if not e or not c:
        return None
    c = c["concepts"]
    auroc = [0.5 if x["held_out"]["auroc"] is None else x["held_out"]["auroc"] for x in c["list"]]
    return [f"{e['fvu']:.3f}", f"{e['l0']:.1f}", f"{100 * e['dead_share']:.1f} %", f"{e['ce_recovered']:.3f}",
            f"{e['nats_lost']:.3f}", f"{c['known']} of {c['n']}", f"{mean(auroc):.3f}"]


def does(name):
    """What the features do to the next token."""
    s = read(name + ".scores.json")
    if not s:
        return None
    counts = [(where / f"{name}.{query}.count").read_text().strip() for query in ("detects:>=0.2", "writes:>0.02", "tuned:>=0.5")]
    tried = {t["factor"]: t for t in s["tried"]}
    best = s["tuned_factor"]
    return [*counts, number(tried[10]["median"], ".2g"), f"{best:g}", number(tried[best]["median"], ".2g")]


def table(first, head, rows):
    print("| " + " | ".join([first, *head]) + " |")
    print("| --- |" + " ---: |" * len(head))
    for name, cells in rows:
        if cells:
            print("| " + " | ".join([name, *cells]) + " |")
    print()


QUALITY = ["FVU", "L0", "dead", "recovered", "nats lost", "concepts of 0.9", "mean AUROC"]
table("kind", QUALITY, [(kind, judged(f"{kind}-{depth}")) for kind, depth in KINDS])
table("after block", QUALITY, [(depth, judged(f"{kind}-{depth}")) for kind, depth in DEPTHS])
table("after block", ["detect", "write", "promote", "output score at 10", "best factor", "output score there"],
      [(depth, does(f"{kind}-{depth}")) for kind, depth in DEPTHS])
