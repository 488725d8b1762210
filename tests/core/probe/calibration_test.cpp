// SPDX-License-Identifier: Apache-2.0
#include "core/probe/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/probe/frequencies.h"
#include "core/probe/kernel.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kD = 8, kChannels = 25;

const MeasuredNumber& number(const CalibrationReport& report, const std::string& key) {
    for (const MeasuredNumber& n : report.numbers)
        if (n.key == key) return n;
    throw std::out_of_range(key);
}

std::vector<CalibratedLayer> oneHead(const HeadOperator& head) {
    return {{0, {0}, {head}, {""}}};
}

/// The content of tokens z [N,25], as projected by the example projections, [1,N,D].
at::Tensor through(const at::Tensor& projection, const at::Tensor& z) {
    return at::matmul(z, projection.mT()).unsqueeze(0);
}

double largest(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.size() != b.size()) return INFINITY;
    double off = 0;
    for (std::size_t i = 0; i < a.size(); ++i) off = std::max(off, std::abs(a[i] - b[i]));
    return off;
}

TEST(SampleStatistic, HasTheTextbooksMeanAndStandardError) {
    SampleStatistic s;
    EXPECT_TRUE(std::isnan(s.mean()) && std::isnan(s.error()));
    for (double v : {1.0, 2.0, std::nan(""), 3.0, 4.0}) s.add(v);
    EXPECT_EQ(s.count(), 4);
    EXPECT_DOUBLE_EQ(s.mean(), 2.5);
    EXPECT_DOUBLE_EQ(s.error(), std::sqrt(5.0 / 3 / 4));
}

TEST(SampleStatistic, DirectionsAreAveragedOnTheCircle) {
    SampleStatistic s(SampleStatistic::Kind::Direction);
    s.add(80), s.add(-80);
    EXPECT_NEAR(s.mean(), 90, 1e-10);  // not 0
    // Doubled angles 160 and -160 degrees: a mean of length cos 20.
    const double length = std::cos(20 * std::acos(-1.0) / 180);
    EXPECT_NEAR(s.error(), std::sqrt(-2 * std::log(length)) / 2 * 180 / std::acos(-1.0) / std::sqrt(2.0), 1e-10);
}

TEST(Calibration, ContentWhoseMomentsAreTheWeightsGivesTheNumbersOfTheWeights) {
    for (Convention c : {Convention::Same, Convention::Inverse}) {
        const HeadOperator head = headWith(drawInvertible(kD, 4), c);
        Calibration calibration(oneHead(head), {1, 1}, 1);
        // Twenty-five images of one token each, 5 e_i: their mean second moment is exactly the identity.
        for (int i = 0; i < kChannels; ++i) {
            at::Tensor z = at::zeros({1, kChannels}, at::kDouble);
            z[0][i] = 5;
            calibration.addContent(0, 0, through(queryProjection(kD), z), through(keyProjection(kD), z));
            calibration.finishImage();
        }
        const CalibrationReport report = calibration.report(1, 1);
        EXPECT_EQ(report.images, kChannels);
        const HeadCalibration& curves = report.curves.at(0);
        const FrequencyEnergy weights = measureEnergy(head, {1, 1});
        EXPECT_LE(largest(curves.energy, weights.weights), 1e-12);
        EXPECT_LE(largest(curves.reference, weights.reference), 1e-12);
        const ContentMoments moved = mapped(head.map, head.content);
        const KernelSeries kernel = kernelOf(moved, head.planes, 1);
        const double size = std::abs(*std::max_element(kernel.a.begin(), kernel.a.end()));
        EXPECT_LE(largest(curves.kernel.a, kernel.a), 1e-12 * size);
        EXPECT_LE(largest(curves.kernel.b, kernel.b), 1e-12 * size);
        const SensitivityForm form = sensitivityOf(moved, head.planes, zeroOffsetNorm(moved));
        EXPECT_LE(largest(curves.sensitivity.quadratic, form.quadratic), 1e-11 * form.divisor * form.divisor);
        EXPECT_NEAR(curves.sensitivity.divisor, form.divisor, 1e-10 * form.divisor);
        for (double e : curves.energyError) EXPECT_GT(e, 0);
    }
}

