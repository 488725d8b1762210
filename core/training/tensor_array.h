// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/data/array.h"
#include "core/data/safetensors.h"

namespace ropescope {

/// A tensor as a dense array of that type (F32, F16, I64 or U8).
[[nodiscard]] Array toArray(const at::Tensor& tensor, DType type);
/// An array of those types as a tensor of its own memory. Throws std::invalid_argument for other types.
[[nodiscard]] at::Tensor toTensor(const Array& array);

}  // namespace ropescope
