// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/recognition.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace ropescope {
namespace {

constexpr int kMaxLayers = 1000;
constexpr std::int64_t kMaxSide = 4096;

/// "3x5, 5x3": the grids of so many patches, the most even ones first.
std::string candidates(std::int64_t tokens) {
    std::string text;
    int count = 0;
    for (auto rows = static_cast<std::int64_t>(std::sqrt(static_cast<double>(tokens))); rows >= 1 && count < 4;
         --rows) {
        if (tokens % rows != 0) continue;
        const std::string a = std::to_string(rows), b = std::to_string(tokens / rows);
        text += (text.empty() ? "" : ", ") + a + "x" + b + (a == b ? "" : ", " + b + "x" + a);
        ++count;
    }
    return "one of " + text;
}

std::optional<int> numberIn(const std::map<std::string, std::string>& arguments, const std::string& key) {
    const auto found = arguments.find(key);
    if (found == arguments.end()) return std::nullopt;
    int value = 0;
    const char* end = found->second.data() + found->second.size();
    const auto parsed = std::from_chars(found->second.data(), end, value);
    return parsed.ec == std::errc() && parsed.ptr == end && value > 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

std::int64_t Recognition::size(std::string_view name, std::size_t axis) const {
    const TensorEntry* entry = table.find(name);
    return entry && axis < entry->shape.size() ? entry->shape[axis] : 0;
}

int Recognition::agreed(const std::vector<Side>& sides) const {
    std::vector<std::int64_t> all;
    for (const Side& side : sides)
        if (const std::int64_t n = size(side.name, side.axis); n > 0) all.push_back(n);
    std::int64_t best = 0;
    for (const std::int64_t n : all)
        if (best == 0 || std::ranges::count(all, n) > std::ranges::count(all, best)) best = n;
    return static_cast<int>(std::min<std::int64_t>(best, 1 << 20));
}

std::size_t Recognition::rank(std::string_view name) const {
    const TensorEntry* entry = table.find(name);
    return entry ? entry->shape.size() : 0;
}

tl::unexpected<Error> Recognition::refused(std::string code, std::string_view tensor, std::string reason,
                                           std::string found, std::string expected) const {
    return failure({ErrorKind::Refused,
                    std::move(code),
                    place({table.path(), tensor}),
                    std::move(reason),
                    std::move(found),
                    std::move(expected),
                    {}});
}

std::string Recognition::argument(std::string_view key) const {
    for (const auto& [name, value] : table.trainingArgs()) {
        const std::size_t dot = name.rfind('.');
        if (std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1) == key && value != "None")
            return value;
    }
    return {};
}

Norm Recognition::normOf(const std::string& name) {
    // One block alone may lack a part: what any of them has, all should have.
    constexpr std::string_view kFirst = "blocks.0.";
    const bool ofBlocks = name.starts_with(kFirst);
    const auto any = [&](const std::string& part) {
        if (!ofBlocks) return table.find(name + part) != nullptr;
        const std::string ending = "." + name.substr(kFirst.size()) + part;
        return std::ranges::any_of(table.tensors(), [&](const TensorEntry& t) {
            return t.name.starts_with("blocks.") && t.name.ends_with(ending);
        });
    };
    if (!any(".weight")) return Norm::None;
    if (any(".bias")) return Norm::Layer;
    const std::string& said = config.normLayer;
    if (said.find("layer") != std::string::npos || said.find("Layer") != std::string::npos) return Norm::Layer;
    if (said.empty()) assume("norm: by the root mean square, as " + name + " has a weight and no bias");
    return Norm::Rms;
}

bool Recognition::hasQkvBias() const {
    bool weight = false, bias = false;
    for (const TensorEntry& t : table.tensors()) {
        weight |= t.name.ends_with(".attn.qkv.weight");
        bias |= t.name.ends_with(".attn.qkv.bias");
    }
    return bias || !weight;
}

bool Recognition::hasGatedMlp() const {
    return std::ranges::any_of(table.tensors(),
                               [](const TensorEntry& t) { return t.name.find(".mlp.w12.") != t.name.npos; });
}

int Recognition::mlpHidden() const {
    if (card.variant.gated)
        return agreed({{"blocks.0.mlp.w12.weight", 0}, {"blocks.0.mlp.w12.bias", 0}, {"blocks.1.mlp.w12.bias", 0}}) / 2;
    return agreed({{"blocks.0.mlp.fc1.weight", 0}, {"blocks.0.mlp.fc1.bias", 0}, {"blocks.0.mlp.fc2.weight", 1}});
}

Result<void> Recognition::checkNormLayer() const {
    std::string said = config.normLayer;
    std::ranges::transform(said, said.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const char* known : {"", "layernorm", "layer_norm", "rmsnorm", "rms_norm", "layernorm2d", "layernormfp32"})
        if (said == known) return {};
    return refused("CF-02", {}, "norm_layer of the configuration is not known", printable(config.normLayer, 40),
                   "layernorm or rmsnorm");
}

Result<int> Recognition::countLayers(std::string_view prefix) const {
    int layers = 0;
    for (const TensorEntry& entry : table.tensors()) {
        if (!entry.name.starts_with(prefix)) continue;
        int index = -1;
        const char* begin = entry.name.data() + prefix.size();
        const auto parsed = std::from_chars(begin, entry.name.data() + entry.name.size(), index);
        if (parsed.ec == std::errc::result_out_of_range) index = kMaxLayers;
        if (parsed.ptr == begin || index < 0) continue;
        if (index >= kMaxLayers) {
            return refused("TC-08", entry.name, "too many layers", std::to_string(index) + " or more",
                           "at most " + std::to_string(kMaxLayers));
        }
        layers = std::max(layers, index + 1);
    }
    return layers;
}

Recognition::FoundMap Recognition::firstMap() const {
    for (const TensorEntry& entry : table.tensors())
        for (const MapNames& map : mapNames()) {
            const bool ofModel = entry.name.starts_with(map.prefix);
            const std::size_t at = ofModel ? 0 : entry.name.find("attn." + std::string(map.prefix));
            if (at == std::string::npos) continue;
            const std::string own = entry.name.substr(at + (ofModel ? 0 : 5) + map.prefix.size());
            for (const MatrixKind kind : map.kinds)
                for (const MatrixParameter& p : matrixParameters(kind, 0))
                    if (p.name == own) return {entry.name, std::string(map.encoding), kind, p.shape, ofModel};
        }
    return {};
}

Result<void> Recognition::findHeads(std::int64_t headDim) {
    const FoundMap map = firstMap();
    const std::size_t mapRank = rank(map.name), part = map.part.size();
    const bool perHead = mapRank == part + 1 && size(map.name, 0) > 1;
    if (!map.name.empty()) {
        if (mapRank != part && mapRank != part + 1)
            return refused("TC-07", map.name, "a map has the wrong rank", std::to_string(mapRank),
                           std::to_string(part) + " or " + std::to_string(part + 1));
        // Low rank and Givens keep D elsewhere than last.
        const bool first = map.kind == MatrixKind::LowRank;
        headDim = size(map.name, first ? mapRank - 2 : mapRank - 1) * (map.kind == MatrixKind::Givens ? 2 : 1);
        const bool square = part == 2 && map.part[0] == map.part[1] && map.kind != MatrixKind::Givens && !first;
        if (square && map.kind != MatrixKind::Householder && size(map.name, mapRank - 2) != headDim) {
            return refused("TC-07", map.name, "a map is not square", std::to_string(size(map.name, mapRank - 2)),
                           std::to_string(headDim));
        }
    }
    const std::string learned = "blocks.0.attn.freqs";  // [2,H,P]; rope-vit's [2,H*P] does not tell them apart
    if (headDim == 0 && rank(learned) == 3) headDim = 2 * size(learned, 2);
    std::int64_t heads = perHead ? size(map.name, 0) : 0;
    if (heads == 0 && headDim > 0) heads = card.width / headDim;
    const std::int64_t wanted = ref.heads > 0 ? ref.heads : config.heads.value_or(0);
    if (heads == 0 && wanted > 0) {
        heads = wanted;
        note("heads: " + std::to_string(heads) + (ref.heads > 0 ? ", as given" : ", from the configuration"));
    } else if (heads > 0 && wanted > 0 && wanted != heads) {
        note("heads: " + std::to_string(wanted) + " was said, the tensors show " + std::to_string(heads));
    }
    if (heads == 0 && config.headDim) heads = card.width / *config.headDim;
    if (heads == 0) heads = usualHeads();
    if (heads == 0) {
        return failure({ErrorKind::Usage,
                        "heads-unknown",
                        place({table.path()}),
                        "the tensors do not tell the number of heads",
                        {},
                        {},
                        "Give --heads N or --config FILE.json"});
    }
    if (headDim == 0) headDim = card.width / heads;
    if (headDim == 0 || heads * headDim != card.width) {
        return refused("TC-08", {}, "width is not heads x head dimension", std::to_string(card.width),
                       std::to_string(heads) + " x " + std::to_string(headDim));
    }
    card.heads = static_cast<int>(heads);
    card.headDim = static_cast<int>(headDim);
    card.matrix = map.kind;
    card.sharing = map.ofModel                                  ? MapSharing::Model
                   : !map.name.empty() && !perHead && heads > 1 ? MapSharing::Layer
                                                                : MapSharing::Head;
    card.sharedMaps = card.sharing != MapSharing::Head;
    if (map.ofModel) note("one map for all layers and heads");
    if (card.sharing == MapSharing::Layer) note("one map per layer, shared by its " + std::to_string(heads) + " heads");
    return {};
}

int Recognition::usualHeads() {
    if (card.architecture != "vit") return 0;
    for (const auto& [width, heads] : {std::pair{192, 3}, {384, 6}, {768, 12}, {1024, 16}, {1280, 16}}) {
        if (card.width != width) continue;
        note("heads: " + std::to_string(heads) + ", as all published ViTs of width " + std::to_string(width) +
             " have (else --heads)");
        return heads;
    }
    return 0;
}

Result<void> Recognition::findConvention() {
    card.convention = Convention::None;
    const auto& metadata = table.metadata();
    const auto said = metadata.find("harope.convention");
    const auto apply = metadata.find("harope.apply");
    if (said != metadata.end() && said->second != "same" && said->second != "inverse")
        return refused("CF-02", "harope.convention", "the metadata name no known convention",
                       printable(said->second, 40), "same or inverse");
    if (apply != metadata.end() && apply->second != "all" && apply->second != "image" && apply->second != "patches")
        return refused("CF-02", "harope.apply", "the metadata do not say which tokens the maps turn",
                       printable(apply->second, 40), "all, image or patches");
    for (const auto& [key, value] : metadata)
        if (key.starts_with("harope.") && key != "harope.convention" && key != "harope.apply")
            note("metadata not looked at: " + printable(key, 60));
    if (!card.encoding.starts_with("harope")) return {};
    if (ref.convention == Convention::Same || ref.convention == Convention::Inverse) {
        card.convention = ref.convention;
        note("convention: as given");
    } else if (said != metadata.end() && (said->second == "same" || said->second == "inverse")) {
        card.convention = said->second == "same" ? Convention::Same : Convention::Inverse;
    } else if (table.isAuthorsContainer()) {
        card.convention = Convention::Inverse;
        note("convention: inverse, assumed because the authors' trainer wrote this file");
    } else {
        card.convention = Convention::Unknown;
        note("convention: the file does not say; choose same or inverse (--convention)");
    }
    if (apply != metadata.end() && apply->second != "all" && card.architecture == "dit")
        note("maps apply to: " + printable(apply->second, 40));
    return {};
}

void Recognition::findTheta(double usual) {
    card.theta = ref.theta > 0 ? ref.theta : config.theta.value_or(usual);
    if (ref.theta <= 0 && !config.theta) {
        char text[48];
        std::snprintf(text, sizeof text, "theta: %g, usual for this layout", usual);
        assume(text);
    }
}

Result<void> Recognition::findGrid(std::int64_t positions, std::optional<Grid> known, const std::string& source) {
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(positions))));
    const int patch = std::max(card.patch, 1);
    const Grid image{config.image.rows / patch, config.image.cols / patch};
    const Grid latent{config.latent.rows / patch, config.latent.cols / patch};
    const Grid seen{input.rows / patch, input.cols / patch};  // what the network is about to get
    const int arguments = numberIn(table.trainingArgs(), "image_size").value_or(0);
    const auto take = [&](Grid grid, std::string from) { card.grid = grid, card.gridSource = std::move(from); };
    if (ref.grid.tokens() > 0) {
        take(ref.grid, "as given");
    } else if (known) {
        take(*known, source);
    } else if (positions > 0 && config.grid.tokens() == positions) {
        take(config.grid, "own metadata, agrees with pos_embed");
    } else if (positions > 0 && image.tokens() == positions) {
        take(image, "image size of the configuration, agrees with pos_embed");
    } else if (positions > 0 && latent.tokens() == positions) {
        take(latent, "sample size of the configuration, agrees with pos_embed");
    } else if (positions > 0 && seen.tokens() == positions) {
        take(seen, "the input");
        note("grid: " + std::to_string(seen.rows) + "x" + std::to_string(seen.cols) +
             ", as the input fits the rows of pos_embed exactly");
    } else if (positions > 0 && side * side == positions) {
        take({static_cast<int>(side), static_cast<int>(side)}, "pos_embed");
        assume("grid: " + std::to_string(side) + "x" + std::to_string(side) + ", a square for the " +
               std::to_string(positions) + " rows of pos_embed (else --grid)");
    } else if (positions > 0) {
        return failure({ErrorKind::Usage, "grid-unknown", place({table.path(), "pos_embed"}),
                        "the rows of the position table do not tell its grid", std::to_string(positions) + " patches",
                        candidates(positions), "Give --grid HxW"});
    } else if (config.grid.tokens() > 0) {
        take(config.grid, "own metadata");
    } else if (config.latent.tokens() > 0 && card.patch > 0) {
        take(latent, "sample size of the configuration");
    } else if (config.image.tokens() > 0 && card.patch > 0) {
        take(image, "image size of the configuration");
    } else if (card.patch > 0 && arguments >= 8 * card.patch) {
        const int own = arguments / 8 / card.patch;
        take({own, own}, "args.image_size / 8 / patch");
    } else {
        take({16, 16}, kGridNotSaid);
        if (!card.takesText()) assume("grid: 16x16 (else --grid)");
    }
    if (card.grid.rows < 1 || card.grid.cols < 1 || card.grid.rows > kMaxSide || card.grid.cols > kMaxSide) {
        return refused("CF-02", {}, "impossible grid",
                       std::to_string(card.grid.rows) + "x" + std::to_string(card.grid.cols),
                       "1 to " + std::to_string(kMaxSide) + " on each side");
    }
    if (positions > 0 && card.grid.tokens() != positions) {
        note("grid: " + std::to_string(card.grid.tokens()) + " tokens, but pos_embed holds " +
             std::to_string(positions));
    }
    return {};
}

}  // namespace ropescope