TEST(Calibration, RandomWhiteContentComesCloseWithinItsSamplingError) {
    const HeadOperator head = headWith(drawInvertible(kD, 4), Convention::Same);
    constexpr int kTokens = 64 * 64;
    Calibration calibration(oneHead(head), {64, 64}, 1);
    const at::Tensor z = draw({kTokens, kChannels}, 17);
    calibration.addContent(0, 0, through(queryProjection(kD), z), through(keyProjection(kD), z));
    calibration.finishImage();
    const CalibrationReport report = calibration.report(1, 1);
    const FrequencyEnergy weights = measureEnergy(head, {64, 64});
    // A mean square over n tokens is off by about sqrt(2/n) of itself; five of those.
    const double bound = 5 * std::sqrt(2.0 / kTokens);
    EXPECT_LE(largest(report.curves[0].energy, weights.weights), bound);
    EXPECT_NEAR(number(report, "data_mean_log_frequency").mean[0], weights.meanLogOmega, bound);
    EXPECT_NEAR(number(report, "data_wasserstein").mean[0], weights.wasserstein, bound);
    EXPECT_NEAR(number(report, "data_row_share").mean[0], weights.axisShare[0], bound);
    EXPECT_TRUE(std::isnan(number(report, "data_mean_log_frequency").error[0])) << "one image has no standard error";
}

TEST(Calibration, TheStandardErrorShrinksWithTheRootOfTheImages) {
    const HeadOperator head = headWith(drawInvertible(kD, 4), Convention::Same);
    const auto errorOf = [&](int images) {
        Calibration calibration(oneHead(head), {2, 2}, 2);
        for (int i = 0; i < images; ++i) {
            for (int step = 0; step < 2; ++step) {
                const at::Tensor z = draw({4, kChannels}, 1000 + 2 * i + step);
                calibration.addContent(0, step, through(queryProjection(kD), z), through(keyProjection(kD), z));
            }
            calibration.finishImage();
        }
        const CalibrationReport report = calibration.report(1, 1);
        const MeasuredNumber& n = number(report, "data_mean_log_frequency");
        EXPECT_EQ(n.stepMean.size(), 2u);
        EXPECT_NEAR((n.stepMean[0] + n.stepMean[1]) / 2, n.mean[0], 1e-12);
        return n.error[0];
    };
    // A standard deviation of 50 values is known to a tenth: the ratio of two to 15 percent; two of those.
    EXPECT_NEAR(errorOf(50) / errorOf(800), 4, 4 * 0.3);
}

// ---- share of the logits' variance that offsets explain

/// The same from the whole matrix, plainly.
double obviousShare(const at::Tensor& q, const at::Tensor& k, Grid grid) {
    const at::Tensor s = at::matmul(q.to(at::kDouble), k.to(at::kDouble).mT());
    const int n = grid.tokens();
    std::map<std::pair<int, int>, std::vector<double>> bins;
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            bins[{j / grid.cols - i / grid.cols, j % grid.cols - i % grid.cols}].push_back(s[i][j].item<double>());
    const double mean = s.mean().item<double>();
    double between = 0;
    for (const auto& [offset, values] : bins) {
        double sum = 0;
        for (double v : values) sum += v;
        between += values.size() * std::pow(sum / values.size() - mean, 2);
    }
    return between / (s - mean).square().sum().item<double>();
}

TEST(OffsetShare, IsOneWhenTheOffsetDecidesAndNearNothingWhenItDoesNot) {
    constexpr Grid grid{5, 7};
    const RotaryTable table = axialRotary(grid, 16, 100);
    const auto everywhere = [&](std::uint64_t seed) {
        return rotate(draw({1, 16}, seed).to(at::kFloat).expand({grid.tokens(), 16}).contiguous(), table);
    };
    EXPECT_NEAR(offsetShare(everywhere(1), everywhere(2), grid), 1, 1e-5);  // float32 logits
    constexpr Grid large{12, 12};
    const at::Tensor q = draw({144, 16}, 3).to(at::kFloat), k = draw({144, 16}, 4).to(at::kFloat);
    // Chance alone gives about bins/pairs = 529/20736.
    EXPECT_LT(offsetShare(q, k, large), 0.05);
    EXPECT_GT(offsetShare(q, k, large), 0.01);
}

