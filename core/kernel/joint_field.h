// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/kernel/field.h"

// What one attention over text and picture does, head by head: never more than one head's probabilities at once.
// T text tokens come first, then N = rows*cols picture tokens; T = 0: a picture alone. Checked by
// tests/core/kernel/joint_field_test.cpp against the obvious version.

namespace ropescope {

/// Averages over the batch of h heads.
struct JointField {
    AttentionField field;    ///< of the picture's tokens among themselves; entropy over all keys
    at::Tensor imageToText;  ///< [h] share on text, mean over picture queries; 0 without text
    at::Tensor textToImage;  ///< [h] share on the picture, mean over text queries; 0 without text
};

/// q, k [B,h,T+N,D] after map and rotary, any type, CPU or CUDA. Throws std::invalid_argument when the grid does not
/// match.
[[nodiscard]] JointField jointField(const at::Tensor& q, const at::Tensor& k, std::int64_t text, Grid grid);

/// Attention of one head to and from chosen tokens.
struct ChosenTokens {
    JointField all;    ///< of that head, h = 1
    at::Tensor looks;  ///< [T+N] mean of the chosen tokens' attention rows
    at::Tensor seen;   ///< [T+N] how much of every token's attention goes to the chosen ones
};
/// q, k [T+N,D]; `tokens` in [0, T+N), at least one.
[[nodiscard]] ChosenTokens chosenTokens(const at::Tensor& q, const at::Tensor& k, std::int64_t text, Grid grid,
                                        const std::vector<std::int64_t>& tokens);

}  // namespace ropescope
