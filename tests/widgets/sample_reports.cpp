// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/widgets/sample_reports.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace ropescope {
namespace {

constexpr int kLayers = 6, kHeads = 4, kDim = 32, kPlanes = kDim / 2, kSide = 7;
constexpr HeadId kMarked{2, 3};
constexpr HeadId kUntrained{0, 0};

/// How far a head has moved, in [0,1]: 0 for the untrained one.
double moved(HeadId id) {
    if (id == kUntrained) return 0;
    return 0.25 + 0.12 * id.layer + 0.1 * std::sin(2.0 * id.head + id.layer);
}

double omega(int plane) {
    return std::pow(100.0, -(plane % (kPlanes / 2)) / (kPlanes / 2.0));
}

std::vector<double> frequencies() {
    std::vector<double> frequency(2 * kPlanes, 0.0);
    for (int p = 0; p < kPlanes; ++p) frequency[2 * p + (p < kPlanes / 2 ? 0 : 1)] = omega(p);
    return frequency;
}

std::vector<double> normalised(std::vector<double> values) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    for (double& value : values) value /= sum;
    return values;
}

Spectrum spectrumOf(HeadId id) {
    Spectrum s;
    for (int i = 0; i < kDim; ++i) {
        s.gaugeFixed.push_back(1 + moved(id) * (0.7 - 1.2 * i / (kDim - 1.0)) + 0.02 * moved(id) * std::sin(3.0 * i));
    }
    std::sort(s.gaugeFixed.rbegin(), s.gaugeFixed.rend());
    s.stored = s.gaugeFixed;
    for (int i = 0; i < kDim; ++i) s.stored[i] = s.gaugeFixed[(i * 11) % kDim];
    s.condition = s.gaugeFixed.front() / s.gaugeFixed.back();
    s.ropeDistance = 0.5 * moved(id);
    if (id == kUntrained) {
        s.groupStart = {0};
        s.groupEnd = {kDim};
    }
    return s;
}

PlaneAlignment alignmentOf(HeadId id) {
    PlaneAlignment a;
    const double m = 0.6 * moved(id);
    for (int p = 0; p < kPlanes; ++p) {
        std::vector<double> row(kPlanes);
        for (int j = 0; j < kPlanes; ++j) {
            const double near = std::exp(-0.8 * std::abs(p - j)) + 0.35 * (std::abs(p - j) == kPlanes / 2);
            row[j] = (p == j ? 1 - m : 0) + m * near * (p == j ? 0.4 : 1);
        }
        for (double value : normalised(row)) a.overlap.push_back(value);
        a.principalAngles.push_back(40 * m * (1 + 0.5 * std::sin(p)));
        a.principalAngles.push_back(80 * m * (1 + 0.1 * std::sin(p)));
        a.gain1.push_back(1 + 0.5 * m * std::cos(0.4 * p));
        a.gain2.push_back(1 + 0.2 * m * std::cos(0.4 * p));
        a.gain.push_back(std::sqrt((a.gain1[p] * a.gain1[p] + a.gain2[p] * a.gain2[p]) / 2));
    }
    double cross = 0;
    for (int p = 0; p < kPlanes; ++p) {
        for (int j = 0; j < kPlanes; ++j) {
            if ((p < kPlanes / 2) != (j < kPlanes / 2)) cross += a.overlap[p * kPlanes + j] / kPlanes;
        }
    }
    a.crossAxisMixing = cross;
    a.axisMixing = {1 - cross, cross, cross, 1 - cross};
    return a;
}

