// SPDX-License-Identifier: Apache-2.0
#include "core/engine/heads.h"

#include <ATen/core/grad_mode.h>

#include "core/engine/device.h"
#include "core/engine/head_store.h"
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

Result<HeadReport> reportHead(HeadStore& store, HeadId id) {
    const Result<const std::vector<LoadedHead>*> layer = store.layer(id.layer);
    if (!layer) return failure(layer.error());
    const LoadedHead& head = (**layer)[id.head];
    if (head.problem.empty()) return probeHead(id, head.value, store.card().grid);
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
    HeadsReport report;
    for (HeadId id : request.heads) {
        if (context.stop.stop_requested()) return failure(cancelled());
        Result<HeadReport> head = reportHead(**store, id);
        if (!head) return failure(head.error());
        if (context.onHead) context.onHead(*head);
        report.heads.push_back(std::move(*head));
    }
    return report;
}

}  // namespace ropescope
