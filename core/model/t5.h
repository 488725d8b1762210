// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "core/model/weight_store.h"

// The encoder of T5 v1.1 (arXiv 2002.05202, 1910.10683) under transformers' names. Equal to transformers
// (tests/core/model/text_encoder_test.cpp).

namespace ropescope {

struct T5Shape {
    int layers = 0, heads = 0, width = 0, headDim = 0;
    int buckets = 32, maxDistance = 128;  ///< of the relative positions
};

/// Sizes from the tensors, distances from a config.json of transformers (may be empty). Errors: Refused when this is no
/// encoder of T5 v1.1 (gated MLP).
[[nodiscard]] Result<T5Shape> t5Shape(const TensorTable& table, const std::string& config);

/// The last hidden states [1,n,width]; padding attends and is attended, as in the pipelines of FLUX and SD3.
/// `goOn` is asked before every layer: false ends the pass, which then gives an undefined tensor.
[[nodiscard]] at::Tensor t5Forward(WeightStore& weights, const T5Shape& shape, const std::vector<int>& ids,
                                   const std::function<bool()>& goOn = {});

/// Bucket of key - query: 0 .. buckets-1, both directions (arXiv 1910.10683, as transformers computes it).
[[nodiscard]] int t5Bucket(int offset, int buckets, int maxDistance);

}  // namespace ropescope
