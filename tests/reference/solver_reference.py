# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/solver.expected.safetensors: DPM-Solver++(2M) of diffusers on a made-up noise prediction.

python3 tests/reference/solver_reference.py  (torch 2.11.0, diffusers 0.42.1, safetensors 0.8.0)

`noise` [1,1,3,4]; `steps_N` the sample after N steps from it, `times_N` the model times, for N of 1, 6 and 20. The
prediction is eps(x, t) = tanh(0.7 x) t / 1000 + 0.1, which tests/core/sampling/sampler_test.cpp has too.
"""
import pathlib

import torch
from diffusers import DPMSolverMultistepScheduler
from safetensors.torch import save_file


def main() -> None:
    out = {"noise": torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(3))}
    for steps in (1, 6, 20):
        scheduler = DPMSolverMultistepScheduler(
            num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear",
            algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", timestep_spacing="linspace")
        scheduler.set_timesteps(steps)
        x = out["noise"].clone()
        for t in scheduler.timesteps:
            x = scheduler.step(torch.tanh(0.7 * x) * (t.item() / 1000) + 0.1, t, x).prev_sample
        out[f"steps_{steps}"] = x
        out[f"times_{steps}"] = scheduler.timesteps.float()
    save_file(out, pathlib.Path(__file__).parent.parent / "golden" / "solver.expected.safetensors")


if __name__ == "__main__":
    main()
