// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// Inputs by their names and the output that somebody recorded for them, float64.
struct Record {
    std::map<std::string, at::Tensor> inputs;
    at::Tensor out;
    std::string source;   ///< where it is, in words
    bool inside = false;  ///< in the file itself
};

/// How far a model is from a record.
struct Parity {
    double difference = 0;  ///< max|out - recorded| / max(1, max|recorded|)
    std::string source;
    bool inside = false;
};

/// Looks for `out` and the inputs of those names as `selfcheck.NAME` in the file, then as they are in
/// NAME.expected.safetensors beside NAME.EXT. Errors: code "no-record" where there is none; the reader's.
[[nodiscard]] Result<Record> findRecord(const TensorTable& table, const std::vector<std::string>& inputs);

/// Computes the recorded input again. Errors: those of `run`; code "broken-record" where the output has another shape.
[[nodiscard]] Result<Parity> measureParity(const Record& record,
                                           const std::function<Result<at::Tensor>(const Record&)>& run);

/// The error "broken-record".
[[nodiscard]] Error brokenRecord(const Record& record);

}  // namespace ropescope
