// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/data/error.h"
#include "core/model/small_classifier.h"
#include "core/training/dataset.h"

namespace ropescope {

/// Trains on `train` (AdamW, cosine, moving average; a function of seed and epochs alone), measures on `test`.
/// `say` gets one line per epoch.
[[nodiscard]] Classifier trainClassifier(const Dataset& train, const Dataset& test, int epochs, std::uint64_t seed,
                                         const std::function<void(const std::string&)>& say);

/// One safetensors file with accuracy, epochs and seed in the metadata, as loadClassifier() reads it. Errors: those of
/// writing.
[[nodiscard]] Result<void> saveClassifier(const std::string& path, const Classifier& classifier);

}  // namespace ropescope
