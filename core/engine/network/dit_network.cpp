// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/dit_network.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/encoding/extrapolation.h"
#include "core/engine/machine/device.h"
#include "core/engine/machine/host_copy.h"
#include "core/engine/network/noise_file.h"
#include "core/engine/network/request_checks.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

constexpr std::int64_t kConditionBytes = 256 << 20;  ///< held at once for the coming evaluations
constexpr int kMaxTokens = 1 << 16;
constexpr int kMaxBatch = 4096;

std::string sizeText(std::int64_t rows, std::int64_t cols) {
    return std::to_string(rows) + "x" + std::to_string(cols);
}

Result<void> readNoises(const GenerateRequest& request, RunSetting& setting) {
    if (!request.noiseFile.empty()) {
        const auto noise = readNoise("--noise", request.noiseFile, {"noise"}, setting.channels);
        if (!noise) return failure(noise.error());
        setting.noise = *noise;
    }
    if (!request.stepNoiseFile.empty()) {
        const auto noise = readNoise("--step-noise", request.stepNoiseFile,
                                     {"step_noise", "step_noises", "ddpm_noises", "noise"}, setting.channels);
        if (!noise) return failure(noise.error());
        setting.stepNoise = *noise;
    }
    return {};
}

Result<void> chooseSize(const GenerateRequest& request, const LoadedModel& model, RunSetting& setting) {
    const ModelCard& card = model.card;
    const DitShape& shape = model.dit->shape();
    setting.size = request.size;
    if (request.size == Grid{}) setting.size = {card.grid.rows * card.patch, card.grid.cols * card.patch};
    if (setting.noise.defined())
        setting.size = {static_cast<int>(setting.noise.size(2)), static_cast<int>(setting.noise.size(3))};
    const Grid size = setting.size;
    const std::string found = sizeText(size.rows, size.cols);
    if (size.rows <= 0 || size.cols <= 0 || size.rows % card.patch != 0 || size.cols % card.patch != 0) {
        return failure(optionError("--size", "the sides must be multiples of the patch", found,
                                   std::to_string(card.patch), "Choose another size"));
    }
    setting.grid = {size.rows / card.patch, size.cols / card.patch};
    if (setting.grid.tokens() / setting.grid.cols != setting.grid.rows || setting.grid.tokens() > kMaxTokens)
        return failure(
            optionError("--size", "the picture is too large", found, "at most 65536 tokens", "Choose a smaller size"));
    const Extrapolation method = request.extrapolate.method;
    if (auto possible = checkExtrapolation(shape.positions(), method); !possible) return possible;
    if (method == Extrapolation::TimeAware && card.objective == "flow" && card.flow.scale == 1)
        return failure(optionError("--extrapolation", "time-aware positions are made for times up to 1000",
                                   "a model whose time is unscaled", "another method", "Choose another method"));
    const bool resized = method == Extrapolation::Interpolation;
    if (shape.addsTable() && setting.grid != card.grid && !resized) {
        return failure(optionError("--size", "absolute positions exist only for the trained size", found,
                                   sizeText(card.grid.rows * card.patch, card.grid.cols * card.patch),
                                   "Leave --size out or add --extrapolation interpolation"));
    }
    const at::Tensor& step = setting.stepNoise;
    const std::vector<std::int64_t> expected = {setting.plan.steps(), setting.channels, size.rows, size.cols};
    if (step.defined() && step.sizes().vec() != expected) {
        return failure(optionError("--step-noise", "the noise does not fit the run", sidesText(step.sizes().vec()),
                                   sidesText(expected), "Give one noise per step"));
    }
    return {};
}

Result<void> chooseLabels(const GenerateRequest& request, const LoadedModel& model, RunSetting& setting) {
    const int classes = model.card.classes;
    const int batch = setting.noise.defined() ? static_cast<int>(setting.noise.size(0)) : request.batch;
    if (batch < 1 || batch > kMaxBatch) {
        return failure(optionError("--batch", "not a possible number of images", std::to_string(batch),
                                   "1 to " + std::to_string(kMaxBatch), "Choose another number"));
    }
    if (request.labels.size() != 1 && request.labels.size() != static_cast<std::size_t>(batch)) {
        return failure(optionError("--class", "one class, or one per image", std::to_string(request.labels.size()),
                                   std::to_string(batch), "Give as many classes as images"));
    }
    const int last = model.card.nullClass ? classes : classes - 1;
    const std::string null = last == classes ? " (" + std::to_string(classes) + " is no class)" : "";
    for (const int label : request.labels) {
        if (label < 0 || label > last) {
            return failure(optionError("--class", "no such class", std::to_string(label),
                                       "0 to " + std::to_string(last) + null, "Choose another class"));
        }
    }
    setting.batch = batch;
    setting.labels = request.labels;
    if (request.labels.size() == 1) setting.labels.assign(batch, request.labels[0]);
    return {};
}

Result<void> chooseGuidance(const GenerateRequest& request, const LoadedModel& model, RunSetting& setting) {
    if (request.guidance == 1) return {};  // the conditional prediction itself
    if (!model.card.nullClass)
        return failure(optionError("--guidance",
                                   "the model was trained without \"no class\": its label table has no row for it",
                                   std::to_string(request.guidance), "1", "Draw with --guidance 1"));
    const bool first3 =
        request.guidanceChannels == GuidanceChannels::First3 ||
        (request.guidanceChannels == GuidanceChannels::Auto && setting.channels == 4 && model.card.learnedVariance);
    setting.guided = first3 ? std::min<std::int64_t>(3, setting.channels) : setting.channels;
    return {};
}

}  // namespace

