// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <sstream>

#include "core/engine/machine/device.h"
#include "core/engine/measure/calibration_sources.h"
#include "core/engine/network/dit_network.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/run.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

/// What all images of a measurement are drawn and heard with.
struct Measurement {
    const CalibrateRequest& request;
    std::shared_ptr<const LoadedModel> model;
    WeightTable weights;  ///< with the maps in place, not folded: content is measured before them
    DitShape shape;
    Calibration& calibration;
    MeasuredLayers measured;
    const JobContext& context;
};

/// A DiT whose first evaluation of every step is heard, conditional half, for one image.
class ListeningDit : public DitNetwork {
public:
    ListeningDit(const GenerateRequest& one, RunSetting setting, Measurement& measurement, int image)
        : DitNetwork(one, measurement.model, std::move(setting)), m_measurement(measurement), m_image(image) {
        m_quiet.attend = [](int, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
            return at::scaled_dot_product_attention(q, k, v);
        };
        m_listening.projected = [this](int layer, const at::Tensor& q, const at::Tensor& k) { hear(layer, q, k); };
        m_listening.attend = [this](int layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
            return attend(layer, q, k, v);
        };
    }

    [[nodiscard]] Result<at::Tensor> predict(const at::Tensor& x, int evaluation, const Watch& watch) override {
        if (watch.stop.stop_requested()) return failure(cancelled());
        const SamplingPlan& plan = setting().plan;
        const int perStep = plan.evaluationsPerStep(), classes = m_measurement.shape.classes;
        m_step = evaluation / perStep;
        const double time = plan.times[evaluation];
        const at::Tensor t = at::tensor({static_cast<float>(time)}).to(device());
        const at::Tensor y = at::tensor({static_cast<std::int64_t>(setting().labels[0])}).to(device());
        const DitTaps& taps = evaluation % perStep == 0 ? m_listening : m_quiet;
        DitShape shape = m_measurement.shape;
        shape.changes = changesAt(m_measurement.model->changes, setting().progress(evaluation));
        const at::Tensor conditional = ditForward(m_measurement.weights, shape, x.to(at::kFloat), t, y, taps);
        tell(evaluation + 1, static_cast<int>(plan.times.size()));
        if (setting().guided == 0) return conditional;
        const at::Tensor free = ditAt(evaluation).forward(x, dit().conditions({time}, {classes}, setting().grid), 0);
        return guide(at::cat({conditional, free}, 0), request().guidance, setting().guided);
    }

private:
    void tell(int done, int all) const {
        if (!m_measurement.context.onShare) return;
        const int images = m_measurement.request.images;
        m_measurement.context.onShare((m_image + static_cast<double>(done) / all) / images,
                                      "image " + std::to_string(m_image + 1) + " of " + std::to_string(images));
    }

    void hear(int layer, const at::Tensor& q, const at::Tensor& k) {
        const int index = m_measurement.measured.index[layer];
        if (index < 0) return;
        const at::Tensor& heads = m_measurement.measured.heads[index];
        m_measurement.calibration.addContent(index, m_step, q[0].index_select(0, heads), k[0].index_select(0, heads));
    }

    at::Tensor attend(int layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
        const int index = m_measurement.measured.index[layer];
        if (index < 0) return at::scaled_dot_product_attention(q, k, v);
        const Grid grid = setting().grid;
        const RecordedAttention recorded = attendRecording(q, k, v, grid);
        const at::Tensor& heads = m_measurement.measured.heads[index];
        AttentionSample sample{
            recorded.field.sum.index_select(0, heads), recorded.field.entropy.index_select(0, heads), {}};
        for (int head : m_measurement.calibration.layers()[index].heads)
            sample.offsetShare.push_back(offsetShare(q[0][head], k[0][head], grid));
        m_measurement.calibration.addAttention(index, m_step, sample);
        return recorded.output;
    }

    Measurement& m_measurement;
    DitTaps m_listening, m_quiet;
    int m_image = 0, m_step = 0;
};

/// Draws image `number` and measures every step of it.
Result<void> measureImage(Measurement& measurement, int number) {
    const CalibrateRequest& request = measurement.request;
    const std::vector<int>& labels = request.labels;
    GenerateRequest one;
    one.model = request.model, one.compute = request.compute, one.compute.precision = Precision::Fp32;
    one.labels = {labels.empty() ? number % std::max(1, measurement.model->card.classes)
                                 : labels[number % labels.size()]};
    one.seed = request.seed + static_cast<std::uint64_t>(number);
    one.steps = request.steps, one.guidance = request.guidance, one.sampler = request.sampler;
    auto setting = ditSetting(one, *measurement.model);
    if (!setting) return failure(setting.error());
    auto run = Run::over(std::make_unique<ListeningDit>(one, std::move(*setting), measurement, number), one,
                         measurement.context);
    if (!run) return failure(run.error());
    while (!run->done())
        if (auto step = run->step(); !step) {
            if (step.error().code == "GP-07") step.error().reason += " of image " + std::to_string(number);
            return failure(step.error());
        }
    measurement.calibration.finishImage();
    return {};
}

}  // namespace

std::string generatedSource(const CalibrateRequest& request, const SamplingPlan& plan) {
    std::ostringstream text;
    text << request.images << (request.images == 1 ? " generated image, " : " generated images, ") << plan.steps()
         << ' ' << samplerName(plan.sampler) << " steps, guidance " << request.guidance << ", seed " << request.seed;
    return text.str();
}

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
    for (auto& [name, tensor] : *weights) tensor = tensor.to(*device);
    Measurement measurement{request, *model,      std::move(*weights),
                            *shape,  calibration, MeasuredLayers(calibration.layers(), shape->layers, *device),
                            context};
    for (int i = 0; i < request.images; ++i)
        if (const auto done = measureImage(measurement, i); !done) return failure(done.error());
    CalibrationReport report = calibration.report((*model)->card.layers, (*model)->card.heads);
    report.source = generatedSource(request, *plan);
    report.device = describeCompute(*device, Precision::Fp32, threads);
    for (int i = 0; i < plan->steps(); ++i) report.times.push_back(plan->times[i * plan->evaluationsPerStep()]);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace ropescope
