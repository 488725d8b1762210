// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/encoding/encoding.h"

namespace ropescope {

/// The tensors of a model as float32 on the CPU: those named in `expected` (a side of -1 may be anything) and those of
/// the encoding in every one of `layers` blocks ("blocks.i.attn."). Errors: those of the reader, and Refused
/// "model-tensor" for a tensor that is missing or has another shape (place names it).
[[nodiscard]] Result<WeightTable> readWeights(const TensorTable& table,
                                              const std::map<std::string, std::vector<std::int64_t>>& expected,
                                              const EncodingSpec& spec, int layers);

}  // namespace ropescope
