// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "core/data/error.h"
#include "core/encoding/encoding.h"
#include "core/training/dataset.h"

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

/// Trains on `train` (AdamW, cosine, moving average; a function of seed and epochs alone), measures on `test`.
/// `say` gets one line per epoch.
[[nodiscard]] Classifier trainClassifier(const Dataset& train, const Dataset& test, int epochs, std::uint64_t seed,
                                         const std::function<void(const std::string&)>& say);

/// One safetensors file with accuracy, epochs and seed in the metadata. Errors: those of the codec; Refused for a file
/// that holds no such classifier.
[[nodiscard]] Result<void> saveClassifier(const std::string& path, const Classifier& classifier);
[[nodiscard]] Result<Classifier> loadClassifier(const std::string& path);

}  // namespace ropescope
