// SPDX-License-Identifier: Apache-2.0
#include "core/model/dit.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

#include "core/model/variant.h"

namespace ropescope {
namespace {

std::string blockPrefix(int layer) {
    return "blocks." + std::to_string(layer) + ".";
}

/// `normed` tokens with the modulation.
at::Tensor modulated(const at::Tensor& normed, const at::Tensor& shift, const at::Tensor& scale) {
    return normed * (scale.unsqueeze(1) + 1) + shift.unsqueeze(1);
}

at::Tensor attention(const WeightTable& w, const DitShape& shape, int layer, const at::Tensor& x, Grid grid,
                     const DitTaps& taps, Grid origin) {
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
        q = at::matmul(q, positions.maps.query.to(q.device(), q.scalar_type()).mT());
        k = at::matmul(k, positions.maps.key.to(k.device(), k.scalar_type()).mT());
    }
    if (shape.encoding->turns()) {
        const RotaryTable rotary = rotaryTable(positions, grid, origin);
        q = rotate(q, rotary), k = rotate(k, rotary);
    }
    if (taps.queryKey) taps.queryKey(layer, q, k);
    const auto project = [&](const at::Tensor& heads) {
        const at::Tensor out = switched(heads, positions.output);
        return linearOf(w, name + "proj", out.transpose(1, 2).reshape({batch, tokens, shape.width()}));
    };
    if (taps.attend) return project(taps.attend(layer, q, k, qkv[2]));
    // Explicit, not fused: the taps need the probabilities, and LibTorch's fused backward is slower at these sizes.
    const at::Tensor weight = at::softmax(at::matmul(q, k.mT()) * std::pow(shape.headDim, -0.5), -1);
    if (taps.attention) taps.attention(layer, weight);
    return project(at::matmul(weight, qkv[2]));
}

void checkInput(const DitShape& shape, const at::Tensor& x) {
    if (x.dim() != 4 || x.size(1) != shape.inChannels || x.size(2) % shape.patch != 0 || x.size(3) % shape.patch != 0)
        throw std::invalid_argument("the input must be [B," + std::to_string(shape.inChannels) +
                                    ",h,w] with sides that are multiples of " + std::to_string(shape.patch));
}

}  // namespace

at::Tensor timeSinusoids(const at::Tensor& t, double divisor, std::int64_t count) {
    const at::Tensor i = at::arange(count, t.options().dtype(at::kDouble));
    const at::Tensor angle =
        t.to(at::kDouble).unsqueeze(1) * at::exp(i * (-std::log(10000.0) / divisor)).to(at::kFloat);
    return at::cat({angle.cos(), angle.sin()}, 1);
}

at::Tensor ditCondition(const WeightTable& w, const at::Tensor& t, const at::Tensor& y, double timeDivisor) {
    const at::Tensor& first = w.at("t_embedder.mlp.0.weight");
    const at::Tensor time = timeSinusoids(t.to(first.device()), timeDivisor, first.size(1) / 2).to(first.scalar_type());
    return linearOf(w, "t_embedder.mlp.2", at::silu(linearOf(w, "t_embedder.mlp.0", time))) +
           at::embedding(w.at("y_embedder.embedding_table.weight"), y.to(first.device()));
}

at::Tensor ditEmbed(const WeightTable& w, const DitShape& shape, const at::Tensor& x, const at::Tensor& added) {
    checkInput(shape, x);
    const std::int64_t p = shape.patch, rows = x.size(2) / p, cols = x.size(3) / p;
    const at::Tensor patches = x.reshape({x.size(0), shape.inChannels, rows, p, cols, p})
                                   .permute({0, 2, 4, 1, 3, 5})
                                   .reshape({x.size(0), rows * cols, shape.inChannels * p * p});
    const at::Tensor tokens =
        at::linear(patches, w.at("x_embedder.proj.weight").flatten(1), w.at("x_embedder.proj.bias"));
    if (!shape.addsTable()) return tokens;
    const at::Tensor& table = added.defined() ? added : w.at("pos_embed");
    if (table.size(1) != rows * cols)
        throw std::invalid_argument("absolute positions exist for " + std::to_string(table.size(1)) + " tokens, not " +
                                    std::to_string(rows * cols));
    return tokens + table;
}

at::Tensor ditModulation(const WeightTable& w, int layer, const at::Tensor& condition) {
    return linearOf(w, blockPrefix(layer) + "adaLN_modulation.1", at::silu(condition));
}

at::Tensor ditBlock(const WeightTable& w, const DitShape& shape, int layer, const at::Tensor& tokens,
                    const at::Tensor& modulation, Grid grid, const DitTaps& taps, Grid origin) {
    const std::vector<at::Tensor> m = modulation.chunk(6, 1);
    const std::string block = blockPrefix(layer);
    const NetworkVariant& v = shape.variant;
    const at::Tensor first = modulated(normed(w, block + "norm1", v.norm, v.normEps, tokens), m[0], m[1]);
    const at::Tensor x = tokens + m[2].unsqueeze(1) * attention(w, shape, layer, first, grid, taps, origin);
    const at::Tensor second = modulated(normed(w, block + "norm2", v.norm, shape.secondNormEps, x), m[3], m[4]);
    const Activation activation = v.gated ? Activation::Silu : Activation::GeluTanh;
    return x + m[5].unsqueeze(1) * mlpOf(w, block + "mlp.", v.gated, activation, second);
}

