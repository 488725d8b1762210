// SPDX-License-Identifier: Apache-2.0
#include "core/engine/self_check.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/engine/device.h"
#include "core/engine/head_store.h"
#include "core/engine/parity.h"
#include "core/engine/self_check_rows.h"

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

void checkMaps(const TensorTable& table, const EncodingSpec& spec, int layer, const std::vector<bool>& sound,
               MapRows& rows) {
    const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
    const WeightTable weights = positionWeights(table, prefix, spec);
    if (weights.size() != positionTensors(prefix, spec).size()) return;
    const HeadMaps maps = layerPositions(weights, prefix, spec).maps;
    std::vector<at::Tensor> orthogonal;
    if (spec.matrix == MatrixKind::Svd) {
        const WeightTable matrix = matrixWeights(weights, prefix, spec);
        const HaropeFactors f = haropeFactors(matrix.at("A_u"), matrix.at("A_v"), matrix.at("sigma"));
        orthogonal = {f.u, f.v};
    } else if (isOrthogonal(spec.matrix)) {
        orthogonal = {maps.query};
    }
    for (const at::Tensor& q : orthogonal) rows.orthogonal.take(layer, sound, offIdentity(q.mT(), q));
    const bool inverse = spec.convention == Convention::Inverse;
    const at::Tensor back = inverse ? maps.key.mT() : at::linalg_inv_ex(maps.query, false).inverse;
    rows.inverse.take(layer, sound, offIdentity(maps.query, back));
}

/// Logits q k^T / sqrt(D) of one layer for drawn tokens, positions counted from `origin`.
at::Tensor logits(const WeightTable& weights, const DitShape& shape, int layer, const at::Tensor& tokens, Grid grid,
                  Grid origin) {
    at::Tensor result;
    DitTaps taps;
    taps.queryKey = [&](int, at::Tensor& q, at::Tensor& k) {
        result = at::matmul(q, k.mT())[0] / std::sqrt(static_cast<double>(shape.headDim));
    };
    static_cast<void>(ditBlock(weights, shape, layer, tokens, at::zeros({1, 6 * shape.width()}), grid, taps, origin));
    return result;
}

Worst checkRelative(const WeightTable& weights, const DitShape& shape, Grid grid,
                    const std::vector<std::vector<bool>>& sound) {
    grid = {std::min(grid.rows, 8), std::min(grid.cols, 8)};  // offsets of 7 show what there is to see
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
    const at::Tensor tokens = at::randn({1, grid.tokens(), shape.width()}, generator);
    Worst worst;
    for (int layer = 0; layer < shape.layers; ++layer) {
        const at::Tensor here = logits(weights, shape, layer, tokens, grid, {});
        const at::Tensor there = logits(weights, shape, layer, tokens, grid, {3, 5});
        worst.take(layer, sound[layer],
                   (here - there).abs().amax({-2, -1}) / here.abs().amax({-2, -1}).clamp_min(1e-30));
    }
    return worst;
}

class Check {
public:
    Check(TensorTable table, std::shared_ptr<HeadStore> store, EncodingSpec spec, const SelfCheckRequest& request)
        : m_table(std::move(table)), m_store(std::move(store)), m_spec(spec), m_request(request) {}

    Result<SelfCheckReport> run(const JobContext& context) {
        SelfCheckReport report;
        const ModelCard& card = m_store->card();
        std::vector<std::string> problems;
        for (int layer = 0; layer < card.layers; ++layer) {
            if (context.stop.stop_requested())
                return failure({ErrorKind::Cancelled, "cancelled", "", "cancelled", "", "", ""});
            const Result<const std::vector<LoadedHead>*> heads = m_store->layer(layer);
            if (!heads) return failure(heads.error());
            std::vector<bool> sound;
            for (int h = 0; h < card.heads; ++h) {
                const std::string& problem = (**heads)[h].problem;
                sound.push_back(problem.empty());
                if (!problem.empty()) problems.push_back(HeadId{layer, h}.name() + ": " + problem);
            }
            m_sound.push_back(sound);
            if (m_spec.encoding->hasMaps()) checkMaps(m_table, m_spec, layer, sound, m_maps);
            if (context.onShare) context.onShare(0.5 * (layer + 1) / card.layers, "checking maps");
        }
        report.rows.push_back(finiteRow(problems));
        addNetworkRows(report);
        for (const SelfCheckRow& row : report.rows) report.overall = std::max(report.overall, row.state);
        return report;
    }

private:
    void addNetworkRows(SelfCheckReport& report) {
        const ModelCard& card = m_store->card();
        const Result<DitShape> shape = ditShape(card);
        const Result<void> complete = checkComplete(m_table, card);
        Result<WeightTable> weights = failure(Error{});
        std::string reason;
        if (!shape)
            reason = shape.error().reason;
        else if (!complete)
            reason = complete.error().reason;
        else if (weights = loadDitWeights(m_table, *shape); !weights)
            reason = weights.error().reason;
        if (!m_spec.encoding->turns()) {
            report.rows.push_back(relativeRow("positions do not turn queries and keys"));
        } else if (!weights) {
            report.rows.push_back(relativeRow("cannot be computed: " + reason));
        } else {
            WeightTable finite;
            for (const auto& [name, t] : *weights) finite[name] = at::nan_to_num(t, 0.0, 0.0, 0.0);
            report.rows.push_back(relativeRow(checkRelative(finite, *shape, card.grid, m_sound)));
        }
        report.rows.push_back(orthogonalRow(m_maps.orthogonal, m_spec));
        report.rows.push_back(inverseRow(m_maps.inverse, m_spec));
        if (weights)
            report.rows.push_back(parityRow(measureParity(m_table, *weights, *shape), m_table));
        else
            report.rows.push_back(parityRow(failure(Error{.reason = "cannot be computed: " + reason}), m_table));
    }

    TensorTable m_table;
    std::shared_ptr<HeadStore> m_store;
    EncodingSpec m_spec;
    SelfCheckRequest m_request;
    std::vector<std::vector<bool>> m_sound;  ///< [layer][head]
    MapRows m_maps;
};

}  // namespace

Result<SelfCheckReport> selfCheck(const SelfCheckRequest& request, const JobContext& context) {
    const at::NoGradGuard noGrad;
    useThreads(1);
    Result<TensorTable> table = TensorTable::open(request.model.path, request.model.weights);
    if (!table) return failure(table.error());
    const Result<std::shared_ptr<HeadStore>> store = headStore(request.model);
    if (!store) return failure(store.error());
    const Result<EncodingSpec> spec = encodingOf((*store)->card());
    if (!spec) return failure(spec.error());
    return Check(std::move(*table), *store, *spec, request).run(context);
}

}  // namespace ropescope
