// SPDX-License-Identifier: Apache-2.0
#include "core/model/vit.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

std::string blockPrefix(int layer) {
    return "blocks." + std::to_string(layer) + ".";
}

at::Tensor dense(const WeightTable& w, const std::string& name, const at::Tensor& x) {
    return at::linear(x, w.at(name + ".weight"), w.at(name + ".bias"));
}

at::Tensor norm(const WeightTable& w, const ViTShape& shape, const std::string& name, const at::Tensor& x) {
    return at::layer_norm(x, {x.size(-1)}, w.at(name + ".weight"), w.at(name + ".bias"), shape.normEps);
}

/// `change` on the tokens that have a place; the class token passes it by. x [B,H,N,D].
template <class Change>
at::Tensor onPatches(const ViTShape& shape, const at::Tensor& x, const Change& change) {
    if (!shape.classToken) return change(x);
    return at::cat({x.narrow(2, 0, 1), change(x.narrow(2, 1, x.size(2) - 1))}, 2);
}

at::Tensor mapped(const ViTShape& shape, const at::Tensor& x, const at::Tensor& map) {
    const auto turn = [&](const at::Tensor& part) {
        return at::matmul(part, map.to(x.device(), x.scalar_type()).mT());
    };
    return shape.mapTokens == MapTokens::PatchesOnly ? onPatches(shape, x, turn) : turn(x);
}

at::Tensor attention(const WeightTable& w, const ViTShape& shape, int layer, const at::Tensor& x, Grid grid,
                     const ViTTaps& taps) {
    const std::string name = blockPrefix(layer) + "attn.";
    const std::int64_t batch = x.size(0), tokens = x.size(1);
    // [3,B,H,N,D]: the rows of qkv are ordered which, head, feature.
    const at::Tensor qkv =
        dense(w, name + "qkv", x).view({batch, tokens, 3, shape.heads, shape.headDim}).permute({2, 0, 3, 1, 4});
    at::Tensor q = qkv[0], k = qkv[1];
    if (taps.projected) taps.projected(layer, q, k);
    LayerPositions positions = layerPositions(w, name, shape.positions());
    if (taps.positions) taps.positions(layer, positions);
    if (shape.encoding->hasMaps()) {
        if (taps.maps) taps.maps(layer, positions.maps);
        q = mapped(shape, q, positions.maps.query);
        k = mapped(shape, k, positions.maps.key);
    }
    if (shape.encoding->turns()) {
        const RotaryTable rotary = rotaryTable(positions, grid, taps.origin);
        const auto turn = [&](const at::Tensor& part) { return rotate(part, rotary); };
        q = onPatches(shape, q, turn), k = onPatches(shape, k, turn);
    }
    if (taps.queryKey) taps.queryKey(layer, q, k);
    const auto project = [&](const at::Tensor& heads) {
        return dense(w, name + "proj", heads.transpose(1, 2).reshape({batch, tokens, shape.width()}));
    };
    if (taps.attend) return project(taps.attend(layer, q, k, qkv[2]));
    const at::Tensor weight = at::softmax(at::matmul(q, k.mT()) * std::pow(shape.headDim, -0.5), -1);
    if (taps.attention) taps.attention(layer, weight);
    return project(at::matmul(weight, qkv[2]));
}

at::Tensor scaled(const WeightTable& w, const ViTShape& shape, const std::string& name, const at::Tensor& x) {
    return shape.layerScale ? x * w.at(name) : x;
}

/// The rows of the patches for another grid, [1, N, C].
at::Tensor resampled(const at::Tensor& rows, Grid from, Grid to) {
    const std::int64_t width = rows.size(2);
    const at::Tensor picture = rows.reshape({1, from.rows, from.cols, width}).permute({0, 3, 1, 2}).to(at::kFloat);
    return at::_upsample_bicubic2d_aa(picture, {to.rows, to.cols}, false)
        .permute({0, 2, 3, 1})
        .reshape({1, to.tokens(), width})
        .to(rows.scalar_type());
}

}  // namespace

