// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/data/model.h"
#include "core/model/dit_inference.h"

namespace ropescope {

/// A model that is ready to sample.
struct LoadedModel {
    ModelCard card;
    std::unique_ptr<const DitInference> dit;
};

/// The model of `ref` on `device`. The last one is kept (one, because a model may fill the memory), as long as the
/// file, the options that read it, the device and the precision are the same. Thread-safe.
/// Errors: those of the readers; Refused TC-05 / TC-07 listing the tensors that are missing or have a wrong shape.
[[nodiscard]] Result<std::shared_ptr<const LoadedModel>> loadModel(const ModelRef& ref, at::Device device,
                                                                   Precision precision);

/// Drops the kept model, so that the next one is read anew (what bench times).
void forgetModel();

}  // namespace ropescope
