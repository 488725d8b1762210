// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/painter_network.h"

#include <ATen/ATen.h>

#include <map>
#include <optional>

#include "core/data/usual_run.h"
#include "core/encoding/extrapolation.h"
#include "core/encoding/model_encoding.h"
#include "core/engine/machine/device.h"
#include "core/engine/machine/host_copy.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/noise_file.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/network/variation.h"
#include "core/kernel/joint_field.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

constexpr std::int64_t kMaxLatents = 1 << 20;  ///< of one channel
constexpr int kMaxBatch = 1024;

/// Is the grid larger than the table of positions, where there is one?
bool beyond(Grid table, Grid grid) {
    return table.tokens() > 0 && (grid.rows > table.rows || grid.cols > table.cols);
}

/// Size and number of the pictures, with the noise of a file.
Result<void> chooseSize(const GenerateRequest& request, const Painter& painter, RunSetting& setting) {
    at::Tensor& noise = setting.noise;
    if (!request.noiseFile.empty()) {
        auto read = readNoise("--noise", request.noiseFile, {"noise"}, painter.channels());
        if (!read) return failure(read.error());
        noise = *read;
    }
    const int side = painter.latentsPerToken();
    const Grid pixels = request.size == Grid{} ? Grid{kUsualPixels, kUsualPixels} : request.size;
    const Grid size = noise.defined() ? Grid{static_cast<int>(noise.size(2)), static_cast<int>(noise.size(3))}
                                      : Grid{pixels.rows / kPixelsPerLatent, pixels.cols / kPixelsPerLatent};
    const bool whole = noise.defined() || (pixels.rows % kPixelsPerLatent == 0 && pixels.cols % kPixelsPerLatent == 0);
    const std::string found = std::to_string(noise.defined() ? size.rows * kPixelsPerLatent : pixels.rows) + "x" +
                              std::to_string(noise.defined() ? size.cols * kPixelsPerLatent : pixels.cols);
    if (!whole || size.rows < side || size.cols < side || size.rows % side != 0 || size.cols % side != 0 ||
        static_cast<std::int64_t>(size.rows) * size.cols > kMaxLatents)
        return failure(optionError("--size", "not a size for this model", found,
                                   "multiples of " + std::to_string(kPixelsPerLatent * side) + " up to 8192 a side",
                                   "Choose another size"));
    const Grid most = painter.largest();
    const bool resized = request.extrapolate.method == Extrapolation::Interpolation;
    if (!resized && beyond(most, {size.rows / side, size.cols / side}))
        return failure(optionError("--size", "larger than the model's table of positions", found,
                                   "at most " + std::to_string(most.rows * side * kPixelsPerLatent) + " a side",
                                   "Choose a smaller size or add --extrapolation interpolation"));
    if (noise.defined() && request.batch > 1 && request.batch != noise.size(0))
        return failure(optionError("--batch", "the noise is of another number of images", std::to_string(request.batch),
                                   std::to_string(noise.size(0)), "Leave it out"));
    setting.size = size, setting.grid = {size.rows / side, size.cols / side};
    setting.batch = noise.defined() ? static_cast<int>(noise.size(0)) : request.batch;
    if (!noise.defined() && (request.batch < 1 || request.batch > kMaxBatch))
        return failure(optionError("--batch", "not a possible number of images", std::to_string(request.batch),
                                   "1 to " + std::to_string(kMaxBatch), "Choose another number"));
    return {};
}

/// The levels that the model's own pipeline uses, or those of the shift that is asked for.
Result<SamplingPlan> planFor(const GenerateRequest& request, const Painter& painter, int tokens) {
    if (!(request.text.shift >= 0))
        return failure(optionError("--shift", "not a possible shift", std::to_string(request.text.shift), "above 0",
                                   "Leave it out"));
    const UsualLevels usual = painter.levels(tokens);
    const double shift = request.text.shift > 0 ? request.text.shift : usual.shift;
    return planFlow(request.sampler, shiftedFlowSteps(request.steps, shift, usual.spacing));
}

Grid trainedOn(const GenerateRequest& request, const ModelCard& card) {
    return request.extrapolate.trained == Grid{} ? trainedGrid(card) : request.extrapolate.trained;
}

Result<void> checkStretch(const GenerateRequest& request, const Painter& painter) {
    const Extrapolation method = request.extrapolate.method;
    const auto spec = encodingOf(painter.card());
    if (!spec) return failure(spec.error());
    if (auto possible = checkExtrapolation(*spec, method); !possible) return possible;
    const Grid trained = trainedOn(request, painter.card()), most = painter.largest();
    if (method != Extrapolation::Interpolation || !beyond(most, trained)) return {};
    return failure(optionError("--trained-grid", "larger than the model's table of positions",
                               std::to_string(trained.rows) + "x" + std::to_string(trained.cols),
                               "at most " + std::to_string(most.rows) + "x" + std::to_string(most.cols) + " tokens",
                               "Say what the model was trained on"));
}

Result<RunSetting> settingOf(const GenerateRequest& request, const Painter& painter) {
    if (!request.stepNoiseFile.empty())
        return failure(optionError("--step-noise", "not for text-to-image models", "", "", "Leave it out"));
    if (auto possible = checkStretch(request, painter); !possible) return failure(possible.error());
    RunSetting setting;
    setting.channels = painter.channels(), setting.pixelsPerLatent = kPixelsPerLatent;
    if (auto fits = chooseSize(request, painter, setting); !fits) return failure(fits.error());
    auto plan = planFor(request, painter, setting.grid.tokens());
    if (!plan) return failure(plan.error());
    setting.plan = std::move(*plan);
    auto heads = recordedHeads(request, painter.card().layers, painter.card().heads);
    if (!heads) return failure(heads.error());
    setting.heads = std::move(*heads);
    return setting;
}

