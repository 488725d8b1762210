// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "core/model/weight_store.h"

// The text encoder of CLIP (arXiv 2103.00020) as SD3 and FLUX use it, under transformers' names with or without
// "text_model.". Equal to transformers (tests/core/model/text_encoder_test.cpp).

namespace ropescope {

struct ClipShape {
    int layers = 0, heads = 0, width = 0, positions = 77;
    bool quickGelu = true;  ///< x sigmoid(1.702 x); else the exact GELU
    double normEps = 1e-5;
    int end = 49407;  ///< token where the pooled vector is taken, its first place; 2 (old files): the largest token's
};

/// Sizes from the tensors, the rest from a config.json of transformers (may be empty). Errors: Refused when this is no
/// CLIP text encoder.
[[nodiscard]] Result<ClipShape> clipShape(const TensorTable& table, const std::string& config);

struct ClipOutput {
    at::Tensor hidden;       ///< [1,n,width] before the last layer, no final norm
    at::Tensor last;         ///< [1,n,width] after the final norm
    at::Tensor pooled;       ///< [1,width] of `last` at the end token; projected where the file has text_projection
    at::Tensor unprojected;  ///< the same without the projection, as FLUX takes it
};
/// `ids`: n tokens, at most shape.positions (std::invalid_argument). `goOn` is asked before every layer: false
/// ends the pass, and nothing is defined.
[[nodiscard]] ClipOutput clipForward(WeightStore& weights, const ClipShape& shape, const std::vector<int>& ids,
                                     const std::function<bool()>& goOn = {});

}  // namespace ropescope
