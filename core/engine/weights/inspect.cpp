// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>

#include "core/data/kernel_series.h"
#include "core/data/safetensors.h"
#include "core/engine/weights/head_store.h"
#include "core/engine/weights/heads.h"
#include "core/probe/head_probe.h"

namespace ropescope {
namespace {

using Shape = std::vector<std::int64_t>;

/// The tensors of one layer under construction: heads appended one after the other.
struct LayerTensors {
    std::string prefix;
    std::map<std::string, Array>& out;

    /// Values of one head, of that shape; `heads` of them make the tensor [heads, shape...]. No values: NaN.
    void add(const std::string& name, int heads, int head, const std::vector<double>& values, const Shape& shape) {
        Array& array = out[prefix + name];
        if (array.shape.empty()) {
            array.shape = {heads};
            array.shape.insert(array.shape.end(), shape.begin(), shape.end());
            array.bytes.resize(array.elements() * sizeof(float));
            std::ranges::fill(array.as<float>(), std::numeric_limits<float>::quiet_NaN());
        }
        const std::size_t each = array.elements() / heads;
        if (values.size() != each) return;  // a marked head, or a number this head does not have
        std::ranges::copy(values, array.as<float>().begin() + head * each);
    }
};

struct LayerSizes {
    int heads;
    std::int64_t d, planes, axes;
    Grid grid;
};

void addMap(LayerTensors& t, const LayerSizes& n, int head, const HeadReport& r) {
    t.add("singular_values", n.heads, head, r.spectrum.stored, {n.d});
    t.add("gauge_fixed_singular_values", n.heads, head, r.spectrum.gaugeFixed, {n.d});
    t.add("map_q", n.heads, head, r.mapQuery, {n.d, n.d});
    t.add("map_k", n.heads, head, r.mapKey, {n.d, n.d});
}

void addPlanes(LayerTensors& t, const LayerSizes& n, int head, const HeadReport& r, bool axial) {
    for (const auto& [side, planes] : {std::pair("_q", &r.query), std::pair("_k", &r.key)}) {
        const auto name = [&](const char* number) { return std::string(number) + side; };
        t.add(name("overlap"), n.heads, head, planes->overlap, {n.planes, n.planes});
        t.add(name("principal_angles"), n.heads, head, planes->principalAngles, {n.planes, 2});
        t.add(name("plane_gain"), n.heads, head, planes->gain, {n.planes});
        if (axial) t.add(name("cross_axis_mixing"), n.heads, head, planes->axisMixing, {n.axes, n.axes});
    }
    t.add("energy_map", n.heads, head, r.energy.map, {n.planes});
    t.add("energy_weights", n.heads, head, r.energy.weights, {n.planes});
}

void addKernels(LayerTensors& t, const LayerSizes& n, int head, const HeadReport& r) {
    const Shape offsets = {2 * n.grid.rows - 1, 2 * n.grid.cols - 1};
    const bool sound = r.problem.empty();
    const auto kernel = [&](const KernelSeries& k) {
        return sound && !k.a.empty() ? evaluateKernel(k, n.grid) : std::vector<double>();
    };
    const auto sensitivity = [&](const SensitivityForm& s) {
        return sound && !s.quadratic.empty() ? evaluateSensitivity(s, n.grid) : std::vector<double>();
    };
    t.add("kernel_white", n.heads, head, kernel(r.kernelWhite), offsets);
    t.add("kernel_weights", n.heads, head, kernel(r.kernelWeights), offsets);
    t.add("sensitivity_white", n.heads, head, sensitivity(r.sensitivityWhite), offsets);
    t.add("sensitivity_weights", n.heads, head, sensitivity(r.sensitivityWeights), offsets);
}

/// [H,P,axes] of heads that turn alike to [P,axes], from a head that is not marked.
void shareFrequency(Array& frequency) {
    const std::span<const float> all = frequency.as<float>();
    const std::size_t each = all.size() / static_cast<std::size_t>(frequency.shape[0]);
    std::size_t first = 0;
    while (first + each < all.size() && std::isnan(all[first])) first += each;
    frequency = makeArray(std::vector<float>(all.begin() + first, all.begin() + first + each),
                          {frequency.shape[1], frequency.shape[2]});
}

}  // namespace

Result<void> inspectModel(const InspectCommand& command) {
    const Result<std::shared_ptr<HeadStore>> store = headStore(command.model);
    if (!store) return failure(store.error());
    const ModelCard& card = (*store)->card();
    Result<EncodingSpec> spec = encodingOf(card);
    if (!spec) return failure(spec.error());
    spec->changes = (*store)->changes();
    const bool turns = spec->encoding->turns(), axial = turns && sharesRotation(*spec);
    const LayerSizes sizes{card.heads, card.headDim, turns ? card.headDim / 2 : 0, spec->encoding->axes, card.grid};
    std::map<std::string, Array> out;
    for (int layer = 0; layer < card.layers; ++layer) {
        HeadsRequest request{command.model, {}, command.extrapolate};
        for (int head = 0; head < card.heads; ++head) request.heads.push_back({layer, head});
        const Result<HeadsReport> report = reportHeads(request, {});
        if (!report) return failure(report.error());
        LayerTensors tensors{"layer." + std::to_string(layer) + ".", out};
        for (int head = 0; head < card.heads; ++head) {
            const HeadReport& r = report->heads[head];
            if (!r.problem.empty()) std::cerr << r.id.name() << ": " << r.problem << '\n';
            addMap(tensors, sizes, head, r);
            if (!turns) continue;
            tensors.add("frequency", sizes.heads, head, r.energy.frequency, {sizes.planes, sizes.axes});
            addPlanes(tensors, sizes, head, r, axial);
            addKernels(tensors, sizes, head, r);
        }
        if (axial) shareFrequency(out[tensors.prefix + "frequency"]);
    }
    return writeSafetensors(command.out, out);
}

}  // namespace ropescope
