// SPDX-License-Identifier: Apache-2.0
// Networks whose headers are understood: what `info` says about them.
#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

int clamped(std::int64_t value) {
    return static_cast<int>(std::min<std::int64_t>(value, 1 << 20));
}

}  // namespace

Result<void> recogniseViT(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "vit";
    card.objective = "classify";
    const auto layers = r.countLayers("blocks.");
    if (!layers) return failure(layers.error());
    card.layers = *layers;
    card.width = clamped(r.size("patch_embed.proj.weight", 0));
    card.inChannels = clamped(r.size("patch_embed.proj.weight", 1));
    card.patch = clamped(r.size("patch_embed.proj.weight", 2));
    card.classes = card.outChannels = clamped(r.size("head.weight", 0));
    const bool maps = !r.firstMap().name.empty();
    const bool mixed = r.table.find("rope.freqs") || r.table.find("freqs");
    // The only trace of axial RoPE is what it lacks: timm's rotary ViTs have layer scale under these names.
    const bool axial = !mixed && r.table.find("blocks.0.gamma_1") != nullptr;
    const std::int64_t positions = r.size("pos_embed", 1);
    card.encoding = maps ? "harope" : mixed ? "mixed" : axial ? "axial" : positions > 0 ? "absolute" : "none";
    card.axes = card.encoding == "absolute" || card.encoding == "none" ? 0 : 2;
    if (axial && !maps) r.note("encoding: axial RoPE, assumed from the layer scale of the rotary ViTs");
    if (card.axes > 0 && positions > 0) r.note("absolute positions (pos_embed) are added as well");
    const std::int64_t mixedHeads = r.rank("rope.freqs") == 4 ? r.size("rope.freqs", 3) * 2 : 0;
    if (auto done = r.findHeads(mixedHeads); !done) return done;
    r.findConvention();
    if (card.axes > 0) r.findTheta(mixed ? 10 : 100);
    // A position table that covers the class token holds one row more than there are patches.
    const bool classRow = positions > 0 && r.table.find("cls_token") && !axial && !mixed;
    return r.findGrid(classRow ? positions - 1 : positions);
}

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
