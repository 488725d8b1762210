// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/network/text_prompt.h"
#include "core/model/joint.h"
#include "core/model/weight_store.h"
#include "core/sampling/flow_schedule.h"

namespace ropescope {

/// What a text-to-image network is made of.
struct PainterParts {
    ModelCard card;
    TextRecipe text;
    WeightStore weights;
    std::vector<std::string> loraNotes = {};  ///< how many layers each LoRA matches
};

/// How the levels of such a network are spread where nothing else is asked for.
struct UsualLevels {
    double shift = 1;
    FlowSpacing spacing = FlowSpacing::Even;
};

/// Where a pass is listened to, whether it goes on before each layer, and what is changed of its heads; all may be
/// empty.
struct PassHooks {
    JointTaps taps = {};
    std::function<bool(int layer)> goOn = {};
    HeadChangesPtr changes = nullptr;
};

/// A FLUX or SD3 that is ready to predict velocities. Nothing of a request is in it.
class Painter {
public:
    explicit Painter(PainterParts parts) : m_parts(std::move(parts)) {}
    Painter(const Painter&) = delete;
    Painter& operator=(const Painter&) = delete;
    virtual ~Painter() = default;

    [[nodiscard]] const ModelCard& card() const { return m_parts.card; }
    [[nodiscard]] const TextRecipe& text() const { return m_parts.text; }
    [[nodiscard]] WeightStore& weights() { return m_parts.weights; }
    [[nodiscard]] const std::vector<std::string>& loraNotes() const { return m_parts.loraNotes; }

    [[nodiscard]] virtual int channels() const = 0;         ///< of latents
    [[nodiscard]] virtual int latentsPerToken() const = 0;  ///< of a side
    [[nodiscard]] virtual UsualLevels levels(int tokens) const = 0;
    /// w of negative + w (prompt - negative).
    [[nodiscard]] virtual double guidance(const GenerateRequest& request) const = 0;
    /// The largest picture in tokens; 0x0: any.
    [[nodiscard]] virtual Grid largest() const = 0;

    /// The velocity [B,C,h,w], float32, of latents [B,C,h,w] at `time` 0..1000 for text [1 or B,T,e] and pooled [1 or
    /// B,p]. `guidance` is for networks that take it as an input. Undefined when a hook ends the pass. Throws
    /// ReadFailure.
    [[nodiscard]] virtual at::Tensor predict(const at::Tensor& x, double time, const at::Tensor& text,
                                             const at::Tensor& pooled, double guidance,
                                             const PassHooks& hooks = {}) = 0;

private:
    PainterParts m_parts;
};

using PainterMaker = std::function<std::shared_ptr<Painter>(PainterParts)>;
/// The kinds, of a card. Errors: those of their shapes.
[[nodiscard]] Result<PainterMaker> fluxPainter(const ModelCard& card);
[[nodiscard]] Result<PainterMaker> sd3Painter(const ModelCard& card);

/// Reads what is needed before the first weight: the network's sizes and how its memory is used. The last painter is
/// kept, as long as its files, device, precision and limit are the same; loadModel() drops it. Others that still live
/// leave it less memory. `note` hears what matches of LoRAs and what the memory is used for. Errors: those of reading;
/// Usage when the model takes no text; Device when `memory` (0: what is free) does not hold two blocks.
[[nodiscard]] Result<std::shared_ptr<Painter>> openPainter(const ModelRef& ref, const Compute& compute,
                                                           std::uint64_t memory, at::Device device,
                                                           const std::function<void(const std::string&)>& note);

void forgetPainter();
/// The painter that is kept, whatever it is; null without one. For making room beside it.
[[nodiscard]] std::shared_ptr<Painter> lastPainter();

}  // namespace ropescope
