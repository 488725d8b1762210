// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/sampling/schedule.h"

// Times of the straight flows of FLUX and SD3. Checked by tests/core/sampling/schedule_test.cpp against diffusers.

namespace ropescope {

/// Where N noise levels lie before the shift. Even: 1, (N-1)/N, ..., 1/N (FLUX). TrainedEnds: evenly from 1 to the
/// shifted level 0.001, so that the tail is shifted twice, as SD3's own code and diffusers have it.
enum class FlowSpacing { Even, TrainedEnds };

/// sigma' = s sigma / (1 + (s - 1) sigma) of N levels, then 0. Throws std::invalid_argument for steps < 1 or s <= 0.
[[nodiscard]] std::vector<FlowStep> shiftedFlowSteps(int steps, double shift, FlowSpacing spacing);

/// FLUX.1 dev: e^mu with mu = 0.5 + 0.65 (n - 256) / 3840 for n packed image tokens.
[[nodiscard]] double fluxShift(int imageTokens);

/// Euler, Heun or DPM-Solver++(2M) over such steps; times are 1000 sigma. Auto is Euler; Heun ends
/// plainly. Errors: Usage for other
/// samplers.
[[nodiscard]] Result<SamplingPlan> planFlow(Sampler sampler, std::vector<FlowStep> steps);

}  // namespace ropescope
