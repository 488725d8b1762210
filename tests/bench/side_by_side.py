#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times a guided DiT-B/2 step of the program and of PyTorch eager, interleaved, on the same cores.

usage: side_by_side.py ENGINE [--rounds N] [--threads N]     (a Python that has torch)
Prints JSON: medians of both and their ratio; null where PyTorch is missing."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

BOUND = 1.05
ROOT = pathlib.Path(__file__).resolve().parents[1]


def engine_step(engine, threads, repeat):
    command = [engine, "bench", "--only", "dit-b2", "--repeat", str(repeat), "--threads", str(threads)]
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return out["measurements"][0]["value"]


def eager_step(threads):
    """A function that times steps of the eager model, or None without torch."""
    try:
        import torch
    except ImportError:
        return None
    sys.path.insert(0, str(ROOT / "reference"))
    from dit_eager import DiT

    torch.manual_seed(1)
    torch.set_num_threads(threads)
    model, x = DiT().eval(), torch.randn(2, 4, 32, 32)
    t, y = torch.tensor([500.0, 500.0]), torch.tensor([207, 1000])

    def steps(count):
        times = []
        with torch.inference_mode():
            model(x, t, y)
            for _ in range(count):
                start = time.perf_counter()
                out = model(x, t, y)
                eps = out[1:, :3] + 4.0 * (out[:1, :3] - out[1:, :3])
                times.append(time.perf_counter() - start)
        assert eps.isfinite().all()
        return statistics.median(times)

    return steps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps per round of each side")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    eager = eager_step(args.threads)
    ours, theirs = [], []
    for _ in range(args.rounds):
        ours.append(engine_step(args.engine, args.threads, args.steps))
        if eager:
            theirs.append(eager(args.steps))
    row = {"name": "dit_b2_against_eager", "unit": "ratio", "bound": BOUND, "rounds": args.rounds,
           "program_s": statistics.median(ours), "eager_s": statistics.median(theirs) if theirs else None}
    row["value"] = statistics.median(a / b for a, b in zip(ours, theirs)) if theirs else None
    if not theirs:
        row["note"] = "not measured: this Python has no torch"
    print(json.dumps(row, indent=2))


if __name__ == "__main__":
    main()
