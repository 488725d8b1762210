# SPDX-License-Identifier: Apache-2.0
"""A plain PyTorch DiT with HARoPE (inverse-map convention, or same-map), written from the definitions in the papers
(arXiv 2212.09748, 2510.10489), and, with maps=None, a DiT with axial RoPE alone. What `side_by_side.py` times against the
program and `export_check.py` reads folded checkpoints with."""
import math

import torch
from torch import nn
from torch.nn import functional as F


def time_features(t):
    f = torch.exp(-math.log(10000) * torch.arange(128) / 128)
    angle = t[:, None] * f
    return torch.cat([angle.cos(), angle.sin()], 1)


def axial_table(grid, dim, theta=10000.0):
    w = theta ** (-4 * torch.arange(dim // 4) / dim)
    row, col = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    angle = torch.cat([row.flatten()[:, None] * w, col.flatten()[:, None] * w], 1).repeat_interleave(2, 1)
    return angle.cos(), angle.sin()


def rotate(x, table):
    cos, sin = table
    turned = torch.stack([-x[..., 1::2], x[..., 0::2]], -1).flatten(-2)
    return x * cos + turned * sin


class Attention(nn.Module):
    def __init__(self, heads, dim, maps="inverse"):
        super().__init__()
        self.heads, self.dim, self.convention = heads, dim, maps
        self.qkv, self.proj = nn.Linear(heads * dim, 3 * heads * dim), nn.Linear(heads * dim, heads * dim)
        if not maps:
            return
        self.a_u, self.a_v = (nn.Parameter(0.02 * torch.randn(heads, dim, dim)) for _ in range(2))
        self.sigma = nn.Parameter(torch.full((heads, dim), math.log(math.e - 1)))

    def maps(self):
        u, v = (torch.matrix_exp((a - a.mT) / 2) for a in (self.a_u, self.a_v))
        s = F.softplus(self.sigma) + 1e-6
        return (u * s[:, None]) @ v.mT, (v / s[:, None]) @ u.mT

    def forward(self, x, table):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, self.dim).permute(2, 0, 3, 1, 4)
        if self.convention:
            m, inverse = self.maps()
            q, k = q @ m.mT, k @ (inverse if self.convention == "inverse" else m.mT)
        q, k = rotate(q, table), rotate(k, table)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))


class Block(nn.Module):
    def __init__(self, heads, dim, maps="inverse"):
        super().__init__()
        c = heads * dim
        self.attn = Attention(heads, dim, maps)
        self.fc1, self.fc2, self.ada = nn.Linear(c, 4 * c), nn.Linear(4 * c, c), nn.Linear(c, 6 * c)

    def forward(self, x, cond, table):
        c = x.shape[-1]
        shift1, scale1, gate1, shift2, scale2, gate2 = self.ada(F.silu(cond)).chunk(6, 1)
        norm = F.layer_norm(x, (c,), eps=1e-6)
        x = x + gate1[:, None] * self.attn(norm * (1 + scale1[:, None]) + shift1[:, None], table)
        norm = F.layer_norm(x, (c,), eps=1e-6)
        hidden = F.gelu(self.fc1(norm * (1 + scale2[:, None]) + shift2[:, None]), approximate="tanh")
        return x + gate2[:, None] * self.fc2(hidden)


class DiT(nn.Module):
    """Defaults: DiT-B/2 for 32x32 latents with learned variance."""

    def __init__(self, layers=12, heads=12, dim=64, patch=2, channels=4, out=8, classes=1000, grid=16,
                 maps="inverse"):
        super().__init__()
        c = heads * dim
        self.patch, self.grid, self.out = patch, grid, out
        self.embed = nn.Conv2d(channels, c, patch, patch)
        self.time1, self.time2 = nn.Linear(256, c), nn.Linear(c, c)
        self.labels = nn.Embedding(classes + 1, c)
        self.blocks = nn.ModuleList([Block(heads, dim, maps) for _ in range(layers)])
        self.ada, self.last = nn.Linear(c, 2 * c), nn.Linear(c, patch * patch * out)
        self.table = axial_table(grid, dim)

    def forward(self, x, t, y):
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        cond = self.time2(F.silu(self.time1(time_features(t)))) + self.labels(y)
        for block in self.blocks:
            tokens = block(tokens, cond, self.table)
        shift, scale = self.ada(F.silu(cond)).chunk(2, 1)
        norm = F.layer_norm(tokens, (tokens.shape[-1],), eps=1e-6)
        p = self.last(norm * (1 + scale[:, None]) + shift[:, None])
        p = p.view(len(x), self.grid, self.grid, self.patch, self.patch, self.out)
        return p.permute(0, 5, 1, 3, 2, 4).reshape(len(x), self.out, self.grid * self.patch, self.grid * self.patch)
