// SPDX-License-Identifier: Apache-2.0
#include "core/engine/check/self_check.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "core/engine/check/checked_network.h"
#include "core/engine/check/parity.h"
#include "core/engine/check/self_check_rows.h"
#include "core/engine/machine/device.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/weights/head_store.h"

namespace ropescope {
namespace {

/// The layer's encoding parameters as they are, float64; values that are not finite become 0, missing tensors are left
/// out: their heads are marked already.
WeightTable positionWeights(const TensorTable& table, const std::string& prefix, const EncodingSpec& spec) {
    WeightTable weights;
    for (const MatrixParameter& parameter : positionTensors(prefix, spec)) {
        std::string name = parameter.name;
        if (!table.find(name)) name = name.substr(prefix.size());
        const TensorEntry* entry = table.find(name);
        if (!entry) continue;
        const Result<std::vector<double>> values = table.readDouble(name);
        if (!values) continue;
        const at::Tensor t = at::from_blob(const_cast<double*>(values->data()), entry->shape, at::kDouble);
        weights[parameter.name] = at::nan_to_num(t, 0.0, 0.0, 0.0);
    }
    return weights;
}

/// Largest |entry| of a b - I, per head; a, b [H,D,D].
at::Tensor offIdentity(const at::Tensor& a, const at::Tensor& b) {
    return (at::matmul(a, b) - at::eye(a.size(-1), a.options())).abs().amax({-2, -1});
}

struct MapRows {
    Worst orthogonal, inverse;
};

void checkMaps(const TensorTable& table, const std::string& prefix, const EncodingSpec& spec, int layer,
               const std::vector<bool>& sound, MapRows& rows) {
    const WeightTable weights = positionWeights(table, prefix, spec);
    if (weights.size() != positionTensors(prefix, spec).size()) return;
    const LayerPositions positions = layerPositions(weights, prefix, spec, layer);
    const HeadMaps& maps = positions.maps;
    for (const at::Tensor& q : positions.orthogonal) rows.orthogonal.take(layer, sound, offIdentity(q.mT(), q));
    const bool inverse = spec.convention == Convention::Inverse;
    const at::Tensor back = inverse ? maps.key.mT() : std::get<0>(at::linalg_inv_ex(maps.query, false));
    rows.inverse.take(layer, sound, offIdentity(maps.query, back));
}

Result<Worst> checkRelative(CheckedNetwork& network, const std::vector<std::vector<bool>>& sound,
                            const JobContext& context) {
    Worst worst;
    const std::vector<int> layers = network.telling(sound);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const int layer = layers[i];
        const auto here = network.logits(layer, {}), there = network.logits(layer, {3, 5});
        if (!here || !there) return failure(here ? there.error() : here.error());
        worst.take(layer, sound[layer],
                   (*here - *there).abs().amax({-2, -1}) / here->abs().amax({-2, -1}).clamp_min(1e-30));
        if (context.onShare)
            context.onShare(0.5 + 0.4 * static_cast<double>(i + 1) / static_cast<double>(layers.size()),
                            "checking relative positions");
    }
    return worst;
}

class Check {
public:
    Check(TensorTable table, std::shared_ptr<HeadStore> store, EncodingSpec spec)
        : m_table(std::move(table)), m_store(std::move(store)), m_spec(spec) {}

    Result<SelfCheckReport> run(const JobContext& context) {
        SelfCheckReport report;
        const ModelCard& card = m_store->card();
        std::vector<std::string> problems;
        for (int layer = 0; layer < card.layers; ++layer) {
            if (context.stop.stop_requested()) return failure(cancelled());
            const Result<std::vector<LoadedHead>> heads = m_store->passing(layer);
            if (!heads) return failure(heads.error());
            std::vector<bool> sound;
            for (int h = 0; h < card.heads; ++h) {
                const std::string& problem = (*heads)[h].problem;
                sound.push_back(problem.empty());
                if (!problem.empty()) problems.push_back(HeadId{layer, h}.name() + ": " + problem);
            }
            m_sound.push_back(sound);
            if (m_spec.encoding->hasMaps()) checkMaps(m_table, card.attention(layer), m_spec, layer, sound, m_maps);
            if (context.onShare) context.onShare(0.5 * (layer + 1) / card.layers, "checking maps");
        }
        report.rows.push_back(finiteRow(problems));
        addNetworkRows(report, context);
        for (const SelfCheckRow& row : report.rows) report.overall = std::max(report.overall, row.state);
        return report;
    }

private:
    void addNetworkRows(SelfCheckReport& report, const JobContext& context) {
        const auto network = checkedNetwork(m_table, m_store->card());
        const std::string reason = network ? "" : "cannot be computed: " + network.error().reason;
        report.rows.push_back(network ? relative(**network, context) : relativeRow(reason));
        report.rows.push_back(orthogonalRow(m_maps.orthogonal, m_spec));
        report.rows.push_back(inverseRow(m_maps.inverse, m_spec));
        report.rows.push_back(parityRow(network ? parity(**network) : failure(Error{.reason = reason}), m_table));
    }

    SelfCheckRow relative(CheckedNetwork& network, const JobContext& context) const {
        if (!m_spec.encoding->turns()) return relativeRow("positions do not turn queries and keys");
        const Result<Worst> worst = checkRelative(network, m_sound, context);
        return worst ? relativeRow(*worst) : relativeRow("cannot be computed: " + worst.error().reason);
    }

    Result<Parity> parity(CheckedNetwork& network) const {
        const Result<Record> record = findRecord(m_table, network.inputs());
        if (!record) return failure(record.error());
        return measureParity(*record, [&](const Record& r) { return network.output(r); });
    }

    TensorTable m_table;
    std::shared_ptr<HeadStore> m_store;
    EncodingSpec m_spec;
    std::vector<std::vector<bool>> m_sound;  ///< [layer][head]
    MapRows m_maps;
};

}  // namespace

Result<SelfCheckReport> selfCheck(const SelfCheckRequest& request, const JobContext& context) {
    const at::NoGradGuard noGrad;
    useThreads(1);
    Result<TensorTable> table = TensorTable::open(request.model);
    if (!table) return failure(table.error());
    const Result<std::shared_ptr<HeadStore>> store = headStore(request.model);
    if (!store) return failure(store.error());
    const Result<EncodingSpec> spec = encodingOf((*store)->card());
    if (!spec) return failure(spec.error());
    return Check(std::move(*table), *store, *spec).run(context);
}

}  // namespace ropescope
