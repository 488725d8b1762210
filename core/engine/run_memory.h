// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "core/data/generation.h"

// The latents of the last run, so that questions about one of its steps need no second run. Thread-safe.

namespace ropescope {

/// The same for runs whose first image is the same, of the same files.
[[nodiscard]] std::string runKey(GenerateRequest request);

/// A run of `model` begins; what was kept of the one before is dropped.
void beginRun(const GenerateRequest& request, const std::shared_ptr<const void>& model);
/// Latents [B,C,h,w] before the next step; the first image's are kept, on the CPU.
void keepStep(const at::Tensor& latents);
/// Latents [1,C,h,w] before step `step` of such a run of `model`; undefined when they are not kept.
[[nodiscard]] at::Tensor keptStep(const GenerateRequest& request, const void* model, int step);

}  // namespace ropescope
