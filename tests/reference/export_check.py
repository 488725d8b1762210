# SPDX-License-Identifier: Apache-2.0
"""Reads what `fold` and `convert` write back with other programs and prints how far the outputs are apart.

    python tests/reference/export_check.py ENGINE

torch 2.11.0, timm 1.0.31, diffusers 0.42.1. Weights are random, maps far from the identity. Exits 1 when a bound is
broken."""
import json
import os
import subprocess
import sys
import tempfile

import timm
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, os.path.dirname(__file__))
import dit_eager
from vit_reference import small_vit, with_maps

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
BOUND = 1e-4
worst = {}


def engine(*arguments):
    done = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def run(*arguments):
    code, text = engine(*arguments)
    assert code == 0, text
    return text


def compare(what, found, expected, bound=BOUND):
    off = float((found - expected).abs().max() / max(1.0, float(expected.abs().max())))
    worst[what] = off <= bound
    print(f"{what:58s} {off:.2e}  bound {bound:.0e}  {'ok' if off <= bound else 'BROKEN'}")


def equal(what, a, b):
    same = a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    worst[what] = same
    print(f"{what:58s} {'equal' if same else 'DIFFERENT'}")


# The authors' names of a DiT and those of dit_eager.
OUTER = {"x_embedder.proj": "embed", "t_embedder.mlp.0": "time1", "t_embedder.mlp.2": "time2",
         "final_layer.adaLN_modulation.1": "ada", "final_layer.linear": "last"}
INNER = {"attn.qkv": "attn.qkv", "attn.proj": "attn.proj", "mlp.fc1": "fc1", "mlp.fc2": "fc2",
         "adaLN_modulation.1": "ada"}
MAPS = {"attn.learnable_rot.A_u": "attn.a_u", "attn.learnable_rot.A_v": "attn.a_v",
        "attn.learnable_rot.sigma": "attn.sigma"}


def names(layers, maps):
    pairs = [(f"{a}.{part}", f"{b}.{part}") for a, b in OUTER.items() for part in ("weight", "bias")]
    pairs.append(("y_embedder.embedding_table.weight", "labels.weight"))
    for i in range(layers):
        pairs += [(f"blocks.{i}.{a}.{part}", f"blocks.{i}.{b}.{part}") for a, b in INNER.items()
                  for part in ("weight", "bias")]
        pairs += [(f"blocks.{i}.{a}", f"blocks.{i}.{b}") for a, b in MAPS.items() if maps]
    return pairs


def eager_dit(convention, seed):
    torch.manual_seed(seed)
    model = dit_eager.DiT(layers=3, heads=3, dim=16, channels=4, out=8, classes=5, grid=6, maps=convention).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(("a_u", "a_v")):
                p.copy_(0.4 * torch.randn_like(p))
            elif name.endswith("sigma"):
                p.add_(0.5 * torch.randn_like(p))
            elif "ada" in name:
                p.copy_(0.2 * torch.randn_like(p))
    return model


def check_dit(folder):
    x, t, y = torch.randn(2, 4, 12, 12), torch.tensor([900.0, 37.0]), torch.tensor([1, 5])
    for convention in ("inverse", "same"):
        model = eager_dit(convention, 1)
        state = model.state_dict()
        source, out = f"{folder}/{convention}.safetensors", f"{folder}/{convention}_folded.safetensors"
        config = {"architecture": "dit", "grid": [6, 6], "heads": 3, "theta": 10000, "encoding": "harope"}
        save_file({a: state[b].contiguous() for a, b in names(3, True)}, source,
                  {"harope.convention": convention, "ropescope.config": json.dumps(config)})
        far = max(float((b.attn.maps()[0] - torch.eye(16)).abs().max()) for b in model.blocks)
        print(run("fold", source, "--out", out))
        plain = dit_eager.DiT(layers=3, heads=3, dim=16, channels=4, out=8, classes=5, grid=6, maps=None).eval()
        stored = load_file(out)
        assert set(stored) == {a for a, _ in names(3, False)}, "only plain names"
        plain.load_state_dict({b: stored[a] for a, b in names(3, False)}, strict=True)
        with torch.no_grad():
            compare(f"DiT {convention}-map folded, plain PyTorch (|M - I| {far:.2f})", plain(x, t, y), model(x, t, y))


