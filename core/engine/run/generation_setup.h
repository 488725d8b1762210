// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/data/generation.h"
#include "core/engine/network/loaded_model.h"
#include "core/sampling/schedule.h"

namespace ropescope {

/// A request checked against its model: all that the sampling loop needs.
struct GenerationSetup {
    std::shared_ptr<const LoadedModel> model;
    SamplingPlan plan;
    Grid size;                  ///< height x width of the latents
    Grid grid;                  ///< tokens
    std::vector<int> labels;    ///< one per image
    std::int64_t channels = 1;  ///< of the latents
    std::int64_t guided = 0;    ///< guided channels; 0: no guidance
    std::vector<bool> layers;   ///< recorded layers; empty: none
    std::vector<HeadId> heads;  ///< recorded heads, sorted
    at::Tensor noise;           ///< [B,C,h,w] float32; undefined: from the seed
    at::Tensor stepNoise;       ///< [steps,C,h,w] float32; undefined: from the seed
    int threads = 1;
    [[nodiscard]] int batch() const { return static_cast<int>(labels.size()); }
};

/// Errors: Usage naming the option that does not fit; those of reading the noise files.
[[nodiscard]] Result<GenerationSetup> setUpGeneration(const GenerateRequest& request,
                                                      std::shared_ptr<const LoadedModel> model);

/// Noise of a file: the tensor of one of these names, or the only one; float32 [n,channels,h,w]. Errors: those of
/// reading; Usage naming `option` when there is none of that form.
[[nodiscard]] Result<at::Tensor> readNoise(const std::string& option, const std::string& path,
                                           std::initializer_list<std::string_view> names, std::int64_t channels);

/// The same with the model of the request loaded on its device. Errors: those, and of loading; Refused when the model
/// draws nothing.
[[nodiscard]] Result<GenerationSetup> openGeneration(const GenerateRequest& request);

}  // namespace ropescope
