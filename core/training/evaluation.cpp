// SPDX-License-Identifier: Apache-2.0
#include "core/training/evaluation.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <nlohmann/json.hpp>

#include "core/engine/run/generate.h"
#include "core/training/counter_random.h"
#include "core/training/quality.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

constexpr int kBatch = 100, kNearest = 20, kGuided = 100;

// Pixels as the program shows them: eight bits.
at::Tensor toBytes(const at::Tensor& signal) {
    return ((signal + 1) * 127.5).round().clamp(0, 255).to(at::kByte);
}

Result<at::Tensor> generateAll(const EvaluationSettings& s, int images, int classes, double guidance, const Say& say) {
    std::vector<at::Tensor> parts;
    for (int begin = 0; begin < images; begin += kBatch) {
        GenerateRequest request;
        request.model = s.model;
        request.compute = s.compute;
        request.steps = s.steps;
        request.guidance = guidance;
        request.previews = false;
        request.seed = s.seed + static_cast<std::uint64_t>(begin);
        request.batch = std::min(kBatch, images - begin);
        request.labels.clear();
        for (int i = begin; i < begin + request.batch; ++i) request.labels.push_back(i % classes);
        const Result<GenerateResult> result = generate(request, {});
        if (!result) return failure(result.error());
        parts.push_back(toBytes(toTensor(result->latents)));
        if (begin / kBatch % 5 == 4)
            say("guidance " + std::to_string(guidance).substr(0, 4) + ": " + std::to_string(begin + request.batch) +
                "/" + std::to_string(images) + " pictures");
    }
    return at::cat(parts);
}

GuidanceFigures measure(const Classifier& classifier, const at::Tensor& pictures, const at::Tensor& realFeatures,
                        int classes, int neighbours) {
    const Judgement found = judge(classifier, toSignal(pictures));
    const at::Tensor asked = at::arange(pictures.size(0)).remainder(classes);
    const at::Tensor right = found.classes.eq(asked).to(at::kDouble);
    GuidanceFigures f;
    f.classAccuracy = right.mean().item<double>();
    for (int c = 0; c < classes; ++c) f.perClass.push_back(right.masked_select(asked.eq(c)).mean().item<double>());
    f.precision = coveredShare(realFeatures, found.features, neighbours);
    f.recall = coveredShare(found.features, realFeatures, neighbours);
    f.frechet = frechetDistance(found.features, realFeatures);
    return f;
}

}  // namespace

Result<Evaluation> evaluateModel(const EvaluationSettings& s, const Classifier& classifier, const Dataset& train,
                                 const Dataset& test, const Say& say) {
    const int classes = static_cast<int>(train.classNames.size());
    const std::int64_t real = std::min<std::int64_t>(s.images, test.images.size(0));
    Evaluation e;
    e.realAccuracy =
        judge(classifier, toSignal(test.images)).classes.eq(test.labels).to(at::kDouble).mean().item<double>();
    const at::Tensor realFeatures = judge(classifier, toSignal(test.images.narrow(0, 0, real))).features;
    at::Generator chosen = at::make_generator<at::CPUGeneratorImpl>(streamSeed(s.seed, Stream::Check, 0));
    const at::Tensor sample = at::randperm(train.images.size(0), chosen, at::kLong).narrow(0, 0, real);
    const at::Tensor trainFeatures = judge(classifier, toSignal(train.images.index_select(0, sample))).features;
    e.frechetFloor = frechetDistance(trainFeatures, realFeatures);
    e.precisionFloor = coveredShare(realFeatures, trainFeatures, s.neighbours);
    e.recallFloor = coveredShare(trainFeatures, realFeatures, s.neighbours);
    for (const double guidance : s.guidance) {
        const auto start = std::chrono::steady_clock::now();
        const int images = e.figures.empty() ? s.images : std::min(s.images, s.guidedImages);
        const Result<at::Tensor> pictures = generateAll(s, images, classes, guidance, say);
        if (!pictures) return failure(pictures.error());
        e.figures.push_back(measure(classifier, *pictures, realFeatures, classes, s.neighbours));
        e.figures.back().guidance = guidance;
        e.figures.back().images = images;
        e.figures.back().seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (!e.generated.defined()) e.generated = *pictures;
        if (e.figures.size() <= 2) e.guided = pictures->narrow(0, 0, std::min(kGuided, images));
    }
    const at::Tensor first = toSignal(e.generated.narrow(0, 0, std::min(kNearest, s.images))).flatten(1);
    e.nearest = train.images.index_select(0, nearestRows(toSignal(train.images).flatten(1), first));
    return e;
}

std::string evaluationJson(const EvaluationSettings& s, const Classifier& classifier, const Dataset& test,
                           const Evaluation& e) {
    nlohmann::json figures = nlohmann::json::array();
    for (const GuidanceFigures& f : e.figures) {
        nlohmann::json perClass;
        for (std::size_t c = 0; c < f.perClass.size(); ++c) perClass[test.classNames[c]] = f.perClass[c];
        figures.push_back({{"guidance", f.guidance},
                           {"images", f.images},
                           {"class_accuracy", f.classAccuracy},
                           {"per_class", perClass},
                           {"precision", f.precision},
                           {"recall", f.recall},
                           {"frechet_distance", f.frechet},
                           {"seconds", f.seconds}});
    }
    const nlohmann::json json = {
        {"images", s.images},
        {"seed", s.seed},
        {"sampler", "euler"},
        {"steps", s.steps},
        {"arithmetic", s.compute.precision == Precision::Fp32   ? "fp32"
                       : s.compute.precision == Precision::Bf16 ? "bf16"
                                                                : "fp16"},
        {"classifier", {{"test_accuracy", e.realAccuracy}, {"epochs", classifier.epochs}, {"seed", classifier.seed}}},
        {"neighbours", s.neighbours},
        {"reference", "the first test pictures, as many as generated; features of the classifier"},
        {"real_to_real",
         {{"frechet_distance", e.frechetFloor}, {"precision", e.precisionFloor}, {"recall", e.recallFloor}}},
        {"figures", figures}};
    return json.dump(2) + "\n";
}

}  // namespace ropescope
