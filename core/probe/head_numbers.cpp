// SPDX-License-Identifier: Apache-2.0
#include "core/probe/head_numbers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "core/data/kernel_series.h"

namespace ropescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// One row of the table of numbers. `neutral` and `measure` see a report without a problem.
struct Row {
    const char* key;
    const char* title;
    const char* unit;
    About about;
    double (*neutral)(int headDim);
    double (*measure)(const HeadReport&);
    const char* definition;
};

double none(int) {
    return kNone;
}
double zero(int) {
    return 0;
}
double one(int) {
    return 1;
}
double whole(int headDim) {
    return headDim;
}

bool turns(const HeadReport& r, std::size_t plane) {
    const std::vector<double>& w = r.energy.frequency;
    const std::size_t axes = w.size() / r.planeAxis.size();
    for (std::size_t a = 0; a < axes; ++a)
        if (w[plane * axes + a] != 0) return true;
    return false;
}

/// Mean and largest of `value(plane)` over turning planes; undefined planes (NaN) are left out.
template <class Value>
std::array<double, 2> overPlanes(const HeadReport& r, Value value) {
    double sum = 0, top = kNone;
    int count = 0;
    for (std::size_t p = 0; p < r.planeAxis.size(); ++p) {
        const double v = turns(r, p) ? value(p) : kNone;
        if (std::isnan(v)) continue;
        sum += v, ++count;
        top = std::isnan(top) ? v : std::max(top, v);
    }
    return {count ? sum / count : kNone, top};
}

double meanAngle(const HeadReport& r, const PlaneAlignment& side) {
    return overPlanes(
        r, [&](std::size_t p) { return (side.principalAngles[2 * p] + side.principalAngles[2 * p + 1]) / 2; })[0];
}
double largestAngle(const HeadReport& r, const PlaneAlignment& side) {
    return overPlanes(r, [&](std::size_t p) { return side.principalAngles[2 * p + 1]; })[1];
}
double mixing(const PlaneAlignment& side) {
    return side.axisMixing.empty() ? kNone : side.crossAxisMixing;
}

double axisShare(const HeadReport& r, std::size_t axis) {
    return axis < r.energy.axisShare.size() ? r.energy.axisShare[axis] : kNone;
}

double referenceMean(const HeadReport& r) {
    double sum = 0, total = 0;
    const FrequencyEnergy& e = r.energy;
    const std::size_t axes = e.reference.empty() ? 1 : e.frequency.size() / e.reference.size();
    for (std::size_t p = 0; p < e.reference.size(); ++p) {
        double square = 0;
        for (std::size_t a = 0; a < axes; ++a) square += e.frequency[p * axes + a] * e.frequency[p * axes + a];
        if (square == 0) continue;
        sum += e.reference[p] * std::log(square) / 2, total += e.reference[p];
    }
    return sum / total;  // NaN without content
}

/// Mean sensitivity over the neighbours at distance one; along the index where that is the only axis.
double atDistanceOne(const SensitivityForm& form) {
    if (form.quadratic.empty()) return kNone;
    if (form.axes == 1) {
        const std::vector<double> s = evaluateSensitivity(form, {1, 2});
        return (s[0] + s[2]) / 2;
    }
    const std::vector<double> s = evaluateSensitivity(form, {2, 2});  // 3x3, zero offset in the middle
    return (s[1] + s[3] + s[5] + s[7]) / 4;
}

