// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/encoding/model_encoding.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// One head as loaded: its operator, or why it is marked (then the operator is empty).
struct LoadedHead {
    HeadOperator value;
    std::string problem;  ///< one line of the message contract; empty where sound
};

/// Heads first .. first + count - 1 of a layer; {} stands for all.
struct HeadRange {
    int first = 0, count = 0;
    bool operator==(const HeadRange&) const = default;
};

/// What the heads of one layer are made of, read and checked; nothing of a variation is in it.
struct LayerParts {
    EncodingSpec spec;                   ///< of the layer and the range of heads
    std::optional<WeightTable> weights;  ///< the encoding's parameters, unsound heads replaced; nothing: one is missing
    std::vector<ContentMoments> content;  ///< of the projections; undefined for heads that are marked
    bool normed = false;                  ///< queries and keys are normed: weights say nothing about the content
    std::vector<std::string> problems;    ///< per head, as in LoadedHead
};
[[nodiscard]] Result<LayerParts> readLayer(const TensorTable& table, const ModelCard& card, int layer,
                                           HeadRange range = {});
/// The heads of such parts, with the changes of a variation. Throws RefusedChange.
[[nodiscard]] std::vector<LoadedHead> makeHeads(LayerParts parts, const ModelCard& card, int layer,
                                                HeadChangesPtr changes = nullptr);

/// The heads of one layer, float64. Maps are made of the file's own factors; one map shared by the layer's heads is
/// given to each. Tensors are checked before any mathematics: a head with values that are not finite (in its factors,
/// its projections, or anything made of them), or whose tensors are missing or of the wrong shape, is marked and the
/// others are sound. With a range only its heads are read and made, counted from its first. readLayer() and makeHeads()
/// in one. Errors: reading failed. Checked by tests/core/probe/model_heads_test.cpp.
[[nodiscard]] Result<std::vector<LoadedHead>> loadHeads(const TensorTable& table, const ModelCard& card, int layer,
                                                        HeadRange range = {}, HeadChangesPtr changes = nullptr);

}  // namespace ropescope
