// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/decoder.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <vector>

#include "core/engine/machine/device.h"
#include "core/engine/machine/kept.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/known_card.h"
#include "core/engine/network/painter.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/run_memory.h"

namespace ropescope {
namespace {

constexpr int kTile = 64;  ///< latents a side where memory is short: 512 pixels
constexpr int kLeastTile = 16;

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

struct KeptDecoder {
    std::mutex mutex;
    std::string path, device;
    std::vector<std::int64_t> stamp;
    std::shared_ptr<const Decoder> decoder;
};

KeptDecoder& kept() {
    static KeptDecoder one;
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
    KeptDecoder& last = kept();
    const std::lock_guard lock(last.mutex);
    const std::vector<std::int64_t> stamp = stampOf(path);
    const bool same = last.decoder && last.path == path && last.stamp == stamp && last.device == device.str() &&
                      last.decoder->scale == scale && last.decoder->shift == shift;
    if (same) return last.decoder;
    last.decoder = nullptr;
    auto vae = loadVae(table, *card, device, at::kFloat);
    if (!vae) return failure(vae.error());
    last.path = path, last.stamp = stamp, last.device = device.str();
    last.decoder = std::make_shared<const Decoder>(Decoder{std::move(*vae), path, scale, shift});
    return last.decoder;
}

std::pair<double, double> usualLatents(const ModelCard& model, int channels) {
    if (channels != 16 || !model.takesText()) return {0, 0};
    return model.architecture == "flux" ? std::pair(0.3611, 0.1159) : std::pair(1.5305, 0.0609);
}

Result<DecodedStep> decodeStep(const DecodeRequest& request, const std::stop_token& stop) {
    const c10::InferenceMode inference;
    const auto refused = [](const std::string& place, const std::string& reason, const std::string& advice) {
        return failure({ErrorKind::Refused, "not-decoded", place, reason, "", "", advice});
    };
    const at::Tensor latents = keptClean(request.run, request.step);
    if (!latents.defined())
        return refused("step " + std::to_string(request.step + 1), "the steps of this run are not kept any more",
                       "Make the picture again");
    const auto device = chooseDevice(request.run.compute.device);
    if (!device) return failure(device.error());
    const auto card = knownCard(request.run.model);
    if (!card) return failure(card.error());
    const int channels = static_cast<int>(latents.size(1));
    const auto decoder =
        decoderFor(request.vae, request.run.model.path, channels, *device, usualLatents(*card, channels));
    if (!decoder) return failure(decoder.error());
    if (!*decoder) return refused("--vae", "there is no autoencoder", "Choose the VAE of the model");
    const auto painter = lastPainter();
    const DecodedPicture picture = decodedBeside(painter ? &painter->weights() : nullptr, **decoder,
                                                 latents[0].to(*device), request.run.text.memory, stop);
    if (!picture.pixels.defined()) return failure(cancelled());
    return DecodedStep{pictureOf(picture.pixels, card->architecture), picture.tiled ? kTiledNote : ""};
}

DecodedPicture decodedBeside(WeightStore* network, const Decoder& decoder, const at::Tensor& latents,
                             std::uint64_t memory, const std::stop_token& stop) {
    if (!network) return decoded(decoder, latents, beside(memory), stop);
    std::uint64_t wanted = decodingBytes(decoder.vae, latents.size(-2) * latents.size(-1));
    for (const auto& [name, tensor] : decoder.vae.weights) wanted += tensor.nbytes();
    return decoded(decoder, latents, beside(makeRoom(*network, wanted, memory)), stop);
}

DecodedPicture decoded(const Decoder& decoder, const at::Tensor& latents, std::uint64_t memory,
                       const std::stop_token& stop) {
    const at::Tensor raw = latents.unsqueeze(0) / decoder.scale + decoder.shift;
    const int whole = static_cast<int>(std::max<std::int64_t>({kLeastTile, raw.size(2), raw.size(3)}));
    if (memory == 0) memory = freeBytes(raw.device());
    int tile = whole;
    if (memory > 0 && decodingBytes(decoder.vae, raw.size(2) * raw.size(3)) > memory)
        for (tile = kTile; tile > kLeastTile && decodingBytes(decoder.vae, std::int64_t{tile} * tile) > memory;)
            tile /= 2;
    for (;; tile = tile > kTile ? kTile : std::max(kLeastTile, tile / 2)) {
        try {
            const at::Tensor pixels = decodeTiled(decoder.vae, raw, tile, [&] { return stop.stop_requested(); });
            return {pixels.defined() ? pixels[0] : pixels, tile < whole};
        } catch (const std::exception& error) {
            if (tile == kLeastTile || !isMemoryError(error)) throw;
        }
    }
}

}  // namespace ropescope
