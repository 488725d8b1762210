// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <string>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// Everything that an exported file will hold.
struct ExportFile {
    std::map<std::string, Array> arrays;
    std::map<std::string, std::string> metadata;
};

/// The tensor in that type: F64, F32, F16 or BF16 (std::invalid_argument).
[[nodiscard]] Array arrayAs(const at::Tensor& tensor, DType type);
[[nodiscard]] bool isFloatType(DType type);

/// Float64 with the stored shape. Errors: the reader's; Refused TC-05 for a missing tensor.
[[nodiscard]] Result<at::Tensor> readExact(const TensorTable& table, const std::string& name);

/// The stored bytes; floating-point tensors in `type` where one is given.
[[nodiscard]] Result<Array> readAs(const TensorTable& table, const std::string& name, std::optional<DType> type);

/// The file's metadata with `ropescope.config` telling what the card knows, so that the exported file needs no options;
/// maps are described where the encoding has them. What a configuration said beyond that is kept.
[[nodiscard]] std::map<std::string, std::string> describe(const TensorTable& table, const ModelCard& card);

}  // namespace ropescope
