// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/data/extrapolation.h"
#include "core/data/model.h"
#include "core/training/dataset.h"

namespace ropescope {

/// Accuracy of a ViT at sizes other than the trained one.
struct ResolutionSettings {
    ModelRef model;
    Compute compute;
    std::vector<int> sides;              ///< pixels, multiples of the patch
    std::vector<Extrapolation> methods;  ///< every side by every method
    bool coupled = true;
    int images = 0;  ///< the first so many; 0: all
};

struct ResolutionPoint {
    int side = 0;
    Extrapolation method = Extrapolation::None;
    int images = 0;
    double top1 = 0;           ///< share in [0, 1]
    double low = 0, high = 0;  ///< Wilson's interval, 95 %
};

/// Test images resized (bicubic with antialias, clamped) to every side and classified. Position tables are resampled in
/// any case; a method that the encoding has not is refused before anything is computed. `onPoint` may be empty.
/// Errors: the file's; Refused for a model that is no ViT or takes other channels; Usage for sides and methods that do
/// not fit. Checked by tests/core/training/resolution_test.cpp.
[[nodiscard]] Result<std::vector<ResolutionPoint>> accuracyAtSides(
    const ResolutionSettings& settings, const Dataset& test,
    const std::function<void(const ResolutionPoint&)>& onPoint);

}  // namespace ropescope
