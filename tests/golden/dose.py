#!/usr/bin/env python3
"""dose.py: the figures of test_sweep.c's made-up grid, by the definitions of src/session/dose.h."""
import statistics

STRENGTHS = [-2, -1, 0, 0.5, 1, 1.5, 2, 2.5, 3]
ACT = [0, 0, 0, 0.6, 0.1, 0.8, 1.6, 1.3, 2.0]
EXCESS = [2.0, 0.4, 0, 0.1, 0.2, 0.4, 0.9, 1.2, 1.6]
GAIN = [-2, -1, 0, 1.0, 1.9, 2.7, 3.4, 4.0, 4.5]
PAIRS = [(p, k) for p in range(2) for k in range(5)]


def act(t, p, k):
    return ACT[t] + (p * 7 + k * 11 + t * 5) % 9 / 8


def excess(t, p, k):
    return EXCESS[t] + ((p * 3 + k * 5 + t) % 7 - 3) / 20


def ranks(v):
    order = sorted(v)
    return [statistics.mean(i for i, x in enumerate(order) if x == y) for y in v]


def quartiles(v):
    return statistics.quantiles(v, n=4, method="inclusive")


acts = [[act(t, p, k) for p, k in PAIRS] for t in range(9)]
over = [[excess(t, p, k) for p, k in PAIRS] for t in range(9)]
base = sorted((p * 7 + k * 11) % 9 / 8 for p, k in PAIRS)
spread = base[-(-9 * len(base) // 10) - 1]
print("spread", spread)
for t in range(9):
    print(t, "activation", quartiles(acts[t]), "excess", quartiles(over[t]))
collapse = min(t for t in range(3, 9) if statistics.median(over[t]) > 1.5)
onset = min(t for t in range(3, collapse) if all(statistics.median(acts[u]) > spread for u in range(t, collapse)))
work = range(onset, collapse)
mid = [statistics.median(acts[t]) for t in work]
print("onset", STRENGTHS[onset], "collapse", STRENGTHS[collapse], "rising",
      sum(b > a for a, b in zip(mid, mid[1:])) / (len(mid) - 1))
gain = [[GAIN[t] + (p * 5 + k * 7 + t * 3) % 9 / 20 for p, k in PAIRS] for t in range(9)]
gained = [statistics.median(gain[t]) for t in work]
print("rising gain", sum(b > a for a, b in zip(gained, gained[1:])) / (len(gained) - 1))
print("rho", statistics.correlation(ranks([STRENGTHS[t] for t in work]), ranks(mid)))
x = [STRENGTHS[t] for t in work for _ in PAIRS]
y = [v for t in work for v in acts[t]]
print("rho of texts", statistics.correlation(ranks(x), ranks(y)))