TEST(OffsetShare, EqualsThePlainFormula) {
    constexpr Grid grid{3, 5};
    const RotaryTable table = axialRotary(grid, 16, 100);
    const at::Tensor q = rotate((draw({15, 16}, 5) + 1).to(at::kFloat), table);
    const at::Tensor k = rotate((draw({15, 16}, 6) + 1).to(at::kFloat), table);
    EXPECT_NEAR(offsetShare(q, k, grid), obviousShare(q, k, grid), 1e-6);
    EXPECT_GT(offsetShare(q, k, grid), 0.1);
    EXPECT_TRUE(std::isnan(offsetShare(at::ones({15, 4}), at::ones({15, 4}), grid))) << "equal logits have no variance";
    EXPECT_THROW((void)offsetShare(q, k, {4, 5}), std::invalid_argument);
}

// ---- fields, marked heads, encodings without a number

AttentionSample sampleOf(const at::Tensor& field) {
    return {field.unsqueeze(0), at::full({1}, 1.5), {0.25}};
}

TEST(Calibration, FieldNumbersAreOfTheField) {
    HeadOperator head = headWith(at::eye(kD, at::kDouble), Convention::None);
    Calibration calibration(oneHead(head), {2, 3}, 1);
    at::Tensor here = at::zeros({3, 5}), right = at::zeros({3, 5});
    here[1][2] = 1, right[1][4] = 0.5;  // the rest goes to other tokens
    for (const at::Tensor& field : {here, right}) {
        calibration.addContent(0, 0, draw({1, 6, kD}, 1), draw({1, 6, kD}, 2));
        calibration.addAttention(0, 0, sampleOf(field));
        calibration.finishImage();
    }
    const CalibrationReport report = calibration.report(1, 1);
    EXPECT_DOUBLE_EQ(number(report, "data_mean_distance").mean[0], 1);   // 0 and 2
    EXPECT_DOUBLE_EQ(number(report, "data_mean_distance").error[0], 1);  // sd sqrt(2) over sqrt(2)
    EXPECT_DOUBLE_EQ(number(report, "data_self_share").mean[0], 0.5);
    EXPECT_DOUBLE_EQ(number(report, "data_other_share").mean[0], 0.25);
    EXPECT_DOUBLE_EQ(number(report, "data_attention_entropy").mean[0], 1.5);
    EXPECT_DOUBLE_EQ(number(report, "data_offset_share").mean[0], 0.25);
    const HeadField& field = report.curves[0].field;
    EXPECT_FLOAT_EQ(field.sum[7], 0.5f);
    EXPECT_FLOAT_EQ(field.mean[7], 0.5f);  // as many pairs as tokens
    EXPECT_FLOAT_EQ(field.sum[9], 0.25f);
    EXPECT_FLOAT_EQ(field.mean[9], 0.25f * 6 / 2);  // two pairs are two columns apart
}

TEST(Calibration, WhatAHeadHasNotIsNotANumber) {
    HeadOperator still = headWith(at::eye(kD, at::kDouble), Convention::None);
    still.planes = {{}, 0};
    HeadOperator index = headWith(at::eye(kD, at::kDouble), Convention::None);
    index.planes = {{1, 0.1, 0.01, 0.001}, 1};
    CalibratedLayer layer{0, {0, 1, 2}, {still, index, {}}, {"", "", "not finite"}};
    Calibration calibration({layer}, {2, 2}, 1);
    calibration.addContent(0, 0, draw({3, 4, kD}, 1), draw({3, 4, kD}, 2));
    calibration.addAttention(0, 0, {at::full({3, 3, 3}, 1.0 / 9), at::ones({3}), {0.5, 0.5, 0.5}});
    calibration.finishImage();
    const CalibrationReport report = calibration.report(1, 3);
    for (const MeasuredNumber& n : report.numbers) {
        ASSERT_EQ(n.mean.size(), 3u);
        EXPECT_TRUE(std::isnan(n.mean[2])) << n.key;
        EXPECT_FALSE(n.title.empty() || n.definition.empty());
    }
    EXPECT_TRUE(std::isnan(number(report, "data_mean_log_frequency").mean[0]));
    EXPECT_FALSE(std::isnan(number(report, "data_mean_log_frequency").mean[1]));
    EXPECT_TRUE(std::isnan(number(report, "data_row_share").mean[1])) << "one axis is neither rows nor columns";
    EXPECT_FALSE(std::isnan(number(report, "data_mean_distance").mean[0]));
    EXPECT_TRUE(report.curves[0].energy.empty());
    EXPECT_EQ(report.curves[1].kernel.axes, 1);
    EXPECT_EQ(report.curves[2].problem, "not finite");
}

}  // namespace
}  // namespace ropescope
