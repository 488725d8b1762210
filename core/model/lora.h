// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/lora_match.h"
#include "core/data/model.h"

// Low-rank changes of a FLUX or SD3 (LoRA, arXiv 2106.09685): W' = W + strength alpha / r (B A). Equal to peft
// (tests/core/model/lora_test.cpp).

namespace ropescope {

/// One change of some rows of one weight.
struct LowRank {
    at::Tensor down;  ///< A [r, in], float32
    at::Tensor up;    ///< B [rows, r], float32
    double scale = 1;
    std::int64_t firstRow = 0;
};

struct LoraSet {
    std::map<std::string, std::vector<LowRank>> changes;  ///< by the weight's original name
    std::vector<std::string> notes;                       ///< per file: how many layers match, in words
    [[nodiscard]] std::uint64_t bytes() const;            ///< that the changes take
};

/// Changes under the names of diffusers (with or without "transformer."), PEFT, kohya, X-Labs and the original modules;
/// alpha from ".alpha" tensors, the metadata of diffusers or PEFT's adapter_config.json, else the rank. A folder stands
/// for its adapter_model.safetensors or pytorch_lora_weights.safetensors. Errors: Refused LO-01 when nothing of a file
/// matches, LO-03 for halves that do not fit each other or their layer, LO-04 for other kinds (DoRA, LoHa, LoKr,
/// changes with biases, whole weights).
[[nodiscard]] Result<LoraSet> readLoras(const TensorTable& model, const std::vector<LoraRef>& loras);

/// The same by names alone; what refuses a file stands in its `problem`. Errors: those of opening the model.
[[nodiscard]] Result<LorasReport> matchLoras(const LorasRequest& request);

/// "FILE: 7 of 9 layers match, not NAME; left out: 12 for text encoders".
[[nodiscard]] std::string describeMatch(const LoraMatch& match);

/// The weight [out, in] with the changes added, float32.
[[nodiscard]] at::Tensor changed(const at::Tensor& weight, const std::vector<LowRank>& changes);

}  // namespace ropescope
