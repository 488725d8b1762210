// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

/// Encoding from the tensors; the configuration only where they are silent.
void findEncoding(Recognition& r) {
    const std::string& said = r.config.encoding;
    const Recognition::FoundMap map = r.firstMap();
    const bool fixed = said == "harope" || said == "axial" || said == "none" || said == "rope1d" || said == "video";
    if (!map.name.empty()) {
        r.card.encoding = map.encoding;
    } else if (r.table.find("blocks.0.attn.freqs")) {
        r.card.encoding = "mixed";
    } else if (r.table.find("pos_embed")) {
        r.card.encoding = "absolute";
    } else if (r.card.naming == "diffusers" && (said.empty() || said == "absolute")) {
        r.card.encoding = "absolute";
        r.note("encoding: absolute, the fixed table that diffusers computes and does not store");
    } else if (fixed) {
        r.card.encoding = said;
    } else {
        r.card.encoding = "axial";
        r.note("encoding: axial RoPE, assumed because there is neither pos_embed nor a learned map");
    }
    if (r.config.axisOrder == "column") r.card.axisOrder = AxisOrder::ColumnFirst;
    if (!said.empty() && said != r.card.encoding) {
        r.note("encoding: the configuration says " + printable(said, 30) + ", the tensors show " + r.card.encoding);
    }
    r.card.axes = r.card.encoding == "rope1d" ? 1 : r.card.encoding == "none" || r.card.encoding == "absolute" ? 0 : 2;
    if (r.config.rotaryLayout == "half-split" && r.card.axes > 0) {
        r.card.rotaryLayout = RotaryLayout::HalfSplit;
        r.note("rotary planes: features p and p + D/2 (half-split), from the configuration");
    }
}

/// Patch, channels and classes; files that hold only projections and maps rely on their configuration.
void findInputs(Recognition& r) {
    ModelCard& card = r.card;
    card.patch = static_cast<int>(r.size("x_embedder.proj.weight", 2));
    if (card.patch == 0) card.patch = r.config.patch.value_or(0);
    card.inChannels = static_cast<int>(r.size("x_embedder.proj.weight", 1));
    if (card.inChannels == 0) card.inChannels = r.config.inChannels.value_or(0);
    if (card.patch > 0) {
        card.outChannels = static_cast<int>(r.size("final_layer.linear.weight", 0) / card.patch / card.patch);
    }
    if (card.outChannels == 0) card.outChannels = r.config.outChannels.value_or(0);
    const std::int64_t rows = r.size("y_embedder.embedding_table.weight", 0);
    card.classes = rows > 0 ? static_cast<int>(rows - 1) : r.config.classes.value_or(0);
    card.learnedVariance = card.inChannels > 0 && card.outChannels == 2 * card.inChannels;
    card.objective = r.config.objective;
    if (card.objective.empty()) {
        card.objective = "ddpm";
        if (!card.learnedVariance) r.note("objective: noise prediction (ddpm), assumed because the file does not say");
    }
}

}  // namespace

Result<void> recogniseDit(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "dit";
    const auto layers = r.countLayers("blocks.");
    if (!layers) return failure(layers.error());
    card.layers = *layers;
    const std::string attention = "blocks.0.attn.";
    card.width = static_cast<int>(std::min<std::int64_t>(r.size(attention + "qkv.weight", 1), 1 << 20));
    if (card.width == 0)
        card.width = static_cast<int>(std::min<std::int64_t>(r.size("x_embedder.proj.weight", 0), 1 << 20));
    if (card.width == 0) {
        return r.refused("TC-05", attention + "qkv.weight", "the width cannot be told: this tensor is missing");
    }
    findEncoding(r);
    if (auto done = r.findHeads(); !done) return done;
    if (card.axes > 0 && card.headDim % (2 * card.axes) != 0) {
        return r.refused("TC-08", {},
                         "the head dimension cannot hold the rotary planes of " + std::to_string(card.axes) + " axes",
                         std::to_string(card.headDim), "a multiple of " + std::to_string(2 * card.axes));
    }
    card.positionRows = static_cast<int>(std::min<std::int64_t>(r.size("pos_embed", 1), 1 << 20));
    findInputs(r);
    r.findConvention();
    if (card.axes > 0) r.findTheta(10000);
    return r.findGrid(r.size("pos_embed", 1));
}

}  // namespace ropescope
