// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"

namespace ropescope {

/// Where one head looks in one step of a run of a DiT, FLUX or SD3, or in a picture that a ViT is given. The step's
/// latents are those kept of the last run (core/engine/run/run_memory.h), else the steps before are sampled anew; the
/// network is evaluated up to that layer only, and queries and keys of the layer are kept for the next question. A
/// ViT's class token, distillation token and registers take the place of the text. Errors: those of generate() and of
/// classify(); Usage when there is no such head, step or token, a ViT gets no picture or another model gets one.
/// Checked by tests/core/engine/attention_test.cpp against the attention of the networks' own taps.
[[nodiscard]] Result<AttentionReport> attentionOf(const AttentionRequest& request, const JobContext& context);

}  // namespace ropescope