const Row kRows[] = {
    {"condition", "Condition number", "", About::Map, one, [](const HeadReport& r) { return r.spectrum.condition; },
     "Largest over smallest gauge-fixed singular value of the map."},
    {"condition_stored", "Condition number as stored", "", About::Map, one,
     [](const HeadReport& r) {
         const auto [low, high] = std::minmax_element(r.spectrum.stored.begin(), r.spectrum.stored.end());
         return *high / *low;
     },
     "Largest over smallest singular value as the file holds them; under the inverse map a rescaling inside a plane "
     "changes it and nothing else."},
    {"log_volume", "Log volume", "", About::Map, zero, [](const HeadReport& r) { return r.spectrum.logVolume; },
     "Sum of the logarithms of the gauge-fixed singular values."},
    {"stable_rank", "Stable rank", "", About::Map, whole, [](const HeadReport& r) { return r.spectrum.stableRank; },
     "Sum of the squared gauge-fixed singular values over the largest one squared."},
    {"entropy_rank", "Entropy rank", "", About::Map, whole, [](const HeadReport& r) { return r.spectrum.entropyRank; },
     "Exponential of the entropy of the squared gauge-fixed singular values."},
    {"orthogonality_error", "Departure from orthogonality", "", About::Map, zero,
     [](const HeadReport& r) { return r.spectrum.orthogonalityError; },
     "Frobenius norm of B^T B - I over the square root of the head dimension, B the gauge-fixed map."},
    {"rope_distance", "Distance from RoPE", "", About::Map, zero,
     [](const HeadReport& r) { return r.spectrum.ropeDistance; },
     "How far the rotation part of the map is from turning inside the rotary planes only, 0 to 1."},
    {"cross_axis_mixing", "Cross-axis mixing, queries", "share", About::Map, zero,
     [](const HeadReport& r) { return mixing(r.query); },
     "Share of the query planes of one axis that lies in canonical planes of another; 0.5 for a random basis of two."},
    {"cross_axis_mixing_k", "Cross-axis mixing, keys", "share", About::Map, zero,
     [](const HeadReport& r) { return mixing(r.key); },
     "Share of the key planes of one axis that lies in canonical planes of another; 0.5 for a random basis of two."},
    {"mean_principal_angle_q", "Mean principal angle, queries", "degrees", About::Map, zero,
     [](const HeadReport& r) { return meanAngle(r, r.query); },
     "Mean over turning planes of the two angles between a query plane and its canonical plane."},
    {"mean_principal_angle_k", "Mean principal angle, keys", "degrees", About::Map, zero,
     [](const HeadReport& r) { return meanAngle(r, r.key); },
     "Mean over turning planes of the two angles between a key plane and its canonical plane."},
    {"max_principal_angle_q", "Largest principal angle, queries", "degrees", About::Map, zero,
     [](const HeadReport& r) { return largestAngle(r, r.query); },
     "Largest angle between a turning query plane and its canonical plane."},
    {"max_principal_angle_k", "Largest principal angle, keys", "degrees", About::Map, zero,
     [](const HeadReport& r) { return largestAngle(r, r.key); },
     "Largest angle between a turning key plane and its canonical plane."},
    {"query_key_overlap", "Query-to-key plane overlap", "share", About::Map, one,
     [](const HeadReport& r) { return overPlanes(r, [&](std::size_t p) { return r.queryKeyOverlap[p]; })[0]; },
     "Mean overlap of each query plane with its key plane; below 1 the planes are oblique."},
    {"circularity", "Circularity, queries", "", About::Map, one,
     [](const HeadReport& r) {
         return overPlanes(r, [&](std::size_t p) { return r.query.gain2[p] / r.query.gain1[p]; })[0];
     },
     "Mean over turning planes of the smaller over the larger gain of the query map."},
    {"wasserstein_map", "Frequency shift of the map alone", "nats", About::Map, zero,
     [](const HeadReport& r) { return r.energy.wassersteinMap; },
     "1-Wasserstein distance over ln |omega| from the map's own plane energies to a flat ladder."},
    {"log_frequency_shift", "Shift of mean ln |omega|", "nats", About::Map, zero,
     [](const HeadReport& r) { return r.energy.meanLogOmega - referenceMean(r); },
     "Energy-weighted mean ln |omega| minus the same with the map taken out; negative is towards long waves."},
    {"wasserstein", "Frequency shift", "nats", About::Map, zero,
     [](const HeadReport& r) { return r.energy.wasserstein; },
     "1-Wasserstein distance over ln |omega| from the learned frequencies to those with the map taken out."},
    {"sensitivity_white_1", "White sensitivity at distance 1", "", About::Map, none,
     [](const HeadReport& r) { return atDistanceOne(r.sensitivityWhite); },
     "How much moving one token changes the logit of white content, over its size for plain RoPE."},
    {"mean_log_frequency", "Mean ln |omega|", "ln rad/token", About::Head, none,
     [](const HeadReport& r) { return r.energy.meanLogOmega; },
     "Energy-weighted mean of ln |omega| over turning planes, content from the weights."},
    {"std_log_frequency", "Spread of ln |omega|", "nats", About::Head, none,
     [](const HeadReport& r) { return r.energy.stdLogOmega; },
     "Energy-weighted standard deviation of ln |omega| over turning planes."},
    {"row_share", "Energy of rows", "share", About::Head, none, [](const HeadReport& r) { return axisShare(r, 0); },
     "Share of the energy on planes that turn with the row."},
    {"column_share", "Energy of columns", "share", About::Head, none,
     [](const HeadReport& r) { return axisShare(r, 1); }, "Share of the energy on planes that turn with the column."},
    {"still_share", "Energy of still planes", "share", About::Head, none,
     [](const HeadReport& r) { return r.energy.stillShare; }, "Share of the energy on planes that never turn."},
    {"long_wave_share", "Energy of long waves", "share", About::Head, none,
     [](const HeadReport& r) { return r.energy.longWaveShare; },
     "Share of the energy on wavelengths beyond four times the grid's side."},
    {"sensitivity_1", "Sensitivity at distance 1", "", About::Head, none,
     [](const HeadReport& r) { return atDistanceOne(r.sensitivityWeights); },
     "How much moving one token changes a logit, over the logit's size at zero offset, content from the weights."},
    {"content_strength", "Content strength", "", About::Head, none,
     [](const HeadReport& r) { return r.kernelWeights.a.empty() ? kNone : r.contentStrength; },
     "Sum of the plane energies over the square root of the head dimension: the largest mean logit of white input."},
};

}  // namespace