def check_vit_folds(folder):
    sizes = dict(embed_dim=64, depth=3, num_heads=2, img_size=(48, 80), patch_size=8, num_classes=7)
    x = torch.randn(2, 3, 48, 80, generator=torch.Generator().manual_seed(1))
    name = "vit_base_patch16_rope_224"
    config = f"{folder}/vit.json"
    json.dump({"architecture": name, "num_heads": 2, "img_size": [48, 80], "num_classes": 7}, open(config, "w"))
    for kind, convention, tokens in [("svd", "inverse", "all"), ("svd", "same", "all"), ("full", "inverse", "all"),
                                     ("cayley", "same", "all"), ("svd", "inverse", "patches")]:
        model = small_vit(name, 12, **sizes)
        extra = with_maps(model, kind, convention, tokens, 13)
        source, out = f"{folder}/vit.safetensors", f"{folder}/vit_folded.safetensors"
        save_file({k: v.contiguous() for k, v in (model.state_dict() | extra).items()}, source,
                  {"harope.convention": convention, "harope.apply": tokens})
        code, text = engine("fold", source, "--out", out, "--config", config)
        print(text)
        if tokens == "patches":
            worst["refused"] = code == 1 and "class token" in text
            continue
        assert code == 0, text
        plain = timm.create_model(name, pretrained=False, **sizes).eval()
        plain.load_state_dict(load_file(out), strict=True)
        with torch.no_grad():
            compare(f"ViT {kind} {convention}-map folded, timm strict", plain(x), model(x))


def check_vit_names(folder):
    sizes = dict(embed_dim=32, depth=2, num_heads=2, img_size=32, patch_size=8, num_classes=7)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    for short in ("rope", "rope_mixed", "rope_mixed_ape"):
        name = f"vit_base_patch16_{short}_224"
        model = small_vit(name, 14, **sizes)
        raw = model.state_dict()
        if "rope.freqs" in raw:
            f = raw.pop("rope.freqs")
            raw["freqs"] = f.reshape(2, f.shape[1], -1)
            raw["freqs_t_x"], raw["freqs_t_y"] = torch.arange(16.0) % 4, torch.floor(torch.arange(16.0) / 4)
        source = f"{folder}/naver.pth"
        torch.save({"model": raw}, source)
        run("convert", source, "--names", "timm", "--out", f"{folder}/timm.safetensors", "--heads", 2, "--theta", 100)
        other = timm.create_model(name, pretrained=False, **sizes).eval()
        other.load_state_dict(load_file(f"{folder}/timm.safetensors"), strict=True)
        with torch.no_grad():
            compare(f"{short}: rope-vit's names to timm, strict", other(x), model(x), 0)
        run("convert", f"{folder}/timm.safetensors", "--names", "naver", "--out", f"{folder}/naver.safetensors",
            "--heads", 2, "--theta", 100, "--grid", "4x4")
        equal(f"{short}: and back to rope-vit's names", load_file(f"{folder}/naver.safetensors"), dict(raw))


def check_diffusers(folder):
    from diffusers import DiTTransformer2DModel
    from safetensors import safe_open

    out = f"{folder}/diffusers.safetensors"
    print(run("convert", f"{GOLDEN}/dit_ape_tiny.pt", "--heads", 3, "--names", "diffusers", "--out", out))
    config = json.loads(safe_open(out, "pt").metadata()["diffusers.config"])
    config.pop("_class_name")
    model = DiTTransformer2DModel(**config).eval()
    model.load_state_dict(load_file(out), strict=True)
    x, t, y = torch.randn(2, 4, 8, 8), torch.tensor([900, 37]), torch.tensor([1, 3])
    save_file({"x": x, "t": t.float(), "y": y}, f"{folder}/in.safetensors")
    run("forward", out, "--in", f"{folder}/in.safetensors", "--out", f"{folder}/out.safetensors")
    with torch.no_grad():
        compare("DiT to diffusers' names, diffusers strict", load_file(f"{folder}/out.safetensors")["out"],
                model(x, timestep=t, class_labels=y).sample)
    run("convert", out, "--names", "dit", "--out", f"{folder}/dit.safetensors")
    original = {k: v for k, v in torch.load(f"{GOLDEN}/dit_ape_tiny.pt", weights_only=True).items()}
    back = load_file(f"{folder}/dit.safetensors")
    compare("and back: the table diffusers does not store", back.pop("pos_embed"), original.pop("pos_embed"), 1e-6)
    equal("and back: all other tensors", back, original)


if __name__ == "__main__":
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        check_dit(folder)
        check_vit_folds(folder)
        check_vit_names(folder)
        check_diffusers(folder)
    broken = [what for what, good in worst.items() if not good]
    print("all within bounds" if not broken else "BROKEN: " + ", ".join(broken))
    sys.exit(bool(broken))
