// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernel/field.h"

namespace ropescope {

/// What attention does over a grid and the tokens that lead it (a class token, registers), averaged over the batch, [H]
/// each.
struct TokenField {
    AttentionField patches;    ///< patch queries over patch keys: its bins sum to 1 - classShare; entropy over all keys
    at::Tensor classShare;     ///< mean attention of the patches to the tokens before them; zeros without any
    at::Tensor classToItself;  ///< attention of the first token, the class token, to itself; zeros without one
    at::Tensor ofClass;        ///< attention of the class token to the patches [H, rows, cols]; zeros without one
};

/// The fields of attention probabilities [B,H,N,N] (query, key), float32. N = grid.tokens(), and as many more
/// as lead them (std::invalid_argument for fewer). Checked by tests/core/model/vit_test.cpp.
[[nodiscard]] TokenField fieldOfTokens(const at::Tensor& attention, Grid grid);

}  // namespace ropescope
