// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/atlas/atlas_figure.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ropescope {

std::pair<double, double> rangeOf(const std::vector<double>& values) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (double value : values) {
        if (std::isnan(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    if (!(low <= high)) return {0, 1};
    if (high - low < 1e-12) {
        const double half = std::max(1e-6, 0.05 * std::abs(low));
        return {low - half, high + half};
    }
    return {low, high};
}

std::vector<int> descending(const std::vector<double>& values) {
    std::vector<int> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        if (std::isnan(values[a]) || std::isnan(values[b])) return !std::isnan(values[a]) && std::isnan(values[b]);
        return values[a] > values[b];
    });
    return order;
}

std::vector<double> meansOf(const AtlasFigure& figure, bool byLayer) {
    std::vector<double> sums(byLayer ? figure.layers : figure.heads, 0.0), counts = sums;
    for (int i = 0; i < figure.layers * figure.heads; ++i) {
        if (std::isnan(figure.values[i])) continue;
        const int at = byLayer ? i / figure.heads : i % figure.heads;
        sums[at] += figure.values[i];
        ++counts[at];
    }
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];
    return sums;
}

}  // namespace ropescope
