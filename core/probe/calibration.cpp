// SPDX-License-Identifier: Apache-2.0
#include "core/probe/calibration.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "core/probe/frequencies.h"
#include "core/probe/kernel.h"

namespace ropescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

enum Number {
    MeanLogOmega,
    StdLogOmega,
    RowShare,
    ColumnShare,
    StillShare,
    LongWaveShare,
    FrequencyShift,
    ContentStrength,
    OffsetShare,
    MeanDistance,
    RmsRadius,
    HalfMassRadius,
    Anisotropy,
    Orientation,
    SelfShare,
    OtherShare,
    Entropy,
    FieldEntropy,
    Count
};
using Numbers = std::array<double, Count>;

struct Row {
    const char* key;
    const char* title;
    const char* unit;
    const char* definition;
};
constexpr std::array<Row, Count> kRows = {{
    {"data_mean_log_frequency", "Mean ln |omega|, data", "ln rad/token",
     "Energy-weighted mean of ln |omega| over turning planes, second moments of the image's queries and keys."},
    {"data_std_log_frequency", "Spread of ln |omega|, data", "nats",
     "Energy-weighted standard deviation of ln |omega| over turning planes, measured second moments."},
    {"data_row_share", "Energy of rows, data", "share",
     "Share of the measured energy on planes that turn with the row."},
    {"data_column_share", "Energy of columns, data", "share",
     "Share of the measured energy on planes that turn with the column."},
    {"data_still_share", "Energy of still planes, data", "share",
     "Share of the measured energy on planes that never turn."},
    {"data_long_wave_share", "Energy of long waves, data", "share",
     "Share of the measured energy on wavelengths beyond four times the grid's side."},
    {"data_wasserstein", "Frequency shift, data", "nats",
     "1-Wasserstein distance over ln |omega| from the measured energy to that of the same content without the map."},
    {"data_content_strength", "Content strength, data", "",
     "Sum of the measured plane energies over the square root of the head dimension: an upper bound of the mean "
     "logit."},
    {"data_offset_share", "Logit variance explained by offset", "share",
     "Share of the variance of all logits between image tokens that lies between offsets; 1: the offset alone decides "
     "a logit."},
    {"data_mean_distance", "Mean attention distance", "tokens", "Mean distance of attention over image queries."},
    {"data_rms_radius", "Radius of attention", "tokens", "Root of the mean squared distance of attention."},
    {"data_half_mass_radius", "Half-mass radius", "tokens",
     "Smallest distance within which half of the attention on image tokens lies."},
    {"data_anisotropy", "Anisotropy of attention", "",
     "1 minus the smaller over the larger central second moment of the field; 0 for a round one."},
    {"data_orientation", "Orientation of attention", "degrees",
     "Direction of the field's larger axis, 0 along columns; averaged on the circle."},
    {"data_self_share", "Attention on itself", "share", "Share of the attention on image tokens at offset zero."},
    {"data_other_share", "Attention on class and text tokens", "share",
     "Share of the image tokens' attention that goes to tokens without a place in the grid."},
    {"data_attention_entropy", "Attention entropy", "nats",
     "Mean over image queries of the entropy of their attention over all keys."},
    {"data_field_entropy", "Field entropy", "nats", "Entropy of the distribution of offsets."},
}};

std::vector<SampleStatistic> freshStatistics() {
    std::vector<SampleStatistic> all(Count);
    all[Orientation] = SampleStatistic(SampleStatistic::Kind::Direction);
    return all;
}

std::vector<float> floats(const at::Tensor& tensor) {
    const at::Tensor dense = tensor.to(at::kCPU, at::kFloat).contiguous();
    return {dense.const_data_ptr<float>(), dense.const_data_ptr<float>() + dense.numel()};
}

/// Diagonal of B S B^T summed over each plane, [n,P].
at::Tensor planePower(const at::Tensor& map, const at::Tensor& moment) {
    const at::Tensor diagonal = (at::matmul(map, moment) * map).sum(-1);
    return diagonal.view({diagonal.size(0), -1, 2}).sum(-1);
}

