// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include "core/engine/network/painter.h"
#include "core/model/flux.h"

namespace ropescope {
namespace {

constexpr int kSide = 2;  ///< latents of a token's side

/// Latents [B,C,h,w] as tokens [B,N,4C]: channel, then the place inside 2x2.
at::Tensor packed(const at::Tensor& x) {
    const std::int64_t b = x.size(0), c = x.size(1), h = x.size(2) / kSide, w = x.size(3) / kSide;
    return x.reshape({b, c, h, kSide, w, kSide}).permute({0, 2, 4, 1, 3, 5}).reshape({b, h * w, 4 * c});
}
at::Tensor unpacked(const at::Tensor& tokens, std::int64_t h, std::int64_t w) {
    const std::int64_t b = tokens.size(0), c = tokens.size(2) / 4;
    return tokens.view({b, h / kSide, w / kSide, c, kSide, kSide}).permute({0, 3, 1, 4, 2, 5}).reshape({b, c, h, w});
}

at::Tensor imageIds(std::int64_t rows, std::int64_t cols) {
    at::Tensor ids = at::zeros({rows * cols, 3});
    auto p = ids.accessor<float, 2>();
    for (std::int64_t n = 0; n < rows * cols; ++n)
        p[n][1] = static_cast<float>(n / cols), p[n][2] = static_cast<float>(n % cols);
    return ids;
}

class FluxPainter : public Painter {
public:
    FluxPainter(PainterParts parts, FluxShape shape) : Painter(std::move(parts)), m_shape(std::move(shape)) {}

    [[nodiscard]] int channels() const override { return card().inChannels / (kSide * kSide); }
    [[nodiscard]] int latentsPerToken() const override { return kSide; }
    [[nodiscard]] UsualLevels levels(int tokens) const override {
        return {card().guidanceInput ? fluxShift(tokens) : 1.0, FlowSpacing::Even};
    }
    [[nodiscard]] double guidance(const GenerateRequest& request) const override { return request.text.trueGuidance; }
    [[nodiscard]] Grid largest() const override { return {}; }

    [[nodiscard]] at::Tensor predict(const at::Tensor& x, double time, const at::Tensor& text, const at::Tensor& pooled,
                                     double guidance, const PassHooks& hooks) override {
        const std::int64_t batch = x.size(0);
        const auto all = [&](double value) { return at::full({batch}, value, at::kFloat); };
        const FluxInput in{packed(x),
                           text.expand({batch, -1, -1}),
                           pooled.expand({batch, -1}),
                           all(time / kTrainedSteps),
                           card().guidanceInput ? all(guidance) : at::Tensor(),
                           imageIds(x.size(2) / kSide, x.size(3) / kSide),
                           at::zeros({text.size(1), 3})};
        FluxShape shape = m_shape;
        shape.positions.changes = hooks.changes;
        const at::Tensor out = fluxForward(weights(), shape, in, hooks.taps, hooks.goOn);
        return out.defined() ? unpacked(out.to(at::kFloat), x.size(2), x.size(3)) : out;
    }

private:
    FluxShape m_shape;
};

}  // namespace

Result<PainterMaker> fluxPainter(const ModelCard& card) {
    const auto shape = fluxShape(card);
    if (!shape) return failure(shape.error());
    return [shape = *shape](PainterParts parts) { return std::make_shared<FluxPainter>(std::move(parts), shape); };
}

}  // namespace ropescope
