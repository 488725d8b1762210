// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/encoding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace ropescope {
namespace {

using K = MatrixKind;

const std::array<Encoding, 10>& table() {
    constexpr PositionTable no = PositionTable::None;
    static const std::array<Encoding, 10> rows = {{
        {"none", no, 0, Frequencies::None, nullptr},
        {"absolute", PositionTable::Added, 0, Frequencies::None, nullptr},
        {"rope1d", no, 1, Frequencies::Fixed, flatFrequency, nullptr, false, 1},
        {"axial", no, 2, Frequencies::Fixed, axialFrequency, nullptr, false, 2},
        {"mixed", no, 2, Frequencies::Learned, mixedFrequency},
        {"string", no, 2, Frequencies::Learned, axialFrequency, findMapNames("string")},
        {"rethinking", no, 2, Frequencies::Fixed, axialFrequency, findMapNames("rethinking"), false, 2},
        {"video", no, 2, Frequencies::Fixed, videoFrequency, nullptr, false, 1},
        {"harope", no, 2, Frequencies::Fixed, axialFrequency, findMapNames("harope"), true, 2},
        {"harope_mixed", no, 2, Frequencies::Learned, mixedFrequency, findMapNames("harope_mixed"), true},
    }};
    return rows;
}

std::string mapPrefix(const EncodingSpec& spec) {
    return spec.encoding->map ? std::string(spec.encoding->map->prefix) : std::string();
}

/// float64 where no training has to pay for it.
at::Tensor exact(const at::Tensor& t) {
    return t.requires_grad() ? t : t.to(at::kDouble);
}

const at::Tensor& find(const WeightTable& w, const std::string& prefix, const std::string& name) {
    const auto own = w.find(prefix + name);
    return own != w.end() ? own->second : w.at(name);
}

/// Circulant matrices hold their frequencies themselves.
bool storesFrequencies(const EncodingSpec& spec) {
    return spec.encoding->frequencies == Frequencies::Learned && spec.matrix != K::Circulant;
}

}  // namespace

std::span<const Encoding> encodings() {
    return table();
}

Result<const Encoding*> findEncoding(std::string_view name) {
    std::string known;
    for (const Encoding& e : table()) {
        if (e.name == name) return &e;
        known += (known.empty() ? "" : ", ") + std::string(e.name);
    }
    return failure({ErrorKind::Usage, "encoding", "", "no such positional encoding", printable(name), known,
                    "Choose one of the known encodings"});
}

std::vector<MatrixParameter> positionTensors(const std::string& prefix, const EncodingSpec& spec) {
    std::vector<MatrixParameter> all = matrixParameters(spec.matrix, spec.headDim);
    for (MatrixParameter& p : all) p.name = prefix + mapPrefix(spec) + p.name;
    if (storesFrequencies(spec)) all.push_back({prefix + "freqs", {2, spec.headDim / 2}});
    return all;
}

WeightTable initialPositions(const std::string& prefix, const EncodingSpec& spec, at::Generator& generator) {
    WeightTable w;
    const int count = spec.sharing == MapSharing::Head ? spec.heads : 1;
    const std::string map = mapPrefix(spec);
    const bool first = prefix.find("blocks.0.") != std::string::npos;
    if (spec.matrix == K::Circulant)
        w[prefix + map + "c"] = circulantParameters(axialFrequency(spec, nullptr))
                                    .to(at::kFloat)
                                    .expand({count, 2, spec.headDim})
                                    .contiguous();
    else if (spec.sharing != MapSharing::Model || first)
        for (auto& [name, tensor] : initialMatrix(spec.matrix, count, spec.headDim, generator))
            w[(spec.sharing == MapSharing::Model ? "" : prefix) + map + name] = tensor;
    if (storesFrequencies(spec)) {
        // [H,P,2] row first in use, [2,H,P] column first in files.
        const at::Tensor f = spec.encoding->frequency(spec, &generator);
        const std::int64_t each = std::max<std::int64_t>(count, f.size(0));  // drawn ones are each head's own
        w[prefix + "freqs"] = f.expand({each, f.size(1), 2}).permute({2, 0, 1}).flip(0).to(at::kFloat).contiguous();
    }
    return w;
}

WeightTable matrixWeights(const WeightTable& weights, const std::string& prefix, const EncodingSpec& spec) {
    WeightTable own;
    for (const MatrixParameter& p : matrixParameters(spec.matrix, spec.headDim))
        own[p.name] = exact(find(weights, prefix, mapPrefix(spec) + p.name));
    return own;
}

HeadMap storedMap(const WeightTable& weights, const std::string& prefix, const EncodingSpec& spec, int index) {
    const WeightTable matrix = matrixWeights(weights, prefix, spec);
    const auto own = [&](const std::string& name, std::int64_t dims) {
        const at::Tensor& parameter = matrix.at(name);
        return parameter.dim() == dims ? parameter : parameter[parameter.size(0) == 1 ? 0 : index];
    };
    const auto generator = [&](const std::string& name) {
        const at::Tensor a = own(name, 2);
        return (a - a.mT()) * 0.5;
    };
    const bool halfSplit = spec.layout == RotaryLayout::HalfSplit;
    HeadMap map;
    if (spec.matrix == K::Svd) {
        map.generatorU = generator("A_u"), map.generatorV = generator("A_v");
        map.logValues = (at::softplus(own("sigma", 1)) + kSingularFloor).log();
        map.halfSplit = halfSplit;
    } else if (spec.matrix == K::Exponential) {
        map.generatorU = generator("X"), map.generatorV = at::zeros_like(map.generatorU);
        map.logValues = at::zeros({spec.headDim}, map.generatorU.options());
        map.halfSplit = halfSplit;
    } else {
        const at::Tensor all = matrixOf(spec.matrix, matrix);
        const at::Tensor one = all[all.size(0) == 1 ? 0 : index];
        map.matrix = halfSplit ? interleavedMap(one) : one;
    }
    return map;
}

