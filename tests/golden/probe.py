"""probe.py: the AUROC of a ridge probe, held out, for tests/unit/test_probe.c; prints what stands there."""
import numpy as np

N, D, FOLDS = 31, 40, 4


def numbers(n, state=11):
    out = []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 33) % 2001 / 1000 - 1)
    return np.array(out)


positive = np.array([i % 3 == 0 for i in range(N)])
x = numbers(N * D).reshape(N, D)
x[positive, :3] += 0.6
fold, turn = [], [0, 0]
for p in positive:
    fold.append(turn[int(p)] % FOLDS)
    turn[int(p)] += 1
fold, total = np.array(fold), 0
for k in range(FOLDS):
    train = fold != k
    z = (x - x[train].mean(0)) / (x[train].std(0) + 1e-6)
    # the primal form, where the program solves the dual
    a = z[train].T @ z[train] + D / 2 * np.eye(D)
    w = np.linalg.solve(a, z[train].T @ np.where(positive[train], 1.0, -1.0))
    s, y = z[~train] @ w, positive[~train]
    total += np.mean([(p > q) + (p == q) / 2 for p in s[y] for q in s[~y]])
print(total / FOLDS)
