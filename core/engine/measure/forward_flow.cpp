// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/forward_flow.h"

#include <ATen/ATen.h>

#include "core/data/usual_run.h"
#include "core/encoding/extrapolation.h"
#include "core/encoding/model_encoding.h"
#include "core/engine/machine/device.h"
#include "core/engine/machine/host_copy.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/variation.h"
#include "core/kernel/field.h"
#include "core/model/flux.h"
#include "core/model/mmdit.h"
#include "core/model/vae.h"

namespace ropescope {
namespace {

using Arrays = std::map<std::string, Array>;

/// Writes attention and, of the image tokens among themselves, fields.
JointTaps recorder(const ForwardCommand& command, Grid grid, const Stretch& stretch, Arrays& out) {
    JointTaps taps;
    taps.stretch = stretch;
    if (!command.attention && !command.field) return taps;
    taps.attention = [&command, grid, &out](int layer, const at::Tensor& attention, std::int64_t text) {
        const std::string name = std::to_string(layer);
        if (command.attention) out["attention." + name] = arrayOf(attention);
        if (!command.field || grid.tokens() == 0) return;
        const std::int64_t n = grid.tokens();
        const at::Tensor image = attention.narrow(2, text, n).narrow(3, text, n).to(at::kCPU, at::kFloat).contiguous();
        const at::Tensor sum = fieldOfAttention(image, grid).sum;
        out["field_sum." + name] = arrayOf(sum);
        out["field_mean." + name] = arrayOf(fieldMean(sum, grid));
        const at::Tensor words = attention.narrow(2, text, n).narrow(3, 0, text).sum(-1);
        out["text_share." + name] = arrayOf(words.mean(at::IntArrayRef{0, 2}));
    };
    return taps;
}

/// Frequencies for the input's grid; `time` [B] on the scale of 0 to 1000.
Result<Stretch> stretchFor(const ForwardCommand& command, const ModelCard& card, Grid grid, const NamedInputs& in,
                           const at::Tensor& time) {
    Extrapolate how = command.extrapolate;
    const auto spec = encodingOf(card);
    if (!spec) return failure(spec.error());
    if (auto possible = checkExtrapolation(*spec, how.method); !possible) return failure(possible.error());
    if (how.method == Extrapolation::TimeAware) {
        if (time.min().item<double>() != time.max().item<double>())
            return failure(in.error("timestep", "time-aware positions need one time for all images", "", ""));
        how.time = imageShare(time[0].item<double>());
    }
    return stretchOf(how, trainedGrid(card), grid, 2);
}

/// Rows and columns that the ids count row by row; 0x0 where they do not.
Grid gridOf(const at::Tensor& ids) {
    const Grid grid{static_cast<int>(ids.select(1, 1).max().item<double>()) + 1,
                    static_cast<int>(ids.select(1, 2).max().item<double>()) + 1};
    if (grid.tokens() != ids.size(0)) return {};
    for (std::int64_t n = 0; n < ids.size(0); ++n)
        if (ids[n][1].item<double>() != static_cast<double>(n / grid.cols) ||
            ids[n][2].item<double>() != static_cast<double>(n % grid.cols))
            return {};
    return grid;
}

Result<void> runFlux(const ForwardCommand& command, const TensorTable& table, const ModelCard& card, at::Device device,
                     Arrays& out) {
    auto shape = fluxShape(card);
    if (!shape) return failure(shape.error());
    const auto changes = headChanges(command.model, card);
    if (!changes) return failure(changes.error());
    shape->positions.changes = *changes;
    const auto in =
        NamedInputs::open(command.in,
                          "FLUX needs hidden_states [B,N,c], encoder_hidden_states [B,T,e], pooled_projections "
                          "[B,p], timestep [B], img_ids [N,3], txt_ids [T,3] and, as dev, guidance [B]");
    if (!in) return failure(in.error());
    const auto image = in->read("hidden_states", {-1, -1, card.inChannels});
    if (!image) return failure(image.error());
    const std::int64_t batch = image->size(0);
    const auto text = in->read("encoder_hidden_states", {batch, -1, inputsOf(table, "txt_in.weight")});
    if (!text) return failure(text.error());
    const bool guided = table.find("guidance_in.in_layer.weight") != nullptr;
    const auto pooled = in->read("pooled_projections", {batch, inputsOf(table, "vector_in.in_layer.weight")});
    const auto time = in->read("timestep", {batch});
    const auto guidance = guided ? in->read("guidance", {batch}) : Result<at::Tensor>(at::Tensor());
    const auto imageIds = in->read("img_ids", {image->size(1), 3}), textIds = in->read("txt_ids", {text->size(1), 3});
    for (const auto* input : {&pooled, &time, &guidance, &imageIds, &textIds})
        if (!*input) return failure(input->error());
    const Grid grid = gridOf(*imageIds);
    if (command.field && grid.tokens() == 0)
        return failure(in->error("img_ids", "fields need a full grid, row by row", "", "ids (0, row, column)"));
    if (command.extrapolate.method != Extrapolation::None && grid.tokens() == 0)
        return failure(
            in->error("img_ids", "an extrapolation needs a full grid, row by row", "", "ids (0, row, column)"));
    const auto stretch = stretchFor(command, card, grid, *in, *time * 1000);
    if (!stretch) return failure(stretch.error());
    auto weights = storeFor(table, command.model, command.compute, command.memory, device, command.note);
    if (!weights) return failure(weights.error());
    const FluxInput input{*image, *text, *pooled, *time, *guidance, *imageIds, *textIds};
    out["out"] = arrayOf(fluxForward(*weights, *shape, input, recorder(command, grid, *stretch, out)));
    return {};
}

Result<void> runMmdit(const ForwardCommand& command, const TensorTable& table, const ModelCard& card, at::Device device,
                      Arrays& out) {
    auto shape = mmditShape(card);
    if (!shape) return failure(shape.error());
    const auto changes = headChanges(command.model, card);
    if (!changes) return failure(changes.error());
    shape->positions.changes = *changes;
    const auto in =
        NamedInputs::open(command.in,
                          "SD3 needs hidden_states [B,c,h,w], encoder_hidden_states [B,T,e], pooled_projections "
                          "[B,p] and timestep [B]");
    if (!in) return failure(in.error());
    const auto latents = in->read("hidden_states", {-1, card.inChannels, -1, -1});
    if (!latents) return failure(latents.error());
    const std::int64_t batch = latents->size(0);
    const auto text = in->read("encoder_hidden_states", {batch, -1, inputsOf(table, "context_embedder.weight")});
    const auto pooled = in->read("pooled_projections", {batch, inputsOf(table, "y_embedder.mlp.0.weight")});
    const auto time = in->read("timestep", {batch});
    for (const auto* input : {&text, &pooled, &time})
        if (!*input) return failure(input->error());
    const Grid grid{static_cast<int>(latents->size(2)) / card.patch, static_cast<int>(latents->size(3)) / card.patch};
    const bool fits = latents->size(2) % card.patch == 0 && latents->size(3) % card.patch == 0;
    const auto stretch = stretchFor(command, card, grid, *in, *time);
    if (!stretch) return failure(stretch.error());
    const bool resized = command.extrapolate.method == Extrapolation::Interpolation && stretch->active();
    const Grid used = resized ? Grid{static_cast<int>(stretch->length[0]), static_cast<int>(stretch->length[1])} : grid;
    if (!fits || !shape->holds(used))
        return failure(in->error(
            "hidden_states", "does not fit the model",
            std::to_string(latents->size(2)) + "x" + std::to_string(latents->size(3)),
            "sides in steps of " + std::to_string(card.patch) +
                (shape->table.tokens() > 0
                     ? " up to " + std::to_string(shape->table.rows * card.patch) + ", or --extrapolation interpolation"
                     : std::string())));
    auto weights = storeFor(table, command.model, command.compute, command.memory, device, command.note);
    if (!weights) return failure(weights.error());
    out["out"] = arrayOf(
        mmditForward(*weights, *shape, {*latents, *text, *pooled, *time}, recorder(command, grid, *stretch, out)));
    return {};
}

Result<void> runVae(const ForwardCommand& command, const TensorTable& table, const ModelCard& card, at::Device device,
                    Arrays& out) {
    const auto in = NamedInputs::open(command.in, "A VAE needs latents [B,c,h,w] (raw) or image [B,3,h,w], or both");
    if (!in) return failure(in.error());
    if (!in->has("latents") && !in->has("image")) return failure(in->error("", "no input is there", "", ""));
    const auto vae = loadVae(table, card, device, scalarType(command.compute.precision));
    if (!vae) return failure(vae.error());
    if (in->has("latents")) {
        const auto latents = in->read("latents", {-1, vae->latentChannels, -1, -1});
        if (!latents) return failure(latents.error());
        out["out"] = arrayOf(decode(*vae, *latents));
    }
    if (!in->has("image")) return {};
    const auto image = in->read("image", {-1, vae->imageChannels, -1, -1});
    if (!image) return failure(image.error());
    if (!vae->encodes) return failure(in->error("image", "this VAE has a decoder only", "", "latents"));
    if (image->size(2) % vae->downsample != 0 || image->size(3) % vae->downsample != 0)
        return failure(in->error("image", "sides do not fit",
                                 std::to_string(image->size(2)) + "x" + std::to_string(image->size(3)),
                                 "multiples of " + std::to_string(vae->downsample)));
    const Encoded encoded = encode(*vae, *image);
    out["out_mean"] = arrayOf(encoded.mean), out["out_logvar"] = arrayOf(encoded.logVariance);
    return {};
}

}  // namespace

Result<void> forwardFlow(const ForwardCommand& command, const TensorTable& table, const ModelCard& card,
                         at::Device device, std::map<std::string, Array>& out) {
    if (command.extrapolate.method != Extrapolation::None && !card.takesText())
        return failure({ErrorKind::Usage, "bad-option", "--extrapolation", "not for this network", card.architecture,
                        "a DiT, ViT, FLUX or SD3", "Leave it out"});
    if (auto complete = checkComplete(table, card); !complete) return failure(complete.error());
    try {
        if (card.architecture == "flux") return runFlux(command, table, card, device, out);
        if (card.architecture == "mmdit") return runMmdit(command, table, card, device, out);
        return runVae(command, table, card, device, out);
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
}

}  // namespace ropescope
