#!/usr/bin/env python3
"""effects-report.py FEATLAS ATLAS PROMPTS.tsv > docs/effects.md: what ablating features does, beside other guides.

Runs `featlas effects` and `featlas lens` on every prompt; nothing on the page is written by hand but the words around."""
import json
import math
import shlex
import statistics
import subprocess
import sys

featlas, atlas, prompts = sys.argv[1:4]
SHOWN = "share/featlas/demo.atlas"


def command(name, prompt, target, against, *more):
    out = [name, SHOWN, prompt, "--plain"]
    if target:
        out += ["--target", target]
    if against:
        out += ["--against", against]
    return out + list(more)


def shell(words):
    return "featlas " + " ".join(w if w.replace("-", "").replace("/", "").replace(".", "").isalnum() else shlex.quote(w)
                                 for w in words)


def run(words):
    words = [atlas if w == SHOWN else w for w in words]
    return subprocess.run([featlas] + words, check=True, capture_output=True, text=True).stdout


def pearson(x, y):
    mx, my = statistics.fmean(x), statistics.fmean(y)
    down = math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / down if down else math.nan


def top(features, key, n=10):
    return {f["id"] for f in sorted(features, key=lambda f: -abs(key(f)))[:n]}


def share_of_max(f):
    return f["activation"] / f["max"] if f["max"] else 0


def measure(line):
    kind, prompt, target, against = (line.rstrip("\n").split("\t") + ["", ""])[:4]
    prompt = prompt.replace("\\n", "\n")
    j = json.loads(run(command("effects", prompt, target, against, "--json")))
    lens = json.loads(run(command("lens", prompt, target, "", "--json")))
    f = j["features"]
    effect = [x["effect"] for x in f]
    by_effect = top(f, lambda x: x["effect"])
    total = sum(abs(e) for e in effect)
    return {
        "kind": kind, "prompt": prompt, "target": j["target"], "against": j["against"], "n": len(f),
        "settled": lens["settled"], "all": j["correlations"]["all"], "last": j["correlations"]["last"],
        "share_of_max": pearson([share_of_max(x) for x in f], effect),
        "share_of_max_sizes": pearson([share_of_max(x) for x in f], [abs(e) for e in effect]),
        "same_activation": len(by_effect & top(f, lambda x: x["activation"])),
        "same_attribution": len(by_effect & top(f, lambda x: x["attribution"])),
        "chance": 10 * min(10, len(f)) / len(f),
        "top10": sum(abs(x["effect"]) for x in f if x["id"] in by_effect) / total if total else math.nan,
        "early": f[0]["attribution"] == 0, "largest": max(effect, key=abs), "resolution": j["resolution"],
        "above": sum(abs(e) > j["resolution"] for e in effect),
    }


def spread(rows, get):
    v = sorted(x for x in (get(r) for r in rows) if x is not None and not math.isnan(x))
    q = statistics.quantiles(v, n=4, method="inclusive")
    return f"{statistics.median(v):.2f} ({q[0]:.2f} to {q[2]:.2f}; {v[0]:.2f} to {v[-1]:.2f})"


def row(name, rows, where, by):
    cells = [spread(rows, lambda r: r[where][by][k])
             for k in ("pearson", "spearman", "pearson_of_sizes", "spearman_of_sizes")]
    return f"| {name} | " + " | ".join(cells) + " |"


def token(t):
    return "`" + t["token"].replace("\n", "\\n").replace("`", "'").replace("|", "\\|") + "`"


def number(x):
    return "" if x is None or math.isnan(x) else f"{x:.2f}"


rows = [measure(l) for l in open(prompts) if l.strip() and not l.startswith("#")]
med = lambda get: statistics.median(get(r) for r in rows)
kinds = list(dict.fromkeys(r["kind"] for r in rows))

