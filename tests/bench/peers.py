#!/usr/bin/env python3
"""peers.py - numpy and FAISS beside bench_numbers, in turns: one of ours, one of theirs.

usage: peers.py BENCH_NUMBERS [ROUNDS [SMALL]]
Prints medians and the median of the rounds' ratios, with the peers' versions.  SMALL: shapes
that take seconds.  FAISS is python3-faiss, where that is installed; its graph is timed on some
of the rows and counted up.
"""
import os
import statistics
import subprocess
import sys
import time

# OpenBLAS's threads would spin on after a call, on the processors of the next
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
import numpy as np

try:
    import faiss
except ImportError:
    faiss = None

bench, rounds, small = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5, len(sys.argv) > 3


def unit(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


class Ours:
    def __init__(self, *what):
        self.p = subprocess.Popen([bench, "serve", *map(str, what)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        assert self.p.stdout.readline() == "ready\n"

    def __call__(self):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        return float(self.p.stdout.readline())

    def end(self):
        self.p.stdin.close()
        self.p.wait()


def timed(f):
    t = time.perf_counter()
    f()
    return (time.perf_counter() - t) * 1e3


def pairs(what, shape, peer, f, scale=1, n=rounds):
    ours = Ours(*shape)
    f()
    a, b = [], []
    for _ in range(n):
        a.append(ours())
        b.append(timed(f) * scale)
    ours.end()
    ratio = statistics.median(y / x for x, y in zip(a, b))
    print(f"{what}: {statistics.median(a):.1f} ms; {peer} {statistics.median(b):.1f} ms; ratio {ratio:.2f}", flush=True)


numpy_name = f"numpy {np.__version__}"


def query(n, d):
    x = unit(n, d, 1)
    q = x[7].copy()

    def work():
        s = x @ q
        top = np.argpartition(-s, 20)[:20]
        return top[np.argsort(-s[top])]

    pairs(f"one query of {n} x {d}", ("query", n, d), numpy_name, work)


def graph(n, d, k, some):
    if not faiss:
        print(f"graph of {n} x {d}: no FAISS here (python3-faiss)")
        return
    x = unit(n, d, 1)
    index = faiss.IndexFlatIP(d)
    index.add(x)
    pairs(f"graph of {n} x {d}, {k} nearest", ("graph", n, d, k), f"FAISS {faiss.__version__} (of {some} rows, counted up)",
          lambda: index.search(x[:some], k + 1), n / some)


def train(b, d, f, k):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((b, d), dtype=np.float32)
    wd = unit(f, d, 4)
    we = wd.copy()
    state = [np.zeros((f, d), np.float32) for _ in range(4)]
    rate = np.float32(1e-9)

    def adam(w, g, m, v):
        m += np.float32(0.1) * (g - m)
        v += np.float32(0.001) * (g * g - v)
        w -= rate * m / (np.sqrt(v) + np.float32(1e-8))

    def work():
        z = x @ we.T
        top = np.argpartition(-z, k, axis=1)[:, :k]
        act = np.zeros_like(z)
        np.put_along_axis(act, top, np.maximum(np.take_along_axis(z, top, 1), 0), 1)
        err = (act @ wd - x) * np.float32(2 / b)
        gd = act.T @ err
        dz = (err @ wd.T) * (act > 0)
        ge = dz.T @ x
        adam(wd, gd, state[0], state[1])
        adam(we, ge, state[2], state[3])
        np.divide(wd, np.linalg.norm(wd, axis=1, keepdims=True), out=wd)

    pairs(f"training step of {b} rows of {d}, {f} features, k {k}", ("train", b, d, f, k), numpy_name + ", dense", work)


if small:
    query(20000, 256)
    graph(6000, 128, 20, 1000)
    train(512, 128, 2048, 32)
else:
    query(131072, 2304)
    query(1000000, 576)
    graph(131072, 576, 20, 4096)
    train(4096, 576, 8192, 32)