AtlasReport emptyAtlas(int layers, int heads, int headDim, Convention convention) {
    if (layers < 1 || heads < 1) throw std::invalid_argument("an atlas has layers and heads");
    AtlasReport atlas;
    atlas.layers = layers, atlas.heads = heads, atlas.headDim = headDim;
    const std::size_t count = static_cast<std::size_t>(layers) * heads;
    atlas.problems.resize(count);
    atlas.singularValues.assign(count * headDim, kNone);
    for (const Row& row : kRows) {
        const bool stored = std::string_view(row.key) == "condition_stored";
        atlas.numbers.push_back({row.key, row.title, row.unit, row.definition, row.about,
                                 !stored || convention != Convention::Inverse, row.neutral(headDim),
                                 std::vector<double>(count, kNone)});
    }
    return atlas;
}

void enterHead(AtlasReport& atlas, std::size_t index, const HeadReport& r) {
    atlas.problems.at(index) = r.problem;
    if (!r.problem.empty()) return;
    std::copy(r.spectrum.gaugeFixed.begin(), r.spectrum.gaugeFixed.end(),
              atlas.singularValues.begin() + static_cast<std::ptrdiff_t>(index * atlas.headDim));
    for (std::size_t i = 0; i < std::size(kRows); ++i) atlas.numbers[i].values[index] = kRows[i].measure(r);
}

AtlasReport numberHeads(const std::vector<HeadReport>& reports, int layers, Convention convention) {
    if (layers < 1 || reports.empty() || reports.size() % layers != 0)
        throw std::invalid_argument("an atlas needs the same number of heads in every layer");
    int headDim = 0;
    for (const HeadReport& r : reports) headDim = std::max(headDim, static_cast<int>(r.spectrum.stored.size()));
    AtlasReport atlas = emptyAtlas(layers, static_cast<int>(reports.size()) / layers, headDim, convention);
    for (std::size_t i = 0; i < reports.size(); ++i) enterHead(atlas, i, reports[i]);
    return atlas;
}

}  // namespace ropescope
