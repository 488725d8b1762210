#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Low-rank changes of tests/golden/flux_tiny in the layouts that are in use, with the outputs that peft computes.

pip install torch==2.11.0 diffusers==0.42.1 peft==0.21.2 safetensors==0.8.0, then: lora_reference.py [FOLDER]
"""
import json
import os
import sys

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file, save_file

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
FOLDER = sys.argv[1] if len(sys.argv) > 1 else GOLDEN
with open(os.path.join(GOLDEN, "flux_tiny.config.json")) as file:
    CONFIG = json.load(file)
WEIGHTS = load_file(os.path.join(GOLDEN, "flux_tiny.safetensors"))
EXPECTED = load_file(os.path.join(GOLDEN, "flux_tiny.expected.safetensors"))
INPUTS = {k: v for k, v in EXPECTED.items() if k != "out"}


def model():
    torch.manual_seed(0)
    m = FluxTransformer2DModel(**CONFIG)
    m.load_state_dict(WEIGHTS)
    return m.eval()


def output(pairs, alphas, strength=1.0):
    """What peft makes of {module: (A, B)}."""
    m = model()
    state = {}
    for module, (a, b) in pairs.items():
        state[f"transformer.{module}.lora_A.weight"] = a
        state[f"transformer.{module}.lora_B.weight"] = b
    m.load_lora_adapter(state, network_alphas={f"transformer.{k}.alpha": v for k, v in alphas.items()}, prefix="transformer",
                        adapter_name="one")
    m.set_adapters(["one"], [strength])
    with torch.no_grad():
        return m(**INPUTS, return_dict=False)[0]


def pair(rank, out, inner, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(rank, inner, generator=g) * 0.4, torch.randn(out, rank, generator=g) * 0.4


def save(name, tensors, out, metadata=None):
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(FOLDER, name + ".safetensors"), metadata=metadata)
    save_file({"out": out}, os.path.join(FOLDER, name + ".expected.safetensors"))


C = 16
pairs = {"transformer_blocks.0.attn.to_q": pair(2, C, C, 1), "transformer_blocks.0.attn.to_out.0": pair(3, C, C, 2),
         "transformer_blocks.0.attn.add_k_proj": pair(2, C, C, 3), "transformer_blocks.0.ff.net.2": pair(1, C, 4 * C, 4),
         "single_transformer_blocks.1.attn.to_v": pair(2, C, C, 5), "single_transformer_blocks.1.proj_mlp": pair(2, 4 * C, C, 6),
         "norm_out.linear": pair(2, 2 * C, C, 7)}
alphas = {name: torch.tensor(4.0) for name in pairs}
tensors = {}
for name, (a, b) in pairs.items():
    tensors[f"transformer.{name}.lora_A.weight"], tensors[f"transformer.{name}.lora_B.weight"] = a, b
save("lora_tiny_diffusers", tensors, output(pairs, alphas, 0.7),
     {"lora_adapter_metadata": json.dumps({"transformer.r": 2, "transformer.lora_alpha": 4})})

fused_a, fused_b = pair(2, 3 * C, C, 11)
one_a, one_b = pair(3, 7 * C, C, 12)
kohya = {"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": fused_a,
         "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": fused_b,
         "lora_unet_double_blocks_0_img_attn_qkv.alpha": torch.tensor(1.0),
         "lora_unet_single_blocks_0_linear1.lora_down.weight": one_a,
         "lora_unet_single_blocks_0_linear1.lora_up.weight": one_b,
         "lora_unet_single_blocks_0_linear1.alpha": torch.tensor(6.0),
         "lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha": torch.tensor(1.0)}
split, scales = {}, {}
for i, which in enumerate(("to_q", "to_k", "to_v")):
    split[f"transformer_blocks.0.attn.{which}"] = (fused_a, fused_b[i * C:(i + 1) * C])
    split[f"single_transformer_blocks.0.attn.{which}"] = (one_a, one_b[i * C:(i + 1) * C])
split["single_transformer_blocks.0.proj_mlp"] = (one_a, one_b[3 * C:])
for name in split:
    scales[name] = torch.tensor(6.0 if name.startswith("single") else 1.0)
save("lora_tiny_kohya", kohya, output(split, scales))
print(float((output(pairs, alphas, 0.7) - EXPECTED["out"]).abs().max()), float((output(split, scales) - EXPECTED["out"]).abs().max()))
