// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/data/error.h"
#include "core/data/generation.h"
#include "core/data/network_variant.h"

// What decides a sampling run before any picture exists: times and coefficients, all in float64.
// Checked by tests/core/sampling/schedule_test.cpp against the numbers of the original DiT's diffusion code.

namespace ropescope {

inline constexpr int kTrainedSteps = 1000;  ///< DDPM chain the eps models were trained on; flow time is 1000 t too

/// Coefficients of one respaced DDPM/DDIM step. Variances are those of the respaced chain.
struct DiffusionStep {
    int time = 0;             ///< original step 0..999, the time given to the network
    double alphaBar = 1;      ///< product of (1 - beta) up to `time`
    double alphaBarPrev = 1;  ///< the same of the next (less noisy) step; 1 at the last one
    double cleanFromX = 1;    ///< x0 = cleanFromX * x - cleanFromEps * eps
    double cleanFromEps = 0;
    double meanFromClean = 1;  ///< posterior mean = meanFromClean * x0 + meanFromX * x
    double meanFromX = 0;
    double logVarianceMax = 0;  ///< ln beta
    double logVarianceMin = 0;  ///< ln of the posterior variance (the first step takes the second's: its own is 0)
};

/// One step of a flow x = a(u) x0 + b(u) eps (NoisePath) in the share of noise u; straight: a = 1 - u, b = u.
struct FlowStep {
    double time = 1;  ///< u in (0, 1]
    double next = 0;
};

/// A path and its change at one share of noise.
struct PathPoint {
    double a = 1, b = 0;              ///< of the data and of the noise
    double aChange = 0, bChange = 0;  ///< da/du, db/du
};
[[nodiscard]] PathPoint pathAt(NoisePath path, double u);
/// The time that the network is given at the share of noise u: u times the scale, or (1 - u) where noise is at 0.
[[nodiscard]] double networkTime(const FlowKind& kind, double u);
/// Between which shares of noise SiT samples (arXiv 2401.08740, its transport code): {1, 0} for velocities; scores and
/// noise predictions have no limit at the ends, the variance-preserving path none at the data.
[[nodiscard]] FlowStep samplingRange(const FlowKind& kind);

/// `steps` of 0..999 with equal fractional stride, rounded half to even ("250" of the original code); ascending.
/// Errors: Usage unless 1 <= steps <= 1000.
[[nodiscard]] Result<std::vector<int>> respaceEvenly(int steps);

/// range(0, 1000, stride) with the smallest integer stride that gives exactly `steps` ("ddim50"); ascending.
/// Errors: Usage when there is none, naming the next smaller and larger possible number.
[[nodiscard]] Result<std::vector<int>> respaceByStride(int steps);

/// 999 i / steps for i = 1 .. steps, rounded half to even: the times of DPM-Solver++ in diffusers; ascending.
/// Errors: Usage unless 1 <= steps <= 999.
[[nodiscard]] Result<std::vector<int>> respaceToEnd(int steps);

/// Coefficients for linear betas 1e-4 .. 2e-2, in sampling order (last time first). Times ascending, distinct.
[[nodiscard]] std::vector<DiffusionStep> diffusionSteps(const std::vector<int>& times);

/// t = 1, (n-1)/n, ..., 1/n. Throws std::invalid_argument for n < 1.
[[nodiscard]] std::vector<FlowStep> flowSteps(int steps);

/// Log variance of the learned range: value -1 gives logVarianceMin, +1 logVarianceMax.
[[nodiscard]] double learnedLogVariance(const DiffusionStep& step, double value);

/// A chosen sampler with all its steps and the model time of every network evaluation.
struct SamplingPlan {
    Sampler sampler = Sampler::Euler;
    std::vector<DiffusionStep> diffusion;  ///< ddpm, ddim, dpmpp-2m of eps models
    std::vector<FlowStep> flow;            ///< euler, heun, dpmpp-2m of flow models
    FlowKind kind;                         ///< of flow models
    std::vector<double> times;             ///< one per evaluation, in order; Heun has two per step
    bool plainEnd = false;                 ///< Heun: a step to no noise is Euler's, the network is not asked there
    [[nodiscard]] int steps() const { return static_cast<int>(flow.empty() ? diffusion.size() : flow.size()); }
    [[nodiscard]] int evaluationsPerStep() const { return sampler == Sampler::Heun ? 2 : 1; }
};

/// Errors: Usage when the sampler does not fit the objective ("ddpm": eps prediction, "flow") or its kind (dpmpp-2m:
/// the straight path and velocities alone), when the number of steps is not possible, or when nothing says what the
/// network's time means (an empty objective).
[[nodiscard]] Result<SamplingPlan> planSampling(Sampler sampler, const std::string& objective, int steps,
                                                const FlowKind& kind = {});

/// ln (a^2 / b^2) of the latents a x0 + b eps that step `step` of the plan begins with; -inf without signal, +inf
/// without noise. Rises from step to step.
[[nodiscard]] double logSnr(const SamplingPlan& plan, int step);
/// For every step of `plan` the step of `other` whose logSnr is nearest, of two as near the earlier one. Never falls;
/// plans of the same levels give 0, 1, 2, ...
[[nodiscard]] std::vector<int> alignedSteps(const SamplingPlan& plan, const SamplingPlan& other);

[[nodiscard]] const char* samplerName(Sampler sampler);  ///< "ddim", as on the command line

}  // namespace ropescope
