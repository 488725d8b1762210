// SPDX-License-Identifier: Apache-2.0
#include "core/engine/decoder.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <mutex>
#include <optional>

namespace ropescope {
namespace {

constexpr int kTile = 64;  ///< latents a side: 512 pixels, about 2 GB of activations for the published networks

/// Where the decoder is; nothing where there is none.
Result<std::optional<TensorTable>> tableOf(const std::string& file, const std::string& model) {
    const std::filesystem::path beside = std::filesystem::path(model) / "vae";
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(beside, ignored);
    const std::string path = !file.empty() ? file : folder ? beside.string() : model;
    if (path.ends_with(".safetensors")) {  // no other files with whole pipelines are known
        auto inside = TensorTable::openPart(path, {"first_stage_model.", "vae."});
        if (inside) return std::optional(std::move(*inside));
        if (inside.error().code != "TC-05") return failure(inside.error());
    }
    if (file.empty() && !folder) return std::optional<TensorTable>();
    auto table = TensorTable::open(path);
    if (!table) return failure(table.error());
    return std::optional(std::move(*table));
}

struct Kept {
    std::mutex mutex;
    std::string path, hash, device;
    std::shared_ptr<const Decoder> decoder;
};

Kept& kept() {
    static Kept one;
    return one;
}

}  // namespace

Result<std::shared_ptr<const Decoder>> decoderFor(const std::string& file, const std::string& model, int channels,
                                                  at::Device device, std::pair<double, double> usual) {
    const auto found = tableOf(file, model);
    if (!found) return failure(found.error());
    if (!*found) return std::shared_ptr<const Decoder>();
    const TensorTable& table = **found;
    const std::string& path = table.path();
    const auto refused = [&](const std::string& reason, const std::string& found, const std::string& expected,
                             const std::string& advice) {
        return failure(Error{ErrorKind::Usage, "bad-option", place({"--vae", path}), reason, found, expected, advice});
    };
    ModelRef ref;
    ref.path = path;
    const auto card = recognise(table, ref);
    if (!card) return failure(card.error());
    if (card->architecture != "vae")
        return refused("this is no image autoencoder", card->architecture, "vae", "Choose the VAE of the model");
    if (card->outChannels != channels)
        return refused("its latents do not fit the model", std::to_string(card->outChannels) + " channels",
                       std::to_string(channels), "Choose the VAE that the model was trained with");
    const auto [scale, shift] = card->latentScale > 0 ? std::pair(card->latentScale, card->latentShift) : usual;
    if (scale <= 0)
        return refused("it does not say the scale of its latents", "", "scaling_factor in its configuration",
                       "Put its config.json beside it");
    Kept& last = kept();
    const std::lock_guard lock(last.mutex);
    const bool same = last.decoder && last.path == path && last.hash == card->fileSha256 &&
                      last.device == device.str() && last.decoder->scale == scale && last.decoder->shift == shift;
    if (same) return last.decoder;
    last.decoder = nullptr;
    auto vae = loadVae(table, *card, device, at::kFloat);
    if (!vae) return failure(vae.error());
    last.path = path, last.hash = card->fileSha256, last.device = device.str();
    last.decoder = std::make_shared<const Decoder>(Decoder{std::move(*vae), path, scale, shift});
    return last.decoder;
}

at::Tensor decoded(const Decoder& decoder, const at::Tensor& latents, const std::stop_token& stop) {
    const at::Tensor raw = latents.unsqueeze(0) / decoder.scale + decoder.shift;
    const at::Tensor pixels = decodeTiled(decoder.vae, raw, kTile, [&] { return stop.stop_requested(); });
    return pixels.defined() ? pixels[0] : pixels;
}

}  // namespace ropescope
