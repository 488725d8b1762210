// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>

#include "core/data/model_card.h"
#include "core/encoding/encoding.h"
#include "core/encoding/extrapolation.h"

// What the transformers of FLUX and SD3 share: text and image tokens in one attention.
// B batch, T text tokens, N image tokens, H heads, D head dimension, C = H*D width. Text comes first.

namespace ropescope {

/// Points where a probe listens; empty ones cost nothing.
struct JointTaps {
    /// Queries and keys [B,H,T+N,D] as projected and normed, before map and rotary.
    std::function<void(int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text)> projected = {};
    /// Before a layer's maps are used; may be replaced. Not called without maps.
    std::function<void(int layer, HeadMaps& maps)> maps = {};
    /// Queries and keys [B,H,T+N,D] after norm, map and rotary, before the product; may be replaced.
    std::function<void(int layer, at::Tensor& q, at::Tensor& k, std::int64_t text)> queryKey = {};
    /// Attention probabilities [B,H,T+N,T+N] (query, key). Given, they are formed.
    std::function<void(int layer, const at::Tensor& attention, std::int64_t text)> attention = {};
    /// Shifts the rows and columns of all tokens, text too, which changes nothing but rounding.
    Grid origin = {};
    /// Frequencies for a picture larger than the trained ones.
    Stretch stretch = {};
};

/// y = x W^T + b with "NAME.weight" and "NAME.bias".
[[nodiscard]] at::Tensor dense(const WeightTable& w, const std::string& name, const at::Tensor& x);
/// Linear, SiLU, linear.
[[nodiscard]] at::Tensor twoLayers(const WeightTable& w, const std::string& first, const std::string& second,
                                   const at::Tensor& x);
/// LayerNorm without weights, eps 1e-6, then x (1 + scale) + shift with [B,C] each.
[[nodiscard]] at::Tensor modulated(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale);
/// x / rms(x) * weight over the last axis, eps 1e-6, in float32 and back to x's type (torch.nn.RMSNorm).
[[nodiscard]] at::Tensor rmsNorm(const at::Tensor& x, const at::Tensor& weight);
/// [B,n,3C] in the order which, head, feature as three [B,H,n,D].
[[nodiscard]] std::vector<at::Tensor> headsOf(const at::Tensor& qkv, int heads);

/// One attention over text and image.
struct JointAttention {
    int layer = 0;
    const JointTaps* taps = nullptr;
    std::int64_t text = 0;  ///< T
    HeadMaps maps;          ///< [H,D,D]; undefined without
    at::Tensor output;      ///< [H] on the heads' outputs; undefined: 1
    MapTokens mapTokens = MapTokens::All;
    RotaryTable rotary;  ///< of all T+N tokens, [T+N,P] or [H,T+N,P]; undefined: nothing turns
};
/// softmax(q k^T / sqrt(D)) v -> [B, T+N, C]; q, k, v [B,H,T+N,D].
[[nodiscard]] at::Tensor attend(const JointAttention& a, at::Tensor q, at::Tensor k, const at::Tensor& v);

/// Maps, and what a variation changes, of an attention of that layer whose parameters ("learnable_rot.A_u", ...) are in
/// `block` under `prefix`; undefined maps when there are none there. Frequencies are not set: networks give their own.
[[nodiscard]] LayerPositions jointPositions(const WeightTable& block, const std::string& prefix,
                                            const EncodingSpec& spec, int layer);

/// The maps that a FLUX or MMDiT has, if any, and theta; an encoding without maps where it has none. Errors: Usage
/// naming
/// --convention when the file holds maps and nobody said how they enter.
[[nodiscard]] Result<EncodingSpec> mapsOf(const ModelCard& card);

/// Angles of tokens at `positions` [n, axes] (row numbers may be fractional): cos and sin [n, P] float32, computed in
/// float64. Axis a owns dims[a]/2 planes with frequencies theta^(-2k/dims[a]); the last two axes are rows and columns,
/// and theirs are stretched, each as a ladder of width dims[a]. With a scale [H] of frequencies, [H, n, P].
[[nodiscard]] RotaryTable rotaryAt(const at::Tensor& positions, std::span<const int> dims, double theta,
                                   const Stretch& stretch = {}, const at::Tensor& scale = {});

}  // namespace ropescope
