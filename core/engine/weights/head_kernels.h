// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/data/error.h"
#include "core/data/extrapolation.h"
#include "core/data/model.h"

namespace ropescope {

struct HeadKernelsOf {
    ModelRef model;
    std::vector<HeadId> heads;
    Grid grid;                     ///< of the tokens
    Extrapolate extrapolate = {};  ///< from the model's grid to that one
    double progress = 0;           ///< share of a run that is over, for changes that follow it
};

/// The kernels of the weights' content of heads, in that order, [2h-1,2w-1] each, scaled as `inspect` writes them
/// (kernel_weights). Empty where a head has none: nothing turns, a norm on queries and keys, values that are not
/// finite, no such head. Errors: the file's, those of headChanges(). Throws RefusedChange. Checked by
/// tests/core/engine/pair_test.cpp.
[[nodiscard]] Result<std::vector<std::vector<double>>> headKernels(const HeadKernelsOf& asked);

}  // namespace ropescope
