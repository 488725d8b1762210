// SPDX-License-Identifier: Apache-2.0
// Numbers of the original DiT's diffusion code (respacing and learned-range variance).
#include "core/sampling/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ropescope {
namespace {

std::vector<int> head(const std::vector<int>& values, std::size_t n) {
    return {values.begin(), values.begin() + n};
}
std::vector<int> tail(const std::vector<int>& values, std::size_t n) {
    return {values.end() - n, values.end()};
}

TEST(Schedule, SpacesStepsEvenlyRoundingHalfToEven) {
    const auto steps250 = respaceEvenly(250).value();
    EXPECT_EQ(steps250.size(), 250u);
    EXPECT_EQ(head(steps250, 8), (std::vector<int>{0, 4, 8, 12, 16, 20, 24, 28}));
    EXPECT_EQ(tail(steps250, 6), (std::vector<int>{979, 983, 987, 991, 995, 999}));
    const auto steps100 = respaceEvenly(100).value();
    EXPECT_EQ(head(steps100, 8), (std::vector<int>{0, 10, 20, 30, 40, 50, 61, 71}));
    EXPECT_EQ(tail(steps100, 2), (std::vector<int>{989, 999}));
    EXPECT_EQ(head(respaceEvenly(50).value(), 5), (std::vector<int>{0, 20, 41, 61, 82}));
    EXPECT_EQ(respaceEvenly(1000).value().back(), 999);
    EXPECT_EQ(respaceEvenly(1).value(), (std::vector<int>{0}));
}

TEST(Schedule, SpacesDdimStepsByAnIntegerStride) {
    const auto steps50 = respaceByStride(50).value();
    EXPECT_EQ(steps50.size(), 50u);
    EXPECT_EQ(head(steps50, 2), (std::vector<int>{0, 20}));
    EXPECT_EQ(steps50.back(), 980);
    EXPECT_EQ(respaceByStride(10).value(), (std::vector<int>{0, 100, 200, 300, 400, 500, 600, 700, 800, 900}));
}

TEST(Schedule, RefusesImpossibleStepNumbers) {
    EXPECT_EQ(respaceEvenly(0).error().exitCode(), 2);
    EXPECT_EQ(respaceEvenly(1001).error().exitCode(), 2);
    EXPECT_EQ(respaceByStride(-1).error().exitCode(), 2);
    const auto error = respaceByStride(600).error();
    EXPECT_EQ(error.exitCode(), 2);
    EXPECT_EQ(error.expected, "500 or 1000 for ddim");
}

TEST(Schedule, RespacedBetasAndAlphaBars) {
    const auto steps = diffusionSteps(respaceEvenly(250).value());
    EXPECT_EQ(steps.front().time, 999);
    EXPECT_EQ(steps.back().time, 0);
    const auto beta = [&](int i) { return std::exp(steps[249 - i].logVarianceMax); };
    EXPECT_NEAR(beta(0), 1e-4, 1e-9);
    EXPECT_NEAR(beta(1), 5.9907e-4, 1e-8);
    EXPECT_NEAR(beta(2), 9.176e-4, 1e-7);
    EXPECT_NEAR(beta(248), .07721931, 1e-8);
    EXPECT_NEAR(beta(249), .07751934, 1e-8);
    EXPECT_NEAR(steps[249].alphaBar, .9999, 1e-9);
    EXPECT_NEAR(steps[248].alphaBar, .99930099, 1e-8);
    EXPECT_NEAR(steps[0].alphaBar, 4.036e-5, 1e-8);
}

TEST(Schedule, MeanAndLearnedVarianceOfTheOriginalCode) {
    const auto steps = diffusionSteps(respaceEvenly(250).value());
    const auto mean = [&](int i) {
        const DiffusionStep& s = steps[249 - i];
        return s.meanFromClean * (s.cleanFromX * .5 - s.cleanFromEps * .1) + s.meanFromX * .5;
    };
    const auto logVariance = [&](int i) { return learnedLogVariance(steps[249 - i], .2); };
    EXPECT_EQ(steps[248].time, 4);
    EXPECT_NEAR(mean(1), .4978833, 1e-6);
    EXPECT_NEAR(logVariance(1), -8.1979342, 1e-6);
    EXPECT_EQ(steps[149].time, 401);
    EXPECT_NEAR(mean(100), .5045560, 1e-6);
    EXPECT_NEAR(logVariance(100), -3.4500284, 1e-6);
    EXPECT_NEAR(steps[149].cleanFromX * .5 - steps[149].cleanFromEps * .1, .9359316, 1e-6);
    EXPECT_NEAR(mean(249), .5125134, 1e-6);
    EXPECT_NEAR(logVariance(249), -2.5572290, 1e-6);
    EXPECT_NEAR(logVariance(0), -9.2720556, 1e-6);
}

TEST(Schedule, FlowStepsCoverTheWholeInterval) {
    const auto steps = flowSteps(7);
    EXPECT_EQ(steps.front().time, 1);
    EXPECT_EQ(steps.back().next, 0);
    for (std::size_t i = 1; i < steps.size(); ++i) EXPECT_EQ(steps[i].time, steps[i - 1].next);
    EXPECT_THROW((void)flowSteps(0), std::invalid_argument);
}

TEST(Schedule, PlansOneModelTimePerEvaluation) {
    const auto heun = planSampling(Sampler::Heun, "flow", 4).value();
    EXPECT_EQ(heun.times, (std::vector<double>{1000, 750, 750, 500, 500, 250, 250, 0}));
    EXPECT_EQ(heun.steps(), 4);
    const auto automatic = planSampling(Sampler::Auto, "ddpm", 10).value();
    EXPECT_EQ(automatic.sampler, Sampler::Ddim);
    EXPECT_EQ(automatic.times.front(), 900);
    EXPECT_EQ(planSampling(Sampler::Ddpm, "ddpm", 10).value().times[1], 888);
}

TEST(Schedule, RefusesASamplerOfTheOtherObjective) {
    EXPECT_EQ(planSampling(Sampler::Euler, "ddpm", 10).error().exitCode(), 2);
    EXPECT_EQ(planSampling(Sampler::Ddim, "flow", 10).error().exitCode(), 2);
    EXPECT_EQ(planSampling(Sampler::Auto, "classify", 10).error().exitCode(), 1);
}

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Straight flow at levels whose odds of noise are `shift` times those of 1, 3/4, 1/2, 1/4.
SamplingPlan shiftedPlan(double shift) {
    SamplingPlan plan = planSampling(Sampler::Euler, "flow", 4).value();
    for (FlowStep& step : plan.flow) step.time = shift * step.time / (1 + (shift - 1) * step.time);
    return plan;
}

TEST(Schedule, LogSignalToNoiseInClosedForm) {
    const SamplingPlan flow = planSampling(Sampler::Heun, "flow", 4).value();
    EXPECT_EQ(logSnr(flow, 0), -kInfinite) << "noise alone";
    EXPECT_NEAR(logSnr(flow, 1), -2 * std::log(3.0), 1e-12);
    EXPECT_NEAR(logSnr(flow, 2), 0, 1e-12);
    EXPECT_NEAR(logSnr(flow, 3), 2 * std::log(3.0), 1e-12);
    const SamplingPlan ddim = planSampling(Sampler::Ddim, "ddpm", 2).value();  // steps 500 and 0, beta_0 = 1e-4
    EXPECT_NEAR(logSnr(ddim, 1), std::log(0.9999 / 1e-4), 1e-9);
    double bar = 1;
    for (int i = 0; i <= 500; ++i) bar *= 1 - (1e-4 + (2e-2 - 1e-4) * i / 999);
    EXPECT_NEAR(logSnr(ddim, 0), std::log(bar / (1 - bar)), 1e-9);
}

TEST(Schedule, AlignsStepsByLogSignalToNoise) {
    using Steps = std::vector<int>;
    for (const SamplingPlan& plan : {shiftedPlan(1), planSampling(Sampler::Ddpm, "ddpm", 4).value()})
        EXPECT_EQ(alignedSteps(plan, plan), (Steps{0, 1, 2, 3}));
    // A shift of 3 takes 2 ln 3 off: what step i has here is at step i + 1 there.
    EXPECT_EQ(alignedSteps(shiftedPlan(1), shiftedPlan(3)), (Steps{0, 2, 3, 3}));
    EXPECT_EQ(alignedSteps(shiftedPlan(3), shiftedPlan(1)), (Steps{0, 1, 1, 2}));
    const SamplingPlan two = planSampling(Sampler::Euler, "flow", 2).value();
    EXPECT_EQ(alignedSteps(shiftedPlan(1), two), (Steps{0, 1, 1, 1})) << "nothing finite is near pure noise";
    EXPECT_EQ(alignedSteps(two, shiftedPlan(1)), (Steps{0, 2}));
}

}  // namespace
}  // namespace ropescope
