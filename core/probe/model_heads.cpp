// SPDX-License-Identifier: Apache-2.0
#include "core/probe/model_heads.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>

#include "core/checkpoint/number_conversion.h"
#include "core/data/stored_shapes.h"
#include "core/encoding/encoding.h"

namespace ropescope {
namespace {

using Shape = std::vector<std::int64_t>;

/// U^T U of an exponential may be off the identity by this much; generators of huge norm lose everything.
constexpr double kOrthogonal = 1e-6;

constexpr std::int64_t kShort = 128;  ///< products summed in float32

std::string shapeText(const Shape& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i) text += ',';
        text += std::to_string(shape[i]);
    }
    text += ']';
    return text;
}

/// Per head, the first thing that is wrong with it.
struct Marks {
    const ModelCard& card;
    std::vector<std::string> problems;

    void mark(int head, const std::string& code, const std::string& tensor, const std::string& reason,
              const std::string& found = {}, const std::string& expected = {}) {
        const Error error{ErrorKind::Refused,
                          code,
                          place({card.path, tensor}),
                          reason,
                          found,
                          expected,
                          "This head is marked, the others are drawn"};
        if (problems[head].empty()) problems[head] = error.message();
    }
};

/// Reads what a range of one layer's heads needs. Heads are counted from the range's first.
struct LayerReader : Marks {
    const TensorTable& table;
    HeadRange range;

    LayerReader(const TensorTable& from, const ModelCard& of, HeadRange heads)
        : Marks{of, std::vector<std::string>(heads.count)}, table(from), range(heads) {}
    void markAll(const std::string& code, const std::string& tensor, const std::string& reason,
                 const std::string& found = {}, const std::string& expected = {}) {
        for (int h = 0; h < range.count; ++h) mark(h, code, tensor, reason, found, expected);
    }

    /// The tensor as float64; nothing (and every head marked) when it is missing or has none of the shapes.
    Result<std::optional<at::Tensor>> read(const std::string& name, const std::vector<Shape>& shapes) {
        const TensorEntry* entry = table.find(name);
        if (!entry) {
            markAll("TC-05", name, "tensor is missing");
            return std::nullopt;
        }
        if (std::find(shapes.begin(), shapes.end(), entry->shape) == shapes.end()) {
            markAll("TC-07", name, "tensor has the wrong shape", shapeText(entry->shape), shapeText(shapes.front()));
            return std::nullopt;
        }
        Result<std::vector<double>> values = table.readDouble(name);
        if (!values) return failure(values.error());
        return at::from_blob(values->data(), entry->shape, at::kDouble).clone();
    }

    /// Rows of a tensor that was found to have the right shape: float32 where its type is no wider, else float64.
    Result<at::Tensor> readRows(const std::string& name, std::int64_t first, std::int64_t count) const {
        static const std::map<DType, at::ScalarType> types = {
            {DType::F32, at::kFloat}, {DType::F16, at::kHalf}, {DType::BF16, at::kBFloat16}};
        Result<Array> rows = table.readRows(name, first, count);
        if (!rows) return failure(rows.error());
        const auto type = types.find(rows->dtype);
        if (type != types.end())
            return at::from_blob(rows->bytes.data(), rows->shape, type->second).to(at::kFloat, false, true);
        const std::vector<double> wide = toDouble(*rows);
        return at::from_blob(const_cast<double*>(wide.data()), rows->shape, at::kDouble).clone();
    }

    /// Marks the head when a value of its part is not finite: how many, and where the first one is. `part` is
    /// contiguous and starts at element `start` of a tensor of shape `whole`. True when all are finite.
    bool finite(int head, const std::string& name, const at::Tensor& part, std::int64_t start, at::IntArrayRef whole) {
        if (allFinite(part)) return true;
        const at::Tensor bad = part.isfinite().logical_not();
        const std::int64_t count = bad.sum().item<std::int64_t>();
        std::int64_t index = start + bad.reshape(-1).nonzero()[0].item<std::int64_t>();
        Shape place(whole.size());
        for (std::size_t d = whole.size(); d-- > 0;) place[d] = index % whole[d], index /= whole[d];
        mark(head, "TC-01", name, "values are not finite, the first at " + shapeText(place),
             std::to_string(count) + " of " + std::to_string(part.numel()));
        return false;
    }
};

struct LayerMaps {
    HeadMaps maps;         ///< [H,D,D]
    at::Tensor stored;     ///< [H,D]
    at::Tensor polar;      ///< [H or 1, D, D] orthogonal polar factor of the query map; undefined where not at hand
    at::Tensor frequency;  ///< [H or 1, P, axes]; undefined where nothing turns
    at::Tensor frequencyScale = {};  ///< [H] already in `frequency`; undefined: 1
};

