// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "core/checkpoint/dit_tensors.h"
#include "core/model/dit.h"
#include "core/model/weight_reader.h"

namespace ropescope {
namespace {

using Shape = std::vector<std::int64_t>;

// Every tensor of a model and its shape, the encoding's own ones and pos_embed aside.
std::map<std::string, Shape> expectedShapes(const DitShape& s) {
    DitSizes sizes;
    sizes.layers = s.layers, sizes.width = s.width(), sizes.headDim = s.headDim, sizes.patch = s.patch;
    sizes.hidden = s.mlpHidden > 0 ? s.mlpHidden : 4 * s.width();
    sizes.inChannels = s.inChannels, sizes.outChannels = s.outChannels;
    sizes.labelRows = s.classes + (s.nullClass ? 1 : 0);
    sizes.timeWidth = s.timeWidth;
    sizes.variant = s.variant;
    return ditTensors(sizes);
}

Error badCard(const ModelCard& card, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused,
            "dit-shape",
            place({card.path}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Open a DiT checkpoint with this command"};
}

}  // namespace

Result<DitShape> ditShape(const ModelCard& card) {
    if (card.architecture != "dit") return failure(badCard(card, "not a DiT", card.architecture, "dit"));
    Result<const Encoding*> encoding = findEncoding(card.encoding);
    if (!encoding)
        return failure(
            badCard(card, "an encoding that a DiT does not have", card.encoding, "one that `train --help` lists"));
    const bool maps = (*encoding)->hasMaps(), turns = (*encoding)->turns();
    if (card.layers < 1 || card.heads < 1 || card.headDim < 1 || card.patch < 1 || card.inChannels < 1)
        return failure(badCard(card, "sizes of the model are unknown", "", ""));
    const int parts = 2 * std::max(1, (*encoding)->axes);
    if (turns && card.headDim % parts != 0)
        return failure(badCard(card, "the head dimension does not hold the rotary planes", std::to_string(card.headDim),
                               "a multiple of " + std::to_string(parts)));
    if (turns && !(card.theta > 0))
        return failure(badCard(card, "theta must be positive", std::to_string(card.theta), ""));
    const bool said = card.convention == Convention::Same || card.convention == Convention::Inverse;
    if ((*encoding)->conventions && !said)
        return failure({ErrorKind::Usage, "convention", place({card.path}), "the file does not say how its maps enter",
                        "", "same or inverse", "Add --convention same or --convention inverse"});
    DitShape shape{card.layers,      card.heads,   card.headDim, card.patch, card.inChannels,
                   card.outChannels, card.classes, card.theta,   *encoding};
    shape.convention = (*encoding)->conventions ? card.convention : Convention::None;
    shape.matrix = maps ? card.matrix : MatrixKind::None;
    shape.sharing = card.sharing;
    shape.order = card.axisOrder;
    shape.layout = card.rotaryLayout;
    shape.variant = card.variant;
    shape.nullClass = card.nullClass, shape.mlpHidden = card.mlpHidden, shape.timeWidth = card.timeWidth;
    shape.table = turns && card.positionRows > 0;
    shape.timeDivisor = card.timeWidth / 2;
    shape.secondNormEps = card.variant.normEps;
    if (card.naming == "diffusers") {
        shape.timeDivisor = card.timeWidth / 2 - 1;
        shape.secondNormEps = 1e-5;
        if (card.encoding == "absolute" && card.positionRows == 0) shape.computedTable = card.grid;
    }
    return shape;
}

namespace {

/// diffusers keeps a copy of the time and label embeddings in every block; they are one where nobody trained them
/// apart.
Result<void> checkOneEmbedding(const TensorTable& table, const DitShape& shape) {
    if (table.naming() != "diffusers") return {};
    const std::pair<const char*, const char*> names[] = {
        {"timestep_embedder.linear_1.weight", "t_embedder.mlp.0.weight"},
        {"timestep_embedder.linear_1.bias", "t_embedder.mlp.0.bias"},
        {"timestep_embedder.linear_2.weight", "t_embedder.mlp.2.weight"},
        {"timestep_embedder.linear_2.bias", "t_embedder.mlp.2.bias"},
        {"class_embedder.embedding_table.weight", "y_embedder.embedding_table.weight"}};
    for (const auto& [copy, first] : names) {
        const auto own = table.read(first);
        if (!own) return failure(own.error());
        for (int layer = 1; layer < shape.layers; ++layer) {
            const std::string name = "transformer_blocks." + std::to_string(layer) + ".norm1.emb." + copy;
            const auto other = table.read(name);
            if (!other) return failure(other.error());
            if (!(*other == *own))
                return failure({ErrorKind::Refused, "TC-11", place({table.path(), name}),
                                "this block's embedding differs from the first block's", "", "one for all blocks",
                                "Its header and maps can still be inspected"});
        }
    }
    return {};
}

}  // namespace

Result<WeightTable> loadDitWeights(const TensorTable& table, const DitShape& shape) {
    std::map<std::string, Shape> expected = expectedShapes(shape);
    const bool computed = shape.computedTable.tokens() > 0;
    if (shape.addsTable() && !computed) expected["pos_embed"] = {1, -1, shape.width()};
    if (auto same = checkOneEmbedding(table, shape); !same) return failure(same.error());
    auto weights = readWeights(table, expected, shape.positions(), shape.layers);
    if (weights && computed) (*weights)["pos_embed"] = sinCosPositions(shape.computedTable, shape.width());
    return weights;
}

WeightTable initialDitWeights(const DitShape& shape, Grid grid, std::uint64_t seed) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    WeightTable w;
    for (const auto& [name, size] : expectedShapes(shape)) {
        const bool gate = name.find("adaLN") != std::string::npos || name.starts_with("final_layer");
        at::Tensor t = at::zeros(size);
        if (name.starts_with("t_embedder.mlp") && size.size() == 2)
            t.normal_(0, 0.02, generator);
        else if (name.starts_with("y_embedder"))
            t.normal_(0, 0.02, generator);
        else if (size.size() >= 2 && !gate) {
            // Xavier uniform, the patch convolution as a linear layer.
            const double bound = std::sqrt(6.0 / static_cast<double>(size[0] + t.numel() / size[0]));
            t.uniform_(-bound, bound, generator);
        }
        w[name] = t;
    }
    if (shape.encoding->added == PositionTable::Added) w["pos_embed"] = sinCosPositions(grid, shape.width());
    for (int layer = 0; layer < shape.layers; ++layer)
        w.merge(initialPositions("blocks." + std::to_string(layer) + ".attn.", shape.positions(), generator));
    return w;
}

}  // namespace ropescope