namespace {

/// Maps as stored, with what of them must be orthogonal. The exponentials are the costly part and taken once.
void addMaps(LayerPositions& positions, const WeightTable& matrix, const EncodingSpec& spec) {
    const Convention convention = spec.encoding->conventions ? spec.convention : Convention::Same;
    if (spec.matrix == K::Svd) {
        const HaropeFactors f = haropeFactors(matrix.at("A_u"), matrix.at("A_v"), matrix.at("sigma"));
        positions.maps = haropeMaps(f, convention);
        positions.orthogonal = {f.u, f.v};
    } else {
        positions.maps = matrixMaps(spec.matrix, matrix, convention);
        if (isOrthogonal(spec.matrix)) positions.orthogonal = {positions.maps.query};
    }
    if (spec.layout == RotaryLayout::HalfSplit)
        positions.maps = {interleavedMap(positions.maps.query), interleavedMap(positions.maps.key)};
}

void changeMaps(LayerPositions& positions, const WeightTable& weights, const std::string& prefix,
                const EncodingSpec& spec, int layer) {
    const bool shared = positions.maps.query.size(0) == 1 && spec.sharing != MapSharing::Head;
    const int count = shared ? 1 : spec.heads;
    const Convention convention = spec.encoding->conventions ? spec.convention : Convention::Same;
    std::vector<at::Tensor> query, key;
    for (int index = 0; index < count; ++index) {
        const HeadId id{layer, spec.firstHead + index};
        const std::int64_t stored = positions.maps.query.size(0) == 1 ? 0 : index;
        query.push_back(positions.maps.query[stored]), key.push_back(positions.maps.key[stored]);
        if (!spec.changes->touchMap(id)) continue;
        HeadMap map = changedMap(storedMap(weights, prefix, spec, index), *spec.changes, id);
        query.back() = map.query().to(query.back().options()),
        key.back() = map.key(convention).to(key.back().options());
        for (int head = shared ? 0 : index; head < (shared ? spec.heads : index + 1); ++head)
            positions.changed[head] = map;
    }
    if (!positions.changed.empty()) positions.maps = {at::stack(query), at::stack(key)};
}

/// A factor for every head; undefined where all are 1.
at::Tensor factors(const EncodingSpec& spec, int layer, double (*factorOf)(const HeadChanges&, HeadId)) {
    std::vector<double> all;
    for (int index = 0; index < spec.heads; ++index)
        all.push_back(factorOf(*spec.changes, {layer, spec.firstHead + index}));
    const bool neutral = std::ranges::all_of(all, [](double factor) { return factor == 1; });
    return neutral ? at::Tensor() : at::tensor(all, at::kDouble);
}

}  // namespace

LayerPositions layerPositions(const WeightTable& weights, const std::string& prefix, const EncodingSpec& spec,
                              int layer) {
    LayerPositions positions;
    const WeightTable matrix = matrixWeights(weights, prefix, spec);
    if (spec.encoding->hasMaps()) addMaps(positions, matrix, spec);
    if (spec.changes && spec.changes->touchLayer(layer)) {
        if (spec.encoding->hasMaps()) changeMaps(positions, weights, prefix, spec, layer);
        positions.frequencyScale = factors(spec, layer, frequencyFactor);
        positions.output = factors(spec, layer, outputFactor);
    }
    if (!spec.encoding->turns()) return positions;
    if (spec.matrix == K::Circulant)
        positions.frequency = circulantFrequencies(matrix.at("c"));
    else if (storesFrequencies(spec))
        positions.frequency = exact(weights.at(prefix + "freqs")).flip(0).permute({1, 2, 0});
    else
        positions.frequency = spec.encoding->frequency(spec, nullptr);
    return positions;
}

at::Tensor LayerPositions::turning() const {
    if (!frequency.defined() || !frequencyScale.defined()) return frequency;
    return frequency * frequencyScale.to(frequency.options()).view({-1, 1, 1});
}

at::Tensor halfSplitOrder(int headDim) {
    return at::arange(headDim, at::kLong).view({2, headDim / 2}).mT().reshape({headDim});
}

at::Tensor interleavedMap(const at::Tensor& map) {
    const at::Tensor order = halfSplitOrder(static_cast<int>(map.size(-1))).to(map.device());
    return map.index_select(-2, order).index_select(-1, order);
}

RotaryTable rotaryTable(const LayerPositions& positions, Grid grid, Grid origin) {
    RotaryTable table = rotaryTable(positions.turning(), grid, origin);
    if (!positions.factor.defined()) return table;
    const at::Tensor factor = positions.factor.to(table.cos.options());
    return {table.cos * factor, table.sin * factor};
}

bool sharesRotation(const EncodingSpec& spec) {
    return spec.encoding->frequencies != Frequencies::Learned && !(spec.changes && spec.changes->ofFrequencies());
}

bool isPositionParameter(std::string_view name) {
    if (name.ends_with("attn.freqs")) return true;
    for (const MapNames& map : mapNames())
        if (name.starts_with(map.prefix) || name.find("attn." + std::string(map.prefix)) != std::string_view::npos)
            return true;
    return false;
}

}  // namespace ropescope
