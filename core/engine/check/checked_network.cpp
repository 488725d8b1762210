// SPDX-License-Identifier: Apache-2.0
#include "core/engine/check/checked_network.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

/// The weights of a model of this one layer.
WeightTable onlyLayer(const WeightTable& weights, int layer) {
    const std::string block = "blocks." + std::to_string(layer) + ".";
    WeightTable one;
    for (const auto& [name, tensor] : weights) {
        if (!name.starts_with("blocks.")) one[name] = tensor;
        if (name.starts_with(block)) one["blocks.0." + name.substr(block.size())] = tensor;
    }
    return one;
}

at::Tensor forward(const WeightTable& weights, const DitShape& shape, const at::Tensor& x, const DitTaps& taps) {
    const at::Tensor t = at::full({x.size(0)}, 500.0), y = at::zeros({x.size(0)}, at::kLong);
    return ditForward(weights, shape, x, t, y, taps);
}

at::Tensor forward(const WeightTable& weights, const ViTShape& shape, const at::Tensor& x, const DitTaps& taps) {
    return vitForward(weights, shape, x, taps);
}

bool fitsImage(const at::Tensor& x, std::int64_t channels, std::int64_t patch) {
    return x.dim() == 4 && x.numel() > 0 && x.size(1) == channels && x.size(2) % patch == 0 && x.size(3) % patch == 0;
}

bool fits(const Record& r, const WeightTable& weights, const DitShape& shape) {
    if (!fitsImage(r.x, shape.inChannels, shape.patch)) return false;
    const std::int64_t batch = r.x.size(0), tokens = r.x.size(2) / shape.patch * (r.x.size(3) / shape.patch);
    if (r.t.dim() != 1 || r.y.dim() != 1 || r.t.numel() != batch || r.y.numel() != batch) return false;
    if (!(r.y.min().item<double>() >= 0) || !(r.y.max().item<double>() <= shape.classes)) return false;
    const auto table = weights.find("pos_embed");
    return table == weights.end() || table->second.size(1) == tokens;
}

}  // namespace

Result<CheckedNetwork> CheckedNetwork::load(const TensorTable& table, const ModelCard& card) {
    if (auto complete = checkComplete(table, card); !complete) return failure(complete.error());
    CheckedNetwork network;
    network.m_grid = {std::min(card.grid.rows, 8), std::min(card.grid.cols, 8)};  // offsets of 7 show what there is
    Result<WeightTable> weights = WeightTable();
    if (card.architecture == "vit") {
        const Result<ViTShape> shape = viTShape(card);
        if (!shape) return failure(shape.error());
        network.m_shape = *shape;
        weights = loadViTWeights(table, *shape);
    } else {
        const Result<DitShape> shape = ditShape(card);
        if (!shape) return failure(shape.error());
        network.m_shape = *shape;
        weights = loadDitWeights(table, *shape);
    }
    if (!weights) return failure(weights.error());
    network.m_weights = std::move(*weights);
    for (const auto& [name, t] : network.m_weights) network.m_finite[name] = at::nan_to_num(t, 0.0, 0.0, 0.0);
    return network;
}

at::Tensor CheckedNetwork::logits(int layer, Grid origin) const {
    const auto run = [&](auto shape) {
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
        const at::Tensor x =
            at::randn({1, shape.inChannels, m_grid.rows * shape.patch, m_grid.cols * shape.patch}, generator);
        shape.layers = 1;
        at::Tensor result;
        DitTaps taps;
        taps.origin = origin;
        taps.queryKey = [&](int, at::Tensor& q, at::Tensor& k) {
            // The class token has no place, what it sees is not relative.
            const std::int64_t first = q.size(2) - m_grid.tokens(), n = m_grid.tokens();
            result = at::matmul(q.narrow(2, first, n), k.narrow(2, first, n).mT())[0] *
                     std::pow(static_cast<double>(shape.headDim), -0.5);
        };
        static_cast<void>(forward(onlyLayer(m_finite, layer), shape, x, taps));
        return result;
    };
    return std::visit(run, m_shape);
}

Result<at::Tensor> CheckedNetwork::output(const Record& record) const {
    const at::Tensor x = record.x.to(at::kFloat);
    if (const auto* dit = std::get_if<DitShape>(&m_shape)) {
        if (!fits(record, m_weights, *dit)) return failure(brokenRecord(record));
        return ditForward(m_weights, *dit, x, record.t, record.y.to(at::kLong));
    }
    const auto& vit = std::get<ViTShape>(m_shape);
    if (!fitsImage(record.x, vit.inChannels, vit.patch)) return failure(brokenRecord(record));
    return vitForward(m_weights, vit, x);
}

}  // namespace ropescope
