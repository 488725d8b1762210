// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "core/model/vae.h"

namespace ropescope {

/// What turns latents of one scale into pictures.
struct Decoder {
    Vae vae;
    std::string path;
    double scale = 1, shift = 0;  ///< latents are (raw - shift) * scale
};

/// The decoder in `file` (which may hold a whole pipeline), else in the "vae" folder of a diffusers folder `model`,
/// else inside the file `model`, else null. The last one is kept. Computed in float32. Errors: those of reading it;
/// Usage when its latents do not have `channels` or when it does not say their scale and `usual` (scale, shift) is
/// {0,0}.
[[nodiscard]] Result<std::shared_ptr<const Decoder>> decoderFor(const std::string& file, const std::string& model,
                                                                int channels, at::Device device,
                                                                std::pair<double, double> usual = {0, 0});

/// Pixels [3,h,w] in [-1,1] of one image's latents [C,h,w], in tiles; undefined when stopped.
[[nodiscard]] at::Tensor decoded(const Decoder& decoder, const at::Tensor& latents, const std::stop_token& stop);

}  // namespace ropescope
