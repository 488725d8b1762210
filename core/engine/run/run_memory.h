// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/engine/run/run.h"

// The latents of the last run's first image, so that questions about one of its steps need no second run. Thread-safe.

namespace ropescope {

/// The same for runs whose first image is the same, of the same files.
[[nodiscard]] std::string runKey(GenerateRequest request);

/// A run begins; what was kept of the one before is dropped when its first step is done.
void beginRun(const GenerateRequest& request);
/// Latents [B,C,h,w] before the next step.
void keepStep(const at::Tensor& latents);
/// The clean estimate [B,C,h,w] of the step that keepStep() told last.
void keepClean(const at::Tensor& latents);
/// The next step of the run that beginRun() named, with both kept.
[[nodiscard]] Result<RunStep> stepKept(Run& run, const LayerFn& onLayer = {});
/// Latents [1,C,h,w] on the CPU before step `step` of such a run; undefined when they are not kept.
[[nodiscard]] at::Tensor keptStep(const GenerateRequest& request, int step);
/// The clean estimate likewise.
[[nodiscard]] at::Tensor keptClean(const GenerateRequest& request, int step);

}  // namespace ropescope
