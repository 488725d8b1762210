// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/data/field.h"

namespace ropescope {

/// A head's measured attention at one sampling step, in two numbers.
struct StepPoint {
    int step = 0;         ///< 0.. in sampling order
    double time = 0;      ///< given to the network
    double entropy = 0;   ///< HeadField::entropy: nats, over all keys, of picture queries
    double distance = 0;  ///< FieldNumbers::meanDistance: tokens, over picture keys; NaN where the field is empty
};

/// By rising step; steps without a field of the head are left out. Points of `known` are taken over instead of measured
/// once more: a field of 64 x 64 tokens costs a millisecond. Checked by tests/widgets/steps_view_test.cpp.
[[nodiscard]] std::vector<StepPoint> stepSeries(const std::vector<StepFields>& fields, HeadId head,
                                                const std::vector<StepPoint>& known = {});

/// Of a series; nullptr where it lacks the step.
[[nodiscard]] const StepPoint* pointAt(const std::vector<StepPoint>& series, int step);

}  // namespace ropescope
