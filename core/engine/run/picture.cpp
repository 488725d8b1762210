// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/picture.h"

#include <ATen/ATen.h>

namespace ropescope {
namespace {

/// Colours (red, green, blue) of the four latent channels of Stable Diffusion 1, in [-1,1] for latents of unit size:
/// the least-squares fit published in the Hugging Face forum, thread 23204 ("decoding latents to RGB").
constexpr float kLatentColours[4][3] = {
    {0.298f, 0.207f, 0.208f}, {0.187f, 0.286f, 0.173f}, {-0.158f, 0.189f, 0.264f}, {-0.184f, -0.271f, -0.473f}};

/// The same for the sixteen channels of SD3's and FLUX's latents, with what is added to each colour: the linear fits
/// that ComfyUI's previews use (its latent formats SD3 and Flux).
constexpr float kSd3Colours[16][3] = {
    {-0.0922f, -0.0175f, 0.0749f}, {0.0311f, 0.0633f, 0.0954f},    {0.1994f, 0.0927f, 0.0458f},
    {0.0856f, 0.0339f, 0.0902f},   {0.0587f, 0.0272f, -0.0496f},   {-0.0006f, 0.1104f, 0.0309f},
    {0.0978f, 0.0306f, 0.0427f},   {-0.0042f, 0.1038f, 0.1358f},   {-0.0194f, 0.0020f, 0.0669f},
    {-0.0488f, 0.0130f, -0.0268f}, {0.0922f, 0.0988f, 0.0951f},    {-0.0278f, 0.0524f, -0.0542f},
    {0.0332f, 0.0456f, 0.0895f},   {-0.0069f, -0.0030f, -0.0810f}, {-0.0596f, -0.0465f, -0.0293f},
    {-0.1448f, -0.1463f, -0.1189f}};
constexpr float kSd3Offset[3] = {0.2394f, 0.2135f, 0.1925f};
constexpr float kFluxColours[16][3] = {
    {-0.0346f, 0.0244f, 0.0681f},  {0.0034f, 0.0210f, 0.0687f},    {0.0275f, -0.0668f, -0.0433f},
    {-0.0174f, 0.0160f, 0.0617f},  {0.0859f, 0.0721f, 0.0329f},    {0.0004f, 0.0383f, 0.0115f},
    {0.0405f, 0.0861f, 0.0915f},   {-0.0236f, -0.0185f, -0.0259f}, {-0.0245f, 0.0250f, 0.1180f},
    {0.1008f, 0.0755f, -0.0421f},  {-0.0515f, 0.0201f, 0.0011f},   {0.0428f, -0.0012f, -0.0036f},
    {0.0817f, 0.0765f, 0.0749f},   {-0.1264f, -0.0522f, -0.1103f}, {-0.0280f, -0.0881f, -0.0499f},
    {-0.1262f, -0.0982f, -0.0778f}};
constexpr float kFluxOffset[3] = {-0.0329f, -0.0718f, -0.0851f};

/// image [C,h,w] to [3,h,w]; `factors` [C,3].
at::Tensor linear(const at::Tensor& image, const float* factors, const float* offset) {
    const std::int64_t channels = image.size(0);
    const at::Tensor map = at::from_blob(const_cast<float*>(factors), {channels, 3}, at::kFloat);
    at::Tensor out = at::matmul(map.mT(), image.flatten(1)).view({3, image.size(1), image.size(2)});
    if (offset) out = out + at::from_blob(const_cast<float*>(offset), {3, 1, 1}, at::kFloat);
    return out;
}

at::Tensor colours(const at::Tensor& image, bool flux) {
    switch (image.size(0)) {
        case 1:
            return image.expand({3, -1, -1});
        case 3:
            return image;
        case 4:
            return linear(image, &kLatentColours[0][0], nullptr);
        case 16:
            return flux ? linear(image, &kFluxColours[0][0], kFluxOffset)
                        : linear(image, &kSd3Colours[0][0], kSd3Offset);
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
    return channels == 4 || channels == 16 ? "linear preview of the latents: no VAE"
                                           : "first latent channel: no decoder";
}

Array pictureOf(const at::Tensor& image, const std::string& architecture) {
    const at::Tensor wide = at::nan_to_num(image.to(at::kCPU, at::kFloat), -1, -1, -1);
    const at::Tensor bytes =
        (colours(wide, architecture == "flux") * 127.5 + 127.5).round().clamp(0, 255).to(at::kByte);
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

}  // namespace ropescope
