// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/engine/network/painter.h"

namespace ropescope {

/// Embeddings of a prompt and, for guidance against it, of a negative one.
struct Prompt {
    at::Tensor text, pooled;                  ///< [1,T,e], [1,p]
    at::Tensor negativeText, negativePooled;  ///< undefined without
    TokensReport tokens;                      ///< of the prompt; empty for embeddings of another program
};
/// From the embeddings' file or by the text encoders; `context` hears tokens and what is cut. Errors: those of
/// embedText() and of reading.
[[nodiscard]] Result<Prompt> readPrompt(const GenerateRequest& request, Painter& painter, const JobContext& context);

}  // namespace ropescope
