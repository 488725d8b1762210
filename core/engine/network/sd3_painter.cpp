// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include "core/engine/network/painter.h"
#include "core/model/mmdit.h"

namespace ropescope {
namespace {

class Sd3Painter : public Painter {
public:
    Sd3Painter(PainterParts parts, MmditShape shape) : Painter(std::move(parts)), m_shape(std::move(shape)) {}

    [[nodiscard]] int channels() const override { return card().inChannels; }
    [[nodiscard]] int latentsPerToken() const override { return card().patch; }
    [[nodiscard]] UsualLevels levels(int) const override { return {3.0, FlowSpacing::TrainedEnds}; }
    [[nodiscard]] double guidance(const GenerateRequest& request) const override { return request.guidance; }
    [[nodiscard]] Grid largest() const override { return m_shape.table; }

    [[nodiscard]] at::Tensor predict(const at::Tensor& x, double time, const at::Tensor& text, const at::Tensor& pooled,
                                     double, const PassHooks& hooks) override {
        const std::int64_t batch = x.size(0);
        const MmditInput in{x, text.expand({batch, -1, -1}), pooled.expand({batch, -1}),
                            at::full({batch}, time, at::kFloat)};
        MmditShape shape = m_shape;
        shape.positions.changes = hooks.changes;
        const at::Tensor out = mmditForward(weights(), shape, in, hooks.taps, hooks.goOn);
        return out.defined() ? out.to(at::kFloat) : out;
    }

private:
    MmditShape m_shape;
};

}  // namespace

Result<PainterMaker> sd3Painter(const ModelCard& card) {
    const auto shape = mmditShape(card);
    if (!shape) return failure(shape.error());
    return [shape = *shape](PainterParts parts) { return std::make_shared<Sd3Painter>(std::move(parts), shape); };
}

}  // namespace ropescope
