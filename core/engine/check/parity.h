// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// An input and the output that somebody recorded for it, float64.
struct Record {
    at::Tensor x, t, y, out;  ///< t, y only for models that take them
    std::string source;       ///< where it is, in words
    bool inside = false;      ///< in the file itself
};

/// How far a model is from a record.
struct Parity {
    double difference = 0;  ///< max|out - recorded| / max(1, max|recorded|)
    std::string source;
    bool inside = false;
};

/// Looks for `selfcheck.x|t|y|out` in the file, then for x, t, y, out in NAME.expected.safetensors beside NAME.EXT
/// (`timed`: t and y are needed). Errors: code "no-record" where there is none; the reader's.
[[nodiscard]] Result<Record> findRecord(const TensorTable& table, bool timed);

/// Computes the recorded input again. Errors: those of `run`; code "broken-record" where the output has another shape.
[[nodiscard]] Result<Parity> measureParity(const Record& record,
                                           const std::function<Result<at::Tensor>(const Record&)>& run);

/// The error "broken-record".
[[nodiscard]] Error brokenRecord(const Record& record);

}  // namespace ropescope
