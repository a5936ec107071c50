#!/usr/bin/env python3
"""doses-report.py DIR > docs/doses.md: what tools/demo/doses found, as the program printed it.
doses-report.py --ranges DIR > tools/demo/ranges.jsonl: the ranges alone, as they ship in runs.jsonl."""
import json
import pathlib
import sys

as_ranges = sys.argv[1] == "--ranges"
where = pathlib.Path(sys.argv[-1])
ORDER = ["4714", "1501", "2265", "1665", "6566", "5673"]
fine, coarse = ([(i, json.loads((where / f"{i}-{kind}.json").read_text())) for i in ORDER] for kind in ("fine", "coarse"))


def working(s):
    return [d for d in s["doses"] if s["working"] and s["working"][0] <= d["strength"] <= s["working"][1]]


def within(s, low, high):
    """The doses of a grid that lie in a range measured on another."""
    return [d for d in s["doses"] if low <= d["strength"] <= high]


def falls(doses, key):
    return [b for a, b in zip(doses, doses[1:]) if b[key] <= a[key]]


def strength(x):
    return "-" if x is None else f"{x:g}x"


def order(s, w, key):
    """ "all 5 steps", or which fall. """
    down, steps = falls(w, key), len(w) - 1
    if not down:
        return f"rises in all {steps} steps"
    drops = []
    for d in down:
        before = s["doses"][s["doses"].index(d) - 1][key]
        drops.append(f"at {strength(d['strength'])} it goes from {before:.2f} to {d[key]:.2f}")
    return f"rises in {steps - len(down)} of {steps} steps: " + ", ".join(drops)


def sentences(f, c):
    w = working(f)
    if len(w) < 2:
        return "The grid has no two strengths in its working range, so that nothing can be said of an order."
    low, high = w[0]["strength"], w[-1]["strength"]
    v = within(c, low, high)
    monotone = not falls(v, "activation")
    text = (f"In the working range, {strength(low)} to {strength(high)}, the median activation on the fine grid "
            f"{order(f, w, 'activation')}; on the coarse one, of {v[0]['n']} other texts a strength, it "
            f"{order(c, v, 'activation')}. So the dose-response is {'' if monotone else 'not '}monotone at steps of a half")
    text += ", and at steps of a quarter too. " if monotone and not falls(w, "activation") else \
        ", but at steps of a quarter the medians of so few texts are not. " if monotone else ". "
    text += f"The distance from the baseline (kl) {order(f, w, 'kl')}, the gain of the words {order(f, w, 'gain')}."
    control = [x for x in f["cells"] if x["kind"] == "random"]
    most = max(d["activation"] for d in f["random"]["doses"])
    text += (f" With random directions of the same norm the largest median activation is {most:.2f}, and "
             f"{sum(x['hit'] for x in control)} of {len(control)} texts are hits.")
    return text


if as_ranges:
    reply = [json.loads((where / f"{i}-reply.json").read_text()) for i in ORDER]
    for s in [s for (_, f), r in zip(fine, reply) for s in (f, r)]:
        f = s["features"][0]
        steps = [d["strength"] for d in s["doses"]]
        texts = sum(d["n"] for d in s["doses"]) + s["baseline"]["n"]
        print(json.dumps({"range": {
            "feature": f["id"], "method": f["method"], "where": s["where"], "unit": s["unit"], "onset": s["onset"],
            "collapse": s["collapse"], "collapse_low": s["collapse_low"], "from": steps[0], "to": steps[-1],
            "texts": texts, "temperature": s["temperature"], "n": s["n"], "chat": s["chat"]}}))
    sys.exit()

def steps_up(w):
    return f"{len(w) - 1 - len(falls(w, 'activation'))} of {len(w) - 1}" if len(w) > 1 else "-"


pairs = [(i, f, c, working(f), within(c, *f["working"]) if f["working"] else []) for (i, f), (_, c) in zip(fine, coarse)]
n_coarse = sum(len(v) > 1 and not falls(v, "activation") for _, _, _, _, v in pairs)
n_fine = sum(len(w) > 1 and not falls(w, "activation") for _, _, _, w, _ in pairs)
print(f"""# How much of a feature

Six features of the demo atlas are added on prompt and reply, at eleven strengths with ten seeds and two prompts, 40 tokens a text;
beside them the unsteered model, and a random direction of the same norm at the same strengths. What is measured, and what
*begins* and *falls apart* mean, stands in featlas(1), SWEEPING. In short: the effect begins where the median of
the feature's own activation, read back from the text by the unsteered model, leaves what baselines have; the text falls apart where
the median text is 1.5 nats a token less likely than its baseline, or repeats itself. Between the two is the working
range, and the question is whether more of a feature is more of its effect there.

Single texts scatter much, so that the medians of twenty do too. The order is therefore asked of a second grid, of steps of a half, with
twenty other seeds: forty texts a strength that have no part in where the range is. There {n_coarse} of {len(pairs)} rise in every step of
the working range; on the fine grid {n_fine} do.

| feature | label | begins | falls apart | works | rises, steps of 1/2 | rises, steps of 1/4 | rank correlation, fine | of texts | hits at best |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |""")
for i, f, c, w, v in pairs:
    best = max(f["doses"], key=lambda d: d["hits"])
    rho, of_texts = (("-" if f[k] is None else f"{f[k]:.2f}") for k in ("rank_correlation", "rank_correlation_texts"))
    span = f"{strength(w[0]['strength'])} to {strength(w[-1]['strength'])}" if w else "-"
    print(f"| #{i} | {f['features'][0]['label']} | {strength(f['onset'])} | {strength(f['collapse'])} | {span} | {steps_up(v)} | "
          f"{steps_up(w)} | {rho} | {of_texts} | {100 * best['hits']:.0f} % at {strength(best['strength'])} |")
print("""
`tools/demo/doses BUILD DIR` runs the commands below, a few minutes each on two cores, and `tools/demo/doses-report.py DIR`
makes this page. The hits are of a list of the feature's own topic words, not of the lists of [steering.md](steering.md). At
strength 0 a figure may differ a little from the baseline's: the model adds up in another order beside other texts, and at
temperature 0.7 that turns some choices of words.""")


def shown(name):
    command = (where / f"{name}.sh").read_text().rstrip()
    text = "\n".join(line.rstrip() for line in (where / f"{name}.txt").read_text().splitlines())
    return "\n".join("    " + line for line in command.splitlines()) + f"\n\n```text\n{text}\n```\n"


for i, f, c, w, v in pairs:
    print(f"\n## #{i} {f['features'][0]['label']}\n")
    print(shown(f"{i}-fine"))
    print(shown(f"{i}-coarse"))
    print(sentences(f, c))
