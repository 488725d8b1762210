// SPDX-License-Identifier: Apache-2.0
#include "core/model/dit_inference.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/kernel/modulate.h"
#include "core/model/variant.h"

namespace ropescope {
namespace {

std::vector<int> distinctLabels(std::vector<int> labels) {
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    return labels;
}

bool isOfAttention(const std::string& name) {
    return isPositionParameter(name) || name.find(".attn.qkv.") != std::string::npos;
}

/// Complex turns of every layer, [N,1,1,P] or, where the heads turn differently, [N,1,H,P]; one for all layers where
/// they turn alike, none where nothing turns.
std::vector<at::Tensor> complexRotary(const WeightTable& weights, const DitShape& shape, Grid grid,
                                      const Stretch& stretch, at::Device device) {
    std::vector<at::Tensor> all;
    if (!shape.encoding->turns()) return all;
    const int distinct = sharesRotation(shape.positions()) ? 1 : shape.layers;
    for (int layer = 0; layer < distinct; ++layer) {
        const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
        LayerPositions positions = layerPositions(weights, prefix, shape.positions(), layer);
        stretchPositions(positions, shape.positions(), stretch);
        const RotaryTable table = rotaryTable(positions, grid);
        const at::Tensor turn = at::complex(table.cos, table.sin).to(device);  // [N,P] or [H,N,P]
        all.push_back(turn.dim() == 2 ? turn.unsqueeze(1).unsqueeze(1) : turn.transpose(0, 1).unsqueeze(1));
    }
    return all;
}

/// Rotates queries and keys inside qkv [B,N,3,H,D], in place. Planes are neighbouring features: complex numbers.
void rotateInPlace(const at::Tensor& qkv, const at::Tensor& rotary) {
    const at::Tensor turned = qkv.narrow(2, 0, 2);
    if (qkv.scalar_type() == at::kFloat) {
        at::view_as_complex(turned.unflatten(-1, {-1, 2})).mul_(rotary);
        return;
    }
    const at::Tensor wide = at::view_as_complex(turned.to(at::kFloat).contiguous().unflatten(-1, {-1, 2}));
    turned.copy_(at::view_as_real(wide * rotary).flatten(-2));
}

/// Row `time` of conditions, one row per image: [B,K], or [1,K] when all images share it.
at::Tensor rowsOf(const at::Tensor& all, const DitConditions& c, int time) {
    const at::Tensor rows = all.narrow(0, time * c.distinct, c.distinct);
    return c.distinct == 1 ? rows : rows.index_select(0, c.rowOf);
}

}  // namespace

DitInference::DitInference(const WeightTable& weights, const DitShape& shape, at::Device device, at::ScalarType type)
    : m_shape(folded(shape)), m_stored(shape), m_device(device), m_type(type) {
    if (shape.changes) throw std::invalid_argument("changes are given to varied()");
    if (shape.encoding->hasMaps() && foldable(shape))
        for (const auto& [name, tensor] : weights)
            if (isOfAttention(name)) m_unfolded[name] = tensor;
    for (auto& [name, tensor] : foldMaps(weights, shape))
        m_weights[name] = tensor.to(device, isPositionParameter(name) ? at::kFloat : type).contiguous();
    for (int layer = 0; layer < shape.layers; ++layer) {
        const std::string prefix = "blocks." + std::to_string(layer) + ".";
        const auto take = [&](const char* name) { return m_weights.at(prefix + name); };
        const auto maybe = [&](const char* name) {
            const auto found = m_weights.find(prefix + name);
            return found != m_weights.end() ? found->second : at::Tensor();
        };
        m_blocks.push_back({take("attn.qkv.weight"),
                            maybe("attn.qkv.bias"),
                            take("attn.proj.weight"),
                            take("attn.proj.bias"),
                            maybe("mlp.fc1.weight"),
                            maybe("mlp.fc1.bias"),
                            maybe("mlp.fc2.weight"),
                            maybe("mlp.fc2.bias"),
                            {}});
        takeMaps(layer);
    }
}

void DitInference::takeMaps(int layer) {
    if (!m_shape.encoding->hasMaps()) return;  // a norm stands between projections and maps
    const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
    const HeadMaps maps = layerPositions(m_weights, prefix, m_shape.positions(), layer).maps;
    m_blocks[layer].maps = {maps.query.mT().to(m_device, m_type), maps.key.mT().to(m_device, m_type)};
}

DitInference DitInference::varied(HeadChangesPtr changes) const {
    DitInference other = *this;
    if (!changes) return other;
    DitShape shape = m_stored;
    shape.changes = std::move(changes);
    other.m_shape = folded(shape);
    for (int layer = 0; layer < shape.layers; ++layer) {
        if (!shape.changes->touchLayer(layer)) continue;
        const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
        Block& block = other.m_blocks[layer];
        WeightTable changed, own = m_unfolded.empty() ? m_weights : m_unfolded;
        own[prefix + "proj.weight"] = m_weights.at(prefix + "proj.weight");
        foldLayer(own, shape, layer, changed);
        const auto take = [&](const char* name, at::Tensor& into) {
            const auto found = changed.find(prefix + name);
            if (found != changed.end()) into = found->second.to(m_device, m_type).contiguous();
        };
        take("qkv.weight", block.qkvWeight), take("qkv.bias", block.qkvBias), take("proj.weight", block.projWeight);
        other.takeMaps(layer);
    }
    return other;
}

DitConditions DitInference::conditions(const std::vector<double>& times, const std::vector<int>& labels, Grid grid,
                                       const Extrapolate& extrapolate, Grid trained) const {
    const std::vector<int> distinct = distinctLabels(labels);
    const auto rows = static_cast<std::int64_t>(distinct.size()), steps = static_cast<std::int64_t>(times.size());
    DitConditions c;
    c.distinct = rows;
    c.grid = grid;
    std::vector<std::int64_t> rowOf;
    for (const int label : labels)
        rowOf.push_back(std::lower_bound(distinct.begin(), distinct.end(), label) - distinct.begin());
    c.rowOf = at::tensor(rowOf).to(m_device);
    const at::Tensor t = at::tensor(times).repeat_interleave(rows).to(m_device);
    const at::Tensor y = at::tensor(distinct).to(at::kLong).repeat({steps}).to(m_device);
    const at::Tensor condition = ditCondition(m_weights, t, y, m_shape.timeDivisor);
    for (int layer = 0; layer < m_shape.layers; ++layer) c.blocks.push_back(ditModulation(m_weights, layer, condition));
    c.last = at::linear(at::silu(condition), m_weights.at("final_layer.adaLN_modulation.1.weight"),
                        m_weights.at("final_layer.adaLN_modulation.1.bias"));
    addPositions(c, times, extrapolate, trained);
    return c;
}

void DitInference::addPositions(DitConditions& c, const std::vector<double>& times, const Extrapolate& extrapolate,
                                Grid trained) const {
    const Extrapolation method = extrapolate.method;
    if (extrapolate.trained != Grid{}) trained = extrapolate.trained;
    if (m_shape.addsTable() && method == Extrapolation::Interpolation)
        c.added = resizePositions(m_weights.at("pos_embed"), trained, c.grid);
    Stretch stretch = stretchOf(extrapolate, trained, c.grid, m_shape.encoding->axes);
    c.rotaryOfTime = method == Extrapolation::TimeAware && stretch.active();
    if (!c.rotaryOfTime) {
        c.rotary = complexRotary(m_weights, m_shape, c.grid, stretch, m_device);
        return;
    }
    for (const double time : times) {
        stretch.time = imageShare(time);
        for (at::Tensor& turn : complexRotary(m_weights, m_shape, c.grid, stretch, m_device))
            c.rotary.push_back(std::move(turn));
    }
}

std::int64_t DitInference::conditionBytes(const std::vector<int>& labels) const {
    return static_cast<std::int64_t>(distinctLabels(labels).size()) * (6 * m_shape.layers + 2) * m_shape.width() *
           static_cast<std::int64_t>(c10::elementSize(m_type));
}

void DitInference::prepareHeads(int layer, const at::Tensor& qkv) const {
    const Block& w = m_blocks[layer];
    const std::string name = "blocks." + std::to_string(layer) + ".attn.";
    for (int side = 0; side < 2; ++side) {
        const at::Tensor part = qkv.select(2, side);  // [B,N,H,D]
        if (m_shape.variant.headNorm != Norm::None)
            part.copy_(headNormed(m_weights, name + (side ? "k_norm" : "q_norm"), m_shape.variant, part));
        if (w.maps.query.defined())
            part.copy_(at::matmul(part.unsqueeze(3), side ? w.maps.key : w.maps.query).squeeze(3));
    }
}

at::Tensor DitInference::tokensNormed(const std::string& name, Norm norm, double eps, const at::Tensor& x,
                                      const at::Tensor& shift, const at::Tensor& scale) const {
    if (norm == Norm::None) return modulatedNorm(x, shift, scale, eps);
    return normed(m_weights, name, norm, eps, x) * (scale.unsqueeze(1) + 1) + shift.unsqueeze(1);
}

at::Tensor DitInference::attention(int layer, const at::Tensor& x, const DitConditions& c, int time,
                                   DitRecording* recording) const {
    const Block& w = m_blocks[layer];
    const std::int64_t batch = x.size(0), tokens = x.size(1);
    const at::Tensor qkv =
        at::linear(x, w.qkvWeight, w.qkvBias).view({batch, tokens, 3, m_shape.heads, m_shape.headDim});
    prepareHeads(layer, qkv);
    if (!c.rotary.empty()) {
        const bool alike = sharesRotation(m_shape.positions());
        const int first = c.rotaryOfTime ? time * (alike ? 1 : m_shape.layers) : 0;
        rotateInPlace(qkv, c.rotary[first + (alike ? 0 : layer)]);
    }
    const at::Tensor parts = qkv.permute({2, 0, 3, 1, 4});
    if (recording && recording->watched == layer)
        recording->queries = parts[0][0].clone(), recording->keys = parts[1][0].clone();
    const auto from = [&](int which, std::int64_t first) { return parts[which].narrow(0, first, batch - first); };
    at::Tensor out;
    if (recording && recording->layers[layer]) {
        const std::int64_t n = recording->batch;
        const auto until = [&](int which) { return parts[which].narrow(0, 0, n); };
        RecordedAttention recorded = attendRecording(until(0), until(1), until(2), c.grid);
        recording->fields[layer] = recorded.field;
        out = recorded.output;
        if (n < batch) out = at::cat({out, at::scaled_dot_product_attention(from(0, n), from(1, n), from(2, n))}, 0);
    } else {
        out = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    }
    return at::linear(out.transpose(1, 2).reshape({batch, tokens, m_shape.width()}), w.projWeight, w.projBias);
}

at::Tensor DitInference::forward(const at::Tensor& x, const DitConditions& c, int time, DitRecording* recording) const {
    if (recording) recording->fields.assign(m_shape.layers, {});
    at::Tensor tokens = ditEmbed(m_weights, m_shape, x.to(m_device, m_type), c.added);
    const NetworkVariant& v = m_shape.variant;
    for (int layer = 0; layer < m_shape.layers; ++layer) {
        const std::vector<at::Tensor> m = rowsOf(c.blocks[layer], c, time).chunk(6, 1);
        const std::string block = "blocks." + std::to_string(layer) + ".";
        const at::Tensor first = tokensNormed(block + "norm1", v.norm, v.normEps, tokens, m[0], m[1]);
        tokens.addcmul_(attention(layer, first, c, time, recording), m[2].unsqueeze(1));
        const at::Tensor second = tokensNormed(block + "norm2", v.norm, m_shape.secondNormEps, tokens, m[3], m[4]);
        const Block& w = m_blocks[layer];
        at::Tensor out;
        if (v.gated) {
            out = mlpOf(m_weights, block + "mlp.", true, Activation::Silu, second);
        } else {
            at::Tensor hidden = at::linear(second, w.fc1Weight, w.fc1Bias);
            at::gelu_(hidden, "tanh");
            out = at::linear(hidden, w.fc2Weight, w.fc2Bias);
        }
        tokens.addcmul_(out, m[5].unsqueeze(1));
    }
    const std::vector<at::Tensor> m = rowsOf(c.last, c, time).chunk(2, 1);
    const at::Tensor last = tokensNormed("final_layer.norm_final", v.lastNorm, v.normEps, tokens, m[0], m[1]);
    const at::Tensor patches =
        at::linear(last, m_weights.at("final_layer.linear.weight"), m_weights.at("final_layer.linear.bias"));
    return unpatchify(patches.to(at::kFloat), c.grid, m_shape.patch);
}

}  // namespace ropescope