double total(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

double offsetShare(const at::Tensor& q, const at::Tensor& k, Grid grid) {
    const int h = grid.rows, w = grid.cols, n = grid.tokens(), across = 2 * w - 1;
    if (q.size(0) != n || k.size(0) != n) throw std::invalid_argument("as many tokens as the grid has places");
    const at::Tensor logits = at::matmul(q.to(at::kFloat), k.to(at::kFloat).mT()).to(at::kCPU).contiguous();
    const float* row = logits.const_data_ptr<float>();
    // Deviations from the first logit: the variance of large equal logits must not be round-off.
    const double origin = row[0];
    std::vector<double> sums(static_cast<std::size_t>(2 * h - 1) * across, 0.0);
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i, row += n)
        for (int r = 0; r < h; ++r) {
            double* bins = &sums[(r - i / w + h - 1) * across + w - 1 - i % w];
            for (int c = 0; c < w; ++c) {
                const double value = row[r * w + c] - origin;
                bins[c] += value;
                squares += value * value;
            }
        }
    double between = 0;
    for (int r = 0; r < 2 * h - 1; ++r)
        for (int c = 0; c < across; ++c) {
            const double bin = sums[r * across + c],
                         pairs = double(h - std::abs(r - h + 1)) * (w - std::abs(c - w + 1));
            sum += bin;
            between += bin * bin / pairs;
        }
    const double all = double(n) * n, mean = sum * sum / all;
    const double variance = squares - mean;
    return variance > 1e-12 * squares ? (between - mean) / variance : kNone;
}

struct Calibration::Head {
    int layer = 0, number = 0;
    std::string problem;
    const HeadOperator* value = nullptr;
    at::Tensor query, key, cross;  ///< sums over passes, [D,D] float64
    at::Tensor field;              ///< sum over passes
    double entropy = 0;
    int passes = 0, fields = 0;
    std::vector<SampleStatistic> energy, a, b;                 ///< over images, [P]
    std::vector<SampleStatistic> energyNow, aNow, bNow;        ///< over this image's steps
    std::vector<SampleStatistic> numbers = freshStatistics();  ///< over images
    std::vector<SampleStatistic> now = freshStatistics();      ///< over this image's steps
    std::vector<std::vector<SampleStatistic>> steps;           ///< over images, per step

    void add(Number which, int step, double value) {
        now[which].add(value);
        steps[step][which].add(value);
    }
    void addEnergies(int step, const std::vector<double>& energies, const std::vector<double>& plain, Grid grid) {
        FrequencyEnergy e;
        e.frequency = value->planes.frequency;
        e.weights = normalised(energies);
        e.reference = normalised(plain);
        summariseEnergy(e, value->planes, grid);
        for (std::size_t p = 0; p < energies.size(); ++p) energyNow[p].add(e.weights[p]);
        add(MeanLogOmega, step, e.meanLogOmega);
        add(StdLogOmega, step, e.stdLogOmega);
        for (std::size_t axis = 0; axis < e.axisShare.size() && axis < 2; ++axis)
            add(axis == 0 ? RowShare : ColumnShare, step, e.axisShare[axis]);
        add(StillShare, step, e.stillShare);
        add(LongWaveShare, step, e.longWaveShare);
        add(FrequencyShift, step, e.wasserstein);
        add(ContentStrength, step, total(energies) / std::sqrt(static_cast<double>(value->dimension())));
    }
};

