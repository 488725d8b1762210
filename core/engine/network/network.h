// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/data/job.h"
#include "core/data/model_card.h"
#include "core/encoding/changes.h"
#include "core/model/weight_store.h"
#include "core/sampling/schedule.h"

namespace ropescope {

/// What a request comes to with the network it asks for: all that is decided before the first step.
struct RunSetting {
    SamplingPlan plan;
    int channels = 1;           ///< of the latents
    int pixelsPerLatent = 1;    ///< of a side; 1: the latents have the picture's size
    Grid size;                  ///< of the latents, height x width
    Grid grid;                  ///< of their tokens
    int batch = 1;              ///< images
    at::Tensor noise;           ///< [B,C,h,w] float32, CPU; undefined: from the seed
    at::Tensor stepNoise;       ///< [steps,C,h,w] float32, CPU; undefined: from the seed
    std::vector<HeadId> heads;  ///< recorded ones, sorted
    std::vector<int> labels;    ///< one per image; empty: the network is told no class
    std::int64_t guided = 0;    ///< guided channels of a class-conditional network; 0: no guidance
    int threads = 1;
    HeadChangesPtr changes = nullptr;  ///< of a text-to-image network's heads; null: as stored
    /// Share of the run, 0 at its first step and 1 at its last, at that evaluation.
    [[nodiscard]] double progress(int evaluation) const {
        const int step = evaluation / plan.evaluationsPerStep();
        return plan.steps() > 1 ? static_cast<double>(step) / (plan.steps() - 1) : 0;
    }
};

/// Before a layer is computed, counted from 0.
using LayerFn = std::function<void(int layer)>;

/// What an evaluation is watched for; everything may be left out.
struct Watch {
    std::stop_token stop = {};
    LayerFn onLayer = {};                      ///< of networks whose layers take long
    std::vector<HeadField>* fields = nullptr;  ///< takes the fields of the recorded heads, conditional half
};

/// One layer's attention in the conditional evaluation of the first image.
struct LayerAttention {
    at::Tensor queries, keys;  ///< [H,T+N,D] after map and rotary
    std::int64_t text = 0;     ///< T
    TokensReport tokens;       ///< of the text, where a prompt was read
};

/// A network that draws, on its device, conditioned as one request wants it. The weights may be shared with others;
/// what belongs to the request is not. One thread at a time.
class Network {
public:
    Network() = default;
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    virtual ~Network() = default;

    [[nodiscard]] virtual const ModelCard& card() const = 0;
    [[nodiscard]] virtual at::Device device() const = 0;
    [[nodiscard]] virtual const RunSetting& setting() const = 0;

    /// What must be computed before the first evaluation: reads the prompt, where there is one. `context` hears of it.
    [[nodiscard]] virtual Result<void> prepare(const JobContext& context) = 0;

    /// The guided prediction (core/sampling/sampler.h) of latents [B,C,h,w] in evaluation `evaluation` of the plan.
    /// Errors: Cancelled, those of reading weights.
    [[nodiscard]] virtual Result<at::Tensor> predict(const at::Tensor& x, int evaluation, const Watch& watch) = 0;

    /// One layer's attention for latents [1 or B,C,h,w]; the layers after it are left out where that saves time. Errors
    /// as above.
    [[nodiscard]] virtual Result<LayerAttention> attention(const at::Tensor& x, int evaluation, int layer,
                                                           const Watch& watch) = 0;

    /// Weights that give way where memory is short; null: they stay.
    [[nodiscard]] virtual WeightStore* store() { return nullptr; }
    /// What is to be said of the network beside its results, a line each.
    [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
};

/// The network of a request, checked against it. The prompt is not read yet (prepare()). `context` hears what matches
/// of LoRAs and what the memory is used for. Errors: those of loading; Refused when the model draws nothing or takes
/// more than noise; Usage naming the option that does not fit; Device for too little memory.
[[nodiscard]] Result<std::unique_ptr<Network>> openNetwork(const GenerateRequest& request, const JobContext& context);

}  // namespace ropescope