at::Tensor vitEmbed(const WeightTable& w, const ViTShape& shape, const at::Tensor& x) {
    const int p = shape.patch;
    if (x.dim() != 4 || x.size(1) != shape.inChannels || x.size(2) % p != 0 || x.size(3) % p != 0)
        throw std::invalid_argument("the input must be [B," + std::to_string(shape.inChannels) +
                                    ",h,w] with sides that are multiples of " + std::to_string(p));
    const Grid grid{static_cast<int>(x.size(2)) / p, static_cast<int>(x.size(3)) / p};
    const std::int64_t batch = x.size(0);
    const at::Tensor patches = x.reshape({batch, shape.inChannels, grid.rows, p, grid.cols, p})
                                   .permute({0, 2, 4, 1, 3, 5})
                                   .reshape({batch, grid.tokens(), shape.inChannels * p * p});
    at::Tensor tokens = at::linear(patches, w.at("patch_embed.proj.weight").flatten(1), w.at("patch_embed.proj.bias"));
    at::Tensor first = shape.classToken ? w.at("cls_token") : at::Tensor();
    if (shape.table != ViTTable::None) {
        at::Tensor rows = w.at("pos_embed");
        if (shape.table == ViTTable::WithClass) {
            first = first + rows.narrow(1, 0, 1);
            rows = rows.narrow(1, 1, rows.size(1) - 1);
        }
        if (shape.tableGrid.tokens() != rows.size(1))
            throw std::invalid_argument("the position table does not fit its grid");
        tokens = tokens + (shape.tableGrid == grid ? rows : resampled(rows, shape.tableGrid, grid));
    }
    return shape.classToken ? at::cat({first.expand({batch, 1, shape.width()}), tokens}, 1) : tokens;
}

at::Tensor vitHead(const WeightTable& w, const ViTShape& shape, const at::Tensor& tokens) {
    if (shape.classToken) return dense(w, "head", norm(w, shape, "norm", tokens.select(1, 0)));
    return dense(w, "head", norm(w, shape, "norm", tokens).mean(1));
}

at::Tensor vitForward(const WeightTable& w, const ViTShape& shape, const at::Tensor& x, const ViTTaps& taps) {
    at::Tensor tokens = vitEmbed(w, shape, x);
    const Grid grid{static_cast<int>(x.size(2) / shape.patch), static_cast<int>(x.size(3) / shape.patch)};
    for (int layer = 0; layer < shape.layers; ++layer) {
        const std::string block = blockPrefix(layer);
        const at::Tensor mixed = attention(w, shape, layer, norm(w, shape, block + "norm1", tokens), grid, taps);
        tokens = tokens + scaled(w, shape, block + "gamma_1", mixed);
        const at::Tensor hidden = at::gelu(dense(w, block + "mlp.fc1", norm(w, shape, block + "norm2", tokens)));
        tokens = tokens + scaled(w, shape, block + "gamma_2", dense(w, block + "mlp.fc2", hidden));
    }
    return vitHead(w, shape, tokens);
}

bool foldable(const ViTShape& shape) {
    return !shape.encoding->hasMaps() || !shape.classToken || shape.mapTokens == MapTokens::All;
}

ViTShape folded(ViTShape shape) {
    if (!shape.encoding->hasMaps() || !foldable(shape)) return shape;
    DitShape plain;
    plain.encoding = shape.encoding;
    shape.encoding = folded(plain).encoding;
    shape.convention = Convention::None;
    shape.matrix = MatrixKind::None;
    shape.sharing = MapSharing::Head;
    return shape;
}

WeightTable foldViTMaps(const WeightTable& weights, const ViTShape& shape) {
    if (!foldable(shape)) return weights;
    // The projections of both networks are laid out alike.
    DitShape same;
    same.layers = shape.layers, same.heads = shape.heads, same.headDim = shape.headDim, same.theta = shape.theta;
    same.encoding = shape.encoding, same.convention = shape.convention, same.matrix = shape.matrix;
    same.sharing = shape.sharing, same.order = shape.order, same.layout = shape.layout;
    return foldMaps(weights, same);
}

}  // namespace ropescope