FrequencyEnergy energyOf(HeadId id) {
    FrequencyEnergy e;
    e.frequency = frequencies();
    std::vector<double> reference(kPlanes), weights(kPlanes), map(kPlanes);
    for (int p = 0; p < kPlanes; ++p) {
        const int k = p % (kPlanes / 2);
        reference[p] = 1 + 0.3 * std::sin(p + id.head);
        map[p] = 1 + moved(id) * std::cos(0.8 * k - 0.3 * id.head);
        weights[p] = reference[p] * map[p];
    }
    e.reference = normalised(reference);
    e.weights = normalised(weights);
    e.map = normalised(map);
    e.meanLogOmega = -2.0 + 0.4 * moved(id);
    e.stdLogOmega = 1.2;
    e.axisShare = {0.5 + 0.1 * moved(id), 0.5 - 0.1 * moved(id)};
    e.longWaveShare = 0.24;
    e.wasserstein = 0.3 * moved(id);
    e.wassersteinMap = 0.35 * moved(id);
    return e;
}

KernelSeries kernelOf(const FrequencyEnergy& energy, double skew) {
    KernelSeries k;
    k.frequency = energy.frequency;
    for (int p = 0; p < kPlanes; ++p) {
        k.a.push_back(energy.weights[p] * (1 - 0.3 * skew));
        k.b.push_back(energy.weights[p] * 0.5 * skew * std::sin(p));
    }
    return k;
}

SensitivityForm sensitivityOf(HeadId id) {
    SensitivityForm form;
    form.frequency = frequencies();
    const int size = 2 * kPlanes;
    form.quadratic.assign(static_cast<std::size_t>(size) * size, 0.0);
    for (int i = 0; i < size; ++i) form.quadratic[i * size + i] = 1 + moved(id) * std::cos(i);
    form.divisor = std::sqrt(static_cast<double>(kDim));
    return form;
}

HeadNumber number(const std::string& key, const std::string& title, const std::string& unit, About about,
                  bool invariant, double neutral, const std::string& definition,
                  const std::function<double(const HeadReport&)>& value) {
    HeadNumber n{key, title, unit, definition, about, invariant, neutral, {}};
    for (int layer = 0; layer < kLayers; ++layer) {
        for (int head = 0; head < kHeads; ++head) {
            const HeadReport report = sampleHead({layer, head});
            n.values.push_back(report.problem.empty() ? value(report) : std::numeric_limits<double>::quiet_NaN());
        }
    }
    return n;
}

}  // namespace

ModelCard sampleCard(const std::string& name) {
    ModelCard card;
    card.name = name;
    card.path = "models/" + name + ".safetensors";
    card.format = "safetensors";
    card.architecture = "dit";
    card.encoding = "harope";
    card.convention = Convention::Same;
    card.layers = kLayers;
    card.heads = kHeads;
    card.headDim = kDim;
    card.width = kHeads * kDim;
    card.grid = {kSide, kSide};
    card.theta = 100;
    card.objective = "flow";
    card.classNames = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"};
    card.classes = static_cast<int>(card.classNames.size());
    card.parameters = 1800000;
    card.notes = {"grid 7 x 7 from the metadata", "maps stored as U, s, V factors"};
    return card;
}

HeadReport sampleHead(HeadId id) {
    HeadReport report;
    report.id = id;
    report.hasMap = true;
    report.identity = id == kUntrained;
    if (id == kMarked) {
        report.problem =
            "[TC-05] blocks.2.attn.q_map: an entry is not finite (found NaN). Numbers of this head are left out.";
        return report;
    }
    report.spectrum = spectrumOf(id);
    report.query = alignmentOf(id);
    report.key = alignmentOf(id);
    report.queryKeyOverlap.assign(kPlanes, 1.0);
    for (int p = 0; p < kPlanes; ++p) report.planeAxis.push_back(p < kPlanes / 2 ? 0 : 1);
    report.energy = energyOf(id);
    report.kernelWeights = kernelOf(report.energy, moved(id));
    report.kernelWhite = kernelOf(report.energy, 0);
    report.sensitivityWeights = sensitivityOf(id);
    report.sensitivityWhite = sensitivityOf(kUntrained);
    report.contentStrength = 4 + id.head;
    return report;
}

