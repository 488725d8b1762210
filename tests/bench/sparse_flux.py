#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file of FLUX.1-dev's size without its content, and inputs for one pass: how fast it opens and how little memory a
streamed pass takes.

sparse_flux.py FOLDER [TOKENS_A_SIDE], then
  ropescope-engine info FOLDER/flux.safetensors
  ropescope-engine forward FOLDER/flux.safetensors --in FOLDER/inputs.safetensors --out F --precision bf16 --memory 6GB

The weights are a hole of 23.8 GB in the file (all zero, bf16): it takes no room on the disk. HARoPE maps are there too.
"""
import array
import json
import os
import random
import struct
import sys

C, H, D, T, TEXT, POOLED = 3072, 24, 128, 128, 4096, 768


def write(path, tensors, values=None):
    header, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = {"BF16": 2, "F32": 4}[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header["__metadata__"] = {"harope.convention": "inverse"}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if values is None:
            file.truncate(8 + len(text) + at)
        else:
            for name in tensors:
                values[name].tofile(file)


def weights():
    out = {}

    def linear(name, rows, columns):
        out[name + ".weight"], out[name + ".bias"] = ("BF16", [rows, columns]), ("BF16", [rows])

    def maps(name):
        for part, shape in (("A_u", [H, D, D]), ("A_v", [H, D, D]), ("sigma", [H, D])):
            out[f"{name}.learnable_rot.{part}"] = ("F32", shape)

    linear("img_in", C, 64)
    linear("txt_in", C, TEXT)
    for name, columns in (("time_in", 256), ("vector_in", POOLED), ("guidance_in", 256)):
        linear(name + ".in_layer", C, columns)
        linear(name + ".out_layer", C, C)
    for i in range(19):
        block = f"double_blocks.{i}."
        for stream in ("img", "txt"):
            linear(block + stream + "_mod.lin", 6 * C, C)
            linear(block + stream + "_attn.qkv", 3 * C, C)
            linear(block + stream + "_attn.proj", C, C)
            linear(block + stream + "_mlp.0", 4 * C, C)
            linear(block + stream + "_mlp.2", C, 4 * C)
            for norm in ("query_norm", "key_norm"):
                out[f"{block}{stream}_attn.norm.{norm}.scale"] = ("BF16", [D])
        maps(block[:-1])
    for i in range(38):
        block = f"single_blocks.{i}."
        linear(block + "linear1", 7 * C, C)
        linear(block + "linear2", C, 5 * C)
        linear(block + "modulation.lin", 3 * C, C)
        for norm in ("query_norm", "key_norm"):
            out[f"{block}norm.{norm}.scale"] = ("BF16", [D])
        maps(block[:-1])
    linear("final_layer.adaLN_modulation.1", 2 * C, C)
    linear("final_layer.linear", 64, C)
    return out


def inputs(side):
    draw = random.Random(1)
    noise = lambda n: array.array("f", (draw.gauss(0, 1) for _ in range(n)))
    n = side * side
    ids = [x for i in range(n) for x in (0.0, float(i // side), float(i % side))]
    shapes = {"hidden_states": [1, n, 64], "encoder_hidden_states": [1, T, TEXT], "pooled_projections": [1, POOLED],
              "timestep": [1], "guidance": [1], "img_ids": [n, 3], "txt_ids": [T, 3]}
    values = {"hidden_states": noise(n * 64), "encoder_hidden_states": noise(T * TEXT), "pooled_projections": noise(POOLED),
              "timestep": array.array("f", [1.0]), "guidance": array.array("f", [3.5]), "img_ids": array.array("f", ids),
              "txt_ids": array.array("f", [0.0] * (3 * T))}
    return {name: ("F32", shape) for name, shape in shapes.items()}, values


folder, side = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 16
os.makedirs(folder, exist_ok=True)
write(os.path.join(folder, "flux.safetensors"), weights())
write(os.path.join(folder, "inputs.safetensors"), *inputs(side))
