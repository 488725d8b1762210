// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/model.h"
#include "core/model/joint.h"
#include "core/model/weight_store.h"

// FLUX.1 (dev, schnell) under the names of its first release, with HARoPE maps after the norms of queries and keys
// where the file has them ("double_blocks.0.attn.learnable_rot.A_u"). Equal to diffusers' recorded outputs
// (tests/core/model/flow_test.cpp).

namespace ropescope {

struct FluxShape {
    int jointLayers = 0, singleLayers = 0;
    int heads = 0, headDim = 0;
    std::vector<int> axesDims;  ///< features of each position axis, even, sum D
    EncodingSpec positions;     ///< maps: kind, sharing, convention
    MapTokens mapTokens = MapTokens::All;
    [[nodiscard]] int width() const { return heads * headDim; }
};

/// Errors: Refused when the card is no FLUX, Usage naming --convention when maps are there and nobody said how they
/// enter.
[[nodiscard]] Result<FluxShape> fluxShape(const ModelCard& card);

/// Arguments of one pass, types and devices of any kind.
struct FluxInput {
    at::Tensor image;     ///< [B,N,channels] packed latents
    at::Tensor text;      ///< [B,T,width of T5]
    at::Tensor pooled;    ///< [B,width of CLIP]
    at::Tensor time;      ///< [B] in [0,1]
    at::Tensor guidance;  ///< [B]; undefined for models without that input
    at::Tensor imageIds;  ///< [N,3] positions
    at::Tensor textIds;   ///< [T,3]
    int firstLayer = 0;   ///< layers before it are left out
};

/// The velocity [B,N,channels]. Layers are counted joint ones first, as in the card. `goOn` is asked before every
/// layer: false ends the pass, which then gives an undefined tensor.
[[nodiscard]] at::Tensor fluxForward(WeightStore& weights, const FluxShape& shape, const FluxInput& input,
                                     const JointTaps& taps = {}, const std::function<bool(int layer)>& goOn = {});

}  // namespace ropescope