/// Marks heads whose maps stopped being finite or orthogonal on the way, for example by overflow.
void checkDerived(Marks& marks, const std::string& name, const std::vector<at::Tensor>& orthogonal,
                  const HeadMaps& maps) {
    for (int head = 0; head < static_cast<int>(marks.problems.size()); ++head) {
        for (const at::Tensor& all : orthogonal) {
            const at::Tensor& own = all[all.size(0) == 1 ? 0 : head];
            const double off =
                (at::matmul(own.mT(), own) - at::eye(own.size(0), own.options())).abs().max().item<double>();
            if (!(off <= kOrthogonal))
                marks.mark(head, "TC-03", name, "its matrix exponential is not orthogonal",
                           "off by " + std::to_string(off));
        }
        for (const at::Tensor& t : {maps.query, maps.key})
            if (!allFinite(t[t.size(0) == 1 ? 0 : head]))
                marks.mark(head, "TC-03", name, "the map made of it is not finite");
    }
}

/// The parameters of one layer's encoding with the values of unsound heads replaced by those of a new one: functions of
/// the whole batch must not see NaN. Nothing (and every head marked) when a tensor is missing or has a wrong shape.
Result<std::optional<WeightTable>> readPositions(LayerReader& reader, const std::string& block,
                                                 const EncodingSpec& spec) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(0);
    EncodingSpec layerSpec = spec;
    if (layerSpec.sharing == MapSharing::Model) layerSpec.sharing = MapSharing::Layer;
    const WeightTable fresh = initialPositions(block, layerSpec, generator);
    WeightTable weights;
    for (const MatrixParameter& parameter : positionTensors(block, spec)) {
        std::string name = parameter.name;
        if (!reader.table.find(name) && reader.table.find(name.substr(block.size()))) name = name.substr(block.size());
        const bool frequencies = name.ends_with("freqs");
        const TensorEntry* entry = reader.table.find(name);
        const std::int64_t h = reader.card.heads;
        // Frequencies: one of every head, one for all, or rope-vit's own layout.
        const std::int64_t planes = parameter.shape.back();
        const std::vector<Shape> shapes =
            frequencies ? std::vector<Shape>{{2, h, planes}, {2, 1, planes}, {2, h * planes}}
                        : storedShapes(spec.matrix, parameter.shape, h, entry ? entry->shape : Shape());
        const Shape own = frequencies ? parameter.shape : shapes.back();
        auto tensor = reader.read(name, shapes);
        if (!tensor) return failure(tensor.error());
        if (!*tensor) return std::nullopt;
        const at::Tensor whole = frequencies && (*tensor)->dim() == 2 ? (*tensor)->view({2, h, own[1]}) : **tensor;
        const at::Tensor heads = whole.dim() == static_cast<std::int64_t>(own.size()) ? whole.unsqueeze(0) : whole;
        const std::int64_t axis = frequencies ? 1 : 0;
        const bool shared = heads.size(axis) == 1;
        at::Tensor sound = (shared ? heads : heads.narrow(axis, reader.range.first, reader.range.count)).clone();
        const auto check = [&](int head, const at::Tensor& part) {
            return reader.finite(head, name, part, part.storage_offset(), whole.sizes());
        };
        for (int head = 0; head < reader.range.count; ++head) {
            const int source = shared ? 0 : head, stored = shared ? 0 : head + reader.range.first;
            bool finite = true;
            if (frequencies)
                for (int side = 0; side < 2; ++side) finite &= check(head, heads[side][stored]);
            else
                finite = check(head, heads[stored]);
            if (finite) continue;
            // A reflection has no zero; everything else is sound at zero (exponentials, turns, frequencies).
            at::Tensor bad = sound.select(axis, source);
            const bool regular = spec.matrix == MatrixKind::Householder || spec.matrix == MatrixKind::Full;
            if (regular && bad.sizes() == fresh.at(parameter.name).select(0, 0).sizes())
                bad.copy_(fresh.at(parameter.name)[0]);
            else
                bad.zero_();
        }
        weights[parameter.name] = sound;
    }
    return weights;
}

/// [1,P,2] over rows and columns; the first axis stands still on an image.
at::Tensor fluxFrequency(const ModelCard& card) {
    std::vector<double> all;
    for (int axis = 0; axis < static_cast<int>(card.axesDims.size()); ++axis)
        for (int k = 0; k < card.axesDims[axis] / 2; ++k) {
            const double omega = std::pow(card.theta, -2.0 * k / card.axesDims[axis]);
            all.insert(all.end(), {axis == 1 ? omega : 0, axis == 2 ? omega : 0});
        }
    return at::tensor(all, at::kDouble).view({1, -1, 2});
}

