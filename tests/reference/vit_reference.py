# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files of ViTs and of diffusers' DiT into tests/golden, and checks a classifier picture by picture.

    python tests/reference/vit_reference.py golden
    python tests/reference/vit_reference.py classify ENGINE      # top five of 20 pictures, program beside timm

Made with torch 2.11.0, timm 1.0.31, diffusers 0.42.1, pillow 13.0.0. Weights are random, every parameter non-trivial."""
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")


def randomised(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            elif "freqs" in name:
                p.add_(0.1 * noise)
            elif p.dim() >= 2 and "pos_embed" not in name and "cls_token" not in name:
                p.copy_(noise / math.sqrt(p[0].numel()))
            else:
                p.copy_(0.3 * noise)
    return model.eval()


def small_vit(name, seed, **sizes):
    return randomised(timm.create_model(name, pretrained=False, **sizes), seed)


def picture(seed, height, width):
    """A smooth coloured pattern with edges, the same everywhere."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 64.0
    image = np.zeros((height, width, 3))
    for c in range(3):
        for _ in range(4):
            fy, fx, phase, weight = g.uniform(-6, 6), g.uniform(-6, 6), g.uniform(0, 6.3), g.uniform(0.2, 1)
            image[..., c] += weight * np.sin(fy * y + fx * x + phase)
    image[(np.floor(3 * x) + np.floor(2 * y)) % 2 == 0] *= 0.4
    return Image.fromarray(np.uint8(np.clip(127.5 + 60 * image, 0, 255)))


# Maps of HARoPE put into timm's attention: the definitions of arXiv 2510.10489 and of its released code.
def matrices(kind, p):
    if kind == "svd":
        u, v = (torch.matrix_exp((a - a.mT) / 2) for a in (p["A_u"], p["A_v"]))
        s = F.softplus(p["sigma"]) + 1e-6
        return u @ torch.diag_embed(s) @ v.mT
    if kind == "full":
        return p["W"]
    if kind == "cayley":
        k = (p["S"] - p["S"].mT) / 2
        one = torch.eye(k.shape[-1], dtype=k.dtype)
        return (one - k) @ torch.linalg.inv(one + k)
    raise ValueError(kind)


def parameters(kind, heads, dim, g):
    noise = lambda *shape: 0.4 * torch.randn(*shape, generator=g)
    if kind == "svd":
        return {"A_u": noise(heads, dim, dim), "A_v": noise(heads, dim, dim), "sigma": 0.54 + noise(heads, dim)}
    if kind == "full":
        return {"W": torch.eye(dim) + 0.5 * noise(heads, dim, dim)}
    return {"S": noise(heads, dim, dim)}


def with_maps(model, kind, convention, tokens, seed):
    """The model's attentions with a map of every head before the rotation; the parameters by their file names."""
    from timm.layers.pos_embed_sincos import apply_rot_embed_cat

    g = torch.Generator().manual_seed(seed)
    extra = {}
    for i, block in enumerate(model.blocks):
        attn = block.attn
        dim = attn.qkv.weight.shape[0] // 3 // attn.num_heads
        p = parameters(kind, attn.num_heads, dim, g)
        extra.update({f"blocks.{i}.attn.learnable_rot.{k}": v for k, v in p.items()})
        m = matrices(kind, {k: v.double() for k, v in p.items()})
        key = m if convention == "same" else torch.linalg.inv(m).mT
        first = 1 if tokens == "patches" else 0

        def forward(x, rope=None, attn_mask=None, is_causal=False, a=attn, mq=m.float(), mk=key.float(), n=first):
            b, length, width = x.shape
            q, k, v = a.qkv(x).reshape(b, length, 3, a.num_heads, -1).permute(2, 0, 3, 1, 4)
            turn = lambda t, mat: torch.cat([t[:, :, :n], t[:, :, n:] @ mat.mT], 2)
            q, k = turn(q, mq), turn(k, mk)
            rotate = lambda t: torch.cat([t[:, :, :1], apply_rot_embed_cat(t[:, :, 1:], rope)], 2)
            weight = (rotate(q) @ rotate(k).mT * q.shape[-1] ** -0.5).softmax(-1)
            return a.proj((weight @ v).transpose(1, 2).reshape(b, length, width))

        attn.forward = forward
    return extra


def write(name, weights, metadata, outputs):
    save_file({k: v.contiguous() for k, v in weights.items()}, os.path.join(GOLDEN, name + ".safetensors"), metadata)
    save_file({k: v.contiguous() for k, v in outputs.items()}, os.path.join(GOLDEN, name + ".expected.safetensors"))


