// SPDX-License-Identifier: Apache-2.0
#include "core/engine/check/checked_network.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "core/model/dit.h"
#include "core/model/vit.h"

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
    const at::Tensor &x = r.inputs.at("x"), &t = r.inputs.at("t"), &y = r.inputs.at("y");
    if (!fitsImage(x, shape.inChannels, shape.patch)) return false;
    const std::int64_t batch = x.size(0), tokens = x.size(2) / shape.patch * (x.size(3) / shape.patch);
    if (t.dim() != 1 || y.dim() != 1 || t.numel() != batch || y.numel() != batch) return false;
    if (!(y.min().item<double>() >= 0) || !(y.max().item<double>() <= shape.classes)) return false;
    const auto table = weights.find("pos_embed");
    return table == weights.end() || table->second.size(1) == tokens;
}

bool fits(const Record& r, const WeightTable&, const ViTShape& shape) {
    return fitsImage(r.inputs.at("x"), shape.inChannels, shape.patch);
}

at::Tensor outputFor(const Record& r, const WeightTable& weights, const DitShape& shape) {
    return ditForward(weights, shape, r.inputs.at("x").to(at::kFloat), r.inputs.at("t"),
                      r.inputs.at("y").to(at::kLong));
}

at::Tensor outputFor(const Record& r, const WeightTable& weights, const ViTShape& shape) {
    return vitForward(weights, shape, r.inputs.at("x").to(at::kFloat));
}

/// A DiT or ViT.
template <class Shape>
class PlainNetwork : public CheckedNetwork {
public:
    PlainNetwork(Shape shape, WeightTable weights, Grid grid)
        : m_shape(std::move(shape)), m_weights(std::move(weights)), m_grid(grid) {
        for (const auto& [name, t] : m_weights) m_finite[name] = at::nan_to_num(t, 0.0, 0.0, 0.0);
    }

    [[nodiscard]] std::vector<int> telling(const std::vector<std::vector<bool>>& sound) const override {
        std::vector<int> all(sound.size());
        std::iota(all.begin(), all.end(), 0);
        return all;
    }

    [[nodiscard]] Result<at::Tensor> logits(int layer, Grid origin) override {
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
        const at::Tensor x =
            at::randn({1, m_shape.inChannels, m_grid.rows * m_shape.patch, m_grid.cols * m_shape.patch}, generator);
        Shape one = m_shape;
        one.layers = 1;
        at::Tensor result;
        DitTaps taps;
        taps.origin = origin;
        taps.queryKey = [&](int, at::Tensor& q, at::Tensor& k) {
            // The class token has no place, what it sees is not relative.
            const std::int64_t first = q.size(2) - m_grid.tokens(), n = m_grid.tokens();
            result = at::matmul(q.narrow(2, first, n), k.narrow(2, first, n).mT())[0] *
                     std::pow(static_cast<double>(one.headDim), -0.5);
        };
        static_cast<void>(forward(onlyLayer(m_finite, layer), one, x, taps));
        return result;
    }

    [[nodiscard]] std::vector<std::string> inputs() const override {
        return std::is_same_v<Shape, DitShape> ? std::vector<std::string>{"x", "t", "y"}
                                               : std::vector<std::string>{"x"};
    }

    [[nodiscard]] Result<at::Tensor> output(const Record& record) override {
        if (!fits(record, m_weights, m_shape)) return failure(brokenRecord(record));
        return outputFor(record, m_weights, m_shape);
    }

private:
    Shape m_shape;
    WeightTable m_weights;
    WeightTable m_finite;  ///< the same, finite
    Grid m_grid;
};

template <class Shape>
Result<std::unique_ptr<CheckedNetwork>> plain(const Result<Shape>& shape, Result<WeightTable> weights, Grid grid) {
    if (!weights) return failure(weights.error());
    return std::make_unique<PlainNetwork<Shape>>(*shape, std::move(*weights), grid);
}

}  // namespace

Result<std::unique_ptr<CheckedNetwork>> checkedNetwork(const TensorTable& table, const ModelCard& card) {
    if (auto complete = checkComplete(table, card); !complete) return failure(complete.error());
    if (card.takesText()) return checkedPainter(table, card);
    const Grid grid{std::min(card.grid.rows, 8), std::min(card.grid.cols, 8)};  // offsets of 7 show what there is
    if (card.architecture == "vit") {
        const Result<ViTShape> shape = viTShape(card);
        if (!shape) return failure(shape.error());
        return plain(shape, loadViTWeights(table, *shape), grid);
    }
    const Result<DitShape> shape = ditShape(card);
    if (!shape) return failure(shape.error());
    return plain(shape, loadDitWeights(table, *shape), grid);
}

}  // namespace ropescope
