// SPDX-License-Identifier: Apache-2.0
#include "core/sampling/sampler.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/randn.h>

#include <cmath>

namespace ropescope {
namespace {

/// A noise level: x = signal x0 + noise eps, and the log of what the solver counts in.
struct Level {
    double signal = 1, noise = 0;
    [[nodiscard]] double lambda() const { return std::log(signal / noise); }
};

/// `before` undefined or a last level without noise: first order.
at::Tensor multistep(const at::Tensor& x, const at::Tensor& clean, const at::Tensor& before, Level last, Level now,
                     Level next) {
    if (next.noise == 0) return clean * next.signal;
    const double h = next.lambda() - now.lambda();
    at::Tensor target = clean;
    if (before.defined()) {
        const double half = h / (2 * (now.lambda() - last.lambda()));
        target = clean * (1 + half) - before * half;
    }
    return x * (next.noise / now.noise) - target * (next.signal * std::expm1(-h));
}

Level levelOf(const DiffusionStep& step) {
    return {std::sqrt(step.alphaBar), std::sqrt(1 - step.alphaBar)};
}

StepResult diffusionStep(const SamplingPlan& plan, int index, const at::Tensor& x, const Predict& predict,
                         const StepNoise& noise, const at::Tensor& before) {
    const DiffusionStep& step = plan.diffusion.at(index);
    const at::Tensor output = predict(x, index);
    if (!output.defined()) return {};
    const std::int64_t channels = x.size(1);
    const at::Tensor eps = output.narrow(1, 0, channels);
    at::Tensor clean = x * step.cleanFromX - eps * step.cleanFromEps;
    if (plan.sampler == Sampler::Ddim) {  // eta 0
        return {clean * std::sqrt(step.alphaBarPrev) + eps * std::sqrt(1 - step.alphaBarPrev), clean};
    }
    if (plan.sampler == Sampler::Dpmpp2m) {
        const Level last = index > 0 ? levelOf(plan.diffusion[index - 1]) : Level{};
        const Level next{std::sqrt(step.alphaBarPrev), std::sqrt(1 - step.alphaBarPrev)};
        return {multistep(x, clean, before, last, levelOf(step), next), clean};
    }
    at::Tensor mean = clean * step.meanFromClean + x * step.meanFromX;
    const at::Tensor z = noise(index);
    if (index + 1 == plan.steps()) return {mean, clean};
    if (output.size(1) == channels) return {mean + z * std::exp(step.logVarianceMin / 2), clean};
    const at::Tensor share = (output.narrow(1, channels, channels) + 1) / 2;
    const at::Tensor logVariance = share * step.logVarianceMax + (1 - share) * step.logVarianceMin;
    return {mean + at::exp(logVariance / 2) * z, clean};
}

/// What the network says at the share of noise u as the change of x with u. A score or a noise gives the picture too.
at::Tensor velocityOf(const FlowKind& kind, double u, const at::Tensor& x, const at::Tensor& said) {
    if (kind.prediction == Prediction::Velocity) return kind.noiseAtZero ? -said : said;
    const PathPoint p = pathAt(kind.path, u);
    const at::Tensor noise = kind.prediction == Prediction::Score ? said * -p.b : said;
    const double ratio = p.aChange / p.a;  // x' = a'/a (x - b noise) + b' noise
    return x * ratio + noise * (p.bChange - ratio * p.b);
}

/// The picture that x and its change belong to: x = a x0 + b eps, x' = a' x0 + b' eps.
at::Tensor cleanOf(const FlowKind& kind, double u, const at::Tensor& x, const at::Tensor& velocity) {
    if (kind.path == NoisePath::Linear) return x - velocity * u;
    const PathPoint p = pathAt(kind.path, u);
    return (x * p.bChange - velocity * p.b) / (p.a * p.bChange - p.aChange * p.b);
}

StepResult flowStep(const SamplingPlan& plan, int index, const at::Tensor& x, const Predict& predict,
                    const at::Tensor& before) {
    const FlowStep& step = plan.flow.at(index);
    const int first = index * plan.evaluationsPerStep();
    const std::int64_t channels = x.size(1);
    const at::Tensor said = predict(x, first);
    if (!said.defined()) return {};
    const at::Tensor velocity = velocityOf(plan.kind, step.time, x, said.narrow(1, 0, channels));
    at::Tensor clean = cleanOf(plan.kind, step.time, x, velocity);
    if (plan.sampler == Sampler::Dpmpp2m) {
        const double last = index > 0 ? plan.flow[index - 1].time : 0;
        return {multistep(x, clean, before, {1, last}, {1, step.time}, {1, step.next}), clean};
    }
    at::Tensor next = x + velocity * (step.next - step.time);
    if (plan.sampler == Sampler::Euler || (plan.plainEnd && step.next == 0)) return {next, clean};
    const at::Tensor after = predict(next, first + 1);
    if (!after.defined()) return {};
    const at::Tensor second = velocityOf(plan.kind, step.next, next, after.narrow(1, 0, channels));
    const at::Tensor corrected = (velocity + second) / 2;
    return {x + corrected * (step.next - step.time), clean};
}

}  // namespace

StepResult sampleStep(const SamplingPlan& plan, int step, const at::Tensor& latents, const Predict& predict,
                      const StepNoise& noise, const at::Tensor& before) {
    return plan.flow.empty() ? diffusionStep(plan, step, latents, predict, noise, before)
                             : flowStep(plan, step, latents, predict, before);
}

at::Tensor guide(const at::Tensor& both, double w, std::int64_t channels) {
    const std::int64_t half = both.size(0) / 2;
    const at::Tensor conditional = both.narrow(0, 0, half);
    const at::Tensor unconditional = both.narrow(0, half, half);
    const at::Tensor guided = at::lerp(unconditional.narrow(1, 0, channels), conditional.narrow(1, 0, channels), w);
    if (channels == both.size(1)) return guided;
    return at::cat({guided, conditional.narrow(1, channels, both.size(1) - channels)}, 1);
}

ImageNoise::ImageNoise(std::uint64_t seed) : m_generator(at::detail::createCPUGenerator(seed)) {}

at::Tensor ImageNoise::draw(at::IntArrayRef shape) {
    return at::randn(shape, m_generator);
}

}  // namespace ropescope
