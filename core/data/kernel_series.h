// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/data/head_report.h"

namespace ropescope {

// Pure evaluation of what the engine sends as coefficients: cheap enough for a drag (no trip to the engine).
// Grids are [2h-1, 2w-1] row-major, zero offset in the middle, offset = key minus query in tokens (row, column).

/// K(delta)/scale. White and weights kernels alike. For axial frequencies it is separable and costs P(h+w), not P h w.
[[nodiscard]] std::vector<double> evaluateKernel(const KernelSeries& series, Grid grid);

/// Share of a logit's scale that the offset can change; 0 at zero offset.
[[nodiscard]] std::vector<double> evaluateSensitivity(const SensitivityForm& form, Grid grid);

/// softmax over the offsets of beta * values seen from the centre token. Sums to 1.
[[nodiscard]] std::vector<double> softmaxOfOffsets(const std::vector<double>& values, double beta);

}  // namespace ropescope
