// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "core/data/job.h"
#include "core/engine/network/painter.h"
#include "core/engine/run/decoder.h"
#include "core/sampling/schedule.h"

// A run of a FLUX or SD3, as generate() and the attention probe share it.

namespace ropescope {

/// A request checked against its model, before any weight is read.
struct DrawingSetup {
    std::shared_ptr<Painter> painter;
    std::shared_ptr<const Decoder> decoder;  ///< null: no VAE
    SamplingPlan plan;
    at::Tensor noise;           ///< [B,C,h,w] float32, CPU
    Grid grid;                  ///< picture tokens
    std::vector<HeadId> heads;  ///< recorded ones, sorted
    int threads = 1;
    [[nodiscard]] int batch() const { return static_cast<int>(noise.size(0)); }
};
/// Errors: Usage and Refused for what does not fit, Device for too little memory.
[[nodiscard]] Result<DrawingSetup> setUpDrawing(const GenerateRequest& request, const JobContext& context);

/// Embeddings of a prompt and, for guidance against it, of a negative one.
struct Prompt {
    at::Tensor text, pooled;                  ///< [1,T,e], [1,p]
    at::Tensor negativeText, negativePooled;  ///< undefined without
    TokensReport tokens;                      ///< of the prompt; empty for embeddings of another program
};
/// From the embeddings' file or by the text encoders; `context` hears tokens and what is cut. Errors: those of
/// embedText() and of reading.
[[nodiscard]] Result<Prompt> readPrompt(const GenerateRequest& request, Painter& painter, const JobContext& context);

/// What a step gave.
struct DrawnStep {
    int step = 0;
    at::Tensor clean;  ///< [B,C,h,w] the estimate of the clean latents
    StepFields fields;
};
/// Who watches a run; each may be empty.
struct DrawingWatch {
    std::function<void(DrawnStep)> step;             ///< after each
    std::function<void(int step, int layer)> layer;  ///< of the network, when its attention begins; counted from 0
};
/// Samples the first `steps` steps; run_memory keeps their latents. Returns the latents [B,C,h,w] after them. `stop` is
/// asked in every layer. Errors: GP-07, Cancelled, those of reading weights.
[[nodiscard]] Result<at::Tensor> drawSteps(const GenerateRequest& request, DrawingSetup& setup, const Prompt& prompt,
                                           int steps, const std::stop_token& stop, const DrawingWatch& watch);

}  // namespace ropescope