at::Tensor ditFinal(const WeightTable& w, const DitShape& shape, const at::Tensor& tokens,
                    const at::Tensor& condition) {
    const std::vector<at::Tensor> m = linearOf(w, "final_layer.adaLN_modulation.1", at::silu(condition)).chunk(2, 1);
    const NetworkVariant& v = shape.variant;
    return linearOf(w, "final_layer.linear",
                    modulated(normed(w, "final_layer.norm_final", v.lastNorm, v.normEps, tokens), m[0], m[1]));
}

at::Tensor unpatchify(const at::Tensor& patches, Grid grid, int patch) {
    const std::int64_t channels = patches.size(2) / (patch * patch);
    return patches.reshape({patches.size(0), grid.rows, grid.cols, patch, patch, channels})
        .permute({0, 5, 1, 3, 2, 4})
        .reshape({patches.size(0), channels, grid.rows * patch, grid.cols * patch});
}

at::Tensor ditForward(const WeightTable& w, const DitShape& shape, const at::Tensor& x, const at::Tensor& t,
                      const at::Tensor& y, const DitTaps& taps) {
    at::Tensor tokens = ditEmbed(w, shape, x);
    const Grid grid{static_cast<int>(x.size(2) / shape.patch), static_cast<int>(x.size(3) / shape.patch)};
    const at::Tensor condition = ditCondition(w, t, y, shape.timeDivisor);
    for (int layer = 0; layer < shape.layers; ++layer) {
        if (taps.goOn && !taps.goOn(layer)) return {};
        tokens = ditBlock(w, shape, layer, tokens, ditModulation(w, layer, condition), grid, taps, taps.origin);
    }
    return unpatchify(ditFinal(w, shape, tokens, condition), grid, shape.patch);
}

bool foldable(const DitShape& shape) {
    return !shape.encoding->hasMaps() || shape.variant.headNorm == Norm::None;
}

DitShape folded(DitShape shape) {
    if (!shape.encoding->hasMaps() || !foldable(shape)) return shape;
    shape.changes = frequencyChanges(shape.changes);
    const bool learned = shape.encoding->frequencies == Frequencies::Learned;
    shape.encoding = findEncoding(learned ? "mixed" : "axial").value();
    shape.convention = Convention::None;
    shape.matrix = MatrixKind::None;
    shape.sharing = MapSharing::Head;
    return shape;
}

void foldLayer(const WeightTable& w, const DitShape& shape, int layer, WeightTable& result) {
    const std::int64_t heads = shape.heads, d = shape.headDim, width = shape.width();
    const EncodingSpec spec = shape.positions();
    const std::string name = blockPrefix(layer) + "attn.";
    const LayerPositions positions = layerPositions(w, name, spec, layer);
    if (positions.output.defined()) {
        const at::Tensor& proj = w.at(name + "proj.weight");
        result[name + "proj.weight"] =
            (proj.view({width, heads, d}) * positions.output.to(proj.options()).unsqueeze(1)).view({width, width});
    }
    if (spec.encoding->hasMaps() && foldable(shape)) {
        const at::Tensor& weight = w.at(name + "qkv.weight");
        const auto stored = w.find(name + "qkv.bias");
        const at::Tensor bias = stored != w.end() ? stored->second : at::zeros({3 * width}, weight.options());
        const at::ScalarType work = positions.maps.query.scalar_type();
        // One row block per (which, head): [3, H, D, C+1], the bias as a last column.
        const at::Tensor rows =
            at::cat({weight.to(work), bias.to(work).unsqueeze(1)}, 1).view({3, heads, d, width + 1});
        const at::Tensor mapped =
            at::stack({at::matmul(positions.maps.query, rows[0]), at::matmul(positions.maps.key, rows[1]), rows[2]});
        const at::Tensor flat = mapped.reshape({3 * width, width + 1}).to(weight.scalar_type());
        result[name + "qkv.weight"] = flat.narrow(1, 0, width).contiguous();
        if (stored != w.end()) result[name + "qkv.bias"] = flat.select(1, width).contiguous();
        for (const MatrixParameter& p : positionTensors(name, spec)) result.erase(p.name);
        if (spec.encoding->frequencies == Frequencies::Learned)
            result[name + "freqs"] = positions.frequency.permute({2, 0, 1}).flip(0).to(weight.scalar_type());
    }
}

WeightTable foldMaps(const WeightTable& w, const DitShape& shape) {
    const bool maps = shape.encoding->hasMaps() && foldable(shape);
    if (!maps && !shape.changes) return w;
    WeightTable result = w;
    for (int layer = 0; layer < shape.layers; ++layer) foldLayer(w, shape, layer, result);
    if (!maps) return result;
    const EncodingSpec spec = shape.positions();
    for (const MatrixParameter& p : positionTensors("", spec)) result.erase(p.name);
    return result;
}

}  // namespace ropescope
