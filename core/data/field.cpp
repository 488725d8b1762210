// SPDX-License-Identifier: Apache-2.0
#include "core/data/field.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

namespace ropescope {
namespace {

struct Bin {
    double row, col, share, distance;
};

std::vector<Bin> binsOf(const std::vector<float>& sum, Grid grid, double total) {
    std::vector<Bin> bins;
    bins.reserve(sum.size());
    std::size_t i = 0;
    for (int r = 1 - grid.rows; r < grid.rows; ++r)
        for (int c = 1 - grid.cols; c < grid.cols; ++c)
            bins.push_back({double(r), double(c), sum[i++] / total, std::hypot(double(r), double(c))});
    return bins;
}

void measureMoments(const std::vector<Bin>& bins, FieldNumbers& n) {
    double square = 0;
    for (const Bin& b : bins) {
        n.meanDistance += b.share * b.distance;
        square += b.share * b.distance * b.distance;
        n.centreRow += b.share * b.row;
        n.centreCol += b.share * b.col;
        if (b.distance == 0) n.selfShare = b.share;
        if (b.share > 0) n.fieldEntropy -= b.share * std::log(b.share);
    }
    n.rmsRadius = std::sqrt(std::max(0.0, square));
    double rr = 0, rc = 0, cc = 0;
    for (const Bin& b : bins) {
        const double dr = b.row - n.centreRow, dc = b.col - n.centreCol;
        rr += b.share * dr * dr, rc += b.share * dr * dc, cc += b.share * dc * dc;
    }
    const double middle = (rr + cc) / 2, half = std::hypot((cc - rr) / 2, rc);
    n.lambda1 = middle + half;
    n.lambda2 = std::max(0.0, middle - half);
    // Round-off of a field that sits on one offset must not look like a direction.
    constexpr double kNothing = 1e-12;
    n.anisotropy = n.lambda1 > kNothing ? 1 - n.lambda2 / n.lambda1 : 0;
    n.orientation = n.anisotropy > kNothing ? std::atan2(2 * rc, cc - rr) / 2 * 180 / std::numbers::pi : 0;
    if (n.orientation <= -90) n.orientation += 180;
}

double halfMassRadius(std::vector<Bin> bins) {
    std::sort(bins.begin(), bins.end(), [](const Bin& a, const Bin& b) { return a.distance < b.distance; });
    double mass = 0;
    for (const Bin& b : bins) {
        mass += b.share;
        if (mass >= 0.5 - 1e-9) return b.distance;  // float32 sums end a little short of a half
    }
    return bins.back().distance;
}

}  // namespace

FieldNumbers measureField(const std::vector<float>& fieldSum, Grid grid) {
    if (grid.rows < 1 || grid.cols < 1 ||
        fieldSum.size() != std::size_t(2 * grid.rows - 1) * std::size_t(2 * grid.cols - 1))
        throw std::invalid_argument("a field is [2h-1, 2w-1] of its grid");
    double total = 0;
    for (float v : fieldSum) total += v;
    if (!(total > 0) || !std::isfinite(total)) {
        constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
        return {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone};
    }
    FieldNumbers n;
    const std::vector<Bin> bins = binsOf(fieldSum, grid, total);
    measureMoments(bins, n);
    n.halfMassRadius = halfMassRadius(bins);
    return n;
}

}  // namespace ropescope
