// SPDX-License-Identifier: Apache-2.0
// ViTs of timm, of rope-vit and of this program.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/checkpoint/recognition.h"
#include "core/checkpoint/stored_rotary.h"

namespace ropescope {
namespace {

bool isOwn(const Recognition& r) {
    return r.table.metadata().contains("ropescope.config");
}

/// Encoding from the tensors; the configuration and what timm's rotary ViTs look like where they are silent.
void findEncoding(Recognition& r, const std::optional<StoredRotary>& stored) {
    const std::string& said = r.config.encoding;
    const Recognition::FoundMap map = r.firstMap();
    const bool named = r.config.architecture.find("rope") != std::string::npos;
    if (!map.name.empty()) {
        r.card.encoding = map.encoding;
        if (map.encoding == "harope" && r.table.find("blocks.0.attn.freqs")) {
            r.card.encoding = "harope_mixed";
            r.note("two encodings at once: HARoPE maps and learned frequencies");
        }
    } else if (r.table.find("blocks.0.attn.freqs")) {
        r.card.encoding = "mixed";
    } else if (stored) {
        r.card.encoding = "axial";
        r.note("rotary positions: axial RoPE, read from the stored table " + printable(stored->name, 60));
    } else if (said == "axial" || said == "none" || said == "rope1d" || said == "video" || said == "absolute") {
        r.card.encoding = said;
    } else if (named || (r.card.layerScale && r.config.architecture.empty() && !r.table.renamedScales())) {
        r.card.encoding = "axial";
        if (named)
            r.note("encoding: axial RoPE, from the configuration's name");
        else
            r.assume(
                "encoding: axial RoPE, from the layer scale (gamma_1) of the rotary ViTs; without rotation give "
                "\"encoding\": \"absolute\" in --config");
    } else {
        r.card.encoding = r.card.positionRows > 0 ? "absolute" : "none";
    }
    const bool turns = r.card.encoding != "absolute" && r.card.encoding != "none";
    r.card.axes = r.card.encoding == "rope1d" ? 1 : turns ? 2 : 0;
    r.note("positions: " + r.card.encoding +
           (!turns                    ? ""
            : r.card.positionRows > 0 ? "; absolute positions (pos_embed) are added as well"
                                      : ", no pos_embed"));
    if (!said.empty() && said != r.card.encoding)
        r.note("encoding: the configuration says " + printable(said, 30) + ", the tensors show " + r.card.encoding);
}

/// The column owns the first half of the planes in timm's and rope-vit's ViTs, the row in this program's.
void findOrder(Recognition& r, const std::optional<StoredRotary>& stored) {
    if (stored) {
        r.card.rotaryLayout = stored->layout, r.card.axisOrder = stored->order;
        return;
    }
    if (r.config.rotaryLayout == "half-split" && r.card.axes > 0) {
        r.card.rotaryLayout = RotaryLayout::HalfSplit;
        r.note("rotary planes: features p and p + D/2 (half-split), from the configuration");
    }
    if (r.card.axes > 0 && r.config.rotaryLayout.empty()) r.assume("rotary planes: neighbouring features");
    if (r.card.axes != 2) return;
    const bool column = r.config.axisOrder.empty() ? !isOwn(r) : r.config.axisOrder == "column";
    r.card.axisOrder = column ? AxisOrder::ColumnFirst : AxisOrder::RowFirst;
    const bool axial = r.card.encoding != "mixed" && r.card.encoding != "harope_mixed" && r.card.encoding != "string" &&
                       r.card.encoding != "video";
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

/// Tokens before the patches, in words.
std::string extraTokens(const ModelCard& card) {
    std::string text;
    const auto add = [&](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
    add(card.classToken ? "class" : "no cls_token");
    if (card.variant.distilled) add("distillation");
    if (card.variant.registers > 0) add(std::to_string(card.variant.registers) + " registers");
    return text;
}

/// Patches that the position table was made for. It may have rows for all tokens before the patches, for the class
/// token alone, or for none: whichever fits a known grid, else the one that is a square. Errors: Usage naming --grid
/// where that is not clear.
Result<std::int64_t> patchRows(Recognition& r) {
    const std::int64_t rows = r.card.positionRows;
    if (rows == 0) return rows;
    const int lead = r.card.leadTokens();
    std::vector<std::int64_t> extras = {0};
    if (r.card.classToken) extras.push_back(1);
    if (lead > 1) extras.push_back(lead);
    const int patch = std::max(1, r.card.patch);
    const Grid image{r.config.image.rows / patch, r.config.image.cols / patch};
    const Grid said = r.ref.grid.tokens() > 0 ? r.ref.grid : r.config.grid.tokens() > 0 ? r.config.grid : image;
    std::string readings;
    for (const std::int64_t extra : extras) {
        if (said.tokens() == rows - extra) return rows - extra;
        readings += (readings.empty() ? "" : ", or ") + std::to_string(rows - extra) + " patches and " +
                    std::to_string(extra) + " more";
    }
    const auto refused = [&](const std::string& expected) {
        return failure({ErrorKind::Usage, "grid-unknown", place({r.table.path(), "pos_embed"}),
                        "the rows of the position table do not tell its grid",
                        std::to_string(rows) + " rows; tokens before the patches: " + extraTokens(r.card) +
                            (lead > 1 ? "" : ", no reg_token or dist_token"),
                        expected, "Give --grid HxW"});
    };
    if (said.tokens() > 0 && r.ref.grid.tokens() > 0) return refused("a grid that fits: " + readings);
    const auto square = [](std::int64_t n) {
        const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(n))));
        return n > 0 && side * side == n;
    };
    // A picture that fits exactly tells the grid.
    const Grid seen{r.input.rows / patch, r.input.cols / patch};
    for (const std::int64_t extra : extras)
        if (seen.tokens() > 0 && seen.tokens() == rows - extra) return rows - extra;
    // Rotary ViTs and those with registers often give no row to the class token; others do.
    const bool either = r.card.axes > 0 || lead > 1;
    std::vector<std::int64_t> squares;
    for (const std::int64_t extra : extras)
        if (square(rows - extra) && (either || extra == extras.back())) squares.push_back(rows - extra);
    if (squares.size() == 1) return squares.front();
    return refused(readings);
}

Result<Activation> activationOf(Recognition& r) {
    constexpr std::array<std::pair<std::string_view, Activation>, 9> kKnown = {
        {{"gelu", Activation::Gelu},
         {"gelu_tanh", Activation::GeluTanh},
         {"gelu_pytorch_tanh", Activation::GeluTanh},
         {"quick_gelu", Activation::QuickGelu},
         {"quickgelu", Activation::QuickGelu},
         {"silu", Activation::Silu},
         {"swish", Activation::Silu},
         {"relu", Activation::Relu},
         {"gelu_erf", Activation::Gelu}}};
    for (const auto& [name, activation] : kKnown)
        if (r.config.actLayer == name) return activation;
    if (!r.config.actLayer.empty())
        return r.refused("CF-02", {}, "act_layer of the configuration is not known", printable(r.config.actLayer, 40),
                         "gelu, gelu_tanh, quick_gelu, silu or relu");
    const std::string& name = r.config.architecture;
    if (name.find("quickgelu") != std::string::npos) return Activation::QuickGelu;
    if (name.find("so400m") != std::string::npos || name.find("so150m") != std::string::npos)
        return Activation::GeluTanh;
    r.assume("activation: GELU (exact)");
    return Activation::Gelu;
}

/// What is classified: the configuration's word, where the tensors agree.
Result<void> findPool(Recognition& r) {
    NetworkVariant& v = r.card.variant;
    const bool map = r.table.find("attn_pool.latent") != nullptr;
    v.normAfter = r.table.find("fc_norm.weight") != nullptr;
    if (r.config.fcNorm && *r.config.fcNorm != v.normAfter)
        r.card.conflicts.push_back("fc_norm: the configuration says otherwise than the tensors");
    const std::string& said = r.config.globalPool;
    const auto conflict = [&](const std::string& tensors) {
        r.card.conflicts.push_back("global_pool: the configuration says " + said + ", the tensors " + tensors);
    };
    if (said == "none" && r.card.classes > 0) conflict("hold a head (head.weight) over something");
    if (said.empty() || said == "none") {
        v.pool = map ? Pool::Map : v.normAfter || !r.card.classToken ? Pool::Average : Pool::Token;
        r.assume("pooling: " + std::string(v.pool == Pool::Map       ? "attention (attn_pool)"
                                           : v.pool == Pool::Average ? "mean of the patches"
                                                                     : "class token"));
        return {};
    }
    v.pool = said == "avg"      ? Pool::Average
             : said == "avgmax" ? Pool::AverageMax
             : said == "max"    ? Pool::Max
             : said == "map"    ? Pool::Map
                                : Pool::Token;
    if (map != (v.pool == Pool::Map)) conflict(map ? "hold attn_pool" : "hold no attn_pool");
    if (v.pool == Pool::Token && !r.card.classToken) conflict("hold no class token (cls_token)");
    return {};
}

Result<void> findVariant(Recognition& r) {
    NetworkVariant& v = r.card.variant;
    if (auto known = r.checkNormLayer(); !known) return known;
    if (auto done = findPool(r); !done) return done;
    const auto activation = activationOf(r);
    if (!activation) return failure(activation.error());
    v.activation = *activation;
    v.registers = clamped(r.size("reg_token", 1));
    v.distilled = r.table.find("dist_token") != nullptr;
    v.normBefore =
        std::ranges::any_of(r.table.tensors(), [](const TensorEntry& t) { return t.name.starts_with("norm_pre."); });
    v.norm = r.normOf("blocks.0.norm1");
    if (v.norm == Norm::None) v.norm = Norm::Layer;
    v.lastNorm = v.norm == Norm::Layer ? v.norm : r.normOf(v.normAfter ? "fc_norm" : "norm");
    if (v.lastNorm == Norm::None) v.lastNorm = v.norm;
    v.headNorm = r.normOf("blocks.0.attn.q_norm");
    v.gated = r.hasGatedMlp();
    v.qkvBias = r.hasQkvBias();
    if (v.gated && r.config.actLayer.empty()) v.activation = Activation::Silu;
    if (!v.qkvBias) r.note("queries, keys and values without a bias");
    const std::string& name = r.config.architecture;
    if (r.config.normEps)
        v.normEps = *r.config.normEps;
    else if (name.find("_clip_") != std::string::npos)
        v.normEps = 1e-5;
    else
        r.assume("epsilon of the norms: 1e-6");
    v.headNormEps = v.normEps;
    r.note("tokens before the patches: " + extraTokens(r.card));
    const auto agree = [&](const char* key, std::optional<bool> said, bool found) {
        if (said && *said != found)
            r.card.conflicts.push_back(std::string(key) + ": the configuration says " + (*said ? "yes" : "no") +
                                       ", the tensors show otherwise");
    };
    agree("class_token", r.config.classToken, r.card.classToken);
    agree("qkv_bias", r.config.qkvBias, v.qkvBias);
    agree("qk_norm", r.config.qkNorm, v.headNorm != Norm::None);
    agree("pre_norm", r.config.preNorm, v.normBefore);
    if (r.config.registers && *r.config.registers != v.registers)
        r.card.conflicts.push_back("reg_tokens: the configuration says " + std::to_string(*r.config.registers) +
                                   ", the tensors " + std::to_string(v.registers));
    return {};
}

void findPreprocessing(Recognition& r) {
    Preprocessing& p = r.card.preprocessing;
    const ModelConfig& c = r.config;
    p.size = {r.card.grid.rows * r.card.patch, r.card.grid.cols * r.card.patch};
    const auto channels = static_cast<std::size_t>(std::clamp(r.card.inChannels, 1, 16));
    const bool rotary = r.card.layerScale, raw = r.card.naming == "rope-vit", colours = channels == 3 && rotary;
    const std::string usual = raw      ? "assumed: as rope-vit evaluates"
                              : rotary ? "assumed: timm's for its rotary ViTs"
                                       : "assumed: timm's for vit_base_patch16_224";
    std::string open;  // what the configuration leaves to be assumed
    const auto assumed = [&](const char* what) { open += (open.empty() ? "" : ", ") + std::string(what); };
    const auto perChannel = [&](std::vector<double>& to, const std::vector<double>& said, const char* key,
                                const std::vector<double>& ofRotary) {
        if (!said.empty() && said.size() != channels)
            r.card.conflicts.push_back(std::string(key) + ": the configuration holds " + std::to_string(said.size()) +
                                       " numbers, pictures have " + std::to_string(channels) + " channels");
        if (said.size() == channels) return void(to = said);
        assumed(key);
        if (colours)
            to = ofRotary;
        else
            to.assign(channels, 0.5);
    };
    const bool silent = c.mean.empty() && c.std.empty() && c.interpolation.empty() && !c.cropFraction;
    perChannel(p.mean, c.mean, "mean", {0.485, 0.456, 0.406});
    perChannel(p.std, c.std, "std", {0.229, 0.224, 0.225});
    const bool both = !c.mean.empty() && !c.std.empty();  // then timm's general defaults stand for the rest
    if (c.interpolation.empty() && !both) assumed("interpolation");
    p.interpolation = c.interpolation.empty() ? "bicubic" : c.interpolation;
    if (!c.cropFraction && !both) assumed("crop");
    p.cropFraction = c.cropFraction.value_or(raw || both ? 1.0 : 0.9);
    p.source = silent ? usual : open.empty() ? "configuration" : "configuration; " + open + " " + usual;
    if (!open.empty()) r.assume("preprocessing: " + (silent ? usual : open + ", " + usual));
    if (!c.cropMode.empty() && c.cropMode != "center")
        r.note("crop_mode " + printable(c.cropMode, 40) + " is not followed: pictures are cropped from the centre");
    if (c.image.tokens() > 0 && c.image != p.size)
        r.note("pictures are brought to " + std::to_string(p.size.rows) + "x" + std::to_string(p.size.cols) +
               " as the position table has it, the configuration says " + std::to_string(c.image.rows) + "x" +
               std::to_string(c.image.cols));
}

/// Training arguments that timm keeps beside the weights and that would decide what is computed.
void findArguments(Recognition& r) {
    std::string text;
    for (const char* key : {"model", "mean", "std", "crop_pct", "interpolation", "img_size", "input_size", "gp"}) {
        const std::string value = r.argument(key);
        if (value.empty()) continue;
        text += (text.empty() ? "" : ", ") + std::string(key) + " " + printable(value, 40);
    }
    if (!text.empty()) r.note("arguments of the training not looked at: " + text + " (give them by --config)");
    std::string name = r.config.architecture;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!name.empty() && name.find("vit") == name.npos && name.find("deit") == name.npos &&
        name.find("eva") == name.npos)
        r.note("architecture " + printable(r.config.architecture, 60) + ": the tensors are a ViT's, read as one");
}

}  // namespace

