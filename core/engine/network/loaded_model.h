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
    HeadChangesPtr changes;                   ///< in all of these; null: as stored
    std::shared_ptr<const LoadedModel> stored;  ///< the unchanged model, where there are changes
};

/// The model of `ref` on `device`, with the changes of its variation: made from the kept weights, without reading. The
/// last few are kept (core/engine/machine/models_kept.h), each as long as its file, the options that read it, the
/// device and the precision are the same; the painter goes. Thread-safe. Errors: those of the readers and of
/// headChanges(); Refused TC-05 / TC-07 listing the tensors that are missing or have a wrong shape.
[[nodiscard]] Result<std::shared_ptr<const LoadedModel>> loadModel(const ModelRef& ref, at::Device device,
                                                                   Precision precision);

/// Drops the kept models, so that the next one is read anew (what bench times).
void forgetModel();

}  // namespace ropescope
