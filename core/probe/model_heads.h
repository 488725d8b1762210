// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/encoding/encoding.h"
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

/// The encoding of a DiT or ViT with all choices made. Errors: Refused for architectures and encodings without weight
/// probes and for sizes that do not fit; Usage naming --convention when the file holds maps and nobody said how they
/// enter.
[[nodiscard]] Result<EncodingSpec> encodingOf(const ModelCard& card);

/// The heads of one layer, float64. Maps are made of the file's own factors; one map shared by the layer's heads is
/// given to each. Tensors are checked before any mathematics: a head with values that are not finite (in its factors,
/// its projections, or anything made of them), or whose tensors are missing or of the wrong shape, is marked and the
/// others are sound. With a range only its heads are read and made, counted from its first. Errors: reading failed.
/// Checked by tests/core/probe/model_heads_test.cpp.
[[nodiscard]] Result<std::vector<LoadedHead>> loadHeads(const TensorTable& table, const ModelCard& card, int layer,
                                                        HeadRange range = {});

}  // namespace ropescope
