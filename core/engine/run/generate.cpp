// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/generate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/engine/machine/host_copy.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/run.h"
#include "core/engine/run/run_memory.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLayerSeconds = 0.5;  ///< slow networks say their layer this often

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Tells how a run goes on.
class Teller {
public:
    Teller(const Run& run, bool previews, const JobContext& context)
        : m_run(run), m_previews(previews), m_context(context) {}

    /// Words of networks that take long.
    void word(const std::string& words) const {
        if (m_context.onShare && m_run.card().takesText()) m_context.onShare(-1, words);
    }
    void layer(int layer) {
        if (!m_context.onShare || secondsSince(m_told) < kLayerSeconds) return;
        m_told = Clock::now();
        const int step = m_run.stepsDone(), steps = m_run.steps(), layers = m_run.card().layers;
        m_context.onShare((step + static_cast<double>(layer) / layers) / steps,
                          "step " + std::to_string(step + 1) + " of " + std::to_string(steps) + ": layer " +
                              std::to_string(layer + 1) + " of " + std::to_string(layers));
    }
    void step(const RunStep& step) const {
        if (!m_context.onProgress) return;
        GenerateProgress p;
        p.step = step.step + 1, p.steps = m_run.steps();
        if (m_previews) p.preview = pictureOf(step.clean[0], m_run.card().architecture);
        if (!step.fields.heads.empty()) p.fields = step.fields;
        p.secondsPerStep = secondsSince(m_start) / p.step;
        p.secondsLeft = p.secondsPerStep * (p.steps - p.step);
        m_context.onProgress(p);
    }

private:
    const Run& m_run;
    bool m_previews;
    const JobContext& m_context;
    Clock::time_point m_start = Clock::now(), m_told = m_start;
};

}  // namespace

Result<GenerateResult> generate(const GenerateRequest& request, const JobContext& context) {
    const c10::InferenceMode inference;
    const Clock::time_point start = Clock::now();
    auto run = Run::start(request, context);
    if (!run) return failure(run.error());
    Teller tell(*run, request.previews, context);
    tell.word("reading weights, first step");
    GenerateResult result;
    beginRun(request);
    while (!run->done()) {
        auto step = stepKept(*run, [&](int layer) { tell.layer(layer); });
        if (!step) return failure(step.error());
        tell.step(*step);
        if (!step->fields.heads.empty()) result.fields.push_back(std::move(step->fields));
    }
    if (run->decodes()) tell.word("decoding the picture");
    auto images = run->pictures();
    if (!images) return failure(images.error());
    result.images = std::move(*images);
    result.latents = arrayOf(run->latents());
    result.device = run->device(), result.note = run->note();
    result.seconds = secondsSince(start);
    return result;
}

}  // namespace ropescope
