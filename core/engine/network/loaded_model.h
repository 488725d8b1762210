// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/data/model.h"
#include "core/model/dit_inference.h"
#include "core/model/vit_inference.h"

namespace ropescope {

/// A model that is ready to sample (DiT) or to classify (ViT).
struct LoadedModel {
    ModelCard card;
    std::unique_ptr<const DitInference> dit;  ///< null for a ViT
    std::unique_ptr<const ViTInference> vit;  ///< null for a DiT
    ViTShape vitShape;                        ///< for passes whose attention is recorded
    WeightTable vitWeights;                   ///< in the type and on the device of the run, parameters of maps float32
};

/// The model of `ref` on `device`. The last one is kept (one, because a model may fill the memory), as long as the
/// file, the options that read it, the device and the precision are the same. Thread-safe.
/// Errors: those of the readers; Refused TC-05 / TC-07 listing the tensors that are missing or have a wrong shape.
[[nodiscard]] Result<std::shared_ptr<const LoadedModel>> loadModel(const ModelRef& ref, at::Device device,
                                                                   Precision precision);

/// Drops the kept model, so that the next one is read anew (what bench times).
void forgetModel();

}  // namespace ropescope