AtlasReport sampleAtlas() {
    AtlasReport atlas;
    atlas.layers = kLayers;
    atlas.heads = kHeads;
    atlas.headDim = kDim;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    atlas.numbers = {
        number("cross_axis_mixing", "Cross-axis mixing", "", About::Map, true, 0,
               "Share of a plane's overlap that lies on planes of the other axis: 0 for plain rotary positions.",
               [](const HeadReport& r) { return r.query.crossAxisMixing; }),
        number("condition", "Condition", "", About::Map, true, 1, "Largest over smallest gauge-fixed singular value.",
               [](const HeadReport& r) { return r.spectrum.condition; }),
        number(
            "largest_stored", "Largest stored singular value", "", About::Map, false, 1,
            "Largest singular value as the file stores it.",
            [](const HeadReport& r) { return *std::max_element(r.spectrum.stored.begin(), r.spectrum.stored.end()); }),
        number("frequency_shift", "Frequency shift", "ln rad/token", About::Head, true, 0,
               "1-Wasserstein distance over ln |omega| from the learned energy to that with B = I.",
               [](const HeadReport& r) { return r.energy.wasserstein; }),
        number("rope_distance", "Distance from RoPE", "", About::Map, true, 0,
               "0 exactly for plain rotary positions, invariant to the left gauge.",
               [](const HeadReport& r) { return r.spectrum.ropeDistance; }),
        number("mean_log_omega", "Mean ln |omega|", "ln rad/token", About::Head, true, nan,
               "Energy-weighted mean of the logarithm of the plane frequencies.",
               [](const HeadReport& r) { return r.energy.meanLogOmega; }),
    };
    for (int layer = 0; layer < kLayers; ++layer) {
        for (int head = 0; head < kHeads; ++head) {
            const HeadReport report = sampleHead({layer, head});
            atlas.problems.push_back(report.problem);
            std::vector<double> values = report.spectrum.gaugeFixed;
            values.resize(kDim, nan);
            atlas.singularValues.insert(atlas.singularValues.end(), values.begin(), values.end());
        }
    }
    return atlas;
}

StepFields sampleFields(int step, int steps) {
    StepFields fields{step, steps, 999.0 * (1 - static_cast<double>(step) / steps), {}};
    for (int layer = 0; layer < kLayers; ++layer) {
        for (int head = 0; head < kHeads; ++head) {
            HeadField field;
            field.id = {layer, head};
            field.grid = {kSide, kSide};
            const double wide = 0.8 + 0.4 * layer + 0.1 * step, skew = 0.5 * head;
            double total = 0;
            for (int r = 1 - kSide; r < kSide; ++r) {
                for (int c = 1 - kSide; c < kSide; ++c) {
                    const double pairs = (kSide - std::abs(r)) * (kSide - std::abs(c));
                    const double mean =
                        std::exp(-(r * r * (1 + skew) + (c - 0.3 * head) * (c - 0.3 * head)) / (2 * wide * wide));
                    field.mean.push_back(static_cast<float>(mean));
                    field.sum.push_back(static_cast<float>(mean * pairs));
                    total += mean * pairs;
                }
            }
            for (float& value : field.sum) value = static_cast<float>(value / total);
            for (float& value : field.mean) value = static_cast<float>(value * kSide * kSide / total);
            field.entropy = 2;
            fields.heads.push_back(std::move(field));
        }
    }
    return fields;
}

