// SPDX-License-Identifier: Apache-2.0
#include "core/engine/picture.h"

#include <ATen/ATen.h>

namespace ropescope {
namespace {

/// Colours (red, green, blue) of the four latent channels of Stable Diffusion 1, in [-1,1] for latents of unit size:
/// the least-squares fit published in the Hugging Face forum, thread 23204 ("decoding latents to RGB").
constexpr float kLatentColours[4][3] = {
    {0.298f, 0.207f, 0.208f}, {0.187f, 0.286f, 0.173f}, {-0.158f, 0.189f, 0.264f}, {-0.184f, -0.271f, -0.473f}};

at::Tensor colours(const at::Tensor& image) {
    switch (image.size(0)) {
        case 1:
            return image.expand({3, -1, -1});
        case 3:
            return image;
        case 4: {
            const at::Tensor map = at::from_blob(const_cast<float*>(&kLatentColours[0][0]), {4, 3}, at::kFloat);
            return at::matmul(map.mT(), image.flatten(1)).view({3, image.size(1), image.size(2)});
        }
        default: {
            const at::Tensor first = image.narrow(0, 0, 1);
            const at::Tensor low = first.min(), high = first.max();
            return ((first - low) / (high - low).clamp_min(1e-12) * 2 - 1).expand({3, -1, -1});
        }
    }
}

}  // namespace

std::string pictureNote(std::int64_t channels) {
    if (channels == 1 || channels == 3) return {};
    return channels == 4 ? "linear preview of the latents: no VAE" : "first latent channel: no decoder";
}

Array pictureOf(const at::Tensor& image) {
    const at::Tensor wide = at::nan_to_num(image.to(at::kCPU, at::kFloat), -1, -1, -1);
    const at::Tensor bytes = (colours(wide) * 127.5 + 127.5).round().clamp(0, 255).to(at::kByte);
    const at::Tensor dense = bytes.permute({1, 2, 0}).contiguous();
    return makeArray(std::span<const std::uint8_t>(dense.const_data_ptr<std::uint8_t>(), dense.numel()),
                     dense.sizes().vec());
}

at::Tensor normalisedInput(const Array& input, const Preprocessing& preprocessing) {
    const std::int64_t channels = input.shape[2];
    const at::Tensor pixels =
        at::from_blob(const_cast<std::byte*>(input.bytes.data()), input.shape, at::kByte).permute({2, 0, 1});
    const auto side = [&](const std::vector<double>& v) { return at::tensor(v).to(at::kFloat).view({channels, 1, 1}); };
    return ((pixels.to(at::kFloat) / 255 - side(preprocessing.mean)) / side(preprocessing.std)).unsqueeze(0);
}

Array arrayOf(const at::Tensor& tensor) {
    const at::Tensor dense = tensor.to(at::kCPU, at::kFloat).contiguous();
    return makeArray(std::span<const float>(dense.const_data_ptr<float>(), dense.numel()), dense.sizes().vec());
}

}  // namespace ropescope
