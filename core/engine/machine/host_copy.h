// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/array.h"

// Numbers of a tensor as values in main memory.

namespace ropescope {

/// In order, from any device and type.
[[nodiscard]] std::vector<float> floatsOf(const at::Tensor& tensor);

/// F32, of the same shape.
[[nodiscard]] Array arrayOf(const at::Tensor& tensor);

}  // namespace ropescope