Result<void> recogniseViT(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "vit";
    card.objective = "classify";
    const auto layers = r.countLayers("blocks.");
    if (!layers) return failure(layers.error());
    card.layers = *layers;
    card.width = r.agreed({{"patch_embed.proj.weight", 0},
                           {"blocks.0.attn.qkv.weight", 1},
                           {"blocks.0.attn.proj.bias", 0},
                           {"blocks.0.norm1.weight", 0},
                           {"patch_embed.proj.bias", 0}});
    if (card.width == 0)
        return r.refused("TC-05", "patch_embed.proj.weight", "the width cannot be told: this tensor is missing");
    if (r.table.find("dist_token") && !r.table.find("cls_token"))
        return r.refused("TC-05", "cls_token", "a distillation token without a class token");
    card.inChannels = clamped(r.size("patch_embed.proj.weight", 1));
    card.patch = clamped(r.size("patch_embed.proj.weight", 2));
    if (card.patch == 0) card.patch = r.config.patch.value_or(0);
    if (card.patch == 0)
        return r.refused("TC-05", "patch_embed.proj.weight", "the patch cannot be told: this tensor is missing");
    card.classes = card.outChannels = r.agreed({{"head.weight", 0}, {"head.bias", 0}});
    card.classToken = r.table.find("cls_token") != nullptr;
    card.layerScale = std::ranges::any_of(r.table.tensors(), [](const TensorEntry& t) {
        return t.name.ends_with(".gamma_1") || t.name.ends_with(".gamma_2");
    });
    card.positionRows = clamped(r.size("pos_embed", 1));
    const auto stored = findStoredRotary(r.table);
    if (!stored) return failure(stored.error());
    findEncoding(r, *stored);
    const std::string headNorm = "blocks.0.attn.q_norm.weight";
    std::int64_t headDim = r.rank(headNorm) == 1 ? r.size(headNorm, 0) : 0;
    if (*stored) headDim = r.size((*stored)->name, 1);
    if (auto done = r.findHeads(headDim); !done) return done;
    if (auto done = findVariant(r); !done) return done;
    card.mlpHidden = r.mlpHidden();
    if (card.axes > 0 && card.headDim % (2 * card.axes) != 0)
        return r.refused("TC-08", {},
                         "the head dimension cannot hold the rotary planes of " + std::to_string(card.axes) + " axes",
                         std::to_string(card.headDim), "a multiple of " + std::to_string(2 * card.axes));
    findOrder(r, *stored);
    if (auto done = r.findConvention(); !done) return done;
    findMapTokens(r);
    if (*stored && r.ref.theta <= 0)
        card.theta = (*stored)->theta;
    else if (card.axes > 0)
        r.findTheta(card.encoding.ends_with("mixed") ? 10 : 100);
    const auto patches = patchRows(r);
    if (!patches) return failure(patches.error());
    const std::optional<Grid> known = *stored ? std::optional((*stored)->grid) : std::nullopt;
    if (auto done = r.findGrid(*patches, known, "stored rotary table"); !done) return done;
    findPreprocessing(r);
    findArguments(r);
    return {};
}

}  // namespace ropescope
