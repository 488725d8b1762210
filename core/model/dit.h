// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "core/checkpoint/tensor_table.h"
#include "core/data/model.h"
#include "core/data/network_variant.h"
#include "core/encoding/encoding.h"

// The DiT of arXiv 2212.09748 and of the HARoPE release as plain functions over a weight table whose names are those of
// the authors' state dicts ("blocks.0.attn.qkv.weight"). Every function is differentiable: the trainer uses them too.
// Equal to the recorded outputs of tests/golden (tests/core/model/dit_test.cpp).
// B batch, L layers, H heads, N tokens, D head dimension, C = H*D width.

namespace ropescope {

/// Sizes and choices of one DiT. The grid is not part of it: it comes from the input.
struct DitShape {
    int layers = 0;
    int heads = 0;
    int headDim = 0;
    int patch = 0;
    int inChannels = 0;
    int outChannels = 0;
    int classes = 0;  ///< without the null class, which is row `classes` of the label table
    double theta = 10000;
    const Encoding* encoding = nullptr;  ///< a row of encodings()
    Convention convention = Convention::None;
    MatrixKind matrix = MatrixKind::None;  ///< None: the usual one of the encoding
    MapSharing sharing = MapSharing::Head;
    AxisOrder order = AxisOrder::RowFirst;
    RotaryLayout layout = RotaryLayout::Interleaved;  ///< of the file (EncodingSpec)
    int timeWidth = 256;                              ///< sinusoids of the time
    double timeDivisor = 128;                         ///< of the exponent of the time's frequencies; 127 in diffusers
    double secondNormEps = 1e-6;                      ///< of the norm before the MLP; 1e-5 in diffusers
    NetworkVariant variant = {};
    bool nullClass = true;             ///< the label table ends in a row for "no class"
    int mlpHidden = 0;                 ///< 0: 4 x width
    bool table = false;                ///< pos_embed is added beside an encoding that turns
    Grid computedTable = {};           ///< diffusers does not store its position table: the grid to compute it for
    HeadChangesPtr changes = nullptr;  ///< of a variation; null: as stored
    [[nodiscard]] int width() const { return heads * headDim; }
    /// pos_embed is added to the patches.
    [[nodiscard]] bool addsTable() const { return table || encoding->added == PositionTable::Added; }
    [[nodiscard]] EncodingSpec positions() const {
        const bool usual = encoding->hasMaps() && matrix == MatrixKind::None;
        return {encoding, heads, headDim, theta, convention, usual ? encoding->map->kinds.front() : matrix,
                sharing,  order, layout,  0,     changes};
    }
};

/// Points where a probe listens or an intervention changes something; empty ones cost nothing.
struct DitTaps {
    /// Queries and keys [B,H,N,D] as projected (and normed), before the encoding's map.
    std::function<void(int layer, const at::Tensor& q, const at::Tensor& k)> projected;
    /// Before the encoding's map is used: the maps of that layer, which may be replaced. Not called without maps.
    std::function<void(int layer, HeadMaps& maps)> maps;
    /// Shifts all positions, which changes nothing but rounding (and, in a ViT, what the class token sees).
    Grid origin = {};
    /// Before the positions of that layer are used: frequencies and factors, which may be replaced.
    std::function<void(int layer, LayerPositions& positions)> positions;
    /// Queries and keys [B,H,N,D] after map and rotary, before the product; may be replaced.
    std::function<void(int layer, at::Tensor& q, at::Tensor& k)> queryKey;
    /// Takes the place of the product: q, k after map and rotary, v, [B,H,N,D] each, to the heads' outputs [B,H,N,D].
    /// Probabilities are not formed then, and `attention` is not called.
    std::function<at::Tensor(int layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)> attend;
    /// Attention probabilities [B,H,N,N] (query, key).
    std::function<void(int layer, const at::Tensor& attention)> attention;
    /// Asked before every layer: false ends the pass, which then gives an undefined tensor.
    std::function<bool(int layer)> goOn;
};

/// The card as shapes. Errors: Refused when the card is no DiT or its sizes do not fit; Usage naming --convention when
/// the file holds maps and nobody said how they enter.
[[nodiscard]] Result<DitShape> ditShape(const ModelCard& card);

/// All weights of the file as float32 (float64 where asked), on the CPU. Errors: those of the reader, and Refused for a
/// tensor that the model needs and the file lacks or whose shape does not fit (place names it).
[[nodiscard]] Result<WeightTable> loadDitWeights(const TensorTable& table, const DitShape& shape);

/// A new model with the authors' initialisation, float32, drawn from `seed` alone. `grid` is for the absolute encoding.
[[nodiscard]] WeightTable initialDitWeights(const DitShape& shape, Grid grid, std::uint64_t seed);

/// The model's output [B, outChannels, h, w] for x [B, inChannels, h, w], t [B] (0..999 scale, may be fractional) and
/// labels y [B] int64 (the null class is `classes`). Sides must be multiples of the patch (std::invalid_argument).
[[nodiscard]] at::Tensor ditForward(const WeightTable& weights, const DitShape& shape, const at::Tensor& x,
                                    const at::Tensor& t, const at::Tensor& y, const DitTaps& taps = {});

// The parts of ditForward, for samplers that compute some of them once.

/// Tokens [B,N,C] of an image: row-major patches, each flattened (channel, py, px) and projected, plus pos_embed or,
/// where given, `added` [1,N,C] in its place.
[[nodiscard]] at::Tensor ditEmbed(const WeightTable& weights, const DitShape& shape, const at::Tensor& x,
                                  const at::Tensor& added = {});
/// Conditioning vector [B,C]: time embedding plus label row.
[[nodiscard]] at::Tensor ditCondition(const WeightTable& weights, const at::Tensor& t, const at::Tensor& y,
                                      double timeDivisor = 128);
/// Sinusoids [B,2*count] of the time: cos first, frequencies 10000^(-i/divisor).
[[nodiscard]] at::Tensor timeSinusoids(const at::Tensor& t, double divisor = 128, std::int64_t count = 128);
/// The six modulations of a block, [B, 6C] in the order shift, scale, gate (attention), shift, scale, gate (MLP).
[[nodiscard]] at::Tensor ditModulation(const WeightTable& weights, int layer, const at::Tensor& condition);
/// One block: tokens in, tokens out. `origin` shifts all positions, which changes nothing but rounding.
[[nodiscard]] at::Tensor ditBlock(const WeightTable& weights, const DitShape& shape, int layer,
                                  const at::Tensor& tokens, const at::Tensor& modulation, Grid grid,
                                  const DitTaps& taps = {}, Grid origin = {});
/// Final norm, modulation ([B, 2C]: shift, scale) and projection, [B, N, patch*patch*outChannels].
[[nodiscard]] at::Tensor ditFinal(const WeightTable& weights, const DitShape& shape, const at::Tensor& tokens,
                                  const at::Tensor& condition);
/// Patches [B,N,p*p*channels] (channel fastest) back to [B,channels,h,w].
[[nodiscard]] at::Tensor unpatchify(const at::Tensor& patches, Grid grid, int patch);

/// The same weights with every head's maps multiplied into its query and key projections, so that the model becomes a
/// model of rotations alone (see `folded`). Computed in float64 for float32 weights that need no gradient, in
/// their own type otherwise. Weights without maps, and those with a norm between projection and map (not foldable), are
/// returned as they are.
[[nodiscard]] WeightTable foldMaps(const WeightTable& weights, const DitShape& shape);
/// The same for one layer: its projections (of a head whose output is off, zeros in the one behind the attention) go
/// into `result`.
void foldLayer(const WeightTable& weights, const DitShape& shape, int layer, WeightTable& result);
/// The shape of foldMaps' result: "axial" in the place of axial encodings with maps, "mixed" where frequencies are
/// learned per head (foldMaps then holds them as "freqs").
[[nodiscard]] DitShape folded(DitShape shape);
/// Can the maps be multiplied into the projections: no norm of queries and keys stands between them.
[[nodiscard]] bool foldable(const DitShape& shape);

}  // namespace ropescope