/// The layer's own encoding: maps may have been learned in other layers alone.
Result<EncodingSpec> encodingOfLayer(const TensorTable& table, const ModelCard& card, const std::string& block) {
    Result<EncodingSpec> spec = encodingOf(card);
    if (!spec || !card.takesText() || !spec->encoding->hasMaps()) return spec;
    const std::vector<MatrixParameter> own = positionTensors(block, *spec);
    const auto stored = [&](const MatrixParameter& p) { return table.find(p.name) != nullptr; };
    if (std::ranges::any_of(own, stored)) return spec;
    spec->encoding = findEncoding("axial").value();
    spec->matrix = MatrixKind::None;
    return spec;
}

LayerMaps makeMaps(Marks& marks, const LayerParts& parts, const std::string& block, int number) {
    const EncodingSpec& spec = parts.spec;
    const std::int64_t h = spec.heads, d = spec.headDim;
    const at::Tensor one = at::eye(d, at::kDouble).expand({h, d, d});
    LayerMaps layer{{one, one}, at::ones({h, d}, at::kDouble), {}, {}};
    if (!parts.weights) return layer;
    LayerPositions positions = layerPositions(*parts.weights, block, spec, number);
    if (marks.card.architecture == "flux") positions.frequency = fluxFrequency(marks.card);
    layer.frequency = positions.turning();
    if (!spec.encoding->hasMaps()) return layer;
    checkDerived(marks, positionTensors(block, spec).front().name, positions.orthogonal, positions.maps);
    layer.maps = {positions.maps.query.expand({h, d, d}), positions.maps.key.expand({h, d, d})};
    // An SVD of NaN may be finite: marked heads get none.
    if (!allFinite(positions.maps.query)) return layer;
    if (spec.matrix == MatrixKind::Svd && positions.changed.empty()) {
        layer.polar = at::matmul(positions.orthogonal[0], positions.orthogonal[1].mT());
        if (spec.layout == RotaryLayout::HalfSplit) layer.polar = interleavedMap(layer.polar);
    }
    layer.stored = storedSingularValues(spec.matrix, matrixWeights(*parts.weights, block, spec)).expand({h, d}).clone();
    for (const auto& [head, map] : positions.changed) layer.stored[head].copy_(map.singularValues());
    return layer;
}

/// Moments of queries and keys for white input: weights [D,C] and biases [D]; float64. Products of half types are
/// exact in float32: sums of kShort of them are taken there (`half`), which costs half the time.
ContentMoments projectionMoments(const std::array<at::Tensor, 2>& weight, const std::array<at::Tensor, 2>& bias,
                                 bool half) {
    const std::int64_t d = weight[0].size(0), width = weight[0].size(1);
    if (!half || width % kShort != 0) {
        const auto part = [&](int side) { return at::cat({weight[side].to(at::kDouble), bias[side].unsqueeze(1)}, 1); };
        return momentsOf(part(0), part(1));
    }
    const auto part = [&](int side) { return weight[side].view({d, width / kShort, kShort}).transpose(0, 1); };
    const at::Tensor q = part(0), k = part(1);
    const auto sum = [&](const at::Tensor& a, int sideA, const at::Tensor& b, int sideB) {
        return at::bmm(a, b.mT()).sum(0, false, at::kDouble) + at::outer(bias[sideA], bias[sideB]);
    };
    return {sum(q, 0, q, 0), sum(k, 1, k, 1), sum(k, 1, q, 0)};
}

