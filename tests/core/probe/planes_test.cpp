// SPDX-License-Identifier: Apache-2.0
#include "core/probe/planes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kD = 8, kP = 4;
constexpr double kDegrees = 180 / std::numbers::pi;

RotaryPlanes axial() {
    return {axialPlaneFrequencies(kD, 100), 2};
}
PlaneAlignment align(const at::Tensor& map) {
    return alignPlanes(planeBases(map), axial());
}
at::Tensor eye() {
    return at::eye(kD, at::kDouble);
}

TEST(RotaryPlanes, AxesAndStillPlanes) {
    const RotaryPlanes p{{0.5, 0, 0, -0.2, 0.3, 0.4, 0, 0}, 2};
    EXPECT_EQ(p.count(), 4);
    EXPECT_EQ(p.axis(0), 0);
    EXPECT_EQ(p.axis(1), 1);
    EXPECT_EQ(p.axis(2), -1);
    EXPECT_EQ(p.axis(3), -1);
    EXPECT_DOUBLE_EQ(p.speed(1), 0.2);
    EXPECT_DOUBLE_EQ(p.speed(2), 0.5);
    EXPECT_EQ(p.speed(3), 0);
    EXPECT_FALSE(p.axial());
    EXPECT_TRUE(axial().axial());
}

TEST(Planes, PlainRopeReadsAsIdentity) {
    const PlaneAlignment a = align(eye());
    for (int p = 0; p < kP; ++p) {
        for (int j = 0; j < kP; ++j) EXPECT_EQ(a.overlap[p * kP + j], p == j ? 1 : 0);
        EXPECT_EQ(a.principalAngles[2 * p], 0);
        EXPECT_EQ(a.principalAngles[2 * p + 1], 0);
        EXPECT_DOUBLE_EQ(a.gain[p], 1);
    }
    EXPECT_EQ(a.axisMixing, (std::vector<double>{1, 0, 0, 1}));
    EXPECT_EQ(a.crossAxisMixing, 0);
}

TEST(Planes, APermutationOfRowsIntoColumnsMixesCompletely) {
    const PlaneAlignment a = align(eye().roll({kD / 2}, {0}));
    for (int p = 0; p < kP; ++p)
        for (int j = 0; j < kP; ++j) EXPECT_EQ(a.overlap[p * kP + j], j == (p + 2) % kP ? 1 : 0);
    EXPECT_EQ(a.axisMixing, (std::vector<double>{0, 1, 1, 0}));
    EXPECT_EQ(a.crossAxisMixing, 1);
    for (double angle : a.principalAngles) EXPECT_DOUBLE_EQ(angle, 90);
}

TEST(Planes, RowsOfAnyMapSumToOneAndARandomBasisMixesByHalf) {
    double mixing = 0;
    constexpr int kDraws = 200;
    for (int i = 0; i < kDraws; ++i) {
        const PlaneAlignment a = align(drawInvertible(kD, 10 * i));
        for (int p = 0; p < kP; ++p) {
            double sum = 0;
            for (int j = 0; j < kP; ++j) sum += a.overlap[p * kP + j];
            ASSERT_NEAR(sum, 1, 1e-12);
            ASSERT_LE(a.principalAngles[2 * p], a.principalAngles[2 * p + 1]);
        }
        mixing += a.crossAxisMixing / kDraws;
    }
    EXPECT_NEAR(mixing, 0.5, 0.03);  // 200 draws of a number with a spread of about 0.1
}

