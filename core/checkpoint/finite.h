// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// Name of the first floating-point tensor that holds a value that is not finite; empty
/// where all are sound. Reads the whole file. Errors: those of reading.
[[nodiscard]] Result<std::string> firstNotFinite(const TensorTable& table);

}  // namespace ropescope
