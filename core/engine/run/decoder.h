// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "core/data/model_card.h"
#include "core/data/saved_picture.h"
#include "core/model/vae.h"
#include "core/model/weight_store.h"

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

/// Scale and shift of a published model's latents, where their decoder does not say them; 0, 0: unknown.
[[nodiscard]] std::pair<double, double> usualLatents(const ModelCard& model, int channels);

/// A step of the last run through the decoder. Errors: those of decoderFor(); Refused when the run is not kept (any
/// more) or there is no decoder; Cancelled.
[[nodiscard]] Result<DecodedStep> decodeStep(const DecodeRequest& request, const std::stop_token& stop);

inline constexpr const char* kTiledNote = "decoded in tiles: too little memory for the whole picture at once";

/// Pixels [3,h,w] in [-1,1] of one image.
struct DecodedPicture {
    at::Tensor pixels;   ///< undefined when stopped
    bool tiled = false;  ///< in pieces, for lack of memory: not quite the picture that decoding as a whole gives
};
/// Of latents [C,h,w], as a whole where `memory` (bytes for this; 0: what is free) allows it.
[[nodiscard]] DecodedPicture decoded(const Decoder& decoder, const at::Tensor& latents, std::uint64_t memory,
                                     const std::stop_token& stop);
/// The same beside the weights of a network (may be null), which give way where memory is short. `memory`: the limit of
/// the whole process, 0: what is free.
[[nodiscard]] DecodedPicture decodedBeside(WeightStore* network, const Decoder& decoder, const at::Tensor& latents,
                                           std::uint64_t memory, const std::stop_token& stop);

}  // namespace ropescope
