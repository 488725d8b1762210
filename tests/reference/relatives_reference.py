# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files of DiT's relatives and of timm's kinds of ViT into tests/golden/relatives; prints a table.

    python tests/reference/relatives_reference.py [FOLDER]

Made with torch 2.11.0, torchvision 0.26.0 (timm imports it), timm 1.0.31. Weights are random, none trivial.
The diffusion transformers are written from the papers: DiT (arXiv 2212.09748), SiT (2401.08740), REPA (2410.06940),
LightningDiT (2501.01423), HARoPE (2510.10489). NAME.safetensors holds weights under their public names,
NAME.expected.safetensors inputs and outputs. Networks run in float32, states of samplers are kept in float64.
"""
import json
import math
import os
import sys
from functools import partial

import timm
import torch
from safetensors.torch import save_file
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import nn
from torch.nn import functional as F

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "golden", "relatives")
WIDTH, HEADS, LAYERS = 24, 2, 2
SMALL = ("pos_embed", "token", "tokens", "latent", "embedding_table.weight")
VIT = dict(patch_size=4, embed_dim=WIDTH, depth=LAYERS, num_heads=HEADS, num_classes=5, mlp_ratio=0.5)


def noise(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomised(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            n = torch.randn(p.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * n)
            elif "learnable_rot" in name:
                p.copy_(0.4 * n + (0.54 if name.endswith("sigma") else 0))
            elif p.dim() >= 2 and not name.endswith(SMALL):
                p.copy_(n / math.sqrt(p[0].numel()))
            else:
                p.copy_(0.3 * n)
    return model.eval()


def write(name, model, config, expected):
    path = os.path.join(FOLDER, name)
    weights = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
    assert all(v.dtype == torch.float32 and v.std() > 0 for v in weights.values()), name
    assert all(torch.isfinite(v).all() for v in expected.values()), name
    save_file(weights, path + ".safetensors")
    save_file({k: v.detach().contiguous() for k, v in expected.items()}, path + ".expected.safetensors")
    with open(path + ".config.json", "w") as file:
        json.dump(config, file)
    print(f"\n{name}: {os.path.getsize(path + '.safetensors')} bytes, {json.dumps(config)}")
    print("  " + ", ".join(f"{k} {list(v.shape)}" for k, v in weights.items() if ".1." not in k or "blocks.1" not in k))
    print("  expected: " + ", ".join(f"{k} {list(v.shape)} <= {v.abs().max():.3g}" for k, v in expected.items()))


# Diffusion transformers.


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


def sincos_table(rows, columns, width):
    """DiT's fixed positions: the first half of the features holds the column, sines before cosines."""
    w = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angle = [p.flatten()[:, None] * w for p in (column, row)]
    return torch.cat([f(a) for a in angle for f in (torch.sin, torch.cos)], 1).float()[None]


