// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/engine/network/network.h"
#include "core/engine/run/decoder.h"
#include "core/sampling/sampler.h"

namespace ropescope {

/// What a step gave.
struct RunStep {
    int step = 0;        ///< its number, from 0
    at::Tensor latents;  ///< [B,C,h,w] after it
    at::Tensor clean;    ///< [B,C,h,w] the estimate of the clean latents that it saw
    StepFields fields;   ///< of the recorded heads: conditional half under guidance, first evaluation under Heun
};

/// A run of a network from noise to pictures, step by step, as its user asks for them. Runs of one process know nothing
/// of each other and may be stepped in turn; each keeps its network alive. Noise of image i: torch.manual_seed(seed +
/// i), randn(C, h, w) on the CPU, then the step noises of the same stream, or those of the request's files. One thread
/// at a time. Checked by tests/core/engine/run_test.cpp.
class Run {
public:
    /// All that stands before the first step: the request's network, its decoder, its prompt. `context` hears of it;
    /// its stop is asked in every step too. Errors: those of openNetwork(), decoderFor(), Network::prepare().
    [[nodiscard]] static Result<Run> start(const GenerateRequest& request, const JobContext& context);
    /// The same over a network that is open already. Without a decoder pictures() are previews of the latents. `seeds`:
    /// one per image in place of seed + i.
    [[nodiscard]] static Result<Run> over(std::unique_ptr<Network> network, const GenerateRequest& request,
                                          const JobContext& context, std::shared_ptr<const Decoder> decoder = {},
                                          std::vector<std::uint64_t> seeds = {});

    [[nodiscard]] int steps() const { return plan().steps(); }
    [[nodiscard]] int stepsDone() const { return m_done; }
    [[nodiscard]] bool done() const { return m_done == steps(); }
    [[nodiscard]] const SamplingPlan& plan() const { return setting().plan; }
    [[nodiscard]] Grid grid() const { return setting().grid; }
    [[nodiscard]] const ModelCard& card() const { return m_network->card(); }
    [[nodiscard]] const RunSetting& setting() const { return m_network->setting(); }
    [[nodiscard]] Network& network() { return *m_network; }
    /// [B,C,h,w] float32 on the network's device: before the next step.
    [[nodiscard]] const at::Tensor& latents() const { return m_latents; }

    /// The next step; not after the last. `onLayer` hears the layers of networks that take long. After an
    /// error the run is where it was. Errors: Cancelled, GP-07 when latents stop being finite, those of reading
    /// weights.
    [[nodiscard]] Result<RunStep> step(const LayerFn& onLayer = {});

    /// Whether pictures() are decoded, not a preview of the latents.
    [[nodiscard]] bool decodes() const { return m_decoder != nullptr; }
    /// The latents as pictures with their recipes. Errors: Cancelled.
    [[nodiscard]] Result<std::vector<GeneratedImage>> pictures();
    /// What it runs on, in words.
    [[nodiscard]] const std::string& device() const { return m_device; }
    /// What is worth knowing of the pictures; complete after pictures().
    [[nodiscard]] const std::string& note() const { return m_note; }

private:
    Run(std::unique_ptr<Network> network, std::shared_ptr<const Decoder> decoder, GenerateRequest request,
        std::vector<std::uint64_t> seeds, std::stop_token stop);

    [[nodiscard]] at::Tensor drawn();
    [[nodiscard]] at::Tensor stepNoise(int step);
    void addNote(const std::string& words);

    std::unique_ptr<Network> m_network;
    std::shared_ptr<const Decoder> m_decoder;
    GenerateRequest m_request;
    std::vector<std::uint64_t> m_seeds;  ///< one per image
    std::stop_token m_stop;
    std::vector<ImageNoise> m_noise;  ///< one stream per image
    at::Tensor m_latents, m_clean;    ///< m_clean: of the step before
    int m_done = 0;
    std::string m_device, m_note;
};

}  // namespace ropescope
