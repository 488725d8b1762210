# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/similarity.safetensors: structural similarity of small pictures by scikit-image.

pip install numpy==2.4.6 scikit-image==0.26.0 safetensors==0.8.0, then: similarity_reference.py

`NAME.a` and `NAME.b` are the pictures, `NAME.similarity` their value. Each b is a, blended with a second picture and
made noisy, so that mean, contrast and structure all differ between them.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from skimage.metrics import structural_similarity

SIZES = {"window": (11, 11, 3), "wide": (13, 22, 3), "tall": (31, 17, 3), "grey": (19, 24), "grey1": (12, 15, 1)}


def waves(rng, shape):
    """Two plane waves in each channel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    channels = []
    for _ in range(shape[2] if len(shape) == 3 else 1):
        (fy, fx), (gy, gx) = rng.uniform(0.1, 1.2, (2, 2))
        channels.append(128 + 70 * np.sin(fy * y + fx * x) + 50 * np.cos(gy * y - gx * x))
    return np.stack(channels, -1).reshape(shape)


def pixels(values):
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def main() -> None:
    out = {}
    rng = np.random.default_rng(4)
    for name, shape in SIZES.items():
        first = waves(rng, shape)
        second = 0.6 * first + 0.3 * waves(rng, shape) + rng.normal(10, 12, shape)
        out[f"{name}.a"], out[f"{name}.b"] = pixels(first), pixels(second)
    out["opposite.a"], out["opposite.b"] = out["window.a"], 255 - out["window.a"]
    for name in [key[:-2] for key in out if key.endswith(".a")]:
        a, b = out[f"{name}.a"], out[f"{name}.b"]
        value = structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, K1=0.01,
                                      K2=0.03, data_range=255, channel_axis=2 if a.ndim == 3 else None)
        out[f"{name}.similarity"] = np.array([value])
        print(name, value)
    save_file(out, pathlib.Path(__file__).parent.parent / "golden" / "similarity.safetensors")


if __name__ == "__main__":
    main()
