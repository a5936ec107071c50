#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_import.py FEATLAS [FEATURES [ROUNDS]]

Imports a made-up Neuronpedia export of that many features (45 texts of 128 tokens each) with one worker and
with two, each as often as there are rounds, and prints the fastest: seconds, processor seconds, JSON read in
both, and the peak of resident memory.  Nothing is asserted.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time


def run(featlas, export, out, workers):
    """Seconds, processor seconds, KiB at the peak: of a child alone, so in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        start = time.monotonic()
        subprocess.run([featlas, "import", "--workers", str(workers), export, out], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(write, f"{wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss}".encode())
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(pid, 0)
    text = os.read(read, 200)
    os.close(read)
    if status or not text:
        sys.exit("bench_import: the import failed")
    return [float(x) for x in text.split()]


def main():
    featlas, features = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2048
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_export.py")
    with tempfile.TemporaryDirectory() as t:
        size = int(subprocess.run([sys.executable, maker, f"{t}/export", "--features", str(features)], check=True,
                                  capture_output=True).stdout) / 1e6
        print(f"{features} features x 45 texts x 128 tokens: {size:.0f} MB of JSON")
        for workers in (1, 2):
            best = None
            for i in range(rounds):
                one = run(featlas, f"{t}/export", f"{t}/out-{workers}-{i}.atlas", workers)
                best = min(best, one) if best else one
                subprocess.run(["rm", "-rf", f"{t}/out-{workers}-{i}.atlas"], check=True)
            wall, cpu, peak = best
            print(f"{workers} worker{'s' if workers > 1 else ' '}  {wall:6.2f} s  {size / wall:5.0f} MB/s   processor"
                  f" {cpu:6.2f} s  {size / cpu:5.0f} MB/s   peak {peak / 1024:5.1f} MiB")


main()
