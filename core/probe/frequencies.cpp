// SPDX-License-Identifier: Apache-2.0
#include "core/probe/frequencies.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/probe/kernel.h"

namespace ropescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Tokens along the plane's own axis; the longer side for planes of no single axis.
int sideOf(const RotaryPlanes& planes, int plane, Grid grid) {
    if (planes.axes == 1) return grid.tokens();
    const int axis = planes.axis(plane);
    return axis == 0 ? grid.rows : axis == 1 ? grid.cols : std::max(grid.rows, grid.cols);
}

void measureShares(FrequencyEnergy& e, const RotaryPlanes& planes, Grid grid) {
    double moving = 0, square = 0;
    const bool axial = planes.axes > 1 && planes.axial();
    e.axisShare.assign(axial ? planes.axes : 0, 0.0);
    e.meanLogOmega = e.stillShare = e.longWaveShare = 0;
    for (int p = 0; p < planes.count(); ++p) {
        const double share = e.weights[p], speed = planes.speed(p);
        if (axial && planes.axis(p) >= 0) e.axisShare[planes.axis(p)] += share;
        if (speed == 0) {
            e.stillShare += share;
            continue;
        }
        moving += share;
        e.meanLogOmega += share * std::log(speed);
        if (2 * std::numbers::pi / speed > 4 * sideOf(planes, p, grid)) e.longWaveShare += share;
    }
    e.meanLogOmega /= moving;
    for (int p = 0; p < planes.count(); ++p)
        if (planes.speed(p) > 0) square += e.weights[p] * std::pow(std::log(planes.speed(p)) - e.meanLogOmega, 2);
    e.stdLogOmega = std::sqrt(square / moving);
}

}  // namespace

std::vector<double> normalised(std::vector<double> energy) {
    const double total = std::accumulate(energy.begin(), energy.end(), 0.0);
    for (double& e : energy) e = total > 0 ? e / total : kNone;
    return energy;
}

void summariseEnergy(FrequencyEnergy& e, const RotaryPlanes& planes, Grid grid) {
    e.wasserstein = logFrequencyDistance(planes, e.weights, e.reference);
    measureShares(e, planes, grid);
}

std::vector<double> planeEnergies(const ContentMoments& mapped) {
    const auto traces = [](const at::Tensor& moment) { return moment.diagonal().reshape({-1, 2}).sum(1); };
    return flat((traces(mapped.query) * traces(mapped.key)).sqrt());
}

double logFrequencyDistance(const RotaryPlanes& planes, const std::vector<double>& first,
                            const std::vector<double>& second) {
    std::vector<int> order;
    double firstTotal = 0, secondTotal = 0;
    for (int p = 0; p < planes.count(); ++p) {
        if (planes.speed(p) == 0) continue;
        order.push_back(p);
        firstTotal += first[p], secondTotal += second[p];
    }
    if (!(firstTotal > 0) || !(secondTotal > 0)) return kNone;
    std::sort(order.begin(), order.end(), [&](int a, int b) { return planes.speed(a) < planes.speed(b); });
    // On a line the distance is the area between the two cumulative distributions.
    double ahead = 0, distance = 0;
    for (std::size_t i = 0; i + 1 < order.size(); ++i) {
        ahead += first[order[i]] / firstTotal - second[order[i]] / secondTotal;
        distance += std::abs(ahead) * std::log(planes.speed(order[i + 1]) / planes.speed(order[i]));
    }
    return distance;
}

FrequencyEnergy measureEnergy(const HeadOperator& head, Grid grid) {
    return measureEnergy(head, mappedWhiteContent(head.map),
                         head.hasContent() ? mapped(head.map, head.content) : ContentMoments(), grid);
}

FrequencyEnergy measureEnergy(const HeadOperator& head, const ContentMoments& white, const ContentMoments& content,
                              Grid grid) {
    const RotaryPlanes& planes = head.planes;
    FrequencyEnergy e;
    e.frequency = planes.frequency;
    if (planes.count() == 0) {
        e.meanLogOmega = e.stdLogOmega = e.stillShare = e.longWaveShare = e.wasserstein = e.wassersteinMap = kNone;
        return e;
    }
    e.map = normalised(planeEnergies(white));
    e.wassersteinMap = logFrequencyDistance(planes, e.map, std::vector<double>(e.map.size(), 1.0));
    if (!head.hasContent()) {
        e.meanLogOmega = e.stdLogOmega = e.stillShare = e.longWaveShare = e.wasserstein = kNone;
        return e;
    }
    e.weights = normalised(planeEnergies(content));
    e.reference = normalised(planeEnergies(head.content));
    summariseEnergy(e, planes, grid);
    return e;
}

}  // namespace ropescope
