// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/data/array.h"

namespace ropescope {

/// The values of an array as double; exact for every type but 64-bit integers beyond 2^53.
/// Checked by tests/core/checkpoint/number_conversion_test.cpp.
[[nodiscard]] std::vector<double> toDouble(const Array& array);
/// The same as float; F64 and wide integers are rounded to nearest.
[[nodiscard]] std::vector<float> toFloat(const Array& array);

/// Rows `first` .. `first + count` - 1 of an array, indices of its first dimension. Throws std::out_of_range.
[[nodiscard]] Array rowsOf(const Array& whole, std::int64_t first, std::int64_t count);

}  // namespace ropescope
