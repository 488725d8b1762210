// SPDX-License-Identifier: Apache-2.0
#include "core/probe/compare.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/probe/head_operator.h"

namespace ropescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Energy sorted by ln|omega|: positions and the share of all energy up to and with each.
struct Cumulative {
    std::vector<double> position, share;
};

Cumulative cumulativeOf(const EnergySpectrum& head) {
    std::vector<std::pair<double, double>> parts;
    double total = 0;
    for (int p = 0; p < head.planes.count(); ++p) {
        const double speed = head.planes.speed(p);
        if (speed == 0 || head.energy.empty()) continue;
        parts.emplace_back(std::log(speed), head.energy[p]);
        total += head.energy[p];
    }
    Cumulative out;
    if (!(total > 0) || !std::isfinite(total)) return out;
    std::sort(parts.begin(), parts.end());
    double sum = 0;
    for (const auto& [position, energy] : parts) {
        out.position.push_back(position);
        out.share.push_back((sum += energy) / total);
    }
    return out;
}

/// Area between two cumulative distributions.
double areaBetween(const Cumulative& a, const Cumulative& b) {
    if (a.position.empty() || b.position.empty()) return kNone;
    std::size_t i = 0, j = 0;
    double area = 0, last = std::min(a.position[0], b.position[0]), shareA = 0, shareB = 0;
    while (i < a.position.size() || j < b.position.size()) {
        const double atA = i < a.position.size() ? a.position[i] : INFINITY;
        const double atB = j < b.position.size() ? b.position[j] : INFINITY;
        const double here = std::min(atA, atB);
        area += std::abs(shareA - shareB) * (here - last);
        last = here;
        if (atA <= atB) shareA = a.share[i++];
        if (atB <= atA) shareB = b.share[j++];
    }
    return area;
}

}  // namespace

std::vector<double> pairWeights(Grid grid) {
    std::vector<double> weights;
    const double all = double(grid.tokens()) * grid.tokens();
    for (int r = 1 - grid.rows; r < grid.rows; ++r)
        for (int c = 1 - grid.cols; c < grid.cols; ++c)
            weights.push_back((grid.rows - std::abs(r)) * (grid.cols - std::abs(c)) / all);
    return weights;
}

std::vector<double> correlations(const std::vector<std::vector<double>>& rows, const std::vector<double>& weights) {
    const auto count = static_cast<std::int64_t>(rows.size()), bins = static_cast<std::int64_t>(weights.size());
    at::Tensor x = at::full({count, bins}, kNone, at::kDouble);
    for (std::int64_t i = 0; i < count; ++i) {
        if (rows[i].empty()) continue;
        if (rows[i].size() != weights.size()) throw std::invalid_argument("one value per weight");
        std::copy(rows[i].begin(), rows[i].end(), x.data_ptr<double>() + i * bins);
    }
    const at::Tensor w = at::tensor(weights, at::kDouble);
    const at::Tensor mean = at::mv(x, w).unsqueeze(1);
    const at::Tensor off = (x - mean) * w.sqrt();
    const at::Tensor length = off.norm(2, {1}, true);
    // Round-off of a constant must not look like a shape.
    const at::Tensor flatRow = length <= 1e-12 * (mean.abs() + 1e-300);
    const at::Tensor unit = (off / length).masked_fill(flatRow, kNone);
    return flat(at::matmul(unit, unit.mT()).clamp(-1, 1));
}

std::vector<double> cutOffsets(const std::vector<double>& values, Grid from, Grid to) {
    const int across = 2 * from.cols - 1;
    if (from.rows < to.rows || from.cols < to.cols ||
        values.size() != std::size_t(2 * from.rows - 1) * std::size_t(across))
        throw std::invalid_argument("a cut is of a larger map over offsets");
    std::vector<double> out;
    for (int r = from.rows - to.rows; r < from.rows + to.rows - 1; ++r) {
        const auto first = values.begin() + r * across + from.cols - to.cols;
        out.insert(out.end(), first, first + 2 * to.cols - 1);
    }
    return out;
}

std::vector<double> frequencyDistances(const std::vector<EnergySpectrum>& heads) {
    const std::size_t n = heads.size();
    std::vector<Cumulative> all;
    for (const EnergySpectrum& head : heads) all.push_back(cumulativeOf(head));
    std::vector<double> matrix(n * n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j) matrix[i * n + j] = matrix[j * n + i] = areaBetween(all[i], all[j]);
    return matrix;
}

Embedding classicalScaling(const std::vector<double>& distances, int count) {
    if (distances.size() != std::size_t(count) * count) throw std::invalid_argument("distances are [n,n]");
    Embedding out{std::vector<double>(2 * count, kNone), {kNone, kNone}};
    std::vector<std::int64_t> kept;
    for (int i = 0; i < count; ++i)
        if (std::isfinite(distances[i * count + i])) kept.push_back(i);
    const auto n = static_cast<std::int64_t>(kept.size());
    if (n < 2) return out;
    const at::Tensor index = at::tensor(kept);
    const at::Tensor all = at::tensor(distances, at::kDouble).view({count, count});
    const at::Tensor square = all.index_select(0, index).index_select(1, index).square();
    if (!square.isfinite().all().item<bool>()) return out;
    const at::Tensor centred = square - square.mean(0, true) - square.mean(1, true) + square.mean();
    const auto [values, vectors] = at::linalg_eigh(-0.5 * centred);  // ascending
    const double spread = values.abs().sum().item<double>();
    for (int axis = 0; axis < 2; ++axis) {
        const double value = axis < n ? std::max(0.0, values[n - 1 - axis].item<double>()) : 0;
        const bool empty = !(value > 1e-12 * spread);
        out.share[axis] = spread > 0 ? value / spread : kNone;
        at::Tensor position = empty ? at::zeros({n}, at::kDouble) : vectors.select(1, n - 1 - axis) * std::sqrt(value);
        if (position[position.abs().argmax()].item<double>() < 0) position = -position;
        for (std::int64_t i = 0; i < n; ++i) out.positions[2 * kept[i] + axis] = position[i].item<double>();
    }
    return out;
}

double meanOverTurning(const std::vector<double>& overlaps, const RotaryPlanes& planes) {
    double sum = 0;
    int count = 0;
    for (int p = 0; p < planes.count(); ++p) {
        if (planes.speed(p) == 0 || std::isnan(overlaps[p])) continue;
        sum += overlaps[p];
        ++count;
    }
    return count ? sum / count : kNone;
}

}  // namespace ropescope
