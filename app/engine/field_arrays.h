// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/data/array.h"
#include "core/data/field.h"

namespace ropescope {

/// field_sum.i and field_mean.i [steps,H,2h-1,2w-1] and entropy.i [steps,H] of every layer, t [steps]; with text
/// image_to_text.i and text_to_image.i [steps,H].
[[nodiscard]] std::map<std::string, Array> fieldArrays(const std::vector<StepFields>& steps);

}  // namespace ropescope