Calibration::Calibration(std::vector<CalibratedLayer> layers, Grid grid, int steps)
    : m_layers(std::move(layers)), m_grid(grid), m_steps(steps) {
    if (steps < 1 || grid.tokens() < 1) throw std::invalid_argument("a calibration needs steps and a grid");
    for (const CalibratedLayer& layer : m_layers) {
        std::vector<Head> heads(layer.heads.size());
        for (std::size_t i = 0; i < heads.size(); ++i) {
            heads[i].layer = layer.layer, heads[i].number = layer.heads[i];
            heads[i].problem = layer.problems[i];
            heads[i].value = &layer.operators[i];
            heads[i].steps.assign(steps, freshStatistics());
            const int planes = heads[i].problem.empty() ? layer.operators[i].planes.count() : 0;
            for (auto* all :
                 {&heads[i].energy, &heads[i].a, &heads[i].b, &heads[i].energyNow, &heads[i].aNow, &heads[i].bNow})
                all->assign(planes, SampleStatistic());
        }
        m_heads.push_back(std::move(heads));
    }
}

Calibration::~Calibration() = default;

void Calibration::addContent(int index, int step, const at::Tensor& q, const at::Tensor& k) {
    const at::Tensor query = q.to(at::kCPU, at::kDouble), key = k.to(at::kCPU, at::kDouble);
    const double tokens = static_cast<double>(query.size(1));
    const at::Tensor sq = at::matmul(query.mT(), query) / tokens, sk = at::matmul(key.mT(), key) / tokens;
    const at::Tensor mq = query.mean(1), mk = key.mean(1);
    for (std::size_t i = 0; i < m_heads[index].size(); ++i) {
        Head& head = m_heads[index][i];
        if (!head.problem.empty()) continue;
        const std::int64_t at = static_cast<std::int64_t>(i);
        const at::Tensor cross = at::outer(mk[at], mq[at]);
        const auto accumulate = [](at::Tensor& sum, const at::Tensor& value) {
            sum.defined() ? void(sum.add_(value)) : void(sum = value.clone());
        };
        accumulate(head.query, sq[at]), accumulate(head.key, sk[at]), accumulate(head.cross, cross);
        ++head.passes;
        if (head.value->planes.count() == 0) continue;
        const HeadMaps& map = head.value->map;
        const at::Tensor identity = at::eye(query.size(2), at::kDouble).unsqueeze(0);
        const auto energies = [&](const at::Tensor& bq, const at::Tensor& bk) {
            return flat((planePower(bq, sq[at].unsqueeze(0)) * planePower(bk, sk[at].unsqueeze(0))).sqrt());
        };
        head.addEnergies(step, energies(map.query.unsqueeze(0), map.key.unsqueeze(0)), energies(identity, identity),
                         m_grid);
        const std::vector<double> x = flat(at::mv(map.query, mq[at])), y = flat(at::mv(map.key, mk[at]));
        for (std::size_t p = 0; p < head.aNow.size(); ++p) {
            head.aNow[p].add(y[2 * p] * x[2 * p] + y[2 * p + 1] * x[2 * p + 1]);
            head.bNow[p].add(y[2 * p] * x[2 * p + 1] - y[2 * p + 1] * x[2 * p]);
        }
    }
}

void Calibration::addAttention(int index, int step, const AttentionSample& sample) {
    const std::vector<float> entropy = floats(sample.entropy);
    for (std::size_t i = 0; i < m_heads[index].size(); ++i) {
        Head& head = m_heads[index][i];
        if (!head.problem.empty()) continue;
        const at::Tensor own = sample.fieldSum[static_cast<std::int64_t>(i)];
        const std::vector<float> field = floats(own);
        const FieldNumbers n = measureField(field, m_grid);
        head.add(OffsetShare, step, sample.offsetShare[i]);
        head.add(MeanDistance, step, n.meanDistance), head.add(RmsRadius, step, n.rmsRadius);
        head.add(HalfMassRadius, step, n.halfMassRadius), head.add(Anisotropy, step, n.anisotropy);
        head.add(Orientation, step, n.orientation), head.add(SelfShare, step, n.selfShare);
        const double rest = 1 - std::accumulate(field.begin(), field.end(), 0.0);
        head.add(OtherShare, step, rest > 1e-4 ? rest : 0);  // less is round-off of float32 sums
        head.add(Entropy, step, entropy[i]), head.add(FieldEntropy, step, n.fieldEntropy);
        const at::Tensor wide = own.to(at::kCPU, at::kDouble);
        head.field = head.field.defined() ? head.field + wide : wide;
        head.entropy += entropy[i];
        ++head.fields;
    }
}

