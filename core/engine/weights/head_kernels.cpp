// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/head_kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <numeric>

#include "core/data/kernel_series.h"
#include "core/data/usual_run.h"
#include "core/encoding/extrapolation.h"
#include "core/engine/weights/head_store.h"
#include "core/probe/frequencies.h"
#include "core/probe/kernel.h"

namespace ropescope {
namespace {

/// The heads of the variation as it is at that share of a run.
Result<std::shared_ptr<HeadStore>> storeAt(const ModelRef& model, double progress) {
    const Result<std::shared_ptr<HeadStore>> store = headStore(model);
    if (!store || !(*store)->changes()) return store;
    const HeadChangesPtr moved = changesAt((*store)->changes(), progress);
    if (moved == (*store)->changes()) return store;
    const Result<std::shared_ptr<HeadStore>> stored = headStore(withoutChanges(model));
    if (!stored) return stored;
    return HeadStore::varied(*stored, moved);
}

std::vector<double> kernelOn(const HeadOperator& head, Grid grid, const EncodingSpec& spec, const Stretch& stretch) {
    if (!head.hasContent() || head.planes.count() == 0) return {};
    RotaryPlanes planes = head.planes;
    if (stretch.active()) {
        LayerPositions positions;
        positions.frequency = at::tensor(planes.frequency, at::kDouble).view({1, -1, planes.axes});
        stretchPositions(positions, spec, stretch);
        planes.frequency = flat(positions.frequency.contiguous());
    }
    const ContentMoments content = mapped(head.map, head.content);
    const std::vector<double> energy = planeEnergies(content);
    const KernelSeries series = kernelOf(content, planes, std::accumulate(energy.begin(), energy.end(), 0.0));
    return series.a.empty() ? std::vector<double>() : evaluateKernel(series, grid);
}

}  // namespace

Result<std::vector<std::vector<double>>> headKernels(const HeadKernelsOf& asked) {
    const at::NoGradGuard noGrad;
    const Result<std::shared_ptr<HeadStore>> store = storeAt(asked.model, asked.progress);
    if (!store) return failure(store.error());
    const ModelCard& card = (*store)->card();
    const Result<EncodingSpec> spec = encodingOf(card);
    if (!spec) return failure(spec.error());
    const Grid trained = asked.extrapolate.trained == Grid{} ? trainedGrid(card) : asked.extrapolate.trained;
    const Stretch stretch = stretchOf(asked.extrapolate, trained, asked.grid, spec->encoding->axes);
    std::vector<std::vector<double>> out;
    for (const HeadId id : asked.heads) {
        out.emplace_back();
        if (id.layer < 0 || id.layer >= card.layers || id.head < 0 || id.head >= card.heads) continue;
        const auto layer = (*store)->layer(id.layer);
        if (!layer) return failure(layer.error());
        const LoadedHead& head = (**layer)[id.head];
        if (head.problem.empty()) out.back() = kernelOn(head.value, asked.grid, *spec, stretch);
    }
    return out;
}

}  // namespace ropescope
