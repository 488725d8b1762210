// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/checkpoint/tensor_table.h"
#include "core/model/dit.h"

namespace ropescope {

/// How far a model is from an output that somebody recorded.
struct Parity {
    double difference = 0;  ///< max|out - recorded| / max(1, max|recorded|)
    std::string source;     ///< where the record is, in words
    bool inside = false;    ///< in the file itself
};

/// Computes the recorded input again, float32 on the CPU. Looks for `selfcheck.x|t|y|out` in the file, then for
/// x, t, y, out in NAME.expected.safetensors beside NAME.EXT. Errors: code "no-record" where there is none,
/// "broken-record" where it does not fit the model; the reader's.
[[nodiscard]] Result<Parity> measureParity(const TensorTable& table, const WeightTable& weights, const DitShape& shape);

}  // namespace ropescope
