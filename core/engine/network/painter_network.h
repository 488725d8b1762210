// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/engine/network/network.h"
#include "core/engine/network/painter.h"
#include "core/engine/network/prompt.h"

namespace ropescope {

/// A FLUX or SD3 with a prompt. Fields are those of the picture's tokens among themselves, with the shares that text
/// takes.
class PainterNetwork : public Network {
public:
    /// `setting` of that request and painter.
    PainterNetwork(GenerateRequest request, std::shared_ptr<Painter> painter, RunSetting setting);

    [[nodiscard]] const ModelCard& card() const override { return m_painter->card(); }
    [[nodiscard]] at::Device device() const override { return m_painter->weights().device(); }
    [[nodiscard]] const RunSetting& setting() const override { return m_setting; }
    [[nodiscard]] Result<void> prepare(const JobContext& context) override;
    [[nodiscard]] Result<at::Tensor> predict(const at::Tensor& x, int evaluation, const Watch& watch) override;
    [[nodiscard]] Result<LayerAttention> attention(const at::Tensor& x, int evaluation, int layer,
                                                   const Watch& watch) override;
    [[nodiscard]] WeightStore* store() override { return &m_painter->weights(); }
    [[nodiscard]] std::vector<std::string> notes() const override { return m_painter->loraNotes(); }

protected:
    /// Adds what listens to the pass for the prompt in that evaluation.
    virtual void listen(JointTaps& /*taps*/, int /*evaluation*/) {}

private:
    [[nodiscard]] PassHooks watching(const Watch& watch, int last, int evaluation) const;

    GenerateRequest m_request;
    std::shared_ptr<Painter> m_painter;
    RunSetting m_setting;
    Prompt m_prompt;
};

/// The painter of a request and what the request comes to with it. Errors: those of openPainter(); Usage for options
/// that do not fit.
struct OpenedPainter {
    std::shared_ptr<Painter> painter;
    RunSetting setting;
};
[[nodiscard]] Result<OpenedPainter> openPainterFor(const GenerateRequest& request, const JobContext& context);

/// Errors: those of openPainterFor().
[[nodiscard]] Result<std::unique_ptr<Network>> openPainterNetwork(const GenerateRequest& request,
                                                                  const JobContext& context);

}  // namespace ropescope
