// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ropescope {

/// One row of modulatedNorm: y = (x - mean) / sqrt(variance + eps) * (1 + scale) + shift, n features.
void modulateRow(const float* x, const float* shift, const float* scale, std::int64_t n, float eps, float* y);

}  // namespace ropescope
