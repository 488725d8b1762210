// SPDX-License-Identifier: Apache-2.0
#include "core/model/vit_inference.h"

#include <ATen/ATen.h>

#include <stdexcept>
#include <utility>

#include "core/model/variant.h"

namespace ropescope {
namespace {

/// Layer scale is a factor of each output row: it goes into the projection before it.
void foldScale(WeightTable& w, const std::string& projection, const std::string& scale) {
    const at::Tensor factor = w.at(scale);
    w[projection + ".weight"] = w.at(projection + ".weight") * factor.unsqueeze(1);
    w[projection + ".bias"] = w.at(projection + ".bias") * factor;
    w.erase(scale);
}

/// Rotates the queries and keys of the patches inside qkv [B,N,3,H,D], in place. Planes are neighbouring features:
/// complex numbers.
void rotateInPlace(const at::Tensor& qkv, const at::Tensor& rotary, std::int64_t first) {
    const at::Tensor turned = qkv.narrow(1, first, qkv.size(1) - first).narrow(2, 0, 2);
    if (qkv.scalar_type() == at::kFloat) {
        at::view_as_complex(turned.unflatten(-1, {-1, 2})).mul_(rotary);
        return;
    }
    const at::Tensor wide = at::view_as_complex(turned.to(at::kFloat).contiguous().unflatten(-1, {-1, 2}));
    turned.copy_(at::view_as_real(wide * rotary).flatten(-2));
}

}  // namespace

ViTInference::ViTInference(const WeightTable& weights, const ViTShape& shape, at::Device device, at::ScalarType type)
    : m_shape(folded(shape)), m_stored(shape), m_device(device), m_type(type) {
    if (shape.changes) throw std::invalid_argument("changes are given to varied()");
    if (shape.encoding->hasMaps() && foldable(shape))
        for (const auto& [name, tensor] : weights)
            if (isPositionParameter(name) || name.find(".attn.qkv.") != std::string::npos) m_unfolded[name] = tensor;
    WeightTable all = foldViTMaps(weights, shape);
    m_shape.layerScale = false;
    for (int layer = 0; layer < shape.layers; ++layer) {
        const std::string prefix = "blocks." + std::to_string(layer) + ".";
        if (shape.layerScale) {
            foldScale(all, prefix + "attn.proj", prefix + "gamma_1");
            foldScale(all, prefix + (shape.variant.gated ? "mlp.w3" : "mlp.fc2"), prefix + "gamma_2");
        }
        Block block;
        for (const auto& [name, tensor] : all)
            if (name.starts_with(prefix) && !isPositionParameter(name))
                block.weights[name.substr(prefix.size())] = tensor.to(device, type).contiguous();
        m_blocks.push_back(block);
    }
    for (const auto& [name, tensor] : all) {
        if (isPositionParameter(name))
            m_weights[name] = tensor;
        else if (!name.starts_with("blocks."))
            m_weights[name] = tensor.to(device, type).contiguous();
    }
    for (int layer = 0; layer < shape.layers; ++layer) takeMaps(layer);
}

void ViTInference::takeMaps(int layer) {
    if (!m_shape.encoding->hasMaps()) return;  // not foldable
    const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
    const HeadMaps maps = layerPositions(m_weights, prefix, m_shape.positions(), layer).maps;
    m_blocks[layer].maps = {maps.query.mT().to(m_device, m_type), maps.key.mT().to(m_device, m_type)};
}

ViTInference ViTInference::varied(HeadChangesPtr changes) const {
    ViTInference other = *this;
    if (!changes) return other;
    ViTShape shape = m_stored;
    shape.changes = std::move(changes);
    other.m_shape = folded(shape);
    other.m_shape.layerScale = false;
    for (int layer = 0; layer < shape.layers; ++layer) {
        if (!shape.changes->touchLayer(layer)) continue;
        const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
        WeightTable& block = other.m_blocks[layer].weights;
        WeightTable changed, own = m_unfolded.empty() ? m_weights : m_unfolded;
        own[prefix + "proj.weight"] = block.at("attn.proj.weight");
        foldViTLayer(own, shape, layer, changed);
        for (const char* name : {"qkv.weight", "qkv.bias", "proj.weight"})
            if (const auto found = changed.find(prefix + name); found != changed.end())
                block[std::string("attn.") + name] = found->second.to(m_device, m_type).contiguous();
        other.takeMaps(layer);
    }
    return other;
}

std::vector<at::Tensor> ViTInference::rotaries(Grid grid, const Stretch& stretch) const {
    std::vector<at::Tensor> all;
    if (!m_shape.encoding->turns()) return all;
    const int distinct = sharesRotation(m_shape.positions()) ? 1 : m_shape.layers;
    for (int layer = 0; layer < distinct; ++layer) {
        const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
        LayerPositions positions = layerPositions(m_weights, prefix, m_shape.positions(), layer);
        stretchPositions(positions, m_shape.positions(), stretch);
        const RotaryTable table = rotaryTable(positions, grid);
        const at::Tensor turn = at::complex(table.cos, table.sin).to(m_device);  // [N,P] or [H,N,P]
        all.push_back(turn.dim() == 2 ? turn.unsqueeze(1).unsqueeze(1) : turn.transpose(0, 1).unsqueeze(1));
    }
    return all;
}

at::Tensor ViTInference::attention(const Block& w, const at::Tensor& x, const at::Tensor& rotary) const {
    const std::int64_t batch = x.size(0), tokens = x.size(1), first = m_shape.leadTokens();
    const at::Tensor qkv = linearOf(w.weights, "attn.qkv", x).view({batch, tokens, 3, m_shape.heads, m_shape.headDim});
    if (m_shape.variant.headNorm != Norm::None)
        for (int side = 0; side < 2; ++side) {
            const at::Tensor part = qkv.select(2, side);
            part.copy_(headNormed(w.weights, side ? "attn.k_norm" : "attn.q_norm", m_shape.variant, part));
        }
    if (w.maps.query.defined()) {
        const std::int64_t from = m_shape.mapTokens == MapTokens::PatchesOnly ? first : 0;
        for (int side = 0; side < 2; ++side) {
            const at::Tensor part = qkv.select(2, side).narrow(1, from, tokens - from);  // [B,N,H,D]
            part.copy_(at::matmul(part.unsqueeze(3), side ? w.maps.key : w.maps.query).squeeze(3));
        }
    }
    if (rotary.defined()) rotateInPlace(qkv, rotary, first);
    const at::Tensor parts = qkv.permute({2, 0, 3, 1, 4});
    const at::Tensor out = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    return linearOf(w.weights, "attn.proj", out.transpose(1, 2).reshape({batch, tokens, m_shape.width()}));
}

at::Tensor ViTInference::forward(const at::Tensor& x, const Stretch& stretch) const {
    at::Tensor tokens = vitEmbed(m_weights, m_shape, x.to(m_device, m_type));
    const Grid grid{static_cast<int>(x.size(2) / m_shape.patch), static_cast<int>(x.size(3) / m_shape.patch)};
    const std::vector<at::Tensor> rotary = rotaries(grid, stretch);
    const NetworkVariant& v = m_shape.variant;
    for (std::size_t layer = 0; layer < m_blocks.size(); ++layer) {
        const Block& w = m_blocks[layer];
        const at::Tensor turn = rotary.empty() ? at::Tensor() : rotary[rotary.size() == 1 ? 0 : layer];
        tokens.add_(attention(w, normed(w.weights, "norm1", v.norm, v.normEps, tokens), turn));
        tokens.add_(
            mlpOf(w.weights, "mlp.", v.gated, v.activation, normed(w.weights, "norm2", v.norm, v.normEps, tokens)));
    }
    return vitHead(m_weights, m_shape, tokens).to(at::kFloat);
}

}  // namespace ropescope
