#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tiny FLUX, SD3, SD3.5 and VAE models of random weights with their outputs, written into tests/golden by diffusers.

pip install torch==2.11.0 diffusers==0.42.1 safetensors==0.8.0, then: flow_reference.py [FOLDER]

Each model is written under diffusers' names and under those of its first release; diffusers' own conversion turns the
second back into the first before anything is written. HARoPE models put M behind the norms of queries and M^-T
behind those of keys (inverse-map) or M on both (same-map).
"""
import json
import os
import sys

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel, SD3Transformer2DModel
from diffusers.loaders import single_file_utils as loader
from safetensors.torch import save_file

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "golden")
FLUX = dict(patch_size=1, in_channels=8, num_layers=1, num_single_layers=2, attention_head_dim=8, num_attention_heads=2,
            joint_attention_dim=12, pooled_projection_dim=8, guidance_embeds=True, axes_dims_rope=(2, 4, 2))
SD3 = dict(sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
           joint_attention_dim=12, caption_projection_dim=16, pooled_projection_dim=8, out_channels=4,
           pos_embed_max_size=8)


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * (0.3 if p.dim() == 1 else p[0].numel() ** -0.5))
            if "norm" in name and name.endswith("weight") and p.dim() == 1:
                p.add_(1)
    return model.eval()


def write(name, weights, expected, config, metadata=None):
    path = os.path.join(FOLDER, name)
    save_file({k: v.contiguous() for k, v in weights.items()}, path + ".safetensors", metadata=metadata)
    save_file({k: v.contiguous() for k, v in expected.items()}, path + ".expected.safetensors")
    with open(path + ".config.json", "w") as file:
        json.dump({k: list(v) if isinstance(v, tuple) else v for k, v in config.items()}, file)


def same(a, b):
    assert a.keys() == b.keys(), sorted(a.keys() ^ b.keys())[:8]
    for name in a:
        assert torch.equal(a[name], b[name]), name


def swapped(t):
    return torch.cat(list(t.chunk(2))[::-1])


def flux_native(w, config):
    out = {}

    def put(native, *parts):
        for end in (".weight", ".bias"):
            out[native + end] = torch.cat([w[p + end] for p in parts])

    put("img_in", "x_embedder")
    put("txt_in", "context_embedder")
    for native, ours in (("time_in", "timestep"), ("guidance_in", "guidance"), ("vector_in", "text")):
        put(native + ".in_layer", f"time_text_embed.{ours}_embedder.linear_1")
        put(native + ".out_layer", f"time_text_embed.{ours}_embedder.linear_2")
    for i in range(config["num_layers"]):
        a, b = f"transformer_blocks.{i}.", f"double_blocks.{i}."
        put(b + "img_mod.lin", a + "norm1.linear")
        put(b + "txt_mod.lin", a + "norm1_context.linear")
        put(b + "img_attn.qkv", *(a + "attn.to_" + x for x in "qkv"))
        put(b + "txt_attn.qkv", *(a + f"attn.add_{x}_proj" for x in "qkv"))
        put(b + "img_attn.proj", a + "attn.to_out.0")
        put(b + "txt_attn.proj", a + "attn.to_add_out")
        for x, full in (("q", "query"), ("k", "key")):
            out[b + f"img_attn.norm.{full}_norm.scale"] = w[a + f"attn.norm_{x}.weight"]
            out[b + f"txt_attn.norm.{full}_norm.scale"] = w[a + f"attn.norm_added_{x}.weight"]
        put(b + "img_mlp.0", a + "ff.net.0.proj")
        put(b + "img_mlp.2", a + "ff.net.2")
        put(b + "txt_mlp.0", a + "ff_context.net.0.proj")
        put(b + "txt_mlp.2", a + "ff_context.net.2")
    for i in range(config["num_single_layers"]):
        a, b = f"single_transformer_blocks.{i}.", f"single_blocks.{i}."
        put(b + "linear1", a + "attn.to_q", a + "attn.to_k", a + "attn.to_v", a + "proj_mlp")
        put(b + "linear2", a + "proj_out")
        put(b + "modulation.lin", a + "norm.linear")
        for x, full in (("q", "query"), ("k", "key")):
            out[b + f"norm.{full}_norm.scale"] = w[a + f"attn.norm_{x}.weight"]
    put("final_layer.linear", "proj_out")
    for end in (".weight", ".bias"):
        out["final_layer.adaLN_modulation.1" + end] = swapped(w["norm_out.linear" + end])
    return out


def sd3_native(w, config):
    out = {"pos_embed": w["pos_embed.pos_embed"]}

    def put(native, *parts):
        for end in (".weight", ".bias"):
            out[native + end] = torch.cat([w[p + end] for p in parts])

    put("x_embedder.proj", "pos_embed.proj")
    put("context_embedder", "context_embedder")
    for native, ours in (("t_embedder", "timestep"), ("y_embedder", "text")):
        put(native + ".mlp.0", f"time_text_embed.{ours}_embedder.linear_1")
        put(native + ".mlp.2", f"time_text_embed.{ours}_embedder.linear_2")
    for i in range(config["num_layers"]):
        a, x, c = f"transformer_blocks.{i}.", f"joint_blocks.{i}.x_block.", f"joint_blocks.{i}.context_block."
        last = i == config["num_layers"] - 1
        put(x + "adaLN_modulation.1", a + "norm1.linear")
        put(c + "adaLN_modulation.1", a + "norm1_context.linear")
        if last:
            for end in (".weight", ".bias"):
                out[c + "adaLN_modulation.1" + end] = swapped(out[c + "adaLN_modulation.1" + end])
        put(x + "attn.qkv", *(a + "attn.to_" + n for n in "qkv"))
        put(c + "attn.qkv", *(a + f"attn.add_{n}_proj" for n in "qkv"))
        put(x + "attn.proj", a + "attn.to_out.0")
        if a + "attn.norm_q.weight" in w:
            for n in "qk":
                out[x + f"attn.ln_{n}.weight"] = w[a + f"attn.norm_{n}.weight"]
                out[c + f"attn.ln_{n}.weight"] = w[a + f"attn.norm_added_{n}.weight"]
        if a + "attn2.to_q.weight" in w:
            put(x + "attn2.qkv", *(a + "attn2.to_" + n for n in "qkv"))
            put(x + "attn2.proj", a + "attn2.to_out.0")
            for n in "qk":
                out[x + f"attn2.ln_{n}.weight"] = w[a + f"attn2.norm_{n}.weight"]
        put(x + "mlp.fc1", a + "ff.net.0.proj")
        put(x + "mlp.fc2", a + "ff.net.2")
        if not last:
            put(c + "attn.proj", a + "attn.to_add_out")
            put(c + "mlp.fc1", a + "ff_context.net.0.proj")
            put(c + "mlp.fc2", a + "ff_context.net.2")
    put("final_layer.linear", "proj_out")
    for end in (".weight", ".bias"):
        out["final_layer.adaLN_modulation.1" + end] = swapped(w["norm_out.linear" + end])
    return out


def vae_native(w, levels):
    out = {}
    for name, t in w.items():
        for old, new in ((".down_blocks.", ".down."), (".resnets.", ".block."), (".conv_shortcut.", ".nin_shortcut."),
                         (".downsamplers.0.", ".downsample."), (".upsamplers.0.", ".upsample."),
                         (".mid_block.block.0.", ".mid.block_1."), (".mid_block.block.1.", ".mid.block_2."),
                         (".mid_block.attentions.0.", ".mid.attn_1."), (".group_norm.", ".norm."),
                         (".attn_1.to_out.0.", ".attn_1.proj_out."), (".attn_1.to_", ".attn_1."),
                         (".conv_norm_out.", ".norm_out.")):
            name = name.replace(old, new)
        if ".up_blocks." in name:
            level = int(name.split(".up_blocks.")[1].split(".")[0])
            name = name.replace(f".up_blocks.{level}.", f".up.{levels - 1 - level}.")
        if ".attn_1." in name and ".norm." not in name and t.dim() == 2:
            t = t[:, :, None, None]
        out[name] = t
    return out


class Mapped(torch.nn.Module):
    """A norm of queries or keys with the map (and, of image tokens, the rotary positions) behind it."""

    def __init__(self, norm, matrix, heads_axis, turn=None):
        super().__init__()
        self.norm, self.matrix, self.heads_axis, self.turn = norm, matrix, heads_axis, turn

    def forward(self, x):
        x = x if self.norm is None else self.norm(x)
        rows = "blhd" if self.heads_axis == 2 else "bhld"
        x = torch.einsum(f"{rows},hed->{rows[:-1]}e", x, self.matrix)
        return x if self.turn is None else self.turn(x)


def factors(heads, dim, seed):
    g = torch.Generator().manual_seed(seed)
    return {"A_u": torch.randn(heads, dim, dim, generator=g), "A_v": torch.randn(heads, dim, dim, generator=g),
            "sigma": torch.randn(heads, dim, generator=g) + 0.54}


def matrices(f, convention):
    exp = lambda a: torch.matrix_exp(((a - a.mT) / 2).double())
    s = torch.nn.functional.softplus(f["sigma"].double()) + 1e-6
    u, v = exp(f["A_u"]), exp(f["A_v"])
    m = u * s[:, None] @ v.mT
    key = m if convention == "same" else u / s[:, None] @ v.mT
    return m.float(), key.float()


def axial(rows, cols, dim, theta=10000.0):
    w = theta ** (-torch.arange(dim // 4).double() * 4 / dim)
    r, c = torch.meshgrid(torch.arange(rows).double(), torch.arange(cols).double(), indexing="ij")
    angle = torch.cat([r.flatten()[:, None] * w, c.flatten()[:, None] * w], 1)

    def turn(x):  # [B,H,N,D]
        a, b = x[..., 0::2], x[..., 1::2]
        cos, sin = angle.cos().float(), angle.sin().float()
        return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)

    return turn


def flux_inputs():
    g = torch.Generator().manual_seed(3)
    ids = torch.stack(torch.meshgrid(torch.zeros(1), torch.arange(3.0), torch.arange(4.0), indexing="ij"), -1)
    return dict(hidden_states=torch.randn(2, 12, 8, generator=g), encoder_hidden_states=torch.randn(2, 5, 12, generator=g),
                pooled_projections=torch.randn(2, 8, generator=g), timestep=torch.tensor([0.7, 0.2]),
                guidance=torch.tensor([3.5, 1.0]), img_ids=ids.reshape(-1, 3), txt_ids=torch.zeros(5, 3))


def flux():
    torch.manual_seed(0)
    model = randomise(FluxTransformer2DModel(**FLUX), 1)
    inputs = flux_inputs()
    with torch.no_grad():
        out = model(**inputs, return_dict=False)[0]
        weights = dict(model.state_dict())
        native = flux_native(weights, FLUX)
        write("flux_tiny", weights, {**inputs, "out": out}, FLUX)
        write("flux_tiny_native", {"model.diffusion_model." + k: v for k, v in native.items()}, {**inputs, "out": out}, FLUX)
        for convention in ("inverse", "same"):
            maps = {}
            blocks = [(f"transformer_blocks.{i}.attn", b.attn) for i, b in enumerate(model.transformer_blocks)]
            blocks += [(f"single_transformer_blocks.{i}.attn", b.attn) for i, b in enumerate(model.single_transformer_blocks)]
            kept = []
            for i, (name, attention) in enumerate(blocks):
                f = factors(2, 8, 50 + i)
                maps.update({f"{name}.learnable_rot.{k}": v for k, v in f.items()})
                query, key = matrices(f, convention)
                for which, matrix in (("norm_q", query), ("norm_added_q", query), ("norm_k", key), ("norm_added_k", key)):
                    norm = getattr(attention, which, None)
                    if norm is None:
                        continue
                    kept.append((attention, which, norm))
                    setattr(attention, which, Mapped(norm, matrix, 2))
            mapped = model(**inputs, return_dict=False)[0]
            for attention, which, norm in kept:
                setattr(attention, which, norm)
            write(f"flux_tiny_harope_{convention}", {**weights, **maps}, {**inputs, "out": mapped}, FLUX,
                  {"harope.convention": convention})


def sd3():
    g = torch.Generator().manual_seed(4)
    inputs = dict(hidden_states=torch.randn(2, 4, 6, 10, generator=g), encoder_hidden_states=torch.randn(2, 5, 12, generator=g),
                  pooled_projections=torch.randn(2, 8, generator=g), timestep=torch.tensor([700.0, 250.5]))
    for name, more in (("sd3_tiny", {}), ("sd35_tiny", {"qk_norm": "rms_norm", "dual_attention_layers": (0,)})):
        torch.manual_seed(0)
        config = {**SD3, **more}
        model = randomise(SD3Transformer2DModel(**config), 5)
        with torch.no_grad():
            out = model(**inputs, return_dict=False)[0]
            weights = dict(model.state_dict())
            native = sd3_native(weights, config)
            same(loader.convert_sd3_transformer_checkpoint_to_diffusers(dict(native)), weights)
            write(name, weights, {**inputs, "out": out}, config)
            write(name + "_native", native, {**inputs, "out": out}, {"num_attention_heads": 2})
            if not more:
                continue
            maps, turn = {}, axial(3, 5, 8)
            for i, block in enumerate(model.transformer_blocks):
                for part in ("attn", "attn2"):
                    attention = getattr(block, part, None)
                    if attention is None:
                        continue
                    f = factors(2, 8, 70 + 2 * i + (part == "attn2"))
                    maps.update({f"transformer_blocks.{i}.{part}.learnable_rot.{k}": v for k, v in f.items()})
                    query, key = matrices(f, "inverse")
                    for which, matrix in (("norm_q", query), ("norm_k", key)):
                        setattr(attention, which, Mapped(getattr(attention, which), matrix, 1, turn))
                    for which, matrix in (("norm_added_q", query), ("norm_added_k", key)):
                        if getattr(attention, which, None) is not None:
                            setattr(attention, which, Mapped(getattr(attention, which), matrix, 1))
            mapped = model(**inputs, return_dict=False)[0]
            write("sd35_tiny_harope_inverse", {**weights, **maps}, {**inputs, "out": mapped}, config,
                  {"harope.convention": "inverse"})


def vae():
    g = torch.Generator().manual_seed(6)
    for name, channels, quant in (("vae_tiny", 4, True), ("vae16_tiny", 16, False)):
        config = dict(in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 3,
                      up_block_types=("UpDecoderBlock2D",) * 3, block_out_channels=(4, 4, 8), layers_per_block=1,
                      latent_channels=channels, norm_num_groups=2, use_quant_conv=quant, use_post_quant_conv=quant,
                      scaling_factor=0.18215 if quant else 0.3611, **({} if quant else {"shift_factor": 0.1159}))
        torch.manual_seed(0)
        model = randomise(AutoencoderKL(**config), 7)
        latents, image = torch.randn(1, channels, 5, 6, generator=g), torch.rand(1, 3, 24, 28, generator=g) * 2 - 1
        with torch.no_grad():
            posterior = model.encode(image).latent_dist
            expected = dict(latents=latents, image=image, out=model.decode(latents).sample, out_mean=posterior.mean,
                            out_logvar=posterior.logvar)
        weights = dict(model.state_dict())
        write(name, weights, expected, config)
        native = vae_native(weights, 3)
        same(loader.convert_ldm_vae_checkpoint(dict(native), config), weights)
        write(name + "_native", native, expected,
              {"norm_num_groups": 2, **({} if quant else {"scaling_factor": 0.3611, "shift_factor": 0.1159})})


def check_flux_names():
    """diffusers' conversion of FLUX knows the published width alone: one block of each kind, 1 GB."""
    config = {**FLUX, "num_single_layers": 1, "attention_head_dim": 128, "num_attention_heads": 24, "axes_dims_rope": (16, 56, 56)}
    model = FluxTransformer2DModel(**config).bfloat16()
    weights = dict(model.state_dict())
    same(loader.convert_flux_transformer_checkpoint_to_diffusers(flux_native(weights, config)), weights)


check_flux_names()
flux()
sd3()
vae()
