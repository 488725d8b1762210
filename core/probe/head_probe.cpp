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

void probeKernels(HeadReport& report, const HeadOperator& head, const ContentMoments& white,
                  const ContentMoments& content) {
    const double rootD = std::sqrt(static_cast<double>(head.dimension()));
    report.kernelWhite = kernelOf(white, head.planes, 1);
    report.sensitivityWhite = sensitivityOf(white, head.planes, 1 / rootD);  // of plain RoPE at zero offset
    if (!head.hasContent()) return;
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
    if (head.planes.count() == 0) {
        report.energy = measureEnergy(head, {}, {}, grid);
        return report;
    }
    const ContentMoments white = mappedWhiteContent(head.map);
    const ContentMoments content = head.hasContent() ? mapped(head.map, head.content) : ContentMoments();
    report.energy = measureEnergy(head, white, content, grid);
    report.queryKeyOverlap = queryKeyOverlap(query, key);
    for (int p = 0; p < head.planes.count(); ++p) report.planeAxis.push_back(head.planes.axis(p));
    probeKernels(report, head, white, content);
    return report;
}

}  // namespace ropescope
