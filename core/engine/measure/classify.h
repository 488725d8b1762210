// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/request.h"

namespace ropescope {

/// Classifies one picture with the model's own preprocessing and measures the attention of the heads asked for. Errors:
/// the model's and the picture's; Usage for a head the model does not have and for `top` below 1. The model is kept for
/// the next picture. Checked by tests/core/engine/classify_test.cpp.
[[nodiscard]] Result<ClassifyResult> classify(const ClassifyRequest& request);

}  // namespace ropescope
