// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <map>

#include "core/checkpoint/tensor_table.h"
#include "core/data/job.h"

namespace ropescope {

/// `forward` of FLUX and MMDiT (arguments under diffusers' names; field and attention of the joint attention, text
/// first) and of autoencoders (`latents` gives `out`, `image` gives `out_mean` and `out_logvar`). Adds what is asked
/// for to `out`. Weights are streamed from the file where command.memory does not hold them. Errors: Refused for inputs
/// that do not fit and for weights that are incomplete, Device where the memory does not hold two blocks.
[[nodiscard]] Result<void> forwardFlow(const ForwardCommand& command, const TensorTable& table, const ModelCard& card,
                                       at::Device device, std::map<std::string, Array>& out);

}  // namespace ropescope