def vit_files():
    sizes = dict(embed_dim=32, depth=2, num_heads=2, img_size=(24, 40), patch_size=8, num_classes=7)
    x = torch.randn(2, 3, 24, 40, generator=torch.Generator().manual_seed(1))
    config = {"architecture": "", "num_heads": 2, "img_size": [24, 40], "num_classes": 7}
    with torch.no_grad():
        for name, short in [("vit_base_patch16_224", "plain"), ("vit_base_patch16_rope_mixed_ape_224", "mixed_ape")]:
            model = small_vit(name, 11, **sizes)
            write("vit_wide_" + short, model.state_dict(), None, {"x": x, "out": model(x)})
            json.dump(config | {"architecture": name}, open(f"{GOLDEN}/vit_wide_{short}.config.json", "w"))
        for kind, convention, tokens in [("svd", "inverse", "all"), ("svd", "same", "patches"),
                                         ("full", "inverse", "patches"), ("cayley", "same", "all")]:
            model = small_vit("vit_base_patch16_rope_224", 12, **sizes)
            extra = with_maps(model, kind, convention, tokens, 13)
            name = f"vit_harope_{kind}_{convention}_{tokens}"
            metadata = {"harope.convention": convention, "harope.apply": tokens}
            write(name, model.state_dict() | extra, metadata, {"x": x, "out": model(x)})
            json.dump(config | {"architecture": "vit_base_patch16_rope_224"}, open(f"{GOLDEN}/{name}.config.json", "w"))
        # rope-vit's own names and container.
        model = small_vit("vit_base_patch16_rope_mixed_224", 14, **(sizes | {"img_size": 32}))
        weights = model.state_dict()
        f = weights.pop("rope.freqs")
        weights["freqs"] = f.reshape(2, f.shape[1], -1)
        weights["freqs_t_x"], weights["freqs_t_y"] = torch.arange(16.0) % 4, torch.floor(torch.arange(16.0) / 4)
        torch.save({"model": weights}, os.path.join(GOLDEN, "rope_vit_mixed_tiny.pt"))
        y = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
        save_file({"x": y, "out": model(y)}, os.path.join(GOLDEN, "rope_vit_mixed_tiny.expected.safetensors"))


def resized_pictures():
    """Small pictures through PIL at up and down scales, and through timm's whole evaluation transform."""
    out = {}
    source = picture(5, 37, 53)
    out["source"] = torch.from_numpy(np.array(source))
    for mode in ("bicubic", "bilinear", "lanczos", "nearest"):
        for h, w in [(20, 31), (61, 90), (37, 20), (50, 53)]:
            resized = source.resize((w, h), getattr(Image.Resampling, mode.upper()))
            out[f"{mode}.{h}x{w}"] = torch.from_numpy(np.array(resized))
    for h, w, crop in [(32, 32, 0.9), (32, 32, 1.0), (24, 40, 0.875)]:
        transform = timm.data.create_transform(input_size=(3, h, w), interpolation="bicubic", crop_pct=crop,
                                               mean=(0, 0, 0), std=(1, 1, 1))
        out[f"input.{h}x{w}.{crop}"] = (transform(source) * 255).round().to(torch.uint8).permute(1, 2, 0)
    save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(GOLDEN, "pil_resize.safetensors"))


def diffusers_dit():
    from diffusers import DiTTransformer2DModel

    model = DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=8,
                                  num_layers=2, sample_size=8, patch_size=2, num_embeds_ada_norm=6)
    randomised(model, 21)
    first = model.transformer_blocks[0].norm1.emb.state_dict()
    for block in model.transformer_blocks:
        block.norm1.emb.load_state_dict(first)
    g = torch.Generator().manual_seed(3)
    x, t, y = torch.randn(3, 4, 8, 8, generator=g), torch.tensor([0, 500, 999]), torch.tensor([2, 6, 0])
    with torch.no_grad():
        out = model(x, timestep=t, class_labels=y).sample
    folder = os.path.join(GOLDEN, "dit_diffusers_tiny")
    model.save_pretrained(os.path.join(folder, "transformer"))
    save_file({"x": x, "t": t, "y": y, "out": out}, folder + ".expected.safetensors")


def classify(engine):
    """Twenty pictures of many sizes: the program's five best classes are timm's, in order."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("vit_base_patch16_224", "vit_base_patch16_rope_mixed_224"):
            model = small_vit(name, 31, embed_dim=64, depth=3, num_heads=4, img_size=64, num_classes=50)
            cfg = timm.data.resolve_model_data_config(model, args={"img_size": 64})
            save_file(model.state_dict(), os.path.join(folder, "model.safetensors"))
            keys = {k: cfg[k] for k in ("mean", "std", "crop_pct", "interpolation", "input_size")}
            json.dump({"architecture": name, "num_heads": 4, "pretrained_cfg": keys},
                      open(os.path.join(folder, "config.json"), "w"))
            transform = timm.data.create_transform(**cfg)
            files, expected = [], []
            for i in range(20):
                image = picture(100 + i, 40 + 23 * i, 300 - 11 * i)
                files.append(os.path.join(folder, f"{i}.png"))
                image.save(files[-1])
                with torch.no_grad():
                    logits = model(transform(Image.open(files[-1]).convert("RGB"))[None])[0]
                expected.append(logits.topk(5))
            command = [engine, "classify", os.path.join(folder, "model.safetensors"), *files, "--json", "--device", "cpu"]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for i, (f, e) in enumerate(zip(found, expected)):
                same = [s["index"] for s in f["top"]] == e.indices.tolist()
                off = max(abs(s["logit"] - v) for s, v in zip(f["top"], e.values.tolist()))
                wrong += not same
                print(f"{name} picture {i}: {'same' if same else 'DIFFERENT'} top five, logits within {off:.1e}")
    print(f"{wrong} of 40 differ")
    return wrong


if __name__ == "__main__":
    if sys.argv[1:2] == ["classify"] and len(sys.argv) == 3:
        sys.exit(classify(sys.argv[2]) > 0)
    if sys.argv[1:] != ["golden"]:
        sys.exit(__doc__)
    vit_files()
    resized_pictures()
    diffusers_dit()
