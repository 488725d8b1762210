// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/extrapolation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/data/enum_names.h"

namespace ropescope {
namespace {

using E = Extrapolation;

/// One rung of a ladder of frequencies: w = theta^(-2 index / width).
struct Rung {
    double w = 0;
    int index = 0;
};

/// What the formulas know besides the rung.
struct Ladder {
    double width = 2;  ///< D_a
    double theta = 10000;
    double scale = 1;
    double length = 1;
    double headDim = 4;
    double time = 1;
};

double ntk(const Rung& r, const Ladder& l) {
    // A ladder of one rung has no slow end.
    return l.width > 2 ? r.w * std::pow(l.scale, -2.0 * r.index / (l.width - 2)) : r.w;
}

/// The index, between rungs, of the plane that turns `rotations` times over the trained length.
double indexOf(double rotations, const Ladder& l) {
    return l.width * std::log(l.length / (2 * std::numbers::pi * rotations)) / (2 * std::log(l.theta));
}

/// 0 for planes that turn more than `fast` times over the trained length, 1 below `slow`, linear between.
double ramp(int index, double fast, double slow, const Ladder& l) {
    const double low = std::clamp(std::floor(indexOf(fast, l)), 0.0, l.width - 1);
    double high = std::clamp(std::ceil(indexOf(slow, l)), 0.0, l.width - 1);
    if (high <= low) high = low + 0.001;
    return std::clamp((index - low) / (high - low), 0.0, 1.0);
}

double blend(double from, double to, double share) {
    return from * (1 - share) + to * share;
}

Ladder ladderOf(double width, double theta, int headDim, const Stretch& stretch, std::size_t axis) {
    return {width, theta, stretch.scale[axis], stretch.length[axis], static_cast<double>(headDim), stretch.time};
}

double factorOf(E method, double scale) {
    return method == E::Yarn ? 0.1 * std::log(scale) + 1 : 1;
}

double frequencyOf(E method, const Rung& r, const Ladder& l) {
    const double interpolated = r.w / l.scale;
    switch (method) {
        case E::Interpolation:
            return interpolated;
        case E::NtkAware:
            return ntk(r, l);
        case E::Yarn:
            return blend(r.w, interpolated, ramp(r.index, 32, 1, l));
        case E::NtkByParts: {
            const double slow = blend(ntk(r, l), interpolated, ramp(r.index, 1.25, 0.75, l));
            return blend(r.w, slow, ramp(r.index, 16, 2, l));
        }
        case E::TimeAware: {
            const double power = l.headDim / (l.time * l.headDim + 1);
            return std::max(interpolated, r.w * std::pow(l.scale, -2.0 * r.index * power / l.width));
        }
        case E::None:
            break;
    }
    return r.w;
}

std::string methodsOf(const Encoding& e) {
    if (e.ladder > 0) return "none, interpolation, ntk, yarn, ntk-by-parts, time-aware";
    return e.turns() || e.added == PositionTable::Added ? "none, interpolation" : "none";
}

/// Every plane of a ladder turns with one axis: its rungs are counted along that axis, or, where one ladder runs over
/// the whole head, along the planes.
void stretchLadder(LayerPositions& positions, const EncodingSpec& spec, const Stretch& stretch) {
    at::Tensor frequency = positions.frequency.to(at::kDouble).clone();
    auto w = frequency.accessor<double, 3>();
    const std::int64_t planes = frequency.size(1), axes = frequency.size(2);
    at::Tensor factor = at::ones({planes}, at::kDouble);
    std::array<int, 2> turning = {0, 0}, counted = {0, 0};
    for (std::int64_t p = 0; p < planes; ++p)
        for (std::int64_t a = 0; a < axes; ++a) turning[a] += w[0][p][a] != 0 ? 1 : 0;
    const bool whole = spec.encoding->ladder == 1;
    for (std::int64_t p = 0; p < planes; ++p)
        for (std::int64_t a = 0; a < axes; ++a) {
            if (w[0][p][a] == 0) continue;
            const int width = whole ? spec.headDim : 2 * turning[a];
            const Ladder ladder = ladderOf(width, spec.theta, spec.headDim, stretch, a);
            const int index = whole ? static_cast<int>(p) : counted[a]++;
            w[0][p][a] = frequencyOf(stretch.method, {w[0][p][a], index}, ladder);
            factor[p] = factorOf(stretch.method, stretch.scale[a]);
        }
    positions.frequency = frequency;
    if (stretch.method == E::Yarn) positions.factor = factor;
}

}  // namespace

Result<void> checkExtrapolation(const EncodingSpec& spec, Extrapolation method) {
    const Encoding& e = *spec.encoding;
    if (method == E::None || e.ladder > 0) return {};
    if (method == E::Interpolation && (e.turns() || e.added == PositionTable::Added)) return {};
    const std::string reason = e.turns() ? "frequencies are learned, there is no ladder of a base to change"
                                         : "there are no rotary frequencies to change";
    return failure({ErrorKind::Usage, "bad-option", "--extrapolation", std::string(e.name) + " positions: " + reason,
                    std::string(enumName(method)), methodsOf(e), "Choose another method"});
}

Stretch stretchOf(const Extrapolate& how, Grid trained, Grid target, int axes) {
    if (how.trained != Grid{}) trained = how.trained;
    Stretch s{how.method, {1, 1}, {1, 1}, std::clamp(how.time, 0.0, 1.0)};
    if (trained.rows < 1 || trained.cols < 1) return s;
    const auto over = [](double a, double b) { return std::max(1.0, a / b); };
    if (axes == 1) {
        s.scale[0] = over(target.tokens(), trained.tokens());
        s.length[0] = trained.tokens();
        return s;
    }
    s.scale = {over(target.rows, trained.rows), over(target.cols, trained.cols)};
    s.length = {static_cast<double>(trained.rows), static_cast<double>(trained.cols)};
    if (how.coupled) s.scale.fill(std::max(s.scale[0], s.scale[1]));
    return s;
}

void stretchPositions(LayerPositions& positions, const EncodingSpec& spec, const Stretch& stretch) {
    if (!stretch.active() || !positions.frequency.defined()) return;
    if (stretch.method == E::Interpolation) {
        const std::vector<double> scale(stretch.scale.begin(), stretch.scale.begin() + positions.frequency.size(-1));
        positions.frequency = positions.frequency / at::tensor(scale, at::kDouble).to(positions.frequency.options());
        return;
    }
    if (spec.encoding->ladder > 0) stretchLadder(positions, spec, stretch);
}

StretchedLadder stretchedLadder(int width, double theta, int headDim, const Stretch& stretch, int axis) {
    StretchedLadder out{at::empty({width / 2}, at::kDouble)};
    const Ladder ladder = ladderOf(width, theta, headDim, stretch, static_cast<std::size_t>(axis));
    const E method = stretch.active() ? stretch.method : E::None;
    for (int i = 0; i < width / 2; ++i)
        out.frequency[i] = frequencyOf(method, {std::pow(theta, -2.0 * i / width), i}, ladder);
    out.factor = factorOf(method, ladder.scale);
    return out;
}

double imageShare(double modelTime) {
    return std::clamp(1 - modelTime / 1000, 0.0, 1.0);
}

at::Tensor resizePositions(const at::Tensor& table, Grid trained, Grid target, int prefix) {
    if (trained == target) return table;
    const std::int64_t width = table.size(2);
    const at::Tensor patches = table.narrow(1, prefix, trained.tokens()).to(at::kFloat);
    const at::Tensor image = patches.transpose(1, 2).reshape({1, width, trained.rows, trained.cols});
    const at::Tensor resized = at::_upsample_bicubic2d_aa(image, {target.rows, target.cols}, false);
    const at::Tensor tokens = resized.flatten(2).transpose(1, 2).to(table.scalar_type());
    return prefix == 0 ? tokens.contiguous() : at::cat({table.narrow(1, 0, prefix), tokens}, 1);
}

}  // namespace ropescope