print(f"""# What matters here

Which features of a prompt matter to the next token? Three answers: how strongly a feature fires (activation), what it
says to the output directly (attribution), and what changes when it is taken away (effect), which is the
truth that the other two are a guide to. `featlas effects` measures all three; featlas(1) says how each is
defined. Attribution here is direct: the feature's part is taken out of the last layer's row at the last token, through the model's own
final norm and unembedding. It is not gradient times activation, which also follows the paths
through later layers and earlier tokens; figures published for that one do not carry over.

Measured on {len(rows)} prompts (`tools/demo/effects.tsv`, written in one go, none changed or left out afterwards), the demo atlas, layer 22
of SmolLM2-135M-Instruct, features at all tokens of the prompt but the first. `tools/demo/effects-report.py` makes this page.

## How good a guide is each
Correlation with the effect, over the features of a prompt: the median of the {len(rows)} prompts (quartiles; least and largest).
"Of sizes" leaves the signs off: an activation has none, an effect has.

| all features of the prompt | Pearson | Spearman | Pearson, of sizes | Spearman, of sizes |
| --- | --- | --- | --- | --- |
{row("activation", rows, "all", "activation")}
{row("attribution", rows, "all", "attribution")}

| features at the last token | Pearson | Spearman | Pearson, of sizes | Spearman, of sizes |
| --- | --- | --- | --- | --- |
{row("activation", rows, "last", "activation")}
{row("attribution", rows, "last", "attribution")}

Activation as a share of the feature's own maximum, Pearson over all features: {spread(rows, lambda r: r["share_of_max"])}; of sizes
{spread(rows, lambda r: r["share_of_max_sizes"])}.

Of the ten features with the largest effect, {med(lambda r: r["same_activation"]):g} (median) are among the ten by activation and {med(lambda r: r["same_attribution"]):g} among
the ten by attribution; chance would have {med(lambda r: r["chance"]):.1f}. These ten hold {100 * med(lambda r: r["top10"]):.0f} % of all sizes
of effects. A prompt has {med(lambda r: r["n"]):g} features, of which {med(lambda r: r["above"]):g} have an effect above the resolution (what the target moves
when rows are put back unchanged: {med(lambda r: r["resolution"]):.4f} nats); the largest is {med(lambda r: abs(r["largest"])):.2f} nats.

Activation says little of which way a feature pushes, and something of how hard. Direct attribution is the better guide where the last
token's own features decide, and no guide where features at earlier tokens do: it is 0 there, and in {sum(r["early"] for r in rows)} of the {len(rows)} prompts the largest
effect of all belongs to such a feature. Whether a plural verb follows "The dogs in the yard" hangs on one that fires on "dogs" and nowhere else (below).
Neither takes the place of ablating.

| kind | prompts | activation | attribution | activation, of sizes | attribution, of sizes |
| --- | --- | --- | --- | --- | --- |""")
for k in kinds:
    mine = [r for r in rows if r["kind"] == k]
    cell = lambda by, which: number(statistics.median(r["all"][by][which] for r in mine))
    print(f"| {k} | {len(mine)} | {cell('activation', 'pearson')} | {cell('attribution', 'pearson')} | "
          f"{cell('activation', 'pearson_of_sizes')} | {cell('attribution', 'pearson_of_sizes')} |")

print("""
Pearson, medians over all features of the prompts of a kind.

## Every prompt
r is Pearson's correlation with the effect over all features; "settles" is the first layer from which on the target stays the logit
lens's likeliest token (`featlas lens`), of 0 to 29; - where it is not the likeliest in the end.

| prompt | target | p | features | largest effect | r activation | r attribution | settles |
| --- | --- | --- | --- | --- | --- | --- | --- |""")
for r in rows:
    target = token(r["target"]) + (" against " + token(r["against"]) if r["against"] else "")
    prompt = r["prompt"].replace("\n", "↵").replace("|", "\\|").replace("<", "&lt;").replace("#", "\\#")
    settled = "-" if r["settled"] is None else r["settled"]
    print(f"| {prompt} | {target} | {math.exp(r['target']['logp']):.3f} | {r['n']} | {r['largest']:+.2f} | "
          f"{number(r['all']['activation']['pearson'])} | {number(r['all']['attribution']['pearson'])} | {settled} |")

print("\n## Three prompts, as the commands print them\nPicked for what they show.")
for words in (command("effects", "The dogs in the yard", " are", " is", "--limit", "12"),
              command("effects", "The letter made her so happy that she started to", "", "", "--limit", "12"),
              command("lens", "The capital of France is", "", "", "-k", "4")):
    print(f"\n    $ {shell(words)}")
    for line in run(words).splitlines():
        print("    " + line)
