#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times a ViT-B/16 pass over one picture in the program and in timm, interleaved, on the same cores.

usage: vit_side_by_side.py ENGINE [--rounds N] [--threads N]     (a Python that has torch and timm 1.0.31)
Prints JSON: medians of both and their ratio, for three encodings."""
import argparse
import json
import statistics
import subprocess
import time

import timm
import torch

BOUND = 1.0
NAMES = {"vit_b16_forward": "vit_base_patch16_224", "vit_b16_rope_forward": "vit_base_patch16_rope_224",
         "vit_b16_rope_mixed_forward": "vit_base_patch16_rope_mixed_224"}


def ours(engine, threads, repeat):
    command = [engine, "bench", "--only", "vit-b16", "--repeat", str(repeat), "--threads", str(threads)]
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {row["name"]: row["value"] for row in out["measurements"]}


def theirs(models, x, repeat):
    times = {row: [] for row in models}
    with torch.inference_mode():
        for i in range(repeat + 1):
            for row, model in models.items():
                start = time.perf_counter()
                model(x).sum().item()
                if i:
                    times[row].append(time.perf_counter() - start)
    return {row: statistics.median(t) for row, t in times.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=5, help="passes per round of each side")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    models = {row: timm.create_model(name).eval() for row, name in NAMES.items()}
    x = torch.zeros(1, 3, 224, 224)
    rounds = [(ours(args.engine, args.threads, args.passes), theirs(models, x, args.passes)) for _ in range(args.rounds)]
    for row, name in NAMES.items():
        program, reference = [a[row] for a, _ in rounds], [b[row] for _, b in rounds]
        print(json.dumps({"name": row, "model": name, "bound": BOUND, "rounds": args.rounds,
                          "program_s": statistics.median(program), "timm_s": statistics.median(reference),
                          "value": statistics.median(a / b for a, b in zip(program, reference))}, indent=2))


if __name__ == "__main__":
    main()