CalibrationReport sampleCalibration() {
    CalibrationReport report;
    report.layers = kLayers;
    report.heads = kHeads;
    report.images = 16;
    report.grid = {kSide, kSide};
    report.source = "16 generated images, 20 euler steps, guidance 2, seed 0";
    report.device = "CPU, 2 threads, fp32";
    report.seconds = 12;
    MeasuredNumber distance{"data_mean_distance",
                            "Mean attention distance",
                            "tokens",
                            "Mean distance between query and key, weighted by attention.",
                            About::Head,
                            std::numeric_limits<double>::quiet_NaN(),
                            {},
                            {},
                            {},
                            {}};
    MeasuredNumber explained{"data_offset_share",
                             "Logit variance explained by offset",
                             "share",
                             "Share of the variance of the logits that the offset alone explains.",
                             About::Head,
                             std::numeric_limits<double>::quiet_NaN(),
                             {},
                             {},
                             {},
                             {}};
    const StepFields fields = sampleFields(0, 1);
    for (int i = 0; i < kLayers * kHeads; ++i) {
        const HeadId id{i / kHeads, i % kHeads};
        const HeadReport head = sampleHead(id);
        HeadCalibration curves;
        curves.id = id;
        curves.problem = head.problem;
        const double nan = std::numeric_limits<double>::quiet_NaN();
        distance.mean.push_back(head.problem.empty() ? 2 + 0.1 * i : nan);
        distance.error.push_back(head.problem.empty() ? 0.05 + 0.01 * id.head : nan);
        explained.mean.push_back(head.problem.empty() ? 0.1 + 0.02 * i : nan);
        explained.error.push_back(head.problem.empty() ? 0.01 : nan);
        if (head.problem.empty()) {
            curves.frequency = head.energy.frequency;
            curves.energy = head.energy.reference;
            curves.energyError.assign(kPlanes, 0.004);
            curves.reference = head.energy.map;
            curves.kernel = kernelOf(head.energy, 0.5);
            curves.sensitivity = head.sensitivityWhite;
            curves.contentStrength = 6;
            curves.field = fields.heads[i];
        }
        report.curves.push_back(std::move(curves));
    }
    report.numbers = {distance, explained};
    return report;
}

CompareReport sampleComparison(const CompareRequest& request) {
    CompareReport report;
    std::vector<HeadId> heads = request.heads;
    for (int i = 0; heads.empty() && i < kLayers * kHeads; ++i) report.heads.push_back({i / kHeads, i % kHeads});
    if (heads.empty()) heads = std::exchange(report.heads, {});
    for (std::size_t model = 0; model < request.models.size(); ++model) {
        for (HeadId id : heads) {
            report.models.push_back(static_cast<int>(model));
            report.heads.push_back(id);
            report.names.push_back(id.name());
            report.embedding.insert(report.embedding.end(), {0.4 * id.layer - 1, 0.3 * id.head + 0.1 * model});
        }
    }
    const std::size_t count = report.heads.size();
    for (std::size_t i = 0; i < count * count; ++i) {
        const HeadId a = report.heads[i / count], b = report.heads[i % count];
        const double apart = std::abs(a.layer - b.layer) + 0.3 * std::abs(a.head - b.head);
        const bool marked = a == kMarked || b == kMarked;
        report.matrix.push_back(marked ? std::numeric_limits<double>::quiet_NaN() : 1 - 0.25 * apart);
    }
    if (request.metric == CompareMetric::PlaneOverlap) {
        report.embedding.clear();
        for (std::size_t i = 0; i < count / 2; ++i)
            for (int p = 0; p < 8; ++p) report.perPlane.push_back(1 - 0.004 * static_cast<double>(i) * p);
        report.title = "Plane overlap of two states";
        report.about = About::Map;
        return report;
    }
    report.axisShare = {0.62, 0.21};
    report.title = "Kernel correlation";
    report.definition = "Correlation of the mean logits of two heads over all offsets but zero.";
    return report;
}

Array samplePicture(std::uint64_t seed) {
    std::vector<std::uint8_t> pixels;
    for (int y = 0; y < 28; ++y) {
        for (int x = 0; x < 28; ++x) {
            const double inside = std::hypot(x - 14.0, (y - 14.0) * 1.2) < 8 + static_cast<double>(seed % 5) ? 1 : 0;
            const double value = inside * (140 + 80 * std::sin(0.3 * x * static_cast<double>(1 + seed % 3) + 0.2 * y));
            pixels.insert(pixels.end(), 3, static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
        }
    }
    return makeArray(std::span<const std::uint8_t>(pixels), {28, 28, 3});
}

}  // namespace ropescope
