// SPDX-License-Identifier: Apache-2.0
#include "core/model/vit.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

#include "core/model/variant.h"

namespace ropescope {
namespace {

std::string blockPrefix(int layer) {
    return "blocks." + std::to_string(layer) + ".";
}

at::Tensor norm(const WeightTable& w, const ViTShape& shape, const std::string& name, const at::Tensor& x) {
    return normed(w, name, shape.variant.norm, shape.variant.normEps, x);
}

/// `change` on the tokens that have a place; those before them pass it by. x [B,H,N,D].
template <class Change>
at::Tensor onPatches(const ViTShape& shape, const at::Tensor& x, const Change& change) {
    const int lead = shape.leadTokens();
    if (lead == 0) return change(x);
    return at::cat({x.narrow(2, 0, lead), change(x.narrow(2, lead, x.size(2) - lead))}, 2);
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
        linearOf(w, name + "qkv", x).view({batch, tokens, 3, shape.heads, shape.headDim}).permute({2, 0, 3, 1, 4});
    at::Tensor q = headNormed(w, name + "q_norm", shape.variant, qkv[0]);
    at::Tensor k = headNormed(w, name + "k_norm", shape.variant, qkv[1]);
    if (taps.projected) taps.projected(layer, q, k);
    LayerPositions positions = layerPositions(w, name, shape.positions(), layer);
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
        const at::Tensor out = switched(heads, positions.output);
        return linearOf(w, name + "proj", out.transpose(1, 2).reshape({batch, tokens, shape.width()}));
    };
    if (taps.attend) return project(taps.attend(layer, q, k, qkv[2]));
    const at::Tensor weight = at::softmax(at::matmul(q, k.mT()) * std::pow(shape.headDim, -0.5), -1);
    if (taps.attention) taps.attention(layer, weight);
    return project(at::matmul(weight, qkv[2]));
}

at::Tensor scaled(const WeightTable& w, const ViTShape& shape, const std::string& name, const at::Tensor& x) {
    return shape.layerScale ? x * w.at(name) : x;
}

at::Tensor optional(const WeightTable& w, const std::string& name) {
    const auto found = w.find(name);
    return found != w.end() ? found->second : at::Tensor();
}

/// One learned query over the patches, then an MLP beside it (timm's AttentionPoolLatent); [B,C].
at::Tensor attentionPool(const WeightTable& w, const ViTShape& shape, const at::Tensor& x) {
    const std::string name = "attn_pool.";
    const std::int64_t batch = x.size(0), tokens = x.size(1), heads = shape.heads, d = shape.headDim;
    const at::Tensor q =
        linearOf(w, name + "q", w.at(name + "latent").expand({batch, 1, shape.width()})).view({batch, 1, heads, d});
    const at::Tensor kv = linearOf(w, name + "kv", x).view({batch, tokens, 2, heads, d}).permute({2, 0, 3, 1, 4});
    const at::Tensor weight =
        at::softmax(at::matmul(q.transpose(1, 2), kv[0].mT()) * std::pow(static_cast<double>(d), -0.5), -1);
    const at::Tensor mixed = at::matmul(weight, kv[1]).transpose(1, 2).reshape({batch, 1, shape.width()});
    const at::Tensor out = linearOf(w, name + "proj", mixed);
    const at::Tensor hidden = mlpOf(w, name + "mlp.", false, shape.variant.activation,
                                    normed(w, name + "norm", shape.variant.norm, shape.variant.normEps, out));
    return (out + hidden).select(1, 0);
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
    at::Tensor tokens =
        at::linear(patches, w.at("patch_embed.proj.weight").flatten(1), optional(w, "patch_embed.proj.bias"));
    std::vector<at::Tensor> lead;
    const auto add = [&](const std::string& name) { lead.push_back(w.at(name)); };
    if (shape.classToken) add("cls_token");
    if (shape.variant.distilled) add("dist_token");
    if (shape.variant.registers > 0) add("reg_token");
    if (shape.table != ViTTable::None) {
        at::Tensor rows = w.at("pos_embed");
        const int own = shape.table == ViTTable::WithAll     ? shape.leadTokens()
                        : shape.table == ViTTable::WithClass ? 1
                                                             : 0;
        std::int64_t row = 0;
        for (at::Tensor& token : lead) {
            if (row >= own) break;
            token = token + rows.narrow(1, row, token.size(1));
            row += token.size(1);
        }
        rows = rows.narrow(1, own, rows.size(1) - own);
        if (shape.tableGrid.tokens() != rows.size(1))
            throw std::invalid_argument("the position table does not fit its grid");
        tokens = tokens + (shape.tableGrid == grid ? rows : resampled(rows, shape.tableGrid, grid));
    }
    for (at::Tensor& token : lead) token = token.expand({batch, token.size(1), shape.width()});
    lead.push_back(tokens);
    tokens = lead.size() > 1 ? at::cat(lead, 1) : tokens;
    return shape.variant.normBefore ? norm(w, shape, "norm_pre", tokens) : tokens;
}

at::Tensor vitHead(const WeightTable& w, const ViTShape& shape, const at::Tensor& tokens) {
    const NetworkVariant& v = shape.variant;
    const auto last = [&](const at::Tensor& x) {
        return normed(w, v.normAfter ? "fc_norm" : "norm", v.lastNorm, v.normEps, x);
    };
    const auto classified = [&](const at::Tensor& x) { return linearOf(w, "head", v.normAfter ? last(x) : x); };
    const Pool pool = shape.pool();
    if (pool == Pool::Token) {
        const at::Tensor first = linearOf(w, "head", last(tokens.select(1, 0)));
        if (!v.distilled) return first;
        return (first + linearOf(w, "head_dist", last(tokens.select(1, 1)))) / 2;
    }
    const at::Tensor all = v.normAfter ? tokens : last(tokens);
    const at::Tensor patches = all.narrow(1, shape.leadTokens(), all.size(1) - shape.leadTokens());
    switch (pool) {
        case Pool::AverageMax:
            return classified((patches.amax(1) + patches.mean(1)) / 2);
        case Pool::Max:
            return classified(patches.amax(1));
        case Pool::Map:
            return classified(attentionPool(w, shape, patches));
        default:
            return classified(patches.mean(1));
    }
}

at::Tensor vitForward(const WeightTable& w, const ViTShape& shape, const at::Tensor& x, const ViTTaps& taps) {
    at::Tensor tokens = vitEmbed(w, shape, x);
    const Grid grid{static_cast<int>(x.size(2) / shape.patch), static_cast<int>(x.size(3) / shape.patch)};
    for (int layer = 0; layer < shape.layers; ++layer) {
        if (taps.goOn && !taps.goOn(layer)) return {};
        const std::string block = blockPrefix(layer);
        const at::Tensor mixed = attention(w, shape, layer, norm(w, shape, block + "norm1", tokens), grid, taps);
        tokens = tokens + scaled(w, shape, block + "gamma_1", mixed);
        const at::Tensor out = mlpOf(w, block + "mlp.", shape.variant.gated, shape.variant.activation,
                                     norm(w, shape, block + "norm2", tokens));
        tokens = tokens + scaled(w, shape, block + "gamma_2", out);
    }
    return vitHead(w, shape, tokens);
}

bool foldable(const ViTShape& shape) {
    if (!shape.encoding->hasMaps()) return true;
    return shape.variant.headNorm == Norm::None && (shape.leadTokens() == 0 || shape.mapTokens == MapTokens::All);
}

ViTShape folded(ViTShape shape) {
    if (!shape.encoding->hasMaps() || !foldable(shape)) return shape;
    shape.changes = frequencyChanges(shape.changes);
    DitShape plain;
    plain.encoding = shape.encoding;
    shape.encoding = folded(plain).encoding;
    shape.convention = Convention::None;
    shape.matrix = MatrixKind::None;
    shape.sharing = MapSharing::Head;
    return shape;
}

namespace {

/// The projections of both networks are laid out alike.
DitShape sameAttention(const ViTShape& shape) {
    DitShape same;
    same.layers = shape.layers, same.heads = shape.heads, same.headDim = shape.headDim, same.theta = shape.theta;
    same.encoding = shape.encoding, same.convention = shape.convention, same.matrix = shape.matrix;
    same.variant.headNorm = shape.variant.headNorm;
    same.sharing = shape.sharing, same.order = shape.order, same.layout = shape.layout;
    same.changes = shape.changes;
    // Maps that pass the class token by stay out of the projections, as those behind a norm do.
    if (!foldable(shape)) same.variant.headNorm = Norm::Layer;
    return same;
}

}  // namespace

void foldViTLayer(const WeightTable& weights, const ViTShape& shape, int layer, WeightTable& result) {
    foldLayer(weights, sameAttention(shape), layer, result);
}

WeightTable foldViTMaps(const WeightTable& weights, const ViTShape& shape) {
    return foldMaps(weights, sameAttention(shape));
}

}  // namespace ropescope