def rotary_table(rows, columns, dim):
    """EVA's table, which is axial RoPE: the first half of the features turns with the row, neighbours form a pair."""
    w = 10000.0 ** (-2 * torch.arange(dim // 4) / (dim // 2))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angle = torch.cat([row.flatten()[:, None] * w, column.flatten()[:, None] * w], 1).repeat_interleave(2, 1)
    return angle.cos(), angle.sin()


def rotated(x, table):
    turned = torch.stack([-x[..., 1::2], x[..., 0::2]], -1).flatten(-2)
    return x * table[0] + turned * table[1]


class Maps(nn.Module):
    """HARoPE's M = U diag(s) V^T of every head."""

    def __init__(self, heads, dim):
        super().__init__()
        self.A_u, self.A_v = (nn.Parameter(torch.zeros(heads, dim, dim)) for _ in range(2))
        self.sigma = nn.Parameter(torch.zeros(heads, dim))

    def forward(self):
        u, v = (torch.matrix_exp((a - a.mT) / 2) for a in (self.A_u, self.A_v))
        s = F.softplus(self.sigma) + 1e-6
        return (u * s[:, None]) @ v.mT, (v / s[:, None]) @ u.mT


class Attention(nn.Module):
    def __init__(self, width, heads, norm, maps):
        super().__init__()
        dim = width // heads
        self.heads, self.convention = heads, "inverse"
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        if norm:
            self.q_norm, self.k_norm = norm(dim), norm(dim)
        if maps:
            self.learnable_rot = Maps(heads, dim)

    def forward(self, x, table):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        if hasattr(self, "q_norm"):
            q, k = self.q_norm(q), self.k_norm(k)
        if hasattr(self, "learnable_rot"):
            m, inverse = self.learnable_rot()
            q, k = q @ m.mT, k @ (inverse if self.convention == "inverse" else m.mT)
        if table is not None:
            q, k = rotated(q, table), rotated(k, table)
        weight = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
        return self.proj((weight @ v).transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class SwiGLU(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.w12, self.w3 = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x):
        gate, value = self.w12(x).chunk(2, -1)
        return self.w3(F.silu(gate) * value)


def modulation(width, parts):
    return nn.Sequential(nn.SiLU(), nn.Linear(width, parts * width))


def plain_norm(width):
    return nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)


class Block(nn.Module):
    def __init__(self, width, heads, norm, mlp, qk_norm, maps):
        super().__init__()
        self.norm1, self.attn = norm(width), Attention(width, heads, qk_norm, maps)
        self.norm2, self.mlp = norm(width), mlp()
        self.adaLN_modulation = modulation(width, 6)

    def forward(self, x, cond, table):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(cond)[:, None].chunk(6, -1)
        x = x + gate1 * self.attn(self.norm1(x) * (1 + scale1) + shift1, table)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class DiT(nn.Module):
    """`scale` multiplies the rows of queries and keys, so that the epsilon of their norms shows."""

    def __init__(self, seed, side=(8, 8), patch=2, channels=4, out=4, rows=6, time=256, hidden=36, norm=plain_norm,
                 swiglu=False, qk_norm=None, rope=False, maps=False, scale=1.0):
        super().__init__()
        self.patch, self.out, self.time, self.grid = patch, out, time, (side[0] // patch, side[1] // patch)
        self.x_embedder = nn.ModuleDict({"proj": nn.Conv2d(channels, WIDTH, patch, patch)})
        of_time = nn.Sequential(nn.Linear(time, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.t_embedder = nn.ModuleDict({"mlp": of_time})
        self.y_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(rows, WIDTH)})
        mlp = lambda: (SwiGLU if swiglu else Mlp)(WIDTH, hidden)
        self.blocks = nn.ModuleList([Block(WIDTH, HEADS, norm, mlp, qk_norm, maps) for _ in range(LAYERS)])
        self.final_layer = nn.ModuleDict({"norm_final": norm(WIDTH), "adaLN_modulation": modulation(WIDTH, 2),
                                          "linear": nn.Linear(WIDTH, patch * patch * out)})
        randomised(self, seed)
        with torch.no_grad():
            for block in self.blocks:
                block.attn.qkv.weight[:2 * WIDTH] *= scale
                block.attn.qkv.bias[:2 * WIDTH] *= scale
        self.register_buffer("pos_embed", sincos_table(*self.grid, WIDTH))
        self.table = rotary_table(*self.grid, WIDTH // HEADS) if rope or maps else None
        if rope:
            self.feat_rope = nn.Module()
            self.feat_rope.register_buffer("freqs_cos", self.table[0])
            self.feat_rope.register_buffer("freqs_sin", self.table[1])

    def forward(self, x, t, y):
        half = self.time // 2
        angle = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        cond = self.t_embedder["mlp"](torch.cat([angle.cos(), angle.sin()], 1)) + self.y_embedder["embedding_table"](y)
        tokens = self.x_embedder["proj"](x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens, cond, self.table)
        shift, scale = self.final_layer["adaLN_modulation"](cond)[:, None].chunk(2, -1)
        p = self.final_layer["linear"](self.final_layer["norm_final"](tokens) * (1 + scale) + shift)
        (h, w), s = self.grid, self.patch
        return p.view(len(x), h, w, s, s, self.out).permute(0, 5, 1, 3, 2, 4).reshape(len(x), self.out, h * s, w * s)


def path_of(name, t):
    """alpha, sigma and their derivatives at time t, data at t = 1 (SiT)."""
    if name == "linear":
        return t, 1 - t, 1.0, -1.0
    if name == "gvp":
        a = math.pi / 2
        return math.sin(a * t), math.cos(a * t), a * math.cos(a * t), -a * math.sin(a * t)
    alpha = math.exp(-0.25 * (1 - t) ** 2 * (20 - 0.1) - 0.5 * (1 - t) * 0.1)
    sigma, slope = math.sqrt(1 - alpha * alpha), alpha * (0.5 * (1 - t) * (20 - 0.1) + 0.5 * 0.1)
    return alpha, sigma, slope, -alpha * slope / sigma


def drift(path, prediction, answer, x, t):
    if prediction == "velocity":
        return answer
    alpha, sigma, dalpha, dsigma = path_of(path, t)
    score = answer if prediction == "score" else -answer / sigma
    return dalpha / alpha * x + (dalpha / alpha * sigma**2 - sigma * dsigma) * score


def integrated(field, start, t0, t1, heun="never", steps=10):
    x, times = start.double(), torch.linspace(t0, t1, steps + 1, dtype=torch.float64).tolist()
    for i, (now, then) in enumerate(zip(times, times[1:])):
        v = field(x, now)
        if heun == "always" or (heun == "not last" and i < steps - 1):
            v = (v + field(x + (then - now) * v, then)) / 2
        x = x + (then - now) * v
    return x.float()


def interval(path, prediction):
    if path == "vp":
        return 0.0, 1 - 1e-3
    return (0.0, 1.0) if prediction == "velocity" else (1e-3, 1 - 1e-3)


def answers(model, label, channels):
    return lambda x, t: model(x.float(), torch.full((len(x),), t, dtype=torch.float32), label)[:, :channels].double()


def case(model, seed, channels, side, t, y, label):
    x, start = noise(seed, 2, channels, *side), noise(seed + 1, 1, channels, *side)
    t, y, label = torch.tensor(t), torch.tensor(y), torch.tensor([label])
    return {"x": x, "t": t, "y": y, "out": model(x, t, y)}, {"noise": start, "label": label}


def sit():
    model = DiT(101, out=8, hidden=60)
    first, start = case(model, 102, 4, (8, 8), [0.1375, 0.8125], [3, 5], 2)
    answer, null = answers(model, start["label"], 4), answers(model, torch.tensor([5]), 4)
    runs = {}
    for path in ("linear", "gvp", "vp"):
        for prediction in ("velocity", "score", "noise"):
            field = lambda x, t: drift(path, prediction, answer(x, t), x, t)
            runs[f"euler10.{path}.{prediction}"] = integrated(field, start["noise"], *interval(path, prediction))
    runs["heun10.linear.velocity"] = integrated(answer, start["noise"], 0.0, 1.0, "always")
    guided = lambda x, t: null(x, t) + 2 * (answer(x, t) - null(x, t))
    runs["cfg10.linear.velocity"] = integrated(guided, start["noise"], 0.0, 1.0)
    config = {"num_heads": HEADS, "num_classes": 5, "path_type": "Linear", "prediction": "velocity"}
    write("sit", model, config, first | start | runs)


def repa():
    model = DiT(111)
    wide = nn.Sequential(nn.Linear(WIDTH, 20), nn.SiLU(), nn.Linear(20, 20), nn.SiLU(), nn.Linear(20, 12))
    model.projectors = nn.ModuleList([wide])
    randomised(model.projectors, 115)
    first, start = case(model, 112, 4, (8, 8), [0.1375, 0.8125], [5, 1], 4)
    answer = answers(model, start["label"], 4)
    # A velocity is what the ODE integrates: the path changes what the network learns, not how it is sampled.
    runs = {f"euler10.{path}": integrated(answer, start["noise"], 1.0, 0.0) for path in ("linear", "cosine")}
    runs["heun10.linear"] = integrated(answer, start["noise"], 1.0, 0.0, "always")
    runs["heun10_repa.linear"] = integrated(answer, start["noise"], 1.0, 0.0, "not last")
    config = {"num_heads": HEADS, "num_classes": 5, "path_type": "linear", "prediction": "v"}
    write("repa", model, config, first | start | runs)


def lightning():
    model = DiT(121, side=(4, 6), patch=1, channels=8, out=8, hidden=int(2 / 3 * 4 * WIDTH), norm=RMSNorm, swiglu=True,
                qk_norm=RMSNorm, rope=True, scale=0.03)
    first, start = case(model, 122, 8, (4, 6), [0.1375, 0.8125], [2, 5], 1)
    runs = {"euler10": integrated(answers(model, start["label"], 8), start["noise"], 0.0, 1.0)}
    write("lightning", model, {"num_heads": HEADS, "num_classes": 5, "grid": [4, 6]}, first | start | runs)
    model = DiT(131, side=(4, 4), patch=1, qk_norm=nn.LayerNorm, rope=True, scale=0.03)
    first, _ = case(model, 132, 4, (4, 4), [0.1375, 0.8125], [4, 0], 0)
    write("lightning_ln", model, {"num_heads": HEADS, "num_classes": 5}, first)


def dit():
    model = DiT(141, side=(16, 16), patch=4, channels=3, out=6, rows=7, time=128, hidden=72)
    first, start = case(model, 142, 3, (16, 16), [17.0, 985.0], [6, 2], 3)
    kept = (1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)).cumprod(0)
    x, answer = start["noise"].double(), answers(model, start["label"], 3)
    for t in reversed(range(0, 1000, 100)):
        now, then = kept[t], kept[t - 100] if t else torch.tensor(1.0)
        eps = answer(x, float(t))
        x = then.sqrt() * (x - (1 - now).sqrt() * eps) / now.sqrt() + (1 - then).sqrt() * eps
    write("dit_odd", model, {"num_heads": HEADS, "num_classes": 7}, first | start | {"ddim10": x.float()})
    model = DiT(151, out=8, maps=True)
    first, _ = case(model, 152, 4, (8, 8), [17.0, 985.0], [0, 5], 0)
    outputs = {"out_inverse": first.pop("out")}
    for block in model.blocks:
        block.attn.convention = "same"
    outputs["out_same"] = model(first["x"], first["t"], first["y"])
    write("dit_ape_rope", model, {"num_heads": HEADS, "num_classes": 5}, first | outputs)


# Vision transformers.


def saved_config(architecture, model, arguments):
    """What timm's save_config_for_hf writes: the arguments that differ from the named architecture."""
    rows, columns = model.patch_embed.img_size
    pretrained = {"input_size": [3, rows, columns], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop_pct": 1.0,
                  "interpolation": "bicubic", "num_classes": 5}
    return {"architecture": architecture, "num_classes": 5, "num_features": WIDTH, "global_pool": model.global_pool,
            "model_args": arguments, "pretrained_cfg": pretrained}


def vit(name, seed, architecture="vit_base_patch16_224", kind=VisionTransformer, image=(12, 20), quiet=1.0, batch=1,
        silent=None, **more):
    """`more` are arguments that the configuration tells, `silent` such as the architecture's name stands for; `quiet`
    multiplies what the epsilons of the first norms and of those of queries and keys are added to."""
    arguments = {"img_size": image} | VIT | more
    model = randomised(kind(**(arguments | (silent or {}))), seed)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if key.startswith(("patch_embed", "pos_embed", "cls_token")):
                p *= quiet
            elif "qkv" in key and "q_norm" in str(model.blocks[0].attn.state_dict().keys()):
                p[:2 * WIDTH] *= quiet
    x = noise(seed + 1, batch, 3, *image)
    out = model(x)
    again = timm.create_model(architecture, **json.loads(json.dumps(arguments)))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(x), out), f"{name}: timm makes another model of the configuration"
    write(name, model, saved_config(architecture, model, arguments), {"x": x, "out": out})


def vits():
    vit("vit_reg2_no_embed", 201, batch=2, reg_tokens=2, no_embed_class=True)
    vit("vit_reg2", 203, reg_tokens=2)
    vit("vit_avg_fcnorm", 205, global_pool="avg")
    vit("vit_avg_norm", 207, global_pool="avg", fc_norm=False)
    vit("vit_avg_noclass", 209, class_token=False, global_pool="avg")
    vit("vit_map", 211, "vit_base_patch16_siglip_224", batch=2, class_token=False, global_pool="map")
    vit("vit_max", 213, global_pool="max")
    vit("vit_avgmax", 215, global_pool="avgmax")
    vit("vit_prenorm_quickgelu", 217, quiet=0.03, pre_norm=True, act_layer="quick_gelu")
    clip = dict(pre_norm=True, act_layer="quick_gelu", norm_layer=partial(timm.layers.LayerNorm, eps=1e-5))
    vit("vit_clip_quickgelu", 219, "vit_base_patch16_clip_quickgelu_224", quiet=0.03, silent=clip)
    vit("vit_qknorm", 221, quiet=0.03, qk_norm=True)
    vit("vit_nobias", 223, qkv_bias=False)
    vit("vit_ls", 225, init_values=0.1)
    giant = dict(mlp_layer=timm.layers.SwiGLUPacked, act_layer="silu")
    vit("vit_swiglu", 227, "vit_giant_patch14_dinov2", init_values=0.1, mlp_ratio=1.5, silent=giant)
    vit("vit_silu", 229, act_layer="silu")
    vit("vit_relu", 231, act_layer="relu")
    vit("vit_gelu_tanh", 233, act_layer="gelu_tanh")
    vit("vit_rms", 235, quiet=0.03, norm_layer="rmsnorm")
    vit("vit_distilled", 237, "deit_tiny_distilled_patch16_224", VisionTransformerDistilled, (16, 16), batch=2)
    eva = dict(use_rot_pos_emb=True, swiglu_mlp=False, ref_feat_shape=(3, 5))  # the reference is the grid: no rescaling
    vit("vit_eva_rope", 239, "eva02_tiny_patch14_224", Eva, **eva)


class Gamma(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return x * self.gamma


class DinoBlock(nn.Module):
    def __init__(self):
        super().__init__()
        norm = lambda: nn.LayerNorm(WIDTH, eps=1e-6)
        self.norm1, self.attn, self.ls1 = norm(), Attention(WIDTH, HEADS, None, False), Gamma()
        self.norm2, self.mlp, self.ls2 = norm(), Mlp(WIDTH, WIDTH // 2), Gamma()

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x), None))
        return x + self.ls2(self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x)))))


