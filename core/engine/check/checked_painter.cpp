// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "core/engine/check/checked_network.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/text_prompt.h"
#include "core/model/flux.h"
#include "core/model/mmdit.h"

namespace ropescope {
namespace {

constexpr int kMostSide = 8;  ///< tokens; offsets of 7 show what there is
constexpr int kTextTokens = 4;

bool shaped(const Record& record, const std::string& name, const std::vector<std::int64_t>& shape) {
    const at::Tensor& t = record.inputs.at(name);
    if (t.dim() != static_cast<std::int64_t>(shape.size()) || t.numel() == 0) return false;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (shape[i] >= 0 && shape[i] != t.size(static_cast<std::int64_t>(i))) return false;
    return true;
}

/// Text and pooled text, diffusers' names for both.
bool fitsText(const Record& record, std::int64_t batch, const TextRecipe& text) {
    return shaped(record, "encoder_hidden_states", {batch, -1, text.width}) &&
           shaped(record, "pooled_projections", {batch, text.pooled}) && shaped(record, "timestep", {batch});
}

/// What both kinds have alike.
class CheckedPainter : public CheckedNetwork {
public:
    CheckedPainter(ModelCard card, TextRecipe text, WeightStore weights)
        : m_card(std::move(card)), m_text(std::move(text)), m_weights(std::move(weights)) {}

    [[nodiscard]] std::vector<int> telling(const std::vector<std::vector<bool>>& sound) const override {
        std::vector<int> layers;
        const auto whole = [&](int layer) { return std::ranges::all_of(sound[layer], [](bool head) { return head; }); };
        for (const auto& [from, to] : {std::pair(0, m_card.jointLayers), std::pair(m_card.jointLayers, m_card.layers)})
            for (int layer = from; layer < to; ++layer)
                if (whole(layer)) {
                    layers.push_back(layer);
                    break;
                }
        return layers;
    }

    [[nodiscard]] Result<at::Tensor> logits(int layer, Grid origin) override {
        at::Tensor result;
        JointTaps taps;
        taps.origin = origin;
        taps.queryKey = [&](int, at::Tensor& q, at::Tensor& k, std::int64_t text) {
            const std::int64_t n = q.size(2) - text;
            result = at::matmul(q.narrow(2, text, n), k.narrow(2, text, n).mT())[0] *
                     std::pow(static_cast<double>(q.size(3)), -0.5);
        };
        const auto only = [layer](int now) { return now == layer; };
        return whileReading([&]() -> Result<at::Tensor> {
            pass(layer, taps, only);
            return result;
        });
    }

    [[nodiscard]] Result<at::Tensor> output(const Record& record) override {
        if (!fits(record)) return failure(brokenRecord(record));
        return whileReading([&]() -> Result<at::Tensor> { return outputFor(record); });
    }

protected:
    /// From that layer on, over a drawn picture and text.
    virtual void pass(int layer, const JointTaps& taps, const std::function<bool(int layer)>& goOn) = 0;
    [[nodiscard]] virtual bool fits(const Record& record) const = 0;
    [[nodiscard]] virtual at::Tensor outputFor(const Record& record) = 0;

    /// Drawn text [1,T,e] and pooled text [1,p].
    [[nodiscard]] std::pair<at::Tensor, at::Tensor> words(at::Generator& generator) const {
        return {at::randn({1, kTextTokens, m_text.width}, generator), at::randn({1, m_text.pooled}, generator)};
    }

    ModelCard m_card;
    TextRecipe m_text;
    WeightStore m_weights;
};

/// Ids (0, row, column) row by row.
at::Tensor idsOf(Grid grid) {
    const at::Tensor n = at::arange(grid.tokens(), at::kLong);
    return at::stack({at::zeros_like(n), n.div(grid.cols, "floor"), n.remainder(grid.cols)}, 1);
}

class CheckedFlux : public CheckedPainter {
public:
    CheckedFlux(FluxShape shape, ModelCard card, TextRecipe text, WeightStore weights)
        : CheckedPainter(std::move(card), std::move(text), std::move(weights)), m_shape(std::move(shape)) {}

