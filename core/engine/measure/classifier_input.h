// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "core/data/array.h"
#include "core/data/generation.h"
#include "core/engine/network/loaded_model.h"

// A model that classifies, and a picture as its preprocessing gives it to the network: for the classes and for
// questions about the attention alike.

namespace ropescope {

/// A ViT on the device of the request.
struct OpenClassifier {
    std::shared_ptr<const LoadedModel> model;
    at::Device device;
    int threads;
};
/// Errors: the model's; Refused "not-a-classifier" for any other kind of network.
[[nodiscard]] Result<OpenClassifier> openClassifier(const ModelRef& ref, const Compute& compute);

struct ClassifierInput {
    Array pixels;       ///< U8 [h,w,C], resized and cut
    at::Tensor values;  ///< [1,C,h,w], normalised, in the type and on the device of the model
    Grid grid;
};
/// Of the file `image`, or of `pixels` U8 [h,w,3] where that is empty. Errors: the picture's.
[[nodiscard]] Result<ClassifierInput> readInput(const OpenClassifier& classifier, Precision precision,
                                                const std::string& image, const Array& pixels = {});

}  // namespace ropescope
