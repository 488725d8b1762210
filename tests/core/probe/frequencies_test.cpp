// SPDX-License-Identifier: Apache-2.0
#include "core/probe/frequencies.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kD = 8, kP = 4;

double sum(const std::vector<double>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0);
}

/// White projections: W W^T = I on both sides.
HeadOperator whiteHead(const at::Tensor& map, Convention convention) {
    HeadOperator head = headWith(map, convention);
    head.content = momentsOf(at::eye(kD, at::kDouble), at::eye(kD, at::kDouble));
    return head;
}

TEST(Frequencies, PlainRopeIsItsOwnReference) {
    const FrequencyEnergy e = measureEnergy(headWith(at::eye(kD, at::kDouble), Convention::None), {4, 4});
    EXPECT_EQ(e.weights, e.reference);
    EXPECT_EQ(e.wasserstein, 0);
    EXPECT_NEAR(e.wassersteinMap, 0, 1e-15);
    for (double v : e.map) EXPECT_DOUBLE_EQ(v, 0.25);
    EXPECT_NEAR(sum(e.weights), 1, 1e-14);
    EXPECT_NEAR(e.axisShare[0] + e.axisShare[1], 1, 1e-14);
    EXPECT_EQ(e.stillShare, 0);
}

TEST(Frequencies, SameMapMovesEnergyByTheSquaredGain) {
    // Theta 100, D 8: frequencies 1 and 0.1 on each axis. Plane 0 (row, 1) gains three times.
    const at::Tensor s = at::tensor({3.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}, at::kDouble);
    const FrequencyEnergy e = measureEnergy(whiteHead(at::diag(s), Convention::Same), {4, 4});
    const std::vector<double> expected = {9 / 12.0, 1 / 12.0, 1 / 12.0, 1 / 12.0};
    for (int p = 0; p < kP; ++p) {
        EXPECT_NEAR(e.weights[p], expected[p], 1e-14);
        EXPECT_NEAR(e.map[p], expected[p], 1e-14);
        EXPECT_NEAR(e.reference[p], 0.25, 1e-14);
    }
    const double step = std::log(10.0);
    EXPECT_NEAR(e.meanLogOmega, -step * 2 / 12, 1e-13);
    EXPECT_NEAR(e.stdLogOmega, step * std::sqrt(2 / 12.0 * 10 / 12.0), 1e-13);
    EXPECT_NEAR(e.axisShare[0], 10 / 12.0, 1e-14);
    // Half of the reference lies at the long wave, a sixth of the weights: a third moves one step.
    EXPECT_NEAR(e.wasserstein, step / 3, 1e-13);
    // Wavelengths 6.3 and 62.8 tokens against four times four.
    EXPECT_NEAR(e.longWaveShare, 2 / 12.0, 1e-14);
}

TEST(Frequencies, LongWavesAreJudgedByTheSideOfTheirOwnAxis) {
    const HeadOperator head = whiteHead(at::eye(kD, at::kDouble), Convention::None);
    EXPECT_NEAR(measureEnergy(head, {4, 16}).longWaveShare, 0.25, 1e-14);  // 62.8 > 16 rows, < 64 columns
    EXPECT_NEAR(measureEnergy(head, {1, 1}).longWaveShare, 1, 1e-14);
}

TEST(Frequencies, ADiagonalInverseMapThatScalesWholePlanesMovesNothing) {
    const at::Tensor s = at::tensor({3.0, 3.0, 0.5, 0.5, 1.0, 1.0, 2.0, 2.0}, at::kDouble);
    const FrequencyEnergy e = measureEnergy(whiteHead(at::diag(s), Convention::Inverse), {4, 4});
    for (double v : e.weights) EXPECT_NEAR(v, 0.25, 1e-14);
    // An ellipse inside plane 0 shows: ||diag(3,1)|| ||diag(1/3,1)|| = 10/3 against 2.
    const at::Tensor ellipse = at::tensor({3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}, at::kDouble);
    const FrequencyEnergy f = measureEnergy(whiteHead(at::diag(ellipse), Convention::Inverse), {4, 4});
    EXPECT_NEAR(f.weights[0], (10 / 3.0) / (10 / 3.0 + 6), 1e-14);
}

TEST(Frequencies, EnergyIsTheRmsLogitOfIndependentContentOverThePhase) {
    const HeadOperator head = headWith(drawInvertible(kD, 3), Convention::Inverse);
    const at::Tensor query = at::matmul(head.map.query, queryProjection(kD));
    const at::Tensor key = at::matmul(head.map.key, keyProjection(kD));
    const std::vector<double> energy = planeEnergies(momentsOf(query, key));
    // E over independent q, k of (q_p . rot(phi) k_p)^2 = tr(M_q rot M_k rot^T), averaged over the phase.
    const at::Tensor mq = at::matmul(query, query.mT()), mk = at::matmul(key, key.mT());
    for (int p = 0; p < kP; ++p) {
        const at::Tensor q = mq.narrow(0, 2 * p, 2).narrow(1, 2 * p, 2), k = mk.narrow(0, 2 * p, 2).narrow(1, 2 * p, 2);
        double mean = 0;
        for (int i = 0; i < 4; ++i) {  // a second harmonic: four phases average it exactly
            const double phi = i * std::acos(-1.0) / 4;
            const at::Tensor r =
                at::tensor({std::cos(phi), -std::sin(phi), std::sin(phi), std::cos(phi)}, at::kDouble).view({2, 2});
            mean += at::trace(at::matmul(at::matmul(q, r), at::matmul(k, r.mT()))).item<double>() / 4;
        }
        EXPECT_NEAR(std::sqrt(mean), energy[p] / std::sqrt(2.0), 1e-10);
    }
}

TEST(Frequencies, StillPlanesAreANumberOfTheirOwn) {
    HeadOperator head = whiteHead(at::eye(kD, at::kDouble), Convention::None);
    head.planes.frequency[0] = 0;
    const FrequencyEnergy e = measureEnergy(head, {4, 4});
    EXPECT_NEAR(e.stillShare, 0.25, 1e-14);
    EXPECT_NEAR(e.axisShare[0] + e.axisShare[1], 0.75, 1e-14);
    EXPECT_NEAR(e.meanLogOmega, -2 * std::log(10.0) / 3, 1e-13);
    EXPECT_NEAR(e.longWaveShare, 0.5, 1e-14);
}

TEST(Frequencies, DistanceIsBetweenNormalisedDistributions) {
    const RotaryPlanes planes{{1, 0, 0, std::exp(1.0), std::exp(3.0), 0}, 2};
    EXPECT_NEAR(logFrequencyDistance(planes, {1, 0, 0}, {0, 0, 5}), 3, 1e-14);
    EXPECT_NEAR(logFrequencyDistance(planes, {1, 1, 0}, {0, 1, 1}), 1.5, 1e-14);
    EXPECT_TRUE(std::isnan(logFrequencyDistance(planes, {0, 0, 0}, {0, 1, 1})));
}

TEST(Frequencies, BehindANormThereIsNoContentAndWithoutRotationNothing) {
    HeadOperator head = headWith(at::eye(kD, at::kDouble), Convention::None);
    head.content = {};
    const FrequencyEnergy e = measureEnergy(head, {4, 4});
    EXPECT_TRUE(e.weights.empty());
    EXPECT_TRUE(std::isnan(e.wasserstein));
    EXPECT_EQ(e.map.size(), 4u);
    head.planes = {{}, 0};
    EXPECT_TRUE(measureEnergy(head, {4, 4}).map.empty());
}

}  // namespace
}  // namespace ropescope