TEST(Planes, AnglesAreThoseOfTheTurnAndSmallOnesKeepTheirDigits) {
    for (double angle : {1e-9, 1e-4, 0.3, 1.2}) {
        at::Tensor map = eye();  // feature 1 of plane 0 turns towards feature 4 of plane 2
        map[1][1] = std::cos(angle), map[1][4] = std::sin(angle);
        map[4][4] = std::cos(angle), map[4][1] = -std::sin(angle);
        const PlaneAlignment a = align(map);
        EXPECT_NEAR(a.principalAngles[0], 0, 1e-12);
        EXPECT_NEAR(a.principalAngles[1] / (angle * kDegrees), 1, 1e-7) << angle;
        EXPECT_NEAR(a.overlap[2], std::pow(std::sin(angle), 2) / 2, 1e-15);
        EXPECT_NEAR(a.overlap[0], (1 + std::pow(std::cos(angle), 2)) / 2, 1e-15);
        // Planes 0 and 2 exchange sin^2/2 of themselves, of two planes per axis.
        EXPECT_NEAR(a.crossAxisMixing, std::pow(std::sin(angle), 2) / 4, 1e-15);
    }
}

TEST(Planes, DiagonalMapsHaveTheirEntriesAsGains) {
    const PlaneAlignment a = align(at::diag(at::tensor({3.0, 4.0, 2.0, 1.0, 1.0, 1.0, 0.5, 0.25}, at::kDouble)));
    EXPECT_DOUBLE_EQ(a.gain1[0], 4);
    EXPECT_DOUBLE_EQ(a.gain2[0], 3);
    EXPECT_DOUBLE_EQ(a.gain[0], std::sqrt(12.5));
    EXPECT_DOUBLE_EQ(a.gain1[3], 0.5);
    EXPECT_EQ(a.crossAxisMixing, 0);
}

TEST(Planes, QueryAndKeyPlanesAgreeUnlessTheMapIsOblique) {
    const auto overlap = [](const at::Tensor& map) {
        return queryKeyOverlap(planeBases(map), planeBases(at::linalg_inv(map).mT()));
    };
    for (double v : overlap(drawOrthogonal(kD, 4))) EXPECT_NEAR(v, 1, 1e-12);
    for (double v : overlap(drawInvertible(kD, 4))) EXPECT_LT(v, 0.999);
    // Shear of feature 1 towards feature 2 (plane 1): rows (1, t) and, in the inverse transpose, (0, 1) and (-t, 1).
    const double t = 0.5;
    at::Tensor shear = eye();
    shear[1][2] = t;
    // Plane 0: query rows e0, e1 + t e2; key rows e0, e1. Overlap (1 + 1/(1+t^2)) / 2.
    EXPECT_NEAR(overlap(shear)[0], (1 + 1 / (1 + t * t)) / 2, 1e-14);
    EXPECT_NEAR(overlap(shear)[1], (1 + 1 / (1 + t * t)) / 2, 1e-14);
    EXPECT_NEAR(overlap(shear)[2], 1, 1e-14);
}

TEST(Planes, ARankDeficientPlaneIsMarkedAndTheOthersAreDrawn) {
    at::Tensor map = eye();
    map[1].copy_(map[0]);
    const PlaneAlignment a = align(map);
    EXPECT_TRUE(std::isnan(a.overlap[0]));
    EXPECT_TRUE(std::isnan(a.principalAngles[1]));
    EXPECT_EQ(a.gain2[0], 0);
    EXPECT_EQ(a.overlap[kP + 1], 1);
    EXPECT_EQ(a.principalAngles[2], 0);
    EXPECT_EQ(a.crossAxisMixing, 0);
}

TEST(Planes, MixedFrequenciesHaveNoAxesToMixAndStillPlanesAreLeftOut) {
    RotaryPlanes mixed = axial();
    mixed.frequency[1] = 0.3;
    EXPECT_TRUE(alignPlanes(planeBases(eye()), mixed).axisMixing.empty());
    RotaryPlanes still = axial();
    still.frequency[0] = 0;  // plane 0 never turns; it changes places with plane 2, a column
    at::Tensor map = eye();
    for (int i : {0, 1}) {
        map[i].zero_(), map[4 + i].zero_();
        map[i][4 + i] = 1, map[4 + i][i] = 1;
    }
    const PlaneAlignment a = alignPlanes(planeBases(map), still);
    EXPECT_EQ(a.axisMixing, (std::vector<double>{1, 0, 0, 0.5}));
}

}  // namespace
}  // namespace ropescope
