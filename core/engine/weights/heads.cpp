// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/heads.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/data/usual_run.h"
#include "core/encoding/extrapolation.h"
#include "core/engine/machine/device.h"
#include "core/engine/weights/head_store.h"
#include "core/probe/head_probe.h"

namespace ropescope {
namespace {

Error cancelled() {
    Error error;
    error.kind = ErrorKind::Cancelled;
    error.code = "cancelled";
    error.reason = "cancelled";
    return error;
}

/// What turns the model's trained positions into those of the grid asked for.
Result<Stretch> stretchFor(const HeadsRequest& request, const ModelCard& card, const EncodingSpec& spec) {
    Extrapolate how = request.extrapolate;
    if (how.method == Extrapolation::None) return Stretch{};
    if (auto possible = checkExtrapolation(spec, how.method); !possible) return failure(possible.error());
    if (how.trained == Grid{}) {
        ModelRef own = request.model;
        own.grid = {};
        const Result<std::shared_ptr<HeadStore>> trained = headStore(own);
        if (!trained) return failure(trained.error());
        how.trained = trainedGrid((*trained)->card());
    }
    return stretchOf(how, how.trained, card.grid, spec.encoding->axes);
}

HeadOperator stretched(HeadOperator head, const EncodingSpec& spec, const Stretch& stretch) {
    if (!stretch.active() || head.planes.axes == 0) return head;
    LayerPositions positions;
    positions.frequency = at::tensor(head.planes.frequency, at::kDouble).view({1, -1, head.planes.axes});
    stretchPositions(positions, spec, stretch);
    head.planes.frequency = flat(positions.frequency.contiguous());
    return head;
}

Result<HeadReport> reportHead(HeadStore& store, HeadId id, const EncodingSpec& spec = {}, const Stretch& stretch = {}) {
    const Result<const std::vector<LoadedHead>*> layer = store.layer(id.layer);
    if (!layer) return failure(layer.error());
    const LoadedHead& head = (**layer)[id.head];
    if (head.problem.empty()) return probeHead(id, stretched(head.value, spec, stretch), store.card().grid);
    HeadReport marked;
    marked.id = id;
    marked.problem = head.problem;
    return marked;
}

Error noSuchHead(const ModelCard& card, HeadId id) {
    return {ErrorKind::Usage,
            "head",
            place({card.path, id.name()}),
            "the model has no such head",
            id.name(),
            "L0.H0 to " + HeadId{card.layers - 1, card.heads - 1}.name(),
            "Choose one of its heads"};
}

}  // namespace

Result<HeadsReport> reportHeads(const HeadsRequest& request, const JobContext& context) {
    const at::NoGradGuard noGrad;
    useThreads(1);  // small matrices: a second pool of threads would only slow a running generation
    const Result<std::shared_ptr<HeadStore>> store = headStore(request.model);
    if (!store) return failure(store.error());
    const ModelCard& card = (*store)->card();
    for (HeadId id : request.heads)
        if (id.layer < 0 || id.layer >= card.layers || id.head < 0 || id.head >= card.heads)
            return failure(noSuchHead(card, id));
    const Result<EncodingSpec> spec = encodingOf(card);
    if (!spec) return failure(spec.error());
    const Result<Stretch> stretch = stretchFor(request, card, *spec);
    if (!stretch) return failure(stretch.error());
    HeadsReport report;
    for (HeadId id : request.heads) {
        if (context.stop.stop_requested()) return failure(cancelled());
        Result<HeadReport> head = reportHead(**store, id, *spec, *stretch);
        if (!head) return failure(head.error());
        if (context.onHead) context.onHead(*head);
        report.heads.push_back(std::move(*head));
    }
    return report;
}

}  // namespace ropescope
