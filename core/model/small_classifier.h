// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/data/error.h"
#include "core/encoding/encoding.h"

namespace ropescope {

/// The small convolutional classifier that judges generated pictures: two 3x3 convolutions with pooling, one hidden
/// layer whose 128 activations are the features of the quality measures.
struct Classifier {
    WeightTable weights;
    double testAccuracy = 0;  ///< share of the test set, in [0, 1]
    int epochs = 0;
    std::uint64_t seed = 0;
};

struct Judgement {
    at::Tensor features;  ///< [n, 128] float32
    at::Tensor classes;   ///< [n] int64, most probable class
};

/// Both for images [n, c, h, w] in [-1, 1], in batches.
[[nodiscard]] Judgement judge(const Classifier& classifier, const at::Tensor& images);

// Its two parts, differentiable: features of images, logits [n, classes] of features.
[[nodiscard]] at::Tensor classifierFeatures(const WeightTable& weights, const at::Tensor& images);
[[nodiscard]] at::Tensor classifierScores(const WeightTable& weights, const at::Tensor& features);

/// Channels of its pictures; whether it takes pictures of that size.
[[nodiscard]] std::int64_t channelsOf(const Classifier& classifier);
[[nodiscard]] bool takesSize(const Classifier& classifier, std::int64_t rows, std::int64_t cols);

/// Does the file say that it is one? Reads its header.
[[nodiscard]] bool isClassifierFile(const std::string& path);

/// From one safetensors file with accuracy, epochs and seed in the metadata. Errors: those of the codec; Refused for a
/// file that holds no such classifier.
[[nodiscard]] Result<Classifier> loadClassifier(const std::string& path);

}  // namespace ropescope
