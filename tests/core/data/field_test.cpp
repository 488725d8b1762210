// SPDX-License-Identifier: Apache-2.0
#include "core/data/field.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

constexpr Grid kGrid{3, 4};

std::vector<float> empty() {
    return std::vector<float>((2 * kGrid.rows - 1) * (2 * kGrid.cols - 1), 0.0f);
}

float& at(std::vector<float>& field, int row, int col) {
    return field[(row + kGrid.rows - 1) * (2 * kGrid.cols - 1) + col + kGrid.cols - 1];
}

TEST(Field, AllMassOnItself) {
    std::vector<float> field = empty();
    at(field, 0, 0) = 0.7f;  // the rest went to text tokens
    const FieldNumbers n = measureField(field, kGrid);
    EXPECT_EQ(n.meanDistance, 0);
    EXPECT_EQ(n.rmsRadius, 0);
    EXPECT_EQ(n.halfMassRadius, 0);
    EXPECT_EQ(n.anisotropy, 0);
    EXPECT_DOUBLE_EQ(n.selfShare, 1);
    EXPECT_EQ(n.fieldEntropy, 0);
}

TEST(Field, FourNeighboursHaveUnitRadiusAndNoDirection) {
    std::vector<float> field = empty();
    at(field, 0, 1) = at(field, 0, -1) = at(field, 1, 0) = at(field, -1, 0) = 0.25f;
    const FieldNumbers n = measureField(field, kGrid);
    EXPECT_DOUBLE_EQ(n.meanDistance, 1);
    EXPECT_DOUBLE_EQ(n.rmsRadius, 1);
    EXPECT_DOUBLE_EQ(n.halfMassRadius, 1);
    EXPECT_DOUBLE_EQ(n.lambda1, 0.5);
    EXPECT_DOUBLE_EQ(n.lambda2, 0.5);
    EXPECT_DOUBLE_EQ(n.anisotropy, 0);
    EXPECT_DOUBLE_EQ(n.selfShare, 0);
    EXPECT_NEAR(n.fieldEntropy, std::log(4.0), 1e-12);
}

TEST(Field, CentreOfMassIsTakenOutOfTheMoments) {
    std::vector<float> field = empty();
    at(field, 0, 1) = 0.5f, at(field, 0, 3) = 0.5f;
    const FieldNumbers n = measureField(field, kGrid);
    EXPECT_DOUBLE_EQ(n.centreCol, 2);
    EXPECT_DOUBLE_EQ(n.centreRow, 0);
    EXPECT_DOUBLE_EQ(n.lambda1, 1);
    EXPECT_DOUBLE_EQ(n.lambda2, 0);
    EXPECT_DOUBLE_EQ(n.anisotropy, 1);
    EXPECT_DOUBLE_EQ(n.orientation, 0);  // along columns
    EXPECT_DOUBLE_EQ(n.meanDistance, 2);
    EXPECT_DOUBLE_EQ(n.rmsRadius, std::sqrt(5.0));
    EXPECT_DOUBLE_EQ(n.halfMassRadius, 1);
}

TEST(Field, OrientationFollowsTheLargerAxis) {
    std::vector<float> field = empty();
    at(field, 2, 0) = at(field, -2, 0) = 0.5f;
    EXPECT_DOUBLE_EQ(measureField(field, kGrid).orientation, 90);
    field = empty();
    at(field, 1, 1) = at(field, -1, -1) = 0.5f;
    EXPECT_DOUBLE_EQ(measureField(field, kGrid).orientation, 45);
    field = empty();
    at(field, -1, 1) = at(field, 1, -1) = 0.5f;
    EXPECT_DOUBLE_EQ(measureField(field, kGrid).orientation, -45);
}

TEST(Field, NumbersDoNotDependOnTheTotal) {
    std::vector<float> field = empty();
    for (std::size_t i = 0; i < field.size(); ++i) field[i] = float(i % 5);
    std::vector<float> half = field;
    for (float& v : half) v *= 0.5f;
    EXPECT_DOUBLE_EQ(measureField(field, kGrid).meanDistance, measureField(half, kGrid).meanDistance);
    EXPECT_DOUBLE_EQ(measureField(field, kGrid).orientation, measureField(half, kGrid).orientation);
}

TEST(Field, NothingMeasuredHasNoNumbersAndWrongSizesThrow) {
    EXPECT_TRUE(std::isnan(measureField(empty(), kGrid).meanDistance));
    EXPECT_THROW((void)measureField(std::vector<float>(4), kGrid), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