    [[nodiscard]] std::vector<std::string> inputs() const override {
        std::vector<std::string> names = {
            "hidden_states", "encoder_hidden_states", "pooled_projections", "timestep", "img_ids", "txt_ids"};
        if (m_card.guidanceInput) names.emplace_back("guidance");
        return names;
    }

private:
    void pass(int layer, const JointTaps& taps, const std::function<bool(int layer)>& goOn) override {
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
        const Grid grid{kMostSide, kMostSide};
        const at::Tensor image = at::randn({1, grid.tokens(), m_card.inChannels}, generator);
        const auto [text, pooled] = words(generator);
        FluxInput in{
            image, text, pooled, at::full({1}, 0.5), at::full({1}, 3.5), idsOf(grid), at::zeros({kTextTokens, 3})};
        in.firstLayer = layer;
        static_cast<void>(fluxForward(m_weights, m_shape, in, taps, goOn));
    }

    [[nodiscard]] bool fits(const Record& r) const override {
        if (!shaped(r, "hidden_states", {-1, -1, m_card.inChannels})) return false;
        const at::Tensor& image = r.inputs.at("hidden_states");
        const std::int64_t batch = image.size(0);
        if (m_card.guidanceInput && !shaped(r, "guidance", {batch})) return false;
        return fitsText(r, batch, m_text) && shaped(r, "img_ids", {image.size(1), 3}) &&
               shaped(r, "txt_ids", {r.inputs.at("encoder_hidden_states").size(1), 3});
    }

    [[nodiscard]] at::Tensor outputFor(const Record& r) override {
        const auto of = [&](const char* name) { return r.inputs.at(name); };
        const FluxInput in{of("hidden_states"),
                           of("encoder_hidden_states"),
                           of("pooled_projections"),
                           of("timestep"),
                           m_card.guidanceInput ? of("guidance") : at::Tensor(),
                           of("img_ids"),
                           of("txt_ids")};
        return fluxForward(m_weights, m_shape, in);
    }

    FluxShape m_shape;
};

class CheckedMmdit : public CheckedPainter {
public:
    CheckedMmdit(MmditShape shape, ModelCard card, TextRecipe text, WeightStore weights)
        : CheckedPainter(std::move(card), std::move(text), std::move(weights)), m_shape(std::move(shape)) {}

    [[nodiscard]] std::vector<std::string> inputs() const override {
        return {"hidden_states", "encoder_hidden_states", "pooled_projections", "timestep"};
    }

private:
    void pass(int layer, const JointTaps& taps, const std::function<bool(int layer)>& goOn) override {
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
        const int side = m_shape.table.tokens() > 0 ? std::min(kMostSide, m_shape.table.rows) : kMostSide;
        const std::int64_t sides = static_cast<std::int64_t>(side) * m_shape.patch;
        const at::Tensor latents = at::randn({1, m_card.inChannels, sides, sides}, generator);
        const auto [text, pooled] = words(generator);
        MmditInput in{latents, text, pooled, at::full({1}, 500.0)};
        in.firstLayer = layer;
        static_cast<void>(mmditForward(m_weights, m_shape, in, taps, goOn));
    }

    [[nodiscard]] bool fits(const Record& r) const override {
        if (!shaped(r, "hidden_states", {-1, m_card.inChannels, -1, -1})) return false;
        const at::Tensor& latents = r.inputs.at("hidden_states");
        const std::int64_t p = m_shape.patch, rows = latents.size(2), cols = latents.size(3);
        return rows % p == 0 && cols % p == 0 && fitsText(r, latents.size(0), m_text) &&
               m_shape.holds({static_cast<int>(rows / p), static_cast<int>(cols / p)});
    }

    [[nodiscard]] at::Tensor outputFor(const Record& r) override {
        const auto of = [&](const char* name) { return r.inputs.at(name); };
        return mmditForward(
            m_weights, m_shape,
            {of("hidden_states"), of("encoder_hidden_states"), of("pooled_projections"), of("timestep")});
    }

    MmditShape m_shape;
};

template <class Checked, class Shape>
Result<std::unique_ptr<CheckedNetwork>> opened(const Result<Shape>& shape, const TensorTable& table,
                                               const ModelCard& card) {
    if (!shape) return failure(shape.error());
    auto weights = storeUnder(0, table, at::kFloat, at::kCPU);
    if (!weights) return failure(weights.error());
    return std::make_unique<Checked>(*shape, card, textRecipeOf(table, card), std::move(*weights));
}

}  // namespace

Result<std::unique_ptr<CheckedNetwork>> checkedPainter(const TensorTable& table, const ModelCard& card) {
    return card.architecture == "flux" ? opened<CheckedFlux>(fluxShape(card), table, card)
                                       : opened<CheckedMmdit>(mmditShape(card), table, card);
}

}  // namespace ropescope
