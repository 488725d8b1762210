// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/model.h"
#include "core/model/joint.h"
#include "core/model/weight_store.h"

// The MMDiT of SD3 and SD3.5 (arXiv 2403.03206) under the names of its first release: absolute positions cut from the
// middle of a table, optional norms of queries and keys, second attentions over the image alone. HARoPE, where the file
// has maps ("joint_blocks.0.attn.learnable_rot.A_u"), adds them and axial rotary positions of the image tokens after
// the norms. Equal to diffusers' recorded outputs (tests/core/model/flow_test.cpp).

namespace ropescope {

struct MmditShape {
    int layers = 0;
    int heads = 0, headDim = 0;
    int patch = 0, inChannels = 0, outChannels = 0;
    EncodingSpec positions;  ///< maps: kind, sharing, convention
    MapTokens mapTokens = MapTokens::All;
    Grid table;  ///< of pos_embed; 0x0 without one
    [[nodiscard]] int width() const { return heads * headDim; }
    /// The position table, where there is one, has a place for every patch.
    [[nodiscard]] bool holds(Grid grid) const {
        return table.tokens() == 0 || (grid.rows <= table.rows && grid.cols <= table.cols);
    }
};

/// Errors: Refused when the card is no MMDiT or its position table is not square, Usage naming --convention when maps
/// are there and nobody said how they enter.
[[nodiscard]] Result<MmditShape> mmditShape(const ModelCard& card);

/// Arguments of one pass, types and devices of any kind.
struct MmditInput {
    at::Tensor latents;  ///< [B,channels,h,w]
    at::Tensor text;     ///< [B,T,context width]
    at::Tensor pooled;   ///< [B,pooled width]
    at::Tensor time;     ///< [B], 1000 sigma
    int firstLayer = 0;  ///< layers before it are left out
};

/// The velocity [B,outChannels,h,w]. Throws std::invalid_argument when the sides are no multiples of the patch or the
/// grid is larger than the position table. Interpolation resizes the middle that trained pictures use instead. `goOn`
/// as for fluxForward().
[[nodiscard]] at::Tensor mmditForward(WeightStore& weights, const MmditShape& shape, const MmditInput& input,
                                      const JointTaps& taps = {}, const std::function<bool(int layer)>& goOn = {});

}  // namespace ropescope
