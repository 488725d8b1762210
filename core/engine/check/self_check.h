// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/data/self_check.h"

namespace ropescope {

/// Measures the file's model and tells every figure with its bound. Rows, in this order:
///   finite      heads whose values are not finite or whose tensors are missing; bound 0
///   relative    largest change of a logit when all positions are shifted, over the largest logit, through the model's
///               own attention code in float32; bound 1e-4. Of a FLUX or SD3 between picture tokens, in the first sound
///               layer of each kind
///   orthogonal  largest entry of Q^T Q - I over the orthogonal factors (U, V of an SVD; the matrix itself), float64;
///               bound 1e-9, amber to 1e-6
///   inverse     largest entry of M M^-1 - I over all maps, float64; bound 1e-8, amber to 1e-4
///   parity      largest difference from a recorded output over max(1, its largest value); bound 1e-4. The record is
///               `selfcheck.x|t|y|out` in the file, else x, t, y, out in NAME.expected.safetensors beside it (of a FLUX
///               or SD3 hidden_states, timestep and so on, as diffusers names its arguments, and out); where a
///               file of half types has its record beside it, amber to 2e-2
/// Unsound heads are named and left out of the rows after the first. Errors: the file's; Usage where the convention is
/// unknown; Cancelled between layers. Checked by tests/core/engine/self_check_test.cpp.
[[nodiscard]] Result<SelfCheckReport> selfCheck(const SelfCheckRequest& request, const JobContext& context);

}  // namespace ropescope
