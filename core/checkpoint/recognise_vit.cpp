// SPDX-License-Identifier: Apache-2.0
// ViTs of timm, of rope-vit and of this program.
#include <cmath>

#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

int clamped(std::int64_t value) {
    return static_cast<int>(std::min<std::int64_t>(value, 1 << 20));
}

bool isOwn(const Recognition& r) {
    return r.table.metadata().contains("ropescope.config");
}

/// Encoding from the tensors; the configuration and what timm's rotary ViTs look like where they are silent.
void findEncoding(Recognition& r) {
    const std::string& said = r.config.encoding;
    const Recognition::FoundMap map = r.firstMap();
    const bool named = r.config.architecture.find("rope") != std::string::npos;
    if (!map.name.empty()) {
        r.card.encoding = map.encoding;
    } else if (r.table.find("blocks.0.attn.freqs")) {
        r.card.encoding = "mixed";
    } else if (said == "axial" || said == "none" || said == "rope1d" || said == "video" || said == "absolute") {
        r.card.encoding = said;
    } else if (named || r.card.layerScale) {
        r.card.encoding = "axial";
        r.note(std::string("encoding: axial RoPE, ") +
               (named ? "from the configuration's name" : "assumed from the layer scale of the rotary ViTs"));
        if (!named && r.card.positionRows > 0)
            r.note(
                "rope-vit's ViTs without rotation look the same: for them give \"encoding\": \"absolute\" in --config");
    } else {
        r.card.encoding = r.card.positionRows > 0 ? "absolute" : "none";
    }
    const bool turns = r.card.encoding != "absolute" && r.card.encoding != "none";
    r.card.axes = r.card.encoding == "rope1d" ? 1 : turns ? 2 : 0;
    if (turns && r.card.positionRows > 0) r.note("absolute positions (pos_embed) are added as well");
    if (!said.empty() && said != r.card.encoding)
        r.note("encoding: the configuration says " + printable(said, 30) + ", the tensors show " + r.card.encoding);
    if (!map.name.empty() && map.encoding != "string" && r.table.find("blocks.0.attn.freqs"))
        r.note("two encodings at once: " + map.encoding + " maps and learned frequencies");
}

/// The column owns the first half of the planes in timm's and rope-vit's ViTs, the row in this program's.
void findOrder(Recognition& r) {
    if (r.config.rotaryLayout == "half-split" && r.card.axes > 0) {
        r.card.rotaryLayout = RotaryLayout::HalfSplit;
        r.note("rotary planes: features p and p + D/2 (half-split), from the configuration");
    }
    if (r.card.axes != 2) return;
    const bool column = r.config.axisOrder.empty() ? !isOwn(r) : r.config.axisOrder == "column";
    r.card.axisOrder = column ? AxisOrder::ColumnFirst : AxisOrder::RowFirst;
    const bool axial = r.card.encoding != "mixed" && r.card.encoding != "string" && r.card.encoding != "video";
    if (axial && r.config.axisOrder.empty() && column)
        r.note("axes: the column turns the first half of the planes, as in timm and rope-vit");
}

void findMapTokens(Recognition& r) {
    const bool maps = !r.firstMap().name.empty();
    r.card.mapTokens = MapTokens::All;
    if (!maps || !r.card.classToken) return;
    const auto& metadata = r.table.metadata();
    const auto apply = metadata.find("harope.apply");
    const std::string said = apply != metadata.end() ? apply->second : r.config.mapTokens;
    if (r.ref.mapTokens != MapTokens::Unknown) {
        r.card.mapTokens = r.ref.mapTokens;
        r.note("class token: as given");
    } else if (said == "all") {
        r.note("maps turn the class token too");
    } else if (said == "patches" || said == "image") {
        r.card.mapTokens = MapTokens::PatchesOnly;
        r.note("maps pass the class token by");
    } else {
        r.card.mapTokens = MapTokens::Unknown;
        r.note("class token: the file does not say whether its maps turn it; choose all or patches (--map-tokens)");
    }
}

/// Patches that the position table was made for: whichever of its two readings fits a known grid, else is a square.
std::int64_t patchRows(const Recognition& r) {
    const std::int64_t rows = r.card.positionRows;
    if (rows == 0 || !r.card.classToken) return rows;
    const Grid image = r.config.image, said = r.ref.grid.tokens() > 0 ? r.ref.grid : r.config.grid;
    const int patch = std::max(1, r.card.patch);
    const std::int64_t known =
        said.tokens() > 0 ? said.tokens() : static_cast<std::int64_t>(image.rows / patch) * (image.cols / patch);
    if (known == rows || known == rows - 1) return known;
    const auto square = [](std::int64_t n) {
        const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(n))));
        return side * side == n;
    };
    return square(rows) ? rows : rows - 1;
}

void findPreprocessing(Recognition& r) {
    Preprocessing& p = r.card.preprocessing;
    const ModelConfig& c = r.config;
    p.size = {r.card.grid.rows * r.card.patch, r.card.grid.cols * r.card.patch};
    const auto channels = static_cast<std::size_t>(std::clamp(r.card.inChannels, 1, 16));
    if (c.mean.size() == channels && c.std.size() == channels) {
        p.mean = c.mean, p.std = c.std;
        p.interpolation = c.interpolation.empty() ? "bicubic" : c.interpolation;
        p.cropFraction = c.cropFraction.value_or(1);
        p.source = "configuration";
        return;
    }
    p.interpolation = "bicubic";
    const bool rotary = r.card.layerScale, raw = r.card.naming == "rope-vit";
    p.cropFraction = raw ? 1.0 : 0.9;
    if (channels == 3 && rotary) {
        p.mean = {0.485, 0.456, 0.406}, p.std = {0.229, 0.224, 0.225};
    } else {
        p.mean.assign(channels, 0.5), p.std.assign(channels, 0.5);
    }
    p.source = raw      ? "assumed: as rope-vit evaluates"
               : rotary ? "assumed: timm's for its rotary ViTs"
                        : "assumed: timm's for vit_base_patch16_224";
    r.note("preprocessing " + p.source + "; the file does not say");
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
    card.mlpHidden = clamped(r.size("blocks.0.mlp.fc1.weight", 0));
    card.classToken = r.table.find("cls_token") != nullptr;
    card.layerScale = r.table.find("blocks.0.gamma_1") != nullptr;
    card.positionRows = clamped(r.size("pos_embed", 1));
    findEncoding(r);
    if (auto done = r.findHeads(); !done) return done;
    if (card.axes > 0 && card.headDim % (2 * card.axes) != 0)
        return r.refused("TC-08", {},
                         "the head dimension cannot hold the rotary planes of " + std::to_string(card.axes) + " axes",
                         std::to_string(card.headDim), "a multiple of " + std::to_string(2 * card.axes));
    findOrder(r);
    r.findConvention();
    findMapTokens(r);
    if (card.axes > 0) r.findTheta(card.encoding == "mixed" ? 10 : 100);
    if (auto done = r.findGrid(patchRows(r)); !done) return done;
    findPreprocessing(r);
    return {};
}

}  // namespace ropescope