/// Measures the recorded heads of a pass.
class Recorder {
public:
    Recorder(const RunSetting& setting, std::vector<HeadField>& fields) : m_grid(setting.grid), m_fields(fields) {
        for (const HeadId& id : setting.heads) m_heads[id.layer].push_back(id.head);
    }

    void hear(int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
        const auto wanted = m_heads.find(layer);
        if (wanted == m_heads.end()) return;
        const at::Tensor chosen = at::tensor(wanted->second, at::kLong).to(q.device());
        const JointField joint = jointField(q.index_select(1, chosen), k.index_select(1, chosen), text, m_grid);
        const at::Tensor mean = fieldMean(joint.field.sum, m_grid);
        for (std::size_t i = 0; i < wanted->second.size(); ++i) {
            const auto at = static_cast<std::int64_t>(i);
            const auto number = [&](const at::Tensor& values) { return values[at].item<double>(); };
            m_fields.push_back({{layer, static_cast<int>(wanted->second[i])},
                                m_grid,
                                floatsOf(joint.field.sum[at]),
                                floatsOf(mean[at]),
                                number(joint.field.entropy),
                                {static_cast<int>(text), number(joint.imageToText), number(joint.textToImage)}});
        }
    }

private:
    Grid m_grid;
    std::vector<HeadField>& m_fields;
    std::map<int, std::vector<std::int64_t>> m_heads;
};

}  // namespace

/// Hooks of that evaluation that tell layers and end the pass behind layer `last` or when the job is to end.
PassHooks PainterNetwork::watching(const Watch& watch, int last, int evaluation) const {
    PassHooks hooks;
    hooks.changes = changesAt(m_setting.changes, m_setting.progress(evaluation));
    Extrapolate how = m_request.extrapolate;
    how.time = imageShare(m_setting.plan.times[evaluation]);
    hooks.taps.stretch = stretchOf(how, trainedGrid(card()), m_setting.grid, 2);
    hooks.goOn = [&watch, last](int layer) {
        if (layer > last || watch.stop.stop_requested()) return false;
        if (watch.onLayer) watch.onLayer(layer);
        return true;
    };
    return hooks;
}

PainterNetwork::PainterNetwork(GenerateRequest request, std::shared_ptr<Painter> painter, RunSetting setting)
    : m_request(std::move(request)), m_painter(std::move(painter)), m_setting(std::move(setting)) {}

Result<void> PainterNetwork::prepare(const JobContext& context) {
    auto prompt = readPrompt(m_request, *m_painter, context);
    if (!prompt) return failure(prompt.error());
    m_prompt = std::move(*prompt);
    return {};
}

Result<at::Tensor> PainterNetwork::predict(const at::Tensor& x, int evaluation, const Watch& watch) {
    const double time = m_setting.plan.times[evaluation], guidance = m_painter->guidance(m_request);
    const PassHooks quiet = watching(watch, card().layers, evaluation);
    PassHooks hooks = quiet;
    std::optional<Recorder> recorder;
    if (watch.fields && !m_setting.heads.empty()) {
        recorder.emplace(m_setting, *watch.fields);
        hooks.taps.queryKey = [&](int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
            recorder->hear(layer, q, k, text);
        };
    }
    listen(hooks.taps, evaluation);
    return whileReading([&]() -> Result<at::Tensor> {
        const at::Tensor with = m_painter->predict(x, time, m_prompt.text, m_prompt.pooled, m_request.guidance, hooks);
        if (!with.defined()) return failure(cancelled());
        if (guidance == 1) return with;
        const at::Tensor without =
            m_painter->predict(x, time, m_prompt.negativeText, m_prompt.negativePooled, m_request.guidance, quiet);
        if (!without.defined()) return failure(cancelled());
        return without + guidance * (with - without);
    });
}

Result<LayerAttention> PainterNetwork::attention(const at::Tensor& x, int evaluation, int layer, const Watch& watch) {
    LayerAttention out;
    out.tokens = m_prompt.tokens;
    PassHooks hooks = watching(watch, layer, evaluation);
    hooks.taps.queryKey = [&](int at, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
        if (at == layer) out.queries = q[0].clone(), out.keys = k[0].clone(), out.text = text;
    };
    return whileReading([&]() -> Result<LayerAttention> {
        (void)m_painter->predict(x, m_setting.plan.times[evaluation], m_prompt.text, m_prompt.pooled,
                                 m_request.guidance, hooks);
        if (!out.queries.defined()) return failure(cancelled());
        return out;
    });
}

Result<OpenedPainter> openPainterFor(const GenerateRequest& request, const JobContext& context) {
    const auto device = chooseDevice(request.compute.device);
    if (!device) return failure(device.error());
    if (auto possible = checkSampling(request); !possible) return failure(possible.error());
    const int threads = useThreads(request.compute.threads);
    auto painter = openPainter(request.model, request.compute, request.text.memory, *device, context.onNote);
    if (!painter) return failure(painter.error());
    auto setting = settingOf(request, **painter);
    if (!setting) return failure(setting.error());
    setting->threads = threads;
    auto changes = headChanges(request.model, (*painter)->card());
    if (!changes) return failure(changes.error());
    setting->changes = std::move(*changes);
    return OpenedPainter{std::move(*painter), std::move(*setting)};
}

Result<std::unique_ptr<Network>> openPainterNetwork(const GenerateRequest& request, const JobContext& context) {
    auto opened = openPainterFor(request, context);
    if (!opened) return failure(opened.error());
    return std::make_unique<PainterNetwork>(request, std::move(opened->painter), std::move(opened->setting));
}

}  // namespace ropescope
