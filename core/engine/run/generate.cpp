// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/generate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/engine/machine/device.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/decoder.h"
#include "core/engine/run/draw.h"
#include "core/engine/run/generation_setup.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/recipe.h"
#include "core/engine/run/run_memory.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

constexpr std::int64_t kConditionBytes = 256 << 20;  ///< held at once for the coming evaluations

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Thrown out of the sampler's callbacks, caught in this file only.
struct Stopped {};

/// One run: what the sampling loop calls.
class Run {
public:
    Run(const GenerateRequest& request, const GenerationSetup& setup, const JobContext& context)
        : m_request(request), m_setup(setup), m_context(context) {
        for (int i = 0; i < setup.batch(); ++i) m_noise.emplace_back(request.seed + static_cast<std::uint64_t>(i));
        m_rows = setup.labels;
        const Grid grid = setup.grid;
        m_perPair = floatsOf(fieldMean(at::ones({2 * grid.rows - 1, 2 * grid.cols - 1}), grid));
        if (setup.guided > 0) m_rows.insert(m_rows.end(), setup.batch(), setup.model->dit->shape().classes);
    }

    /// One draw of every image's stream, [B,C,h,w] on the model's device.
    at::Tensor draw() {
        std::vector<at::Tensor> images;
        for (ImageNoise& noise : m_noise)
            images.push_back(noise.draw({m_setup.channels, m_setup.size.rows, m_setup.size.cols}));
        return at::stack(images);
    }

    at::Tensor stepNoise(int step) {
        const at::Tensor noise = m_setup.stepNoise.defined() ? m_setup.stepNoise[step].unsqueeze(0) : draw();
        return noise.to(m_setup.model->dit->device());
    }

    at::Tensor evaluate(const at::Tensor& x, int evaluation) {
        if (m_context.stop.stop_requested()) throw Stopped{};
        condition(evaluation);
        const bool first = evaluation % m_setup.plan.evaluationsPerStep() == 0;
        DitRecording* recording = first && !m_setup.layers.empty() ? &m_recording : nullptr;
        m_recording.layers = m_setup.layers;
        m_recording.batch = m_setup.batch();
        const DitInference& dit = *m_setup.model->dit;
        const int row = evaluation - m_firstCondition;
        if (m_setup.guided == 0) return dit.forward(x, m_conditions, row, recording);
        return guide(dit.forward(at::cat({x, x}, 0), m_conditions, row, recording), m_request.guidance, m_setup.guided);
    }

    /// The fields that the step's first evaluation recorded.
    StepFields fields(int step) const {
        const int perStep = m_setup.plan.evaluationsPerStep();
        StepFields out{step, m_setup.plan.steps(), m_setup.plan.times[step * perStep], {}};
        std::vector<float> sums, means, entropies;
        for (const HeadId& id : m_setup.heads) {  // sorted: the heads of a layer follow each other
            if (out.heads.empty() || out.heads.back().id.layer != id.layer) {
                const AttentionField& field = m_recording.fields[id.layer];
                sums = floatsOf(field.sum), entropies = floatsOf(field.entropy);
                means = sums;
                for (std::size_t i = 0; i < means.size(); ++i) means[i] *= m_perPair[i % m_perPair.size()];
            }
            const auto bins = static_cast<std::ptrdiff_t>(m_perPair.size());
            const auto own = [&](const std::vector<float>& all) {
                return std::vector<float>(all.begin() + id.head * bins, all.begin() + (id.head + 1) * bins);
            };
            out.heads.push_back({id, m_setup.grid, own(sums), own(means), entropies[id.head], {}});
        }
        return out;
    }

private:
    /// Makes sure that the conditions of this evaluation are there.
    void condition(int evaluation) {
        const auto held = static_cast<int>(m_heldConditions);
        if (evaluation >= m_firstCondition && evaluation < m_firstCondition + held) return;
        const DitInference& dit = *m_setup.model->dit;
        const auto& times = m_setup.plan.times;
        const std::int64_t left = static_cast<std::int64_t>(times.size()) - evaluation;
        m_heldConditions = std::clamp<std::int64_t>(kConditionBytes / dit.conditionBytes(m_rows), 1, left);
        m_firstCondition = evaluation;
        const auto from = times.begin() + evaluation;
        m_conditions = dit.conditions({from, from + m_heldConditions}, m_rows, m_setup.grid, m_request.extrapolate,
                                      m_setup.model->card.grid);
    }

