// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "core/checkpoint/vit_tensors.h"
#include "core/model/vit.h"
#include "core/model/weight_reader.h"

namespace ropescope {
namespace {

Error badCard(const ModelCard& card, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused,
            "vit-shape",
            place({card.path}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Open a ViT checkpoint with this command"};
}

/// What a file with maps may leave unsaid.
Result<void> checkMaps(const ModelCard& card, const Encoding& encoding) {
    const bool said = card.convention == Convention::Same || card.convention == Convention::Inverse;
    if (encoding.conventions && !said)
        return failure({ErrorKind::Usage, "convention", place({card.path}), "the file does not say how its maps enter",
                        "", "same or inverse", "Add --convention same or --convention inverse"});
    if (encoding.hasMaps() && card.classToken && card.mapTokens == MapTokens::Unknown)
        return failure({ErrorKind::Usage, "map-tokens", place({card.path}),
                        "the file does not say whether its maps turn the class token", "", "all or patches",
                        "Add --map-tokens all or --map-tokens patches"});
    return {};
}

}  // namespace

Result<ViTShape> viTShape(const ModelCard& card) {
    if (card.architecture != "vit") return failure(badCard(card, "not a ViT", card.architecture, "vit"));
    const Result<const Encoding*> encoding = findEncoding(card.encoding);
    if (!encoding) return failure(badCard(card, "an encoding that a ViT does not have", card.encoding, ""));
    if (card.layers < 1 || card.heads < 1 || card.headDim < 1 || card.patch < 1 || card.inChannels < 1 ||
        card.classes < 1)
        return failure(badCard(card, "sizes of the model are unknown", "", ""));
    const int parts = 2 * std::max(1, (*encoding)->axes);
    if ((*encoding)->turns() && card.headDim % parts != 0)
        return failure(badCard(card, "the head dimension does not hold the rotary planes", std::to_string(card.headDim),
                               "a multiple of " + std::to_string(parts)));
    if ((*encoding)->turns() && !(card.theta > 0))
        return failure(badCard(card, "theta must be positive", std::to_string(card.theta), ""));
    if (auto maps = checkMaps(card, **encoding); !maps) return failure(maps.error());
    const int rows = card.positionRows, tokens = card.grid.tokens(), lead = card.leadTokens();
    const bool withClass = card.classToken && rows == tokens + 1;
    if (rows != 0 && rows != tokens && rows != tokens + lead && !withClass) {
        Error e = badCard(card, "pos_embed does not fit the grid", std::to_string(rows) + " rows",
                          std::to_string(tokens) + " patches, with or without rows for " + std::to_string(lead) +
                              " tokens before them");
        e.advice = "Give --grid HxW";
        return failure(std::move(e));
    }
    ViTShape shape;
    shape.layers = card.layers, shape.heads = card.heads, shape.headDim = card.headDim, shape.patch = card.patch;
    shape.inChannels = card.inChannels, shape.classes = card.classes, shape.mlpHidden = card.mlpHidden;
    shape.theta = card.theta, shape.encoding = *encoding;
    shape.convention = (*encoding)->conventions ? card.convention : Convention::None;
    shape.matrix = (*encoding)->hasMaps() ? card.matrix : MatrixKind::None;
    shape.sharing = card.sharing, shape.order = card.axisOrder, shape.layout = card.rotaryLayout;
    shape.classToken = card.classToken, shape.layerScale = card.layerScale;
    shape.variant = card.variant;
    shape.table = rows == 0        ? ViTTable::None
                  : rows == tokens ? ViTTable::PatchesOnly
                  : withClass      ? ViTTable::WithClass
                                   : ViTTable::WithAll;
    if (rows > 0) shape.tableGrid = card.grid;
    if (card.mapTokens != MapTokens::Unknown) shape.mapTokens = card.mapTokens;
    return shape;
}

Result<WeightTable> loadViTWeights(const TensorTable& table, const ViTShape& shape) {
    return readWeights(table, vitTensors(shape), shape.positions(), shape.layers);
}

std::map<std::string, std::vector<std::int64_t>> vitTensors(const ViTShape& s) {
    ViTSizes sizes;
    sizes.layers = s.layers, sizes.width = s.width(), sizes.hidden = s.hidden(), sizes.patch = s.patch;
    sizes.inChannels = s.inChannels, sizes.classes = s.classes;
    sizes.headDim = s.headDim, sizes.variant = s.variant;
    sizes.classToken = s.classToken, sizes.layerScale = s.layerScale;
    if (s.table != ViTTable::None)
        sizes.positionRows = s.tableGrid.tokens() + (s.table == ViTTable::WithClass ? 1
                                                     : s.table == ViTTable::WithAll ? s.leadTokens()
                                                                                    : 0);
    return vitTensors(sizes);
}

WeightTable initialViTWeights(const ViTShape& shape, Grid grid, std::uint64_t seed) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    ViTShape sized = shape;
    sized.tableGrid = grid;
    WeightTable w;
    for (const auto& [name, size] : vitTensors(sized)) {
        at::Tensor t = at::zeros(size);
        if (name == "patch_embed.proj.weight") {
            const double bound = 1 / std::sqrt(static_cast<double>(t.numel() / size[0]));
            t.uniform_(-bound, bound, generator);
        } else if (name.find("norm") != std::string::npos) {
            if (name.ends_with("weight")) t.fill_(1);
        } else if (name.find("gamma_") != std::string::npos) {
            t.fill_(1e-4);
        } else if (size.size() >= 2) {
            t.normal_(0, 0.02, generator);
        }
        w[name] = t;
    }
    for (int layer = 0; layer < shape.layers; ++layer)
        w.merge(initialPositions("blocks." + std::to_string(layer) + ".attn.", shape.positions(), generator));
    return w;
}

}  // namespace ropescope
