# SPDX-License-Identifier: Apache-2.0
"""Recomputes the tensors of `inspect` for a HARoPE DiT with plain formulas in numpy and writes them as a golden file.

    python tests/reference/probes_reference.py tests/golden/harope_dit_tiny.pt tests/golden/probes_reference.safetensors

Names in the golden file: CONVENTION.layer.I.NAME, float32. Nothing here is shared with the program: operators are built
offset by offset and traced, the exponential comes from eigenvectors, square roots of moments from eigenvalues.
torch only reads the container, numpy does the mathematics.
"""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file

THETA = 10000.0
GRID = (4, 4)


def expm_skew(a):
    s = (a - a.T) / 2
    values, vectors = np.linalg.eigh(1j * s)  # i S is Hermitian
    return (vectors @ np.diag(np.exp(-1j * values)) @ vectors.conj().T).real


def root(m):
    values, vectors = np.linalg.eigh(m)
    return vectors @ np.diag(np.sqrt(np.clip(values, 0, None))) @ vectors.T


def plane_basis(rows):
    q, _ = np.linalg.qr(rows.T)
    return q  # D x 2


def rotation(freq, offset):
    d = 2 * len(freq)
    r = np.zeros((d, d))
    for p, w in enumerate(freq):
        phi = w @ offset
        r[2 * p : 2 * p + 2, 2 * p : 2 * p + 2] = [[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]]
    return r


def frequencies(d):
    per_axis = d // 4
    f = np.zeros((d // 2, 2))
    for i in range(per_axis):
        f[i, 0] = THETA ** (-2 * i / (d / 2))
        f[per_axis + i, 1] = THETA ** (-2 * i / (d / 2))
    return f


def gauge_fixed(m, k):
    fixed = m.copy()
    for p in range(len(m) // 2):
        a, b = np.linalg.norm(m[2 * p : 2 * p + 2]), np.linalg.norm(k[2 * p : 2 * p + 2])
        fixed[2 * p : 2 * p + 2] *= np.sqrt(b / a)
    return np.linalg.svd(fixed)[1]


def one_side(b, freq):
    planes = len(freq)
    overlap, angles, gain = np.zeros((planes, planes)), np.zeros((planes, 2)), np.zeros(planes)
    for p in range(planes):
        rows = b[2 * p : 2 * p + 2]
        q = plane_basis(rows)
        for j in range(planes):
            overlap[p, j] = 0.5 * np.sum(q[2 * j : 2 * j + 2] ** 2)
        cos = np.linalg.svd(q[2 * p : 2 * p + 2])[1]
        angles[p] = np.degrees(np.arccos(np.clip(cos, -1, 1)))  # large angles here: arccos is exact enough
        gain[p] = np.linalg.norm(rows) / np.sqrt(2)
    mixing = np.zeros((2, 2))
    on = [freq[:, 0] != 0, freq[:, 1] != 0]
    for a in range(2):
        for c in range(2):
            mixing[a, c] = overlap[on[a]][:, on[c]].sum() / on[a].sum()
    return {"overlap": overlap, "principal_angles": angles, "plane_gain": gain, "cross_axis_mixing": mixing}


def energy(bq, bk, sq, sk):
    e = []
    for p in range(len(bq) // 2):
        r = slice(2 * p, 2 * p + 2)
        e.append(np.sqrt(np.trace(bq[r] @ sq @ bq[r].T) * np.trace(bk[r] @ sk @ bk[r].T)))
    return np.array(e)


def over_offsets(function):
    h, w = GRID
    out = np.zeros((2 * h - 1, 2 * w - 1))
    for r in range(1 - h, h):
        for c in range(1 - w, w):
            out[r + h - 1, c + w - 1] = function(np.array([r, c]))
    return out


def head(bq, bk, s, wq, wk, convention):
    d = len(bq)
    freq = frequencies(d)
    out = {"singular_values": s, "map_q": bq, "map_k": bk}
    out["gauge_fixed_singular_values"] = np.sort(s)[::-1] if convention == "same" else gauge_fixed(bq, bk)
    for side, b in (("q", bq), ("k", bk)):
        for name, value in one_side(b, freq).items():
            out[f"{name}_{side}"] = value
    sq, sk, cross = wq @ wq.T, wk @ wk.T, wk @ wq.T
    eye = np.eye(d)
    e_map, e_weights = energy(bq, bk, eye, eye), energy(bq, bk, sq, sk)
    out["energy_map"], out["energy_weights"] = e_map / e_map.sum(), e_weights / e_weights.sum()

    def operator(offset):
        return bq.T @ rotation(freq, offset) @ bk

    out["kernel_white"] = over_offsets(lambda o: np.trace(operator(o)) / d)
    out["kernel_weights"] = over_offsets(lambda o: np.trace(operator(o) @ cross) / e_weights.sum())
    g0 = operator(np.zeros(2))
    rq, rk = root(sq), root(sk)
    out["sensitivity_white"] = over_offsets(lambda o: np.linalg.norm(operator(o) - g0) / np.sqrt(d))
    out["sensitivity_weights"] = over_offsets(
        lambda o: np.linalg.norm(rq @ (operator(o) - g0) @ rk) / np.linalg.norm(rq @ g0 @ rk)
    )
    return out


def main(source, target):
    weights = torch.load(source, map_location="cpu", weights_only=False)["ema"]
    weights = {k: v.double().numpy() for k, v in weights.items()}
    golden = {}
    layer = 0
    while f"blocks.{layer}.attn.qkv.weight" in weights:
        name = f"blocks.{layer}.attn."
        a_u, a_v = weights[name + "learnable_rot.A_u"], weights[name + "learnable_rot.A_v"]
        sigma = weights[name + "learnable_rot.sigma"]
        heads, d, _ = a_u.shape
        qkv = np.hstack([weights[name + "qkv.weight"], weights[name + "qkv.bias"][:, None]]).reshape(3, heads, d, -1)
        for convention in ("same", "inverse"):
            rows = []
            for h in range(heads):
                u, v, s = expm_skew(a_u[h]), expm_skew(a_v[h]), np.log1p(np.exp(sigma[h])) + 1e-6
                m = u @ np.diag(s) @ v.T
                k = m if convention == "same" else np.linalg.inv(m).T
                rows.append(head(m, k, s, qkv[0, h], qkv[1, h], convention))
            for key in rows[0]:
                stacked = np.stack([r[key] for r in rows]).astype(np.float32)
                golden[f"{convention}.layer.{layer}.{key}"] = np.ascontiguousarray(stacked)
            golden[f"{convention}.layer.{layer}.frequency"] = frequencies(d).astype(np.float32)
        layer += 1
    save_file(golden, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