class Dino(nn.Module):
    """DINOv2 with registers (arXiv 2304.07193, 2309.16588), a classifier on its class token."""

    def __init__(self, registers=2, patches=16):
        super().__init__()
        token = lambda *shape: nn.Parameter(torch.zeros(*shape, WIDTH))
        self.cls_token, self.register_tokens, self.mask_token = token(1, 1), token(1, registers), token(1)
        self.pos_embed = token(1, 1 + patches)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, WIDTH, 4, 4)})
        self.blocks = nn.ModuleList([DinoBlock() for _ in range(LAYERS)])
        self.norm, self.head = nn.LayerNorm(WIDTH, eps=1e-6), nn.Linear(WIDTH, 5)

    def forward(self, x):
        patches = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1) + self.pos_embed
        x = torch.cat([x[:, :1], self.register_tokens.expand(len(x), -1, -1), x[:, 1:]], 1)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


def dinov2():
    model, x = randomised(Dino(), 241), noise(242, 2, 3, 16, 16)
    out = model(x)
    again = VisionTransformer(img_size=16, **VIT, reg_tokens=2, no_embed_class=True, init_values=0.1).eval()
    again.load_state_dict(checkpoint_filter_fn(dict(model.state_dict()), again))
    assert (again(x) - out).abs().max() < 1e-5, "timm reads these weights in another way"
    write("vit_dinov2", model, {"num_heads": HEADS, "num_classes": 5}, {"x": x, "out": out})


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    with torch.no_grad():
        sit()
        repa()
        lightning()
        dit()
        vits()
        dinov2()
    sizes = [os.path.getsize(os.path.join(FOLDER, f)) for f in os.listdir(FOLDER)]
    print(f"\n{len(sizes)} files, {sum(sizes)} bytes")