Result<RunSetting> ditSetting(const GenerateRequest& request, const LoadedModel& model) {
    RunSetting setting;
    setting.channels = model.card.inChannels;
    if (auto possible = checkSampling(request); !possible) return failure(possible.error());
    const auto plan = planSampling(request.sampler, model.card.objective, request.steps, model.card.flow);
    if (!plan) return failure(plan.error());
    setting.plan = *plan;
    if (auto done = readNoises(request, setting); !done) return failure(done.error());
    if (auto done = chooseSize(request, model, setting); !done) return failure(done.error());
    if (auto done = chooseLabels(request, model, setting); !done) return failure(done.error());
    if (auto done = chooseGuidance(request, model, setting); !done) return failure(done.error());
    auto heads = recordedHeads(request, model.dit->shape().layers, model.dit->shape().heads);
    if (!heads) return failure(heads.error());
    setting.heads = std::move(*heads);
    return setting;
}

DitNetwork::DitNetwork(GenerateRequest request, std::shared_ptr<const LoadedModel> model, RunSetting setting)
    : m_request(std::move(request)), m_model(std::move(model)), m_setting(std::move(setting)) {
    const Grid grid = m_setting.grid;
    m_rows = m_setting.labels;
    if (m_setting.guided > 0) m_rows.insert(m_rows.end(), m_setting.batch, dit().shape().classes);
    m_perPair = floatsOf(fieldMean(at::ones({2 * grid.rows - 1, 2 * grid.cols - 1}), grid));
    if (!m_setting.heads.empty()) m_layers.assign(dit().shape().layers, false);
    for (const HeadId& id : m_setting.heads) m_layers[id.layer] = true;
}

Result<at::Tensor> DitNetwork::predict(const at::Tensor& x, int evaluation, const Watch& watch) {
    if (watch.stop.stop_requested()) return failure(cancelled());
    condition(evaluation);
    DitRecording recording;
    recording.layers = m_layers, recording.batch = m_setting.batch;
    const bool recorded = watch.fields && !m_layers.empty();
    const at::Tensor rows = m_setting.guided > 0 ? at::cat({x, x}, 0) : x;
    at::Tensor out = ditAt(evaluation).forward(rows, m_conditions, evaluation - m_firstCondition, recorded ? &recording : nullptr);
    if (m_setting.guided > 0) out = guide(out, m_request.guidance, m_setting.guided);
    if (recorded) *watch.fields = fieldsOf(recording);
    return out;
}

Result<LayerAttention> DitNetwork::attention(const at::Tensor& x, int evaluation, int layer, const Watch& watch) {
    if (watch.stop.stop_requested()) return failure(cancelled());
    DitRecording recording;
    recording.layers.assign(dit().shape().layers, false);
    recording.watched = layer;
    const DitConditions conditions = dit().conditions({m_setting.plan.times[evaluation]}, {m_setting.labels[0]},
                                                      m_setting.grid, m_request.extrapolate, card().grid);
    (void)ditAt(evaluation).forward(x.narrow(0, 0, 1), conditions, 0, &recording);
    return LayerAttention{recording.queries, recording.keys, 0, {}};
}

const DitInference& DitNetwork::ditAt(int evaluation) {
    const HeadChangesPtr& changes = m_model->changes;
    if (!changes || !followsRun(changes->list)) return dit();
    const double progress = m_setting.progress(evaluation);
    if (!m_moving || m_progress != progress)
        m_moving = std::make_unique<DitInference>(m_model->stored->dit->varied(changesAt(changes, progress)));
    m_progress = progress;
    return *m_moving;
}

/// Makes sure that the conditions of this evaluation are there.
void DitNetwork::condition(int evaluation) {
    if (evaluation >= m_firstCondition && evaluation < m_firstCondition + m_heldConditions) return;
    const auto& times = m_setting.plan.times;
    const std::int64_t left = static_cast<std::int64_t>(times.size()) - evaluation;
    m_heldConditions =
        static_cast<int>(std::clamp<std::int64_t>(kConditionBytes / dit().conditionBytes(m_rows), 1, left));
    m_firstCondition = evaluation;
    const auto from = times.begin() + evaluation;
    m_conditions =
        dit().conditions({from, from + m_heldConditions}, m_rows, m_setting.grid, m_request.extrapolate, card().grid);
}

std::vector<HeadField> DitNetwork::fieldsOf(const DitRecording& recording) const {
    std::vector<HeadField> out;
    std::vector<float> sums, means, entropies;
    const auto bins = static_cast<std::ptrdiff_t>(m_perPair.size());
    for (const HeadId& id : m_setting.heads) {  // sorted: the heads of a layer follow each other
        if (out.empty() || out.back().id.layer != id.layer) {
            const AttentionField& field = recording.fields[id.layer];
            sums = floatsOf(field.sum), entropies = floatsOf(field.entropy);
            means = sums;
            for (std::size_t i = 0; i < means.size(); ++i) means[i] *= m_perPair[i % m_perPair.size()];
        }
        const auto own = [&](const std::vector<float>& all) {
            return std::vector<float>(all.begin() + id.head * bins, all.begin() + (id.head + 1) * bins);
        };
        out.push_back({id, m_setting.grid, own(sums), own(means), entropies[id.head], {}});
    }
    return out;
}

Result<std::unique_ptr<Network>> openDitNetwork(const GenerateRequest& request, const JobContext&) {
    const auto device = chooseDevice(request.compute.device);
    if (!device) return failure(device.error());
    const int threads = useThreads(request.compute.threads);
    auto model = loadModel(request.model, *device, request.compute.precision);
    if (!model) return failure(model.error());
    auto setting = ditSetting(request, **model);
    if (!setting) return failure(setting.error());
    setting->threads = threads;
    return std::make_unique<DitNetwork>(request, std::move(*model), std::move(*setting));
}

}  // namespace ropescope
