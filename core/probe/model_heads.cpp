// SPDX-License-Identifier: Apache-2.0
#include "core/probe/model_heads.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

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

/// Reads the tensors of one layer and keeps, per head, the first thing that is wrong with it.
struct LayerReader {
    const TensorTable& table;
    const ModelCard& card;
    std::vector<std::string> problems;  ///< [H]

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
    void markAll(const std::string& code, const std::string& tensor, const std::string& reason,
                 const std::string& found = {}, const std::string& expected = {}) {
        for (int h = 0; h < card.heads; ++h) mark(h, code, tensor, reason, found, expected);
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

    /// The same in the file's own type where LibTorch has it: projections are large, and a third of them is not needed.
    Result<std::optional<at::Tensor>> readStored(const std::string& name, const std::vector<Shape>& shapes) {
        const TensorEntry* entry = table.find(name);
        static const std::map<DType, at::ScalarType> types = {
            {DType::F64, at::kDouble}, {DType::F32, at::kFloat}, {DType::F16, at::kHalf}, {DType::BF16, at::kBFloat16}};
        const auto type = entry ? types.find(entry->dtype) : types.end();
        if (type == types.end() || std::find(shapes.begin(), shapes.end(), entry->shape) == shapes.end())
            return read(name, shapes);
        Result<Array> values = table.read(name);
        if (!values) return failure(values.error());
        const auto owner = std::make_shared<Array>(std::move(*values));
        return at::from_blob(
            owner->bytes.data(), owner->shape, [owner](void*) {}, type->second);
    }

    /// Marks the head when a value of its part is not finite: how many, and where the first one is. `part` is a view of
    /// `whole`, so that the place can be told in the tensor's own indices. True when all are finite.
    bool finite(int head, const std::string& name, const at::Tensor& part, const at::Tensor& whole) {
        const at::Tensor bad = part.isfinite().logical_not();
        const std::int64_t count = bad.sum().item<std::int64_t>();
        if (count == 0) return true;
        const std::int64_t inPart = bad.reshape(-1).nonzero()[0].item<std::int64_t>();
        // Parts are contiguous rows of the tensor.
        std::int64_t index = part.storage_offset() - whole.storage_offset() + inPart;
        Shape place(whole.dim());
        for (std::int64_t d = whole.dim() - 1; d >= 0; --d) place[d] = index % whole.size(d), index /= whole.size(d);
        mark(head, "TC-01", name, "values are not finite, the first at " + shapeText(place),
             std::to_string(count) + " of " + std::to_string(part.numel()));
        return false;
    }
};

struct LayerMaps {
    HeadMaps maps;         ///< [H,D,D]
    at::Tensor stored;     ///< [H,D]
    at::Tensor frequency;  ///< [H or 1, P, axes]; undefined where nothing turns
};

/// Maps and frequencies of a layer and the matrices that must be orthogonal: U and V, whose exponentials are the costly
/// part and so are taken once, or the map itself.
LayerPositions positionsOf(const WeightTable& weights, const WeightTable& matrix, const std::string& block,
                           const EncodingSpec& spec, std::vector<at::Tensor>& orthogonal) {
    if (spec.matrix != MatrixKind::Svd) {
        LayerPositions positions = layerPositions(weights, block, spec);
        if (isOrthogonal(spec.matrix)) orthogonal = {positions.maps.query};
        return positions;
    }
    Encoding turning = *spec.encoding;
    turning.map = nullptr;
    EncodingSpec rest = spec;
    rest.encoding = &turning;
    rest.matrix = MatrixKind::None;
    LayerPositions positions = layerPositions(weights, block, rest);
    const HaropeFactors f = haropeFactors(matrix.at("A_u"), matrix.at("A_v"), matrix.at("sigma"));
    orthogonal = {f.u, f.v};
    positions.maps = haropeMaps(f, spec.encoding->conventions ? spec.convention : Convention::Same);
    return positions;
}

/// Marks heads whose maps stopped being finite or orthogonal on the way, for example by overflow.
void checkDerived(LayerReader& reader, const std::string& name, const std::vector<at::Tensor>& orthogonal,
                  const HeadMaps& maps) {
    for (int head = 0; head < reader.card.heads; ++head) {
        for (const at::Tensor& all : orthogonal) {
            const at::Tensor& own = all[all.size(0) == 1 ? 0 : head];
            const double off =
                (at::matmul(own.mT(), own) - at::eye(own.size(0), own.options())).abs().max().item<double>();
            if (!(off <= kOrthogonal))
                reader.mark(head, "TC-03", name, "its matrix exponential is not orthogonal",
                            "off by " + std::to_string(off));
        }
        for (const at::Tensor& t : {maps.query, maps.key})
            if (!t[t.size(0) == 1 ? 0 : head].isfinite().all().item<bool>())
                reader.mark(head, "TC-03", name, "the map made of it is not finite");
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
        at::Tensor sound = heads.clone();
        const std::int64_t axis = frequencies ? 1 : 0;
        for (int head = 0; head < h; ++head) {
            const int source = heads.size(axis) == 1 ? 0 : head;
            bool finite = true;
            if (frequencies)
                for (int side = 0; side < 2; ++side) finite &= reader.finite(head, name, heads[side][source], whole);
            else
                finite = reader.finite(head, name, heads[source], whole);
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

Result<std::optional<LayerMaps>> readMaps(LayerReader& reader, const std::string& block, const EncodingSpec& spec) {
    const std::int64_t h = reader.card.heads, d = reader.card.headDim;
    auto weights = readPositions(reader, block, spec);
    if (!weights) return failure(weights.error());
    if (!*weights) return std::nullopt;
    const at::Tensor one = at::eye(d, at::kDouble).expand({h, d, d});
    const WeightTable matrix = matrixWeights(**weights, block, spec);
    std::vector<at::Tensor> orthogonal;
    const LayerPositions positions = positionsOf(**weights, matrix, block, spec, orthogonal);
    LayerMaps layer{{one, one}, at::ones({h, d}, at::kDouble), positions.frequency};
    if (!spec.encoding->hasMaps()) return layer;
    checkDerived(reader, positionTensors(block, spec).front().name, orthogonal, positions.maps);
    layer.maps = {positions.maps.query.expand({h, d, d}), positions.maps.key.expand({h, d, d})};
    // An SVD of NaN may be finite: marked heads get none.
    bool sound = positions.maps.query.isfinite().all().item<bool>();
    if (sound) layer.stored = storedSingularValues(spec.matrix, matrix).expand({h, d});
    return layer;
}

/// The projections of a layer in the file's own type; one head's part is made wide when it is needed.
struct LayerProjections {
    at::Tensor weight;  ///< [3 width, width]
    at::Tensor bias;    ///< [3 width]
    int heads = 0;

    /// Moments of one head's queries and keys for white input, the bias as one more column; float64. Products of half
    /// types are exact in float32: sums of kShort of them are taken there, which costs half the time.
    [[nodiscard]] ContentMoments moments(int head) const {
        const std::int64_t width = weight.size(1), d = width / heads;
        const auto rows = [&](const at::Tensor& t, int side) { return t.narrow(0, side * width + head * d, d); };
        const bool half = weight.scalar_type() == at::kHalf || weight.scalar_type() == at::kBFloat16;
        if (!half || width % kShort != 0) {
            const auto part = [&](int side) {
                return at::cat({rows(weight, side).to(at::kDouble), rows(bias, side).to(at::kDouble).unsqueeze(1)}, 1);
            };
            return momentsOf(part(0), part(1));
        }
        const auto part = [&](int side) {
            return rows(weight, side).to(at::kFloat).view({d, width / kShort, kShort}).transpose(0, 1);
        };
        const at::Tensor q = part(0), k = part(1);
        const auto sum = [&](const at::Tensor& a, int sideA, const at::Tensor& b, int sideB) {
            return at::bmm(a, b.mT()).sum(0, false, at::kDouble) +
                   at::outer(rows(bias, sideA).to(at::kDouble), rows(bias, sideB).to(at::kDouble));
        };
        return {sum(q, 0, q, 0), sum(k, 1, k, 1), sum(k, 1, q, 0)};
    }
};

Result<std::optional<LayerProjections>> readContent(LayerReader& reader, const std::string& block) {
    const std::int64_t h = reader.card.heads, d = reader.card.headDim, width = h * d;
    const std::string weightName = block + "qkv.weight", biasName = block + "qkv.bias";
    auto weight = reader.readStored(weightName, {{3 * width, width}});
    if (!weight) return failure(weight.error());
    if (!*weight) return std::nullopt;
    at::Tensor bias = at::zeros({3 * width}, at::kDouble);
    if (reader.table.find(biasName)) {  // some models have none
        auto read = reader.read(biasName, {{3 * width}});
        if (!read) return failure(read.error());
        if (!*read) return std::nullopt;
        bias = **read;
    }
    for (int side = 0; side < 2; ++side)
        for (int head = 0; head < h; ++head) {
            const std::int64_t row = side * width + head * d;
            reader.finite(head, weightName, (*weight)->narrow(0, row, d), **weight);
            reader.finite(head, biasName, bias.narrow(0, row, d), bias);
        }
    return LayerProjections{**weight, bias, reader.card.heads};
}

Error unsuitable(const ModelCard& card, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused,
            "heads",
            place({card.path}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Open a DiT or ViT checkpoint for the weight views"};
}

}  // namespace

Result<EncodingSpec> encodingOf(const ModelCard& card) {
    if (card.architecture != "dit" && card.architecture != "vit")
        return failure(unsuitable(card, "no weight views for this network", card.architecture, "dit or vit"));
    const Result<const Encoding*> encoding = findEncoding(card.encoding);
    if (!encoding) return failure(unsuitable(card, "an encoding without weight probes", card.encoding, ""));
    if (card.layers < 1 || card.heads < 1 || card.headDim < 2 || card.headDim % 2 != 0)
        return failure(unsuitable(card, "sizes of the heads do not fit",
                                  std::to_string(card.layers) + " layers, " + std::to_string(card.heads) +
                                      " heads of " + std::to_string(card.headDim),
                                  "an even head dimension"));
    const bool said = card.convention == Convention::Same || card.convention == Convention::Inverse;
    if ((*encoding)->conventions && !said)
        return failure({ErrorKind::Usage, "convention", place({card.path}), "the file does not say how its maps enter",
                        "", "same or inverse", "Add --convention same or --convention inverse"});
    const int parts = 2 * std::max(1, (*encoding)->axes);
    if ((*encoding)->turns() && (card.headDim % parts != 0 || !(card.theta > 0)))
        return failure(
            unsuitable(card, "rotary positions do not fit",
                       "head dimension " + std::to_string(card.headDim) + ", theta " + std::to_string(card.theta),
                       "a multiple of " + std::to_string(parts) + " and a positive theta"));
    EncodingSpec spec{*encoding, card.heads, card.headDim, card.theta};
    if ((*encoding)->conventions) spec.convention = card.convention;
    if ((*encoding)->hasMaps())
        spec.matrix = card.matrix != MatrixKind::None ? card.matrix : (*encoding)->map->kinds[0];
    spec.sharing = card.sharing;
    spec.order = card.axisOrder;
    return spec;
}

Result<std::vector<LoadedHead>> loadHeads(const TensorTable& table, const ModelCard& card, int layer) {
    const Result<EncodingSpec> spec = encodingOf(card);
    if (!spec) return failure(spec.error());
    const bool mapped = spec->encoding->hasMaps();
    const std::string block = "blocks." + std::to_string(layer) + ".attn.";
    LayerReader reader{table, card, std::vector<std::string>(card.heads)};
    const std::int64_t h = card.heads, d = card.headDim;
    const at::Tensor one = at::eye(d, at::kDouble).expand({h, d, d});
    LayerMaps maps{{one, one}, at::ones({h, d}, at::kDouble), {}};
    auto read = readMaps(reader, block, *spec);
    if (!read) return failure(read.error());
    if (*read) maps = **read;
    auto content = readContent(reader, block);
    if (!content) return failure(content.error());
    // Behind a q,k norm the size of the projections says nothing about the content.
    const bool normed = table.find(block + "q_norm.weight") != nullptr;
    std::vector<LoadedHead> heads(card.heads);
    for (int i = 0; i < card.heads; ++i) {
        heads[i].problem = reader.problems[i];
        if (!heads[i].problem.empty()) continue;
        HeadOperator& value = heads[i].value;
        value.map.query = maps.maps.query[i].contiguous();
        const bool inverse = mapped && spec->encoding->conventions && card.convention == Convention::Inverse;
        value.map.key = inverse ? maps.maps.key[i].contiguous() : value.map.query;
        value.stored = maps.stored[i];
        value.convention = !mapped                       ? Convention::None
                           : spec->encoding->conventions ? card.convention
                                                         : Convention::Same;
        if (!normed) value.content = (*content)->moments(i);
        value.planes = {{}, 0};
        if (maps.frequency.defined())
            value.planes = {flat(maps.frequency[maps.frequency.size(0) == 1 ? 0 : i].contiguous()),
                            spec->encoding->axes};
    }
    return heads;
}

}  // namespace ropescope
