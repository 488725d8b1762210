// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "core/kernel/field.h"

namespace ropescope {

/// The field of q, k [B,H,N,D] by our own CUDA kernel; empty when the build has none or they are not on a GPU.
[[nodiscard]] std::optional<AttentionField> fieldByKernel(const at::Tensor& q, const at::Tensor& k, Grid grid);

}  // namespace ropescope
