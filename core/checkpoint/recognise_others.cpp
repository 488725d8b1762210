// SPDX-License-Identifier: Apache-2.0
// Networks whose headers are understood: what `info` says about them.
#include <algorithm>

#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

/// Maps act on all tokens of the joint attention unless the metadata says "image".
void findMapTokens(Recognition& r) {
    const auto apply = r.table.metadata().find("harope.apply");
    r.card.mapTokens = apply != r.table.metadata().end() && (apply->second == "image" || apply->second == "patches")
                           ? MapTokens::PatchesOnly
                           : MapTokens::All;
    if (r.ref.mapTokens != MapTokens::Unknown) r.card.mapTokens = r.ref.mapTokens;
    if (r.card.encoding != "harope") return;
    int with = 0;
    for (int i = 0; i < r.card.layers; ++i) {
        const std::string maps = r.card.attention(i) + "learnable_rot.";
        with += std::any_of(r.table.tensors().begin(), r.table.tensors().end(),
                            [&](const TensorEntry& t) { return t.name.starts_with(maps); });
    }
    if (with < r.card.layers)
        r.note("maps in " + std::to_string(with) + " of " + std::to_string(r.card.layers) + " layers");
    r.note(r.card.mapTokens == MapTokens::All ? "maps turn text and image tokens" : "maps turn image tokens alone");
}

}  // namespace

Result<void> recogniseMmdit(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "mmdit";
    card.objective = "flow";
    const auto layers = r.countLayers("joint_blocks.");
    if (!layers) return failure(layers.error());
    card.layers = *layers;
    card.width = r.agreed({{"x_embedder.proj.weight", 0},
                           {"x_embedder.proj.bias", 0},
                           {"context_embedder.bias", 0},
                           {"t_embedder.mlp.2.bias", 0}});
    card.inChannels = clamped(r.size("x_embedder.proj.weight", 1));
    card.patch = clamped(r.size("x_embedder.proj.weight", 2));
    const int rows = r.agreed({{"final_layer.linear.weight", 0}, {"final_layer.linear.bias", 0}});
    if (card.patch > 0) card.outChannels = clamped(rows / card.patch / card.patch);
    card.positionRows = clamped(r.size("pos_embed", 1));
    const bool maps = !r.firstMap().name.empty();
    card.encoding = maps ? "harope" : "absolute";
    if (maps && card.positionRows > 0) r.note("absolute positions (pos_embed) are added as well");
    card.axes = maps ? 2 : 0;
    const std::string norm = "joint_blocks.0.x_block.attn.ln_q.weight";
    std::int64_t headDim = r.rank(norm) == 1 ? r.size(norm, 0) : 0;
    if (headDim == 0 && !maps && r.ref.heads == 0 && !r.config.heads && card.width == 64 * card.layers) {
        headDim = 64;
        r.assume("heads: of 64 features, as in SD3");
    }
    if (auto done = r.findHeads(headDim); !done) return done;
    if (auto done = r.findConvention(); !done) return done;
    findMapTokens(r);
    if (maps) r.findTheta(10000);
    if (card.positionRows > 0) r.note("pos_embed is a table from which the middle is cut for each size");
    return r.findGrid(0);
}

Result<void> recogniseFlux(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "flux";
    card.objective = "flow";
    const auto joint = r.countLayers("double_blocks.");
    const auto single = r.countLayers("single_blocks.");
    if (!joint) return failure(joint.error());
    if (!single) return failure(single.error());
    card.layers = *joint + *single;
    card.jointLayers = *joint;
    r.note("layers: " + std::to_string(*joint) + " joint, then " + std::to_string(*single) + " single");
    card.guidanceInput =
        std::ranges::any_of(r.table.tensors(), [](const TensorEntry& t) { return t.name.starts_with("guidance_in."); });
    r.note(card.guidanceInput ? "guidance is an input, as in FLUX.1 dev" : "no guidance input, as in FLUX.1 schnell");
    card.width =
        r.agreed({{"img_in.weight", 0}, {"img_in.bias", 0}, {"txt_in.bias", 0}, {"time_in.out_layer.bias", 0}});
    card.inChannels = clamped(r.size("img_in.weight", 1));
    card.outChannels = clamped(r.size("final_layer.linear.weight", 0));
    card.patch = r.config.patch.value_or(1);
    card.encoding = r.firstMap().name.empty() ? "axial" : "harope";
    card.axes = 2;  // rows and columns; the first axis is 0 on every image
    const std::string norm =
        *joint > 0 ? "double_blocks.0.img_attn.norm.query_norm.scale" : "single_blocks.0.norm.query_norm.scale";
    if (auto done = r.findHeads(r.rank(norm) == 1 ? r.size(norm, 0) : 0); !done) return done;
    card.axesDims = r.config.axesDims;
    if (card.axesDims.empty() && card.headDim == 128) {
        card.axesDims = {16, 56, 56};
        r.assume("axes: 16, 56 and 56 features, as in FLUX.1");
    }
    int sum = 0;
    bool even = true;
    for (const int size : card.axesDims) sum += size, even &= size % 2 == 0;
    if (card.axesDims.size() != 3 || sum != card.headDim || !even)
        return r.refused("CF-03", {}, "the axes of the rotary positions do not make up a head",
                         card.axesDims.empty() ? "nothing is said" : std::to_string(sum) + " features",
                         "three even numbers that sum to " + std::to_string(card.headDim) +
                             " as axes_dims_rope in the configuration");
    if (auto done = r.findConvention(); !done) return done;
    findMapTokens(r);
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
    card.latentScale = r.config.latentScale.value_or(0);
    card.latentShift = r.config.latentShift.value_or(0);
    if (card.latentScale == 0 && card.outChannels == 4) {
        card.latentScale = 0.18215;
        r.assume("latents: scaled by 0.18215, as in Stable Diffusion 1");
    }
    if (card.latentScale == 0) r.assume("latents: not scaled (scaling_factor is not said)");
    if (!r.config.latentShift && card.outChannels != 4) r.assume("latents: not shifted (shift_factor is not said)");
    card.normGroups = r.config.normGroups.value_or(32);
    if (!r.config.normGroups) r.assume("norms: of 32 groups (norm_num_groups is not said)");
    r.note("an image autoencoder: its only attention is over all pixels, without positions");
    return {};
}

}  // namespace ropescope
