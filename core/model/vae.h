// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "core/checkpoint/tensor_table.h"
#include "core/data/model.h"
#include "core/encoding/matrix.h"

// The image autoencoder of Stable Diffusion 1, SD3 and FLUX (AutoencoderKL, arXiv 2112.10752) under the names of its
// first release. Equal to diffusers' recorded outputs (tests/core/model/flow_test.cpp).

namespace ropescope {

struct Vae {
    WeightTable weights;
    int latentChannels = 0, imageChannels = 3;
    int downsample = 8;  ///< pixels of a latent's side
    int groups = 32;     ///< of its norms
    bool quantConvs = false;
    bool encodes = false;  ///< the file has an encoder
};

/// Errors: Refused when the card is no VAE or a tensor is missing (place names it); those of the reader.
[[nodiscard]] Result<Vae> loadVae(const TensorTable& table, const ModelCard& card, at::Device device,
                                  at::ScalarType type);

/// Image [B,3,h*f,w*f] around [-1,1] for raw latents [B,channels,h,w] (scale and shift taken off). `between` is called
/// between parts of the network and may throw.
[[nodiscard]] at::Tensor decode(const Vae& vae, const at::Tensor& latents, const std::function<void()>& between = {});

/// About what decode() takes in bytes beside the weights, for one image of so many latents.
[[nodiscard]] std::uint64_t decodingBytes(const Vae& vae, std::int64_t latents);

/// The same in tiles of `tile` latents a side that overlap by a quarter and are blended linearly, so that memory does
/// not grow with the image. `stop` is asked between tiles and inside them; true ends with an undefined tensor. Equal to
/// decode() when one tile holds everything.
[[nodiscard]] at::Tensor decodeTiled(const Vae& vae, const at::Tensor& latents, int tile,
                                     const std::function<bool()>& stop = {});

/// Mean and log variance [B,channels,h/f,w/f] of raw latents for images in [-1,1]; the log variance is held in
/// [-30,20].
struct Encoded {
    at::Tensor mean, logVariance;
};
[[nodiscard]] Encoded encode(const Vae& vae, const at::Tensor& image);

}  // namespace ropescope
