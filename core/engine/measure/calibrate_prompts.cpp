// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/engine/machine/device.h"
#include "core/engine/measure/calibration_sources.h"
#include "core/engine/network/painter_network.h"
#include "core/engine/run/run.h"
#include "core/kernel/joint_field.h"

namespace ropescope {
namespace {

/// What all images of a measurement share.
struct Measurement {
    const CalibrateRequest& request;
    Calibration& calibration;
    MeasuredLayers measured;
    const JobContext& context;
};

/// A FLUX or SD3 whose first evaluation of every step is heard, for one image.
class ListeningPainter : public PainterNetwork {
public:
    ListeningPainter(const GenerateRequest& one, OpenedPainter opened, Measurement& measurement, int image)
        : PainterNetwork(one, std::move(opened.painter), std::move(opened.setting)),
          m_measurement(measurement),
          m_image(image) {}

protected:
    void listen(JointTaps& taps, int evaluation) override {
        const SamplingPlan& plan = setting().plan;
        tell(evaluation, static_cast<int>(plan.times.size()));
        if (evaluation % plan.evaluationsPerStep() != 0) return;
        const int step = evaluation / plan.evaluationsPerStep();
        taps.projected = [this, step](int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
            const int index = m_measurement.measured.index[layer];
            if (index >= 0)
                m_measurement.calibration.addContent(index, step, picture(index, q, text), picture(index, k, text));
        };
        taps.queryKey = [this, step](int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
            const int index = m_measurement.measured.index[layer];
            if (index >= 0) hear(index, step, q, k, text);
        };
    }

private:
    void tell(int evaluation, int all) const {
        if (!m_measurement.context.onShare) return;
        const int images = m_measurement.request.images;
        m_measurement.context.onShare((m_image + static_cast<double>(evaluation) / all) / images,
                                      "image " + std::to_string(m_image + 1) + " of " + std::to_string(images));
    }

    /// The measured heads of the picture's tokens, [n,N,D].
    [[nodiscard]] at::Tensor picture(int index, const at::Tensor& x, std::int64_t text) const {
        return x[0].index_select(0, m_measurement.measured.heads[index]).narrow(1, text, x.size(2) - text);
    }

    void hear(int index, int step, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
        const at::Tensor& heads = m_measurement.measured.heads[index];
        const Grid grid = setting().grid;
        const JointField joint = jointField(q.index_select(1, heads), k.index_select(1, heads), text, grid);
        AttentionSample sample{joint.field.sum, joint.field.entropy, {}};
        const at::Tensor queries = picture(index, q, text), keys = picture(index, k, text);
        for (std::int64_t i = 0; i < queries.size(0); ++i)
            sample.offsetShare.push_back(offsetShare(queries[i], keys[i], grid));
        m_measurement.calibration.addAttention(index, step, sample);
    }

    Measurement& m_measurement;
    int m_image = 0;
};

/// The run of image `number`: prompts are taken in turn.
GenerateRequest runOf(const CalibrateRequest& request, int number) {
    GenerateRequest one;
    one.model = request.model, one.compute = request.compute, one.text = request.text;
    if (!request.prompts.empty()) one.text.prompt = request.prompts[number % request.prompts.size()];
    one.seed = request.seed + static_cast<std::uint64_t>(number);
    one.steps = request.steps, one.guidance = request.guidance, one.sampler = request.sampler;
    one.size = request.size;
    return one;
}

/// Draws image `number` and measures every step of it.
Result<void> measureImage(Measurement& measurement, const OpenedPainter& opened, int number) {
    const GenerateRequest one = runOf(measurement.request, number);
    auto run =
        Run::over(std::make_unique<ListeningPainter>(one, opened, measurement, number), one, measurement.context);
    if (!run) return failure(run.error());
    while (!run->done())
        if (auto step = run->step(); !step) {
            if (step.error().code == "GP-07") step.error().reason += " of image " + std::to_string(number);
            return failure(step.error());
        }
    measurement.calibration.finishImage();
    return {};
}

std::string sourceOf(const CalibrateRequest& request, const OpenedPainter& opened) {
    const Grid size = opened.setting.size;
    const int side = opened.setting.pixelsPerLatent;
    std::string text = generatedSource(request, opened.setting.plan) + ", " + std::to_string(size.rows * side) + "x" +
                       std::to_string(size.cols * side) + " pixels";
    if (request.prompts.empty()) return text + ", embeddings of a file";
    const std::size_t count = request.prompts.size();
    return text + ", " + std::to_string(count) + (count == 1 ? " prompt" : " prompts");
}

}  // namespace

Result<CalibrationReport> calibrateOnPrompts(const CalibrateRequest& request, HeadStore& store,
                                             const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    const c10::InferenceMode inference;
    const auto opened = openPainterFor(runOf(request, 0), context);
    if (!opened) return failure(opened.error());
    const RunSetting& setting = opened->setting;
    auto layers = chosenLayers(store, request.heads);
    if (!layers) return failure(layers.error());
    const at::Device device = opened->painter->weights().device();
    const ModelCard& card = store.card();
    Calibration calibration(std::move(*layers), setting.grid, setting.plan.steps());
    Measurement measurement{request, calibration, MeasuredLayers(calibration.layers(), card.layers, device), context};
    for (int i = 0; i < request.images; ++i)
        if (const auto done = measureImage(measurement, *opened, i); !done) return failure(done.error());
    if (context.onShare) context.onShare(1, "measured");
    CalibrationReport report = calibration.report(card.layers, card.heads);
    report.source = sourceOf(request, *opened);
    report.device = describeCompute(device, request.compute.precision, setting.threads);
    for (int i = 0; i < setting.plan.steps(); ++i)
        report.times.push_back(setting.plan.times[i * setting.plan.evaluationsPerStep()]);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace ropescope
