// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/data/usual_run.h"
#include "core/engine/network/text_prompt.h"
#include "core/model/flux.h"
#include "core/model/mmdit.h"

namespace ropescope {

/// A FLUX or SD3 that is ready to predict velocities.
struct Painter {
    ModelCard card;
    TextRecipe text;
    WeightStore weights;
    FluxShape flux;                      ///< of a FLUX
    MmditShape mmdit;                    ///< of an SD3
    std::vector<std::string> loraNotes;  ///< how many layers each LoRA matches

    [[nodiscard]] bool isFlux() const { return card.architecture == "flux"; }
    [[nodiscard]] int channels() const { return isFlux() ? card.inChannels / 4 : card.inChannels; }  ///< of latents
    [[nodiscard]] int latentsPerToken() const { return isFlux() ? 2 : card.patch; }                  ///< of a side

    /// The velocity [B,C,h,w], float32, of latents [B,C,h,w] at `time` 0..1000 for text [1 or B,T,e] and pooled [1 or
    /// B,p]. `guidance` is for networks that take it as an input. Throws ReadFailure.
    [[nodiscard]] at::Tensor predict(const at::Tensor& x, double time, const at::Tensor& text, const at::Tensor& pooled,
                                     double guidance, const JointTaps& taps = {});
};

/// Reads what is needed before the first weight: the network's sizes and how its memory is used. The last painter is
/// kept, as long as its files, device, precision and limit are the same; loadModel() drops it. `note` hears what
/// matches of LoRAs and what the memory is used for. Errors: those of reading; Usage when the model takes no text;
/// Device when `memory` (0: what is free) does not hold two blocks.
[[nodiscard]] Result<std::shared_ptr<Painter>> openPainter(const ModelRef& ref, const Compute& compute,
                                                           std::uint64_t memory, at::Device device,
                                                           const std::function<void(const std::string&)>& note);

void forgetPainter();
/// The painter that is kept, whatever it is; null without one. For making room beside it.
[[nodiscard]] std::shared_ptr<Painter> lastPainter();

}  // namespace ropescope