/// The projections' moments of every head; undefined for heads that are marked. Only the rows of queries and keys are
/// read, head by head.
Result<std::vector<ContentMoments>> readContent(LayerReader& reader, const std::string& block) {
    const std::int64_t h = reader.card.heads, d = reader.card.headDim, width = h * d;
    const std::string weightName = block + "qkv.weight", biasName = block + "qkv.bias";
    std::vector<ContentMoments> moments(reader.range.count);
    const bool biased = reader.table.find(biasName) != nullptr;  // some models have none
    for (const auto& [name, shape] : {std::pair{weightName, Shape{3 * width, width}}, {biasName, Shape{3 * width}}}) {
        const TensorEntry* entry = reader.table.find(name);
        if (!entry && name == biasName) continue;
        if (!entry) return reader.markAll("TC-05", name, "tensor is missing"), moments;
        if (entry->shape != shape)
            return reader.markAll("TC-07", name, "tensor has the wrong shape", shapeText(entry->shape),
                                  shapeText(shape)),
                   moments;
    }
    const DType type = reader.table.find(weightName)->dtype;
    const at::Tensor order = halfSplitOrder(reader.card.headDim);
    const bool half = type == DType::F16 || type == DType::BF16;
    for (int head = 0; head < reader.range.count; ++head) {
        std::array<at::Tensor, 2> weight, bias;
        for (int side = 0; side < 2; ++side) {
            const std::int64_t row = side * width + (reader.range.first + head) * d;
            auto rows = reader.readRows(weightName, row, d);
            if (!rows) return failure(rows.error());
            weight[side] = *rows;
            bias[side] = at::zeros({d}, at::kDouble);
            if (biased) {
                rows = reader.readRows(biasName, row, d);
                if (!rows) return failure(rows.error());
                bias[side] = rows->to(at::kDouble);
            }
            reader.finite(head, weightName, weight[side], row * width, {3 * width, width});
            reader.finite(head, biasName, bias[side], row, {3 * width});
        }
        if (reader.card.rotaryLayout == RotaryLayout::HalfSplit)
            for (int side = 0; side < 2; ++side) {
                weight[side] = weight[side].index_select(0, order);
                bias[side] = bias[side].index_select(0, order);
            }
        if (reader.problems[head].empty()) moments[head] = projectionMoments(weight, bias, half);
    }
    return moments;
}

}  // namespace

Result<LayerParts> readLayer(const TensorTable& table, const ModelCard& card, int layer, HeadRange range) {
    if (range == HeadRange{}) range = {0, card.heads};
    if (range.first < 0 || range.count < 1 || range.first + range.count > card.heads)
        throw std::out_of_range("a range of heads");
    const std::string block = card.attention(layer);
    const Result<EncodingSpec> spec = encodingOfLayer(table, card, block);
    if (!spec) return failure(spec.error());
    LayerReader reader(table, card, range);
    LayerParts parts;
    auto weights = readPositions(reader, block, *spec);
    if (!weights) return failure(weights.error());
    parts.weights = std::move(*weights);
    // Behind a q,k norm the size of the projections says nothing about the content.
    const std::string projections =
        card.architecture == "mmdit" ? "joint_blocks." + std::to_string(layer) + ".x_block.attn." : block;
    const bool flow = card.architecture == "flux" || table.find(projections + "ln_q.weight") != nullptr;
    parts.normed = flow || table.find(block + "q_norm.weight") != nullptr;
    parts.content.resize(range.count);
    if (!flow) {
        auto content = readContent(reader, projections);
        if (!content) return failure(content.error());
        parts.content = std::move(*content);
    }
    parts.problems = std::move(reader.problems);
    parts.spec = *spec;
    parts.spec.heads = range.count, parts.spec.firstHead = range.first;
    return parts;
}

std::vector<LoadedHead> makeHeads(LayerParts parts, const ModelCard& card, int layer, HeadChangesPtr changes) {
    parts.spec.changes = std::move(changes);
    const EncodingSpec& spec = parts.spec;
    Marks marks{card, parts.problems};
    const LayerMaps maps = makeMaps(marks, parts, card.attention(layer), layer);
    const bool mapped = findMapNames(card.encoding) != nullptr, said = card.convention == Convention::Inverse;
    const auto own = encodingOf(card);
    const bool conventions = own && (*own).encoding->conventions;
    std::vector<LoadedHead> heads(spec.heads);
    for (int i = 0; i < spec.heads; ++i) {
        heads[i].problem = marks.problems[i];
        if (!heads[i].problem.empty()) continue;
        HeadOperator& value = heads[i].value;
        value.map.query = maps.maps.query[i].contiguous();
        const bool inverse = mapped && said && spec.encoding->conventions;
        value.map.key = inverse ? maps.maps.key[i].contiguous() : value.map.query;
        value.stored = maps.stored[i];
        value.convention = !mapped ? Convention::None : conventions ? card.convention : Convention::Same;
        if (!parts.normed) value.content = parts.content[i];
        if (maps.polar.defined() && !inverse) value.polar = maps.polar[maps.polar.size(0) == 1 ? 0 : i];
        value.planes = {{}, 0};
        if (maps.frequency.defined())
            value.planes = {flat(maps.frequency[maps.frequency.size(0) == 1 ? 0 : i].contiguous()),
                            spec.encoding->axes};
    }
    return heads;
}

Result<std::vector<LoadedHead>> loadHeads(const TensorTable& table, const ModelCard& card, int layer, HeadRange range,
                                          HeadChangesPtr changes) {
    auto parts = readLayer(table, card, layer, range);
    if (!parts) return failure(parts.error());
    return makeHeads(std::move(*parts), card, layer, std::move(changes));
}

}  // namespace ropescope
