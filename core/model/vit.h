// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/checkpoint/tensor_table.h"
#include "core/checkpoint/vit_tensors.h"
#include "core/data/model.h"
#include "core/encoding/encoding.h"
#include "core/model/dit.h"

// The ViT of timm and of rope-vit as a plain function over a weight table whose names are those of timm's state dicts
// ("blocks.0.attn.qkv.weight"), learned frequencies per layer ("blocks.0.attn.freqs" [2,H,P]). Differentiable: the
// trainer uses it too. Equal to the recorded outputs of tests/golden (tests/core/model/vit_test.cpp).
// B batch, L layers, H heads, N tokens (class token, distillation token and registers first), D head dimension, C = H*D
// width.

namespace ropescope {

/// An added position table (pos_embed): none, one row per patch, one more for the class token, first, or one for every
/// token before the patches.
enum class ViTTable { None, PatchesOnly, WithClass, WithAll };

/// Sizes and choices of one ViT. The grid of an image comes from the input.
struct ViTShape {
    int layers = 0;
    int heads = 0;
    int headDim = 0;
    int patch = 0;
    int inChannels = 3;
    int classes = 0;
    int mlpHidden = 0;  ///< 0: 4 x width
    double theta = 100;
    const Encoding* encoding = nullptr;  ///< a row of encodings(): what turns queries and keys of the patches
    Convention convention = Convention::None;
    MatrixKind matrix = MatrixKind::None;  ///< None: the usual one of the encoding
    MapSharing sharing = MapSharing::Head;
    AxisOrder order = AxisOrder::RowFirst;
    RotaryLayout layout = RotaryLayout::Interleaved;  ///< of the file (EncodingSpec)
    bool classToken = true;                           ///< without one, the patches' mean is classified
    ViTTable table = ViTTable::None;
    Grid tableGrid;           ///< patches the table was made for; others get it resampled
    bool layerScale = false;  ///< gamma_1, gamma_2 in every block
    MapTokens mapTokens = MapTokens::All;
    NetworkVariant variant = ViTSizes::viTVariant();
    HeadChangesPtr changes = nullptr;  ///< of a variation; null: as stored
    /// Tokens before the patches: class token, distillation token, registers.
    [[nodiscard]] int leadTokens() const {
        return (classToken ? 1 : 0) + (variant.distilled ? 1 : 0) + variant.registers;
    }
    /// What is classified; without a class token the patches' mean in its place.
    [[nodiscard]] Pool pool() const {
        return variant.pool == Pool::Token && !classToken ? Pool::Average : variant.pool;
    }
    [[nodiscard]] int width() const { return heads * headDim; }
    [[nodiscard]] int hidden() const { return mlpHidden > 0 ? mlpHidden : 4 * width(); }
    [[nodiscard]] EncodingSpec positions() const {
        const bool usual = encoding->hasMaps() && matrix == MatrixKind::None;
        return {encoding, heads, headDim, theta, convention, usual ? encoding->map->kinds.front() : matrix,
                sharing,  order, layout,  0,     changes};
    }
};

/// Points where a probe listens, as in a DiT; N counts the class token.
using ViTTaps = DitTaps;

/// The card as shapes. Errors: Refused when the card is no ViT or its sizes do not fit; Usage naming --convention or
/// --map-tokens when the file holds maps and nobody said how they enter.
[[nodiscard]] Result<ViTShape> viTShape(const ModelCard& card);

/// All weights of the file as float32, on the CPU. Errors: those of the reader, and Refused for a tensor that the model
/// needs and the file lacks or whose shape does not fit (place names it).
[[nodiscard]] Result<WeightTable> loadViTWeights(const TensorTable& table, const ViTShape& shape);

/// A new model, float32, drawn from `seed` alone: linear layers and tables normal with deviation 0.02, the patch
/// convolution uniform within 1/sqrt(fan in), biases zero, layer scale 1e-4. `grid` sizes the position table.
[[nodiscard]] WeightTable initialViTWeights(const ViTShape& shape, Grid grid, std::uint64_t seed);

/// Logits [B, classes] for x [B, inChannels, h, w], already normalised. Sides must be multiples of the patch
/// (std::invalid_argument). A position table of another grid is resampled (bicubic with antialias, as timm does).
[[nodiscard]] at::Tensor vitForward(const WeightTable& weights, const ViTShape& shape, const at::Tensor& x,
                                    const ViTTaps& taps = {});

// The parts of vitForward, for programs that compute some of them otherwise.

/// Tokens [B,N,C]: patches projected, table added, class token, distillation token and registers in front.
[[nodiscard]] at::Tensor vitEmbed(const WeightTable& weights, const ViTShape& shape, const at::Tensor& x);
/// What is classified, pooled and normed as the variant says, times the head (both heads' mean where there are two);
/// [B, classes].
[[nodiscard]] at::Tensor vitHead(const WeightTable& weights, const ViTShape& shape, const at::Tensor& tokens);
/// Every tensor of a model and its shape, the encoding's own ones (positionTensors) aside.
[[nodiscard]] std::map<std::string, std::vector<std::int64_t>> vitTensors(const ViTShape& shape);

/// Maps multiplied into the projections as foldMaps does for a DiT. Weights without maps, and those whose class token
/// the maps pass by (MapTokens::PatchesOnly with a class token: not foldable), are returned as they are.
[[nodiscard]] WeightTable foldViTMaps(const WeightTable& weights, const ViTShape& shape);
/// The same for one layer, into `result` (foldLayer).
void foldViTLayer(const WeightTable& weights, const ViTShape& shape, int layer, WeightTable& result);
/// The shape of foldViTMaps' result.
[[nodiscard]] ViTShape folded(ViTShape shape);
/// Can the maps be folded: there are none that pass the class token by, and no norm stands before them.
[[nodiscard]] bool foldable(const ViTShape& shape);

}  // namespace ropescope
