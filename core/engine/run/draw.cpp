// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/draw.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/engine/machine/device.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/drawing.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/recipe.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLayerSeconds = 0.5;  ///< slow networks say their layer this often

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<GenerateResult> assemble(const GenerateRequest& request, DrawingSetup& setup, const at::Tensor& latents,
                                const JobContext& context) {
    const Painter& painter = *setup.painter;
    GenerateResult result;
    result.device = describeCompute(painter.weights.device(), request.compute.precision, setup.threads);
    result.latents = arrayOf(latents);
    result.note = setup.decoder ? "" : pictureNote(painter.channels());
    for (const std::string& lora : painter.loraNotes) result.note += (result.note.empty() ? "" : "; ") + lora;
    GenerateRequest named = request;
    if (setup.decoder) named.vae = setup.decoder->path;
    Decided decided;
    decided.sampler = setup.plan.sampler;
    decided.size = {static_cast<int>(latents.size(2)) * kPixelsPerLatent,
                    static_cast<int>(latents.size(3)) * kPixelsPerLatent};
    decided.batch = setup.batch(), decided.device = result.device, decided.note = result.note;
    decided.levels = {setup.plan.flow.front().time, setup.plan.flow.front().next};
    for (int i = 0; i < setup.batch(); ++i) {
        if (setup.decoder && context.onShare) context.onShare(-1, "decoding the picture");
        const DecodedPicture picture = setup.decoder ? decodedBeside(&setup.painter->weights, *setup.decoder,
                                                                     latents[i], request.text.memory, context.stop)
                                                     : DecodedPicture{latents[i]};
        if (!picture.pixels.defined()) return failure(cancelled());
        if (picture.tiled && i == 0) result.note += (result.note.empty() ? "" : "; ") + std::string(kTiledNote);
        decided.note = result.note;
        decided.image = i;
        result.images.push_back({request.seed + static_cast<std::uint64_t>(i), 0,
                                 pictureOf(picture.pixels, painter.card.architecture),
                                 recipeOf(named, painter.card, decided)});
    }
    return result;
}

}  // namespace

Result<GenerateResult> drawFromText(const GenerateRequest& request, const JobContext& context) {
    const c10::InferenceMode inference;
    const Clock::time_point start = Clock::now();
    auto setup = setUpDrawing(request, context);
    if (!setup) return failure(setup.error());
    const auto prompt = readPrompt(request, *setup->painter, context);
    if (!prompt) return failure(prompt.error());
    std::vector<StepFields> fields;
    if (context.onShare) context.onShare(-1, "reading weights, first step");
    const Clock::time_point first = Clock::now();
    const int steps = setup->plan.steps();
    const auto report = [&](DrawnStep step) {
        if (!setup->heads.empty()) fields.push_back(step.fields);
        if (!context.onProgress) return;
        GenerateProgress p;
        p.step = step.step + 1, p.steps = steps;
        p.secondsPerStep = secondsSince(first) / p.step;
        p.secondsLeft = p.secondsPerStep * (steps - p.step);
        if (request.previews) p.preview = pictureOf(step.clean[0], setup->painter->card.architecture);
        if (!setup->heads.empty()) p.fields = std::move(step.fields);
        context.onProgress(p);
    };
    Clock::time_point told = first;
    const int layers = setup->painter->card.layers;
    const auto tellLayer = [&](int step, int layer) {
        if (!context.onShare || secondsSince(told) < kLayerSeconds) return;
        told = Clock::now();
        context.onShare((step + static_cast<double>(layer) / layers) / steps,
                        "step " + std::to_string(step + 1) + " of " + std::to_string(steps) + ": layer " +
                            std::to_string(layer + 1) + " of " + std::to_string(layers));
    };
    const auto latents = drawSteps(request, *setup, *prompt, steps, context.stop, {report, tellLayer});
    if (!latents) return failure(latents.error());
    auto result = assemble(request, *setup, *latents, context);
    if (!result) return result;
    result->fields = std::move(fields);
    result->seconds = secondsSince(start);
    return result;
}

}  // namespace ropescope
