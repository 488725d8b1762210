// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/model_card.h"
#include "core/engine/check/parity.h"

namespace ropescope {

/// A network as the self-check runs it: float32 on the CPU, through the models' own forward passes, as stored.
class CheckedNetwork {
public:
    CheckedNetwork() = default;
    CheckedNetwork(const CheckedNetwork&) = delete;
    CheckedNetwork& operator=(const CheckedNetwork&) = delete;
    virtual ~CheckedNetwork() = default;

    /// Layers whose logits tell whether positions are relative. `sound` [layer][head].
    [[nodiscard]] virtual std::vector<int> telling(const std::vector<std::vector<bool>>& sound) const = 0;
    /// Logits [H,N,N] of the picture's tokens in one layer whose inputs are the embedded tokens of a drawn picture (and
    /// text), positions counted from `origin`. At most 8x8 tokens. Errors: those of reading weights.
    [[nodiscard]] virtual Result<at::Tensor> logits(int layer, Grid origin) = 0;

    /// What a record must hold beside the output.
    [[nodiscard]] virtual std::vector<std::string> inputs() const = 0;
    /// The output for a recorded input. Errors: "broken-record" where it does not fit the model; those of reading
    /// weights.
    [[nodiscard]] virtual Result<at::Tensor> output(const Record& record) = 0;
};

/// Errors: what keeps the file from being computed.
[[nodiscard]] Result<std::unique_ptr<CheckedNetwork>> checkedNetwork(const TensorTable& table, const ModelCard& card);
/// Of a FLUX or SD3, whose weights are read as they are needed: the first layer of each kind without unsound heads is a
/// telling one, since all layers of a kind take their positions from the same code. Records have diffusers' names.
[[nodiscard]] Result<std::unique_ptr<CheckedNetwork>> checkedPainter(const TensorTable& table, const ModelCard& card);

}  // namespace ropescope