    const GenerateRequest& m_request;
    const GenerationSetup& m_setup;
    const JobContext& m_context;
    std::vector<ImageNoise> m_noise;
    std::vector<float> m_perPair;  ///< per bin: tokens / number of pairs, from sums to means
    std::vector<int> m_rows;       ///< label of every row of the network's batch
    DitConditions m_conditions;
    int m_firstCondition = 0;
    std::int64_t m_heldConditions = 0;
    DitRecording m_recording;
};

void reportStep(const GenerateRequest& request, const JobContext& context, const StepResult& step, GenerateProgress p,
                Clock::time_point start) {
    if (!context.onProgress) return;
    if (request.previews) p.preview = pictureOf(step.clean[0]);
    p.secondsPerStep = secondsSince(start) / p.step;
    p.secondsLeft = p.secondsPerStep * (p.steps - p.step);
    context.onProgress(p);
}

Result<at::Tensor> sampleAll(const GenerateRequest& request, const GenerationSetup& setup, const JobContext& context,
                             std::vector<StepFields>& fields) {
    const Clock::time_point start = Clock::now();
    Run run(request, setup, context);
    // Drawn even when a file gives the noise: the step noises then are the same stream's.
    const at::Tensor drawn = run.draw();
    at::Tensor x = (setup.noise.defined() ? setup.noise : drawn).to(setup.model->dit->device());
    beginRun(request);
    const auto network = [&](const at::Tensor& latents, int evaluation) { return run.evaluate(latents, evaluation); };
    const auto noise = [&](int step) { return run.stepNoise(step); };
    at::Tensor before;
    for (int i = 0; i < setup.plan.steps(); ++i) {
        keepStep(x);
        const StepResult step = sampleStep(setup.plan, i, x, network, noise, before);
        if (!at::isfinite(step.latents).all().item<bool>()) return failure(notFinite(request, i + 1));
        keepClean(step.clean);
        x = step.latents, before = step.clean;
        GenerateProgress progress;
        progress.step = i + 1;
        progress.steps = setup.plan.steps();
        if (!setup.heads.empty()) progress.fields = run.fields(i), fields.push_back(progress.fields);
        reportStep(request, context, step, std::move(progress), start);
    }
    return x;
}

GenerateResult assemble(const GenerateRequest& request, const GenerationSetup& setup, const at::Tensor& latents,
                        const Decoder* decoder, const std::stop_token& stop) {
    GenerateResult result;
    result.device = describeCompute(setup.model->dit->device(), request.compute.precision, setup.threads);
    result.note = decoder ? "" : pictureNote(setup.channels);
    result.latents = arrayOf(latents);
    for (int i = 0; i < setup.batch(); ++i) {
        const DecodedPicture picture = decoder ? decoded(*decoder, latents[i], 0, stop) : DecodedPicture{latents[i]};
        if (!picture.pixels.defined()) throw Stopped{};
        if (picture.tiled) result.note = kTiledNote;
        const Decided decided{setup.plan.sampler, setup.guided, setup.size, setup.labels[i], i, setup.batch(),
                              result.device,      result.note,  {}};
        GenerateRequest named = request;
        if (decoder) named.vae = decoder->path;
        result.images.push_back({request.seed + static_cast<std::uint64_t>(i), setup.labels[i],
                                 pictureOf(picture.pixels), recipeOf(named, setup.model->card, decided)});
    }
    return result;
}

}  // namespace

Result<GenerateResult> generate(const GenerateRequest& request, const JobContext& context) {
    const auto card = openCard(request.model);
    if (!card) return failure(card.error());
    if (card->takesText()) return drawFromText(request, context);
    const Clock::time_point start = Clock::now();
    const c10::InferenceMode inference;
    const auto setup = openGeneration(request);
    if (!setup) return failure(setup.error());
    const auto decoder =
        decoderFor(request.vae, request.model.path, setup->model->card.inChannels, setup->model->dit->device());
    if (!decoder) return failure(decoder.error());
    try {
        std::vector<StepFields> fields;
        const auto latents = sampleAll(request, *setup, context, fields);
        if (!latents) return failure(latents.error());
        if (context.stop.stop_requested()) return failure(cancelled());
        GenerateResult result = assemble(request, *setup, *latents, decoder->get(), context.stop);
        result.fields = std::move(fields);
        result.seconds = secondsSince(start);
        return result;
    } catch (const Stopped&) {
        return failure(cancelled());
    }
}

}  // namespace ropescope
