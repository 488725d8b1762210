// SPDX-License-Identifier: Apache-2.0
#include "core/training/classifier.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "core/data/safetensors.h"
#include "core/training/counter_random.h"
#include "core/training/parameter_store.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

constexpr std::int64_t kBatch = 128, kFeatures = 128;
constexpr double kRate = 2e-3;

WeightTable initialClassifier(const Dataset& data, std::uint64_t seed) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(streamSeed(seed, Stream::Weights, 0));
    const std::int64_t pooled = (data.images.size(2) / 4) * (data.images.size(3) / 4);
    const std::map<std::string, std::vector<std::int64_t>> shapes = {
        {"conv1", {32, data.images.size(1), 3, 3}},
        {"conv2", {64, 32, 3, 3}},
        {"hidden", {kFeatures, 64 * pooled}},
        {"classes", {static_cast<std::int64_t>(data.classNames.size()), kFeatures}}};
    WeightTable w;
    for (const auto& [name, shape] : shapes) {
        at::Tensor t = at::empty(shape);
        t.normal_(0, std::sqrt(2.0 * static_cast<double>(shape[0]) / static_cast<double>(t.numel())), generator);
        w[name + ".weight"] = t;
        w[name + ".bias"] = at::zeros({shape[0]});
    }
    return w;
}

double accuracy(const Classifier& classifier, const Dataset& data) {
    const at::Tensor found = judge(classifier, toSignal(data.images)).classes;
    return found.eq(data.labels).to(at::kDouble).mean().item<double>();
}

}  // namespace

Classifier trainClassifier(const Dataset& train, const Dataset& test, int epochs, std::uint64_t seed,
                           const std::function<void(const std::string&)>& say) {
    OptimizerSettings optimizer;
    optimizer.beta2 = 0.999;
    ParameterStore store(initialClassifier(train, seed), optimizer);
    const std::int64_t perEpoch = train.images.size(0) / kBatch, total = perEpoch * epochs;
    Classifier classifier{store.average(), 0, epochs, seed};
    for (std::int64_t step = 0; step < total; ++step) {
        at::Generator order = at::make_generator<at::CPUGeneratorImpl>(
            streamSeed(seed, Stream::Order, static_cast<std::uint64_t>(step / perEpoch)));
        const at::Tensor chosen =
            at::randperm(train.images.size(0), order, at::kLong).narrow(0, step % perEpoch * kBatch, kBatch);
        const at::Tensor images = toSignal(train.images.index_select(0, chosen));
        const at::Tensor out = classifierScores(store.leaves(), classifierFeatures(store.leaves(), images));
        at::cross_entropy_loss(out, train.labels.index_select(0, chosen)).backward();
        const double share = static_cast<double>(step) / static_cast<double>(total);
        store.step(kRate * 0.5 * (1 + std::cos(M_PI * share)), step + 1);
        if ((step + 1) % perEpoch != 0) continue;
        classifier.testAccuracy = accuracy(classifier, test);
        say("classifier: epoch " + std::to_string((step + 1) / perEpoch) + "/" + std::to_string(epochs) +
            ", test accuracy " + std::to_string(100 * classifier.testAccuracy).substr(0, 5) + " %");
    }
    return classifier;
}

Result<void> saveClassifier(const std::string& path, const Classifier& classifier) {
    std::map<std::string, Array> arrays;
    for (const auto& [name, tensor] : classifier.weights) arrays[name] = toArray(tensor, DType::F32);
    return writeSafetensors(path, arrays,
                            {{"ropescope.classifier.test_accuracy", std::to_string(classifier.testAccuracy)},
                             {"ropescope.classifier.epochs", std::to_string(classifier.epochs)},
                             {"ropescope.classifier.seed", std::to_string(classifier.seed)}});
}

}  // namespace ropescope
