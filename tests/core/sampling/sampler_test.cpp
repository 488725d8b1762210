// SPDX-License-Identifier: Apache-2.0
#include "core/sampling/sampler.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tanh.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/core/golden.h"

namespace ropescope {
namespace {

at::Tensor ramp(std::int64_t batch) {
    return at::arange(batch * 4 * 6).reshape({batch, 4, 2, 3}).to(at::kFloat) / 10;
}
at::Tensor noNoise(int) {
    throw std::logic_error("this sampler draws no noise");
}

TEST(Sampler, EulerIsExactOnAStraightPath) {
    const auto plan = planSampling(Sampler::Euler, "flow", 5).value();
    const at::Tensor noise = ramp(2), clean = noise * 0 + 0.25;
    at::Tensor x = noise;
    for (int i = 0; i < plan.steps(); ++i) {
        const auto result = sampleStep(
            plan, i, x, [&](const at::Tensor&, int) { return noise - clean; }, noNoise);
        EXPECT_TRUE(at::allclose(result.clean, clean, 1e-5, 1e-5)) << i;
        x = result.latents;
    }
    EXPECT_TRUE(at::allclose(x, clean, 1e-5, 1e-5));
}

TEST(Sampler, HeunIsExactForAVelocityLinearInTimeAndEulerIsNot) {
    // v = 2 t gives x(0) = x(1) - 1.
    for (const Sampler sampler : {Sampler::Heun, Sampler::Euler}) {
        const auto plan = planSampling(sampler, "flow", 4).value();
        at::Tensor x = ramp(1);
        const auto network = [&](const at::Tensor& latents, int evaluation) {
            return at::full(latents.sizes(), 2 * plan.times.at(evaluation) / 1000);
        };
        for (int i = 0; i < 4; ++i) x = sampleStep(plan, i, x, network, noNoise).latents;
        const double offset = (x - ramp(1)).flatten()[0].item<double>();
        EXPECT_NEAR(offset, sampler == Sampler::Heun ? -1.0 : -1.25, 1e-5);
    }
}

TEST(Sampler, MultistepOfNoiseModelsEqualsDiffusers) {
    const std::string golden = goldenPath("solver.expected.safetensors");
    for (const int steps : {1, 6, 20}) {
        const auto plan = planSampling(Sampler::Dpmpp2m, "ddpm", steps).value();
        const auto network = [&](const at::Tensor& x, int evaluation) {
            return at::tanh(x * 0.7) * (plan.times.at(evaluation) / 1000) + 0.1;
        };
        const at::Tensor times = goldenTensor(golden, "times_" + std::to_string(steps));
        at::Tensor x = goldenTensor(golden, "noise").to(at::kFloat), before;
        for (int i = 0; i < plan.steps(); ++i) {
            EXPECT_EQ(plan.times[i], times[i].item<double>());
            const StepResult result = sampleStep(plan, i, x, network, noNoise, before);
            x = result.latents, before = result.clean;
        }
        expectClose(x, goldenTensor(golden, "steps_" + std::to_string(steps)));
    }
}

/// Normal data of deviation 0.5 along a straight flow have a velocity in closed form, and x(0) = 0.5 x(1).
double errorOnNormalData(Sampler sampler, int steps) {
    const auto plan = planSampling(sampler, "flow", steps).value();
    const auto network = [&](const at::Tensor& x, int evaluation) {
        const double s = plan.times.at(evaluation) / 1000, v = 0.25;
        return x * ((s - (1 - s) * v) / ((1 - s) * (1 - s) * v + s * s));
    };
    at::Tensor x = at::full({1, 1, 1, 1}, 1, at::kDouble), before;
    for (int i = 0; i < plan.steps(); ++i) {
        const StepResult result = sampleStep(plan, i, x, network, noNoise, before);
        x = result.latents, before = result.clean;
    }
    return std::abs(x.item<double>() - 0.5);
}

TEST(Sampler, MultistepOfFlowModelsGainsAnOrder) {
    // First order halves its error when the steps are doubled, second order quarters it.
    const double euler = errorOnNormalData(Sampler::Euler, 32) / errorOnNormalData(Sampler::Euler, 64);
    const double multistep = errorOnNormalData(Sampler::Dpmpp2m, 32) / errorOnNormalData(Sampler::Dpmpp2m, 64);
    EXPECT_NEAR(euler, 2, 0.2);
    EXPECT_NEAR(multistep, 4, 0.8);
    EXPECT_LT(errorOnNormalData(Sampler::Dpmpp2m, 32), errorOnNormalData(Sampler::Euler, 32) / 4);
    EXPECT_NEAR(errorOnNormalData(Sampler::Dpmpp2m, 1), errorOnNormalData(Sampler::Euler, 1), 1e-12);
}

TEST(Sampler, DdimReturnsTheCleanImageOfAPerfectNetwork) {
    const auto plan = planSampling(Sampler::Ddim, "ddpm", 20).value();
    const at::Tensor clean = ramp(1) - 1, noise = ramp(1).cos();
    const double bar = plan.diffusion[0].alphaBar;
    at::Tensor x = clean * std::sqrt(bar) + noise * std::sqrt(1 - bar);
    for (int i = 0; i < plan.steps(); ++i) {
        const auto result = sampleStep(
            plan, i, x, [&](const at::Tensor&, int) { return noise; }, noNoise);
        x = result.latents;
    }
    EXPECT_TRUE(at::allclose(x, clean, 1e-3, 2e-3));
}

TEST(Sampler, DdpmUsesTheLearnedVarianceAndNoNoiseInTheLastStep) {
    const auto plan = planSampling(Sampler::Ddpm, "ddpm", 250).value();
    const at::Tensor x = at::full({1, 1, 1, 1}, .5), output = at::full({1, 2, 1, 1}, .1);
    output.select(1, 1).fill_(.2);
    int asked = 0;
    const auto noise = [&](int) { return ++asked, at::full({1, 1, 1, 1}, 2.0); };
    const auto network = [&](const at::Tensor&, int) { return output; };
    const auto middle = sampleStep(plan, 149, x, network, noise);
    EXPECT_NEAR(middle.latents.item<double>(), .5045560 + 2 * std::exp(-3.4500284 / 2), 1e-5);
    const auto last = sampleStep(plan, 249, x, network, noise);
    EXPECT_NEAR(last.latents.item<double>(), last.clean.item<double>(), 1e-6);
    EXPECT_EQ(asked, 2);
}

TEST(Sampler, ANetworkThatGivesNothingEndsTheStep) {
    const at::Tensor x = ramp(1);
    for (const auto& [sampler, objective, last] : {std::tuple{Sampler::Ddpm, "ddpm", 0},
                                                   {Sampler::Ddim, "ddpm", 0},
                                                   {Sampler::Euler, "flow", 0},
                                                   {Sampler::Heun, "flow", 1},
                                                   {Sampler::Dpmpp2m, "flow", 0}}) {
        const auto plan = planSampling(sampler, objective, 4).value();
        for (int silent = 0; silent <= last; ++silent) {
            int asked = 0;
            const auto network = [&](const at::Tensor& latents, int evaluation) {
                ++asked;
                return evaluation == silent ? at::Tensor() : latents;
            };
            const StepResult result = sampleStep(plan, 0, x, network, noNoise);
            EXPECT_FALSE(result.latents.defined()) << samplerName(sampler);
            EXPECT_FALSE(result.clean.defined()) << samplerName(sampler);
            EXPECT_EQ(asked, silent + 1) << samplerName(sampler);
        }
    }
}

TEST(Sampler, HeunAsksNothingAtNoNoiseWhereThePlanEndsPlainly) {
    SamplingPlan plan = planSampling(Sampler::Heun, "flow", 2).value();
    const at::Tensor x = ramp(1);
    int asked = 0;
    const auto network = [&](const at::Tensor& latents, int) { return ++asked, latents * 0.5; };
    (void)sampleStep(plan, 1, x, network, noNoise);
    EXPECT_EQ(asked, 2);
    plan.plainEnd = true, asked = 0;
    const at::Tensor plain = sampleStep(plan, 1, x, network, noNoise).latents;
    EXPECT_EQ(asked, 1);
    EXPECT_TRUE(at::allclose(plain, x - x * 0.5 * 0.5));
    asked = 0;
    (void)sampleStep(plan, 0, x, network, noNoise);
    EXPECT_EQ(asked, 2);
}

TEST(Sampler, GuidanceTouchesOnlyTheChosenChannels) {
    const at::Tensor both = ramp(4);  // two images, conditional half first
    const at::Tensor cond = both.narrow(0, 0, 2), uncond = both.narrow(0, 2, 2);
    const at::Tensor guided = guide(both, 1.5, 3);
    EXPECT_TRUE(at::allclose(guided.narrow(1, 0, 3), (uncond + 1.5 * (cond - uncond)).narrow(1, 0, 3), 1e-5, 1e-5));
    EXPECT_TRUE(at::equal(guided.narrow(1, 3, 1), cond.narrow(1, 3, 1)));
    EXPECT_TRUE(at::allclose(guide(both, 4, 4), uncond + 4 * (cond - uncond), 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(guide(both, 1, 4), cond));
}

TEST(ImageNoise, EqualsTorchManualSeed) {
    // torch.manual_seed(7): x = randn(1, 28, 28), then y = randn(1, 28, 28); torch 2.11 on a CPU.
    ImageNoise noise(7);
    const at::Tensor x = noise.draw({1, 28, 28}).flatten(), y = noise.draw({1, 28, 28}).flatten();
    EXPECT_FLOAT_EQ(x[0].item<float>(), -0.8201345205307007f);
    EXPECT_FLOAT_EQ(x[17].item<float>(), -0.32456663250923157f);
    EXPECT_FLOAT_EQ(x[783].item<float>(), -1.6139053106307983f);
    EXPECT_FLOAT_EQ(y[0].item<float>(), -0.055597756057977676f);
    EXPECT_FLOAT_EQ(y[783].item<float>(), 1.4650076627731323f);
    EXPECT_FLOAT_EQ(ImageNoise(123456789012).draw({1, 28, 28}).flatten()[783].item<float>(), 0.9804909229278564f);
}

}  // namespace
}  // namespace ropescope
