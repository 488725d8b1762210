// SPDX-License-Identifier: Apache-2.0
#include "core/probe/head_probe.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "core/probe/frequencies.h"
#include "core/probe/kernel.h"
#include "core/probe/planes.h"
#include "core/probe/spectrum.h"

namespace ropescope {
namespace {

bool isIdentity(const HeadMaps& map) {
    const at::Tensor one = at::eye(map.query.size(0), at::kDouble);
    return (map.query - one).abs().max().item<double>() <= kIdentityTolerance &&
           (map.key - one).abs().max().item<double>() <= kIdentityTolerance;
}

void probeKernels(HeadReport& report, const HeadOperator& head) {
    const double rootD = std::sqrt(static_cast<double>(head.dimension()));
    const ContentMoments white = mapped(head.map, whiteContent(head.dimension()));
    report.kernelWhite = kernelOf(white, head.planes, 1);
    report.sensitivityWhite = sensitivityOf(white, head.planes, 1 / rootD);  // of plain RoPE at zero offset
    if (!head.hasContent()) return;
    const ContentMoments content = mapped(head.map, head.content);
    const std::vector<double> energy = planeEnergies(content);
    const double total = std::accumulate(energy.begin(), energy.end(), 0.0);
    report.kernelWeights = kernelOf(content, head.planes, total);
    report.sensitivityWeights = sensitivityOf(content, head.planes, zeroOffsetNorm(content));
    report.contentStrength = total / rootD;
}

}  // namespace

HeadReport probeHead(HeadId id, const HeadOperator& head, Grid grid) {
    HeadReport report;
    report.id = id;
    report.hasMap = head.hasMap();
    report.identity = isIdentity(head.map);
    report.spectrum = measureSpectrum(head);
    const PlaneBases query = planeBases(head.map.query);
    const bool oneMap = head.convention != Convention::Inverse;
    const PlaneBases key = oneMap ? query : planeBases(head.map.key);
    report.query = alignPlanes(query, head.planes);
    report.key = oneMap ? report.query : alignPlanes(key, head.planes);
    report.mapQuery = flat(head.map.query);
    report.mapKey = flat(head.map.key);
    report.energy = measureEnergy(head, grid);
    if (head.planes.count() == 0) return report;
    report.queryKeyOverlap = queryKeyOverlap(query, key);
    for (int p = 0; p < head.planes.count(); ++p) report.planeAxis.push_back(head.planes.axis(p));
    probeKernels(report, head);
    return report;
}

}  // namespace ropescope
