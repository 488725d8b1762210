// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <variant>

#include "core/checkpoint/tensor_table.h"
#include "core/engine/check/parity.h"
#include "core/model/dit.h"
#include "core/model/vit.h"

namespace ropescope {

/// A DiT or ViT as the self-check runs it: float32 on the CPU, through the models' own forward passes.
class CheckedNetwork {
public:
    /// Errors: what keeps the file from being computed.
    [[nodiscard]] static Result<CheckedNetwork> load(const TensorTable& table, const ModelCard& card);

    /// Logits [H,N,N] of the patches in one layer whose input are the embedded patches of a drawn image, positions
    /// counted from `origin`. At most 8x8 patches. Weights that are not finite count as 0.
    [[nodiscard]] at::Tensor logits(int layer, Grid origin) const;

    [[nodiscard]] bool timed() const { return std::holds_alternative<DitShape>(m_shape); }
    /// The output for a recorded input. Errors: "broken-record" where it does not fit the model.
    [[nodiscard]] Result<at::Tensor> output(const Record& record) const;

private:
    std::variant<DitShape, ViTShape> m_shape;
    Grid m_grid;
    WeightTable m_weights;
    WeightTable m_finite;  ///< the same, finite
};

}  // namespace ropescope