void Calibration::finishImage() {
    const auto move = [](std::vector<SampleStatistic>& now, std::vector<SampleStatistic>& over) {
        for (std::size_t i = 0; i < now.size(); ++i) over[i].add(now[i].mean());
    };
    for (auto& layer : m_heads)
        for (Head& head : layer) {
            move(head.energyNow, head.energy), move(head.aNow, head.a), move(head.bNow, head.b);
            move(head.now, head.numbers);
            for (auto* now : {&head.energyNow, &head.aNow, &head.bNow}) now->assign(now->size(), SampleStatistic());
            head.now = freshStatistics();
        }
    ++m_images;
}

HeadCalibration Calibration::curves(const Head& head) const {
    HeadCalibration out;
    out.id = {head.layer, head.number};
    out.problem = head.problem;
    if (!head.problem.empty() || head.passes == 0) return out;
    const HeadOperator& value = *head.value;
    if (head.field.defined()) {
        const at::Tensor sum = head.field / head.fields;
        out.field = {out.id, m_grid, floats(sum), floats(fieldMean(sum, m_grid)), head.entropy / head.fields, {}};
    }
    if (value.planes.count() == 0) return out;
    const double passes = head.passes;
    const ContentMoments content{head.query / passes, head.key / passes, head.cross / passes};
    const ContentMoments moved = mapped(value.map, content);
    const std::vector<double> energies = planeEnergies(moved);
    out.frequency = value.planes.frequency;
    out.energy = normalised(energies);
    out.reference = normalised(planeEnergies(content));
    out.kernel = kernelOf(moved, value.planes, total(energies));
    out.sensitivity = sensitivityOf(moved, value.planes, zeroOffsetNorm(moved));
    out.contentStrength = total(energies) / std::sqrt(static_cast<double>(value.dimension()));
    for (std::size_t p = 0; p < head.energy.size(); ++p) {
        out.energyError.push_back(head.energy[p].error());
        out.kernelErrorA.push_back(head.a[p].error());
        out.kernelErrorB.push_back(head.b[p].error());
    }
    return out;
}

CalibrationReport Calibration::report(int layers, int heads) const {
    CalibrationReport report;
    report.layers = layers, report.heads = heads;
    report.images = m_images;
    report.grid = m_grid;
    const std::size_t count = static_cast<std::size_t>(layers) * heads, steps = m_steps;
    for (int i = 0; i < Count; ++i) {
        MeasuredNumber n{
            kRows[i].key, kRows[i].title, kRows[i].unit, kRows[i].definition, About::Head, kNone, {}, {}, {}, {}};
        // The energy without the map rests on the projections' own basis.
        if (i == FrequencyShift) n.about = About::Map, n.neutral = 0;
        n.mean.assign(count, kNone), n.error.assign(count, kNone);
        n.stepMean.assign(steps * count, kNone), n.stepError.assign(steps * count, kNone);
        for (const auto& layer : m_heads)
            for (const Head& head : layer) {
                if (!head.problem.empty()) continue;
                const std::size_t at = static_cast<std::size_t>(head.layer) * heads + head.number;
                n.mean[at] = head.numbers[i].mean(), n.error[at] = head.numbers[i].error();
                for (std::size_t s = 0; s < steps; ++s) {
                    n.stepMean[s * count + at] = head.steps[s][i].mean();
                    n.stepError[s * count + at] = head.steps[s][i].error();
                }
            }
        report.numbers.push_back(std::move(n));
    }
    for (const auto& layer : m_heads)
        for (const Head& head : layer) report.curves.push_back(curves(head));
    return report;
}

}  // namespace ropescope
