// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "core/sampling/schedule.h"

namespace ropescope {

/// The network, guided: latents [B,C,h,w] and the index of the evaluation in SamplingPlan::times -> float32 prediction
/// [B,C,h,w] (eps or velocity), or [B,2C,h,w] with the learned variance behind it. An undefined tensor ends the step.
using Predict = std::function<at::Tensor(const at::Tensor& latents, int evaluation)>;

/// Standard normal noise of a step, shaped like the latents. Only the DDPM sampler asks; it also asks in the last step,
/// as the original code does, and then multiplies by zero.
using StepNoise = std::function<at::Tensor(int step)>;

/// Undefined where the network gave nothing.
struct StepResult {
    at::Tensor latents;  ///< after the step, float32 [B,C,h,w]
    at::Tensor clean;    ///< the estimate of the clean image seen before the step
};

/// One step of the plan. `before`: the clean estimate of the step before (undefined at the first), which dpmpp-2m goes
/// on from: DPM-Solver++(2M) of arXiv 2211.01095, for eps models with the log of the signal-to-noise ratio, for
/// velocity models in k-diffusion's form with -ln sigma, as SD3's own code has it. Coefficients are float64 until they
/// meet the float32 latents. Checked by tests/core/sampling/sampler_test.cpp (closed forms) and
/// tests/core/engine/generate_test.cpp (fixtures).
[[nodiscard]] StepResult sampleStep(const SamplingPlan& plan, int step, const at::Tensor& latents,
                                    const Predict& predict, const StepNoise& noise, const at::Tensor& before = {});

/// Classifier-free guidance as the original DiT does it: `both` is [2B,K,h,w], conditional half first. In the first
/// `channels` channels uncond + w (cond - uncond), in all others the conditional half's own prediction. Gives
/// [B,K,h,w].
[[nodiscard]] at::Tensor guide(const at::Tensor& both, double w, std::int64_t channels);

/// Initial noise of one image, [C,h,w] float32: equal to torch.manual_seed(seed); torch.randn(C, h, w) on a CPU.
/// `generator` goes on to give the step noises of the same image.
class ImageNoise {
public:
    explicit ImageNoise(std::uint64_t seed);
    [[nodiscard]] at::Tensor draw(at::IntArrayRef shape);

private:
    at::Generator m_generator;
};

}  // namespace ropescope
