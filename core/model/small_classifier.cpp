// SPDX-License-Identifier: Apache-2.0
#include "core/model/small_classifier.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

constexpr const char* kAccuracy = "ropescope.classifier.test_accuracy";

Error notClassifier(const std::string& path, std::string reason) {
    return {ErrorKind::Refused,
            "classifier",
            place({path}),
            std::move(reason),
            "",
            "",
            "Delete the file: it is trained again when it is missing"};
}

}  // namespace

at::Tensor classifierFeatures(const WeightTable& w, const at::Tensor& images) {
    const auto layer = [&](const at::Tensor& x, const std::string& name) {
        return at::max_pool2d(at::relu(at::conv2d(x, w.at(name + ".weight"), w.at(name + ".bias"), 1, 1)), 2);
    };
    const at::Tensor flat = layer(layer(images, "conv1"), "conv2").flatten(1);
    return at::relu(at::linear(flat, w.at("hidden.weight"), w.at("hidden.bias")));
}

at::Tensor classifierScores(const WeightTable& w, const at::Tensor& features) {
    return at::linear(features, w.at("classes.weight"), w.at("classes.bias"));
}

Judgement judge(const Classifier& classifier, const at::Tensor& images) {
    const at::NoGradGuard noGrad;
    std::vector<at::Tensor> features, classes;
    for (const at::Tensor& part : images.split(500)) {
        features.push_back(classifierFeatures(classifier.weights, part));
        classes.push_back(classifierScores(classifier.weights, features.back()).argmax(1));
    }
    return {at::cat(features), at::cat(classes)};
}

std::int64_t channelsOf(const Classifier& classifier) {
    return classifier.weights.at("conv1.weight").size(1);
}

bool takesSize(const Classifier& classifier, std::int64_t rows, std::int64_t cols) {
    const std::int64_t pooled = classifier.weights.at("conv2.weight").size(0) * (rows / 4) * (cols / 4);
    return pooled == classifier.weights.at("hidden.weight").size(1);
}

bool isClassifierFile(const std::string& path) {
    const auto table = TensorTable::openPlain(path);
    return table && table->metadata().contains(kAccuracy);
}

Result<Classifier> loadClassifier(const std::string& path) {
    const Result<SafetensorsContent> content = readSafetensorsFile(path);
    if (!content) return failure(content.error());
    const auto& meta = content->metadata;
    if (!meta.contains(kAccuracy)) return failure(notClassifier(path, "not a classifier"));
    Classifier classifier{{},
                          std::stod(meta.at(kAccuracy)),
                          std::stoi(meta.at("ropescope.classifier.epochs")),
                          std::stoull(meta.at("ropescope.classifier.seed"))};
    for (const char* name : {"conv1", "conv2", "hidden", "classes"})
        for (const char* part : {".weight", ".bias"}) {
            const auto array = content->arrays.find(name + std::string(part));
            if (array == content->arrays.end() || array->second.dtype != DType::F32)
                return failure(notClassifier(path, "a tensor is missing"));
            auto* values = const_cast<std::byte*>(array->second.bytes.data());
            classifier.weights[array->first] = at::from_blob(values, array->second.shape, at::kFloat).clone();
        }
    return classifier;
}

}  // namespace ropescope
