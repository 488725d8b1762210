// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <sstream>

#include "core/engine/machine/device.h"
#include "core/engine/measure/calibration_sources.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/generation_setup.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

/// Thrown out of the sampler's callbacks, caught in this file only.
struct Stopped {};

/// The network with its maps in place (not folded: content is measured before them), and where it listens.
class Listening {
public:
    Listening(const CalibrateRequest& request, std::shared_ptr<const LoadedModel> model, WeightTable weights,
              const DitShape& shape, Calibration& calibration, const JobContext& context)
        : m_request(request),
          m_model(std::move(model)),
          m_weights(std::move(weights)),
          m_shape(shape),
          m_calibration(calibration),
          m_context(context),
          m_measured(calibration.layers(), shape.layers, m_model->dit->device()) {
        for (auto& [name, tensor] : m_weights) tensor = tensor.to(m_model->dit->device());
        m_quiet.attend = [](int, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
            return at::scaled_dot_product_attention(q, k, v);
        };
        m_listening.projected = [this](int layer, const at::Tensor& q, const at::Tensor& k) { hear(layer, q, k); };
        m_listening.attend = [this](int layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
            return watch(layer, q, k, v);
        };
    }

    /// Draws image `number` and measures every step of it.
    Result<void> image(int number) {
        const ModelCard& card = m_model->card;
        const std::vector<int>& labels = m_request.labels;
        GenerateRequest one;
        one.model = m_request.model, one.compute = m_request.compute;
        one.labels = {labels.empty() ? number % std::max(1, card.classes) : labels[number % labels.size()]};
        one.seed = m_request.seed + static_cast<std::uint64_t>(number);
        one.steps = m_request.steps, one.guidance = m_request.guidance, one.sampler = m_request.sampler;
        const auto setup = setUpGeneration(one, m_model);
        if (!setup) return failure(setup.error());
        m_setup = &*setup;
        m_image = number;
        ImageNoise stream(one.seed);
        const auto draw = [&] {
            return stream.draw({setup->channels, setup->size.rows, setup->size.cols}).unsqueeze(0).to(device());
        };
        at::Tensor x = draw();
        const auto network = [&](const at::Tensor& latents, int evaluation) { return evaluate(latents, evaluation); };
        at::Tensor before;
        for (int i = 0; i < setup->plan.steps(); ++i) {
            StepResult step = sampleStep(
                setup->plan, i, x, network, [&](int) { return draw(); }, before);
            x = step.latents, before = step.clean;
        }
        if (!at::isfinite(x).all().item<bool>())
            return failure({ErrorKind::Refused, "GP-07", place({m_request.model.path}),
                            "the latents of image " + std::to_string(number) + " are not finite", "NaN or infinity",
                            "numbers", "Check the model's weights or lower the guidance"});
        m_calibration.finishImage();
        return {};
    }

private:
    [[nodiscard]] at::Device device() const { return m_model->dit->device(); }

    at::Tensor evaluate(const at::Tensor& x, int evaluation) {
        if (m_context.stop.stop_requested()) throw Stopped{};
        const SamplingPlan& plan = m_setup->plan;
        const int perStep = plan.evaluationsPerStep();
        m_step = evaluation / perStep;
        const double time = plan.times[evaluation];
        const at::Tensor t = at::tensor({static_cast<float>(time)}).to(device());
        const at::Tensor y = at::tensor({static_cast<std::int64_t>(m_setup->labels[0])}).to(device());
        const DitTaps& taps = evaluation % perStep == 0 ? m_listening : m_quiet;
        const at::Tensor conditional = ditForward(m_weights, m_shape, x.to(at::kFloat), t, y, taps);
        tell(evaluation + 1, static_cast<int>(plan.times.size()));
        if (m_setup->guided == 0) return conditional;
        const DitInference& dit = *m_model->dit;
        const at::Tensor free = dit.forward(x, dit.conditions({time}, {m_shape.classes}, m_setup->grid), 0);
        return guide(at::cat({conditional, free}, 0), m_request.guidance, m_setup->guided);
    }

    void tell(int done, int all) const {
        if (!m_context.onShare) return;
        const double share = (m_image + static_cast<double>(done) / all) / m_request.images;
        m_context.onShare(share, "image " + std::to_string(m_image + 1) + " of " + std::to_string(m_request.images));
    }

    void hear(int layer, const at::Tensor& q, const at::Tensor& k) {
        const int index = m_measured.index[layer];
        if (index < 0) return;
        m_calibration.addContent(index, m_step, q[0].index_select(0, m_measured.heads[index]),
                                 k[0].index_select(0, m_measured.heads[index]));
    }

    at::Tensor watch(int layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
        const int index = m_measured.index[layer];
        if (index < 0) return at::scaled_dot_product_attention(q, k, v);
        const RecordedAttention recorded = attendRecording(q, k, v, m_setup->grid);
        const at::Tensor& heads = m_measured.heads[index];
        AttentionSample sample{
            recorded.field.sum.index_select(0, heads), recorded.field.entropy.index_select(0, heads), {}};
        for (int head : m_calibration.layers()[index].heads)
            sample.offsetShare.push_back(offsetShare(q[0][head], k[0][head], m_setup->grid));
        m_calibration.addAttention(index, m_step, sample);
        return recorded.output;
    }

    const CalibrateRequest& m_request;
    std::shared_ptr<const LoadedModel> m_model;
    WeightTable m_weights;
    DitShape m_shape;
    Calibration& m_calibration;
    const JobContext& m_context;
    MeasuredLayers m_measured;
    DitTaps m_listening, m_quiet;
    const GenerationSetup* m_setup = nullptr;
    int m_image = 0, m_step = 0;
};

std::string sourceOf(const CalibrateRequest& request, const SamplingPlan& plan) {
    std::ostringstream text;
    text << request.images << (request.images == 1 ? " generated image, " : " generated images, ") << plan.steps()
         << ' ' << samplerName(plan.sampler) << " steps, guidance " << request.guidance << ", seed " << request.seed;
    return text.str();
}

}  // namespace

Result<CalibrationReport> calibrateOnGenerated(const CalibrateRequest& request, HeadStore& store,
                                               const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    const c10::InferenceMode inference;
    const auto device = chooseDevice(request.compute.device);
    if (!device) return failure(device.error());
    const int threads = useThreads(request.compute.threads);
    const auto model = loadModel(request.model, *device, Precision::Fp32);
    if (!model) return failure(model.error());
    const auto plan = planSampling(request.sampler, (*model)->card.objective, request.steps, (*model)->card.flow);
    if (!plan) return failure(plan.error());
    const auto shape = ditShape((*model)->card);
    if (!shape) return failure(shape.error());
    const auto table = TensorTable::open(request.model);
    if (!table) return failure(table.error());
    auto weights = loadDitWeights(*table, *shape);
    if (!weights) return failure(weights.error());
    auto layers = chosenLayers(store, request.heads);
    if (!layers) return failure(layers.error());
    Calibration calibration(std::move(*layers), (*model)->card.grid, plan->steps());
    Listening network(request, *model, std::move(*weights), *shape, calibration, context);
    try {
        for (int i = 0; i < request.images; ++i)
            if (const auto done = network.image(i); !done) return failure(done.error());
    } catch (const Stopped&) {
        return failure(cancelled());
    }
    CalibrationReport report = calibration.report((*model)->card.layers, (*model)->card.heads);
    report.source = sourceOf(request, *plan);
    report.device = describeCompute(*device, Precision::Fp32, threads);
    for (int i = 0; i < plan->steps(); ++i) report.times.push_back(plan->times[i * plan->evaluationsPerStep()]);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace ropescope
