// SPDX-License-Identifier: Apache-2.0
#include "core/model/vae.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/model/weight_store.h"

namespace ropescope {
namespace {

constexpr double kNormEps = 1e-6;

struct Network {
    const Vae& vae;
    std::function<void()> between = {};

    [[nodiscard]] bool has(const std::string& name) const { return vae.weights.contains(name + ".weight"); }
    [[nodiscard]] at::Tensor conv(const std::string& name, const at::Tensor& x, int stride = 1, int padding = 1) const {
        return at::conv2d(x, vae.weights.at(name + ".weight"), vae.weights.at(name + ".bias"), stride, padding);
    }
    [[nodiscard]] at::Tensor norm(const std::string& name, const at::Tensor& x) const {
        return at::group_norm(x, vae.groups, vae.weights.at(name + ".weight"), vae.weights.at(name + ".bias"),
                              kNormEps);
    }
    [[nodiscard]] at::Tensor residual(const std::string& name, const at::Tensor& x) const {
        if (between) between();
        const at::Tensor h = conv(name + ".conv1", at::silu(norm(name + ".norm1", x)));
        const at::Tensor out = conv(name + ".conv2", at::silu(norm(name + ".norm2", h)));
        return (has(name + ".nin_shortcut") ? conv(name + ".nin_shortcut", x, 1, 0) : x) + out;
    }
    /// 1x1 convolutions in the first release, linear layers in diffusers.
    [[nodiscard]] at::Tensor project(const std::string& name, const at::Tensor& x) const {
        return at::linear(x, vae.weights.at(name + ".weight").flatten(1), vae.weights.at(name + ".bias"));
    }
    /// One head over all pixels.
    [[nodiscard]] at::Tensor attention(const std::string& name, const at::Tensor& x) const {
        const at::Tensor flat = norm(name + ".norm", x).flatten(2).transpose(1, 2);
        const auto head = [&](const char* which) { return project(name + which, flat).unsqueeze(1); };
        const at::Tensor mixed = at::scaled_dot_product_attention(head(".q"), head(".k"), head(".v")).squeeze(1);
        return x + project(name + ".proj_out", mixed).transpose(1, 2).view_as(x);
    }
    [[nodiscard]] at::Tensor middle(const std::string& side, at::Tensor x) const {
        x = residual(side + "mid.block_1", x);
        if (has(side + "mid.attn_1.q")) x = attention(side + "mid.attn_1", x);
        return residual(side + "mid.block_2", x);
    }
    /// Residual blocks "NAME.block.0", "NAME.block.1", ... as many as there are.
    [[nodiscard]] at::Tensor blocks(const std::string& name, at::Tensor x) const {
        for (int i = 0; has(name + ".block." + std::to_string(i) + ".conv1"); ++i)
            x = residual(name + ".block." + std::to_string(i), x);
        return x;
    }
    [[nodiscard]] int levels(const std::string& side) const {
        int n = 0;
        while (has(side + std::to_string(n) + ".block.0.conv1")) ++n;
        return n;
    }
};

/// 0 .. 1 over the first `ramp` places where a tile has a neighbour before it, and back where it has one behind.
at::Tensor window(std::int64_t size, std::int64_t ramp, bool before, bool behind) {
    at::Tensor w = at::ones({size});
    const at::Tensor rise = (at::arange(ramp, at::kFloat) + 0.5) / static_cast<double>(ramp);
    if (before) w.narrow(0, 0, ramp).copy_(rise);
    if (behind) w.narrow(0, size - ramp, ramp).mul_(rise.flip(0));
    return w;
}

}  // namespace

Result<Vae> loadVae(const TensorTable& table, const ModelCard& card, at::Device device, at::ScalarType type) {
    const auto refused = [&](const std::string& tensor, const std::string& reason, const std::string& found) {
        return failure({ErrorKind::Refused, "vae", place({card.path, tensor}), reason, found, "an image autoencoder",
                        "Choose the VAE of a diffusion model"});
    };
    if (card.architecture != "vae") return refused("", "not a VAE", card.architecture);
    Vae vae;
    try {
        vae.weights = WeightStore(table, type, device, ~std::uint64_t{0}).block("");
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
    for (const char* name : {"decoder.conv_in.weight", "decoder.mid.block_1.conv1.weight",
                             "decoder.up.0.block.0.conv1.weight", "decoder.norm_out.weight", "decoder.conv_out.weight"})
        if (!vae.weights.contains(name)) return refused(name, "a tensor of the decoder is missing", "");
    const Network network{vae};
    vae.latentChannels = card.outChannels;
    vae.imageChannels = static_cast<int>(vae.weights.at("decoder.conv_out.weight").size(0));
    vae.downsample = 1 << (network.levels("decoder.up.") - 1);
    vae.groups = card.normGroups > 0 ? card.normGroups : 32;
    vae.quantConvs = network.has("post_quant_conv");
    vae.encodes = network.has("encoder.conv_in");
    if (vae.weights.at("decoder.norm_out.weight").size(0) % vae.groups != 0)
        return refused("decoder.norm_out.weight", "the channels do not fill the groups of the norms",
                       std::to_string(vae.groups) + " groups");
    return vae;
}

at::Tensor decode(const Vae& vae, const at::Tensor& latents, const std::function<void()>& between) {
    const Network net{vae, between};
    at::Tensor x = latents.to(vae.weights.at("decoder.conv_in.weight").options());
    if (vae.quantConvs) x = net.conv("post_quant_conv", x, 1, 0);
    x = net.middle("decoder.", net.conv("decoder.conv_in", x));
    for (int level = net.levels("decoder.up."); level-- > 0;) {
        const std::string name = "decoder.up." + std::to_string(level);
        x = net.blocks(name, x);
        if (net.has(name + ".upsample.conv"))
            x = net.conv(name + ".upsample.conv", at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
    }
    return net.conv("decoder.conv_out", at::silu(net.norm("decoder.norm_out", x)));
}

std::uint64_t decodingBytes(const Vae& vae, std::int64_t latents) {
    // At full size a residual block holds about nine arrays of its channels (measured: 64x64 latents of a published
    // network, float32, 1.1 GB).
    constexpr std::uint64_t kArrays = 9;
    const at::Tensor& last = vae.weights.at("decoder.norm_out.weight");
    return static_cast<std::uint64_t>(latents) * vae.downsample * vae.downsample *
           static_cast<std::uint64_t>(last.size(0)) * last.element_size() * kArrays;
}

at::Tensor decodeTiled(const Vae& vae, const at::Tensor& latents, int tile, const std::function<bool()>& stop) {
    if (tile < 4) throw std::invalid_argument("tiles of at least four latents");
    const std::int64_t h = latents.size(2), w = latents.size(3), f = vae.downsample;
    const std::int64_t overlap = tile / 4, stride = tile - overlap;
    struct Ended {};
    const auto ask = [&] {
        if (stop && stop()) throw Ended{};
    };
    at::Tensor sum, weight;
    const auto begins = [&](std::int64_t side) {
        std::vector<std::int64_t> all = {0};
        while (all.back() + tile < side) all.push_back(std::min(all.back() + stride, side - tile));
        return all;
    };
    const auto rows = begins(h), cols = begins(w);
    for (const std::int64_t r : rows)
        for (const std::int64_t c : cols) {
            if (stop && stop()) return {};
            const std::int64_t th = std::min<std::int64_t>(tile, h), tw = std::min<std::int64_t>(tile, w);
            at::Tensor part;
            try {
                part = decode(vae, latents.narrow(2, r, th).narrow(3, c, tw), ask).to(at::kFloat);
            } catch (const Ended&) {
                return {};
            }
            if (!sum.defined()) {
                sum = at::zeros({part.size(0), part.size(1), h * f, w * f}, part.options());
                weight = at::zeros({h * f, w * f}, part.options());
            }
            const at::Tensor own = at::outer(window(th * f, overlap * f, r > 0, r + th < h),
                                             window(tw * f, overlap * f, c > 0, c + tw < w))
                                       .to(part.device());
            sum.narrow(2, r * f, th * f).narrow(3, c * f, tw * f).add_(part * own);
            weight.narrow(0, r * f, th * f).narrow(1, c * f, tw * f).add_(own);
        }
    return sum / weight;
}

Encoded encode(const Vae& vae, const at::Tensor& image) {
    if (!vae.encodes) throw std::invalid_argument("the file has no encoder");
    const Network net{vae};
    at::Tensor x = net.conv("encoder.conv_in", image.to(vae.weights.at("encoder.conv_in.weight").options()));
    for (int level = 0; level < net.levels("encoder.down."); ++level) {
        const std::string name = "encoder.down." + std::to_string(level);
        x = net.blocks(name, x);
        // One more row and column at the end, none at the beginning.
        if (net.has(name + ".downsample.conv"))
            x = net.conv(name + ".downsample.conv", at::constant_pad_nd(x, {0, 1, 0, 1}), 2, 0);
    }
    x = net.conv("encoder.conv_out", at::silu(net.norm("encoder.norm_out", net.middle("encoder.", x))));
    if (net.has("quant_conv")) x = net.conv("quant_conv", x, 1, 0);
    const std::vector<at::Tensor> halves = x.chunk(2, 1);
    return {halves[0], halves[1].clamp(-30, 20)};
}

}  // namespace ropescope
