// SPDX-License-Identifier: Apache-2.0
// Networks whose headers are understood: what `info` says about them.
#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

int clamped(std::int64_t value) {
    return static_cast<int>(std::min<std::int64_t>(value, 1 << 20));
}

}  // namespace

Result<void> recogniseMmdit(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "mmdit";
    card.objective = "flow";
    const bool diffusers = r.table.find("transformer_blocks.0.attn.add_k_proj.weight") != nullptr;
    const auto layers = r.countLayers(diffusers ? "transformer_blocks." : "joint_blocks.");
    if (!layers) return failure(layers.error());
    card.layers = *layers;
    const std::string patches = diffusers ? "pos_embed.proj.weight" : "x_embedder.proj.weight";
    const std::string norm =
        diffusers ? "transformer_blocks.0.attn.norm_q.weight" : "joint_blocks.0.x_block.attn.ln_q.weight";
    card.width = clamped(r.size(patches, 0));
    card.inChannels = clamped(r.size(patches, 1));
    card.patch = clamped(r.size(patches, 2));
    const std::int64_t rows = r.size(diffusers ? "proj_out.weight" : "final_layer.linear.weight", 0);
    if (card.patch > 0) card.outChannels = clamped(rows / card.patch / card.patch);
    const bool maps = !r.firstMap().name.empty();
    card.encoding = maps ? "harope" : "absolute";
    card.axes = maps ? 2 : 0;
    if (auto done = r.findHeads(r.size(norm, 0)); !done) return done;
    r.findConvention();
    if (maps) r.findTheta(10000);
    r.note("pos_embed is a table from which the middle is cut for each size");
    return r.findGrid(0);
}

Result<void> recogniseFlux(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "flux";
    card.objective = "flow";
    const bool diffusers = r.table.find("x_embedder.weight") != nullptr;
    const auto joint = r.countLayers(diffusers ? "transformer_blocks." : "double_blocks.");
    const auto single = r.countLayers(diffusers ? "single_transformer_blocks." : "single_blocks.");
    if (!joint) return failure(joint.error());
    if (!single) return failure(single.error());
    card.layers = *joint + *single;
    r.note("layers: " + std::to_string(*joint) + " joint, then " + std::to_string(*single) + " single");
    const std::string patches = diffusers ? "x_embedder.weight" : "img_in.weight";
    card.width = clamped(r.size(patches, 0));
    card.inChannels = clamped(r.size(patches, 1));
    card.outChannels = clamped(r.size(diffusers ? "proj_out.weight" : "final_layer.linear.weight", 0));
    card.patch = r.config.patch.value_or(1);
    const bool maps = !r.firstMap().name.empty();
    card.encoding = maps ? "harope" : "axial";
    card.axes = 3;
    const std::string norm =
        diffusers ? "transformer_blocks.0.attn.norm_q.weight" : "double_blocks.0.img_attn.norm.query_norm.scale";
    if (auto done = r.findHeads(r.size(norm, 0)); !done) return done;
    r.findConvention();
    r.findTheta(10000);
    return r.findGrid(0);
}

Result<void> recogniseVae(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "vae";
    card.encoding = "none";
    card.axes = 0;
    card.heads = 1;
    card.layers = 0;
    card.headDim = card.width = clamped(r.size("decoder.conv_in.weight", 0));
    card.inChannels = clamped(r.size("encoder.conv_in.weight", 1));
    card.outChannels = clamped(r.size("decoder.conv_in.weight", 1));
    r.note("an image autoencoder: its only attention is over all pixels, without positions");
    return {};
}

}  // namespace ropescope
