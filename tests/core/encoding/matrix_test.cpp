// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/matrix.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <complex>
#include <numbers>

namespace ropescope {
namespace {

constexpr int kD = 8, kHeads = 3;

double largest(const at::Tensor& t) {
    return t.abs().max().item<double>();
}

WeightTable start(MatrixKind kind) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(4);
    WeightTable w = initialMatrix(kind, kHeads, kD, generator);
    for (auto& [name, t] : w) t = t.to(at::kDouble);
    return w;
}

/// Parameters far from the start.
WeightTable drawn(MatrixKind kind) {
    WeightTable w = start(kind);
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
    for (auto& [name, t] : w) t = t + at::empty_like(t).normal_(0, 0.4, generator);
    return w;
}

at::Tensor one() {
    return at::eye(kD, at::kDouble).expand({kHeads, kD, kD});
}

TEST(Matrix, EveryKindStartsAsTheIdentity) {
    for (const Matrix& m : matrices()) {
        if (m.kind == MatrixKind::Circulant) continue;  // its own basis, below
        EXPECT_LE(largest(matrixOf(m.kind, start(m.kind)) - one()), 2e-6) << m.name;
    }
}

TEST(Matrix, OrthogonalKindsAreOrthogonalAndOnlyThose) {
    for (const Matrix& m : matrices()) {
        const at::Tensor a = matrixOf(m.kind, drawn(m.kind));
        const double off = largest(at::matmul(a.mT(), a) - one());
        if (m.orthogonal)
            EXPECT_LE(off, 1e-12) << m.name;
        else
            EXPECT_GE(off, 0.05) << m.name;
    }
}

TEST(Matrix, DrawnParametersMoveItAwayFromTheIdentity) {
    for (const Matrix& m : matrices()) EXPECT_GE(largest(matrixOf(m.kind, drawn(m.kind)) - one()), 0.1) << m.name;
}

TEST(Matrix, InverseMapLeavesContentAloneForEveryKind) {
    for (const Matrix& m : matrices()) {
        const HeadMaps maps = matrixMaps(m.kind, drawn(m.kind), Convention::Inverse);
        EXPECT_LE(largest(at::matmul(maps.query.mT(), maps.key) - one()), 1e-10) << m.name;
        const HeadMaps same = matrixMaps(m.kind, drawn(m.kind), Convention::Same);
        EXPECT_TRUE(at::equal(same.query, same.key)) << m.name;
    }
    EXPECT_THROW((void)matrixMaps(MatrixKind::Full, start(MatrixKind::Full), Convention::Unknown),
                 std::invalid_argument);
}

TEST(Matrix, SingularValuesAreThoseOfTheMatrix) {
    for (const Matrix& m : matrices()) {
        const WeightTable w = drawn(m.kind);
        const at::Tensor stored = std::get<0>(storedSingularValues(m.kind, w).sort(-1, true));
        EXPECT_LE(largest(stored - at::linalg_svdvals(matrixOf(m.kind, w))), 1e-10) << m.name;
    }
}

TEST(Matrix, ClosedForms) {
    // One turn by 0.3 of the features 0 and 1.
    const double c = std::cos(0.3), s = std::sin(0.3);
    const auto turns = [&](const at::Tensor& a) {
        EXPECT_NEAR(a[0][0][0].item<double>(), c, 1e-12);
        EXPECT_NEAR(a[0][0][1].item<double>(), -s, 1e-12);
        EXPECT_NEAR(a[0][1][0].item<double>(), s, 1e-12);
        EXPECT_NEAR(a[0][2][2].item<double>(), 1, 1e-12);
    };
    at::Tensor angle = at::zeros({1, 2, 2}, at::kDouble);
    angle[0][0][0] = 0.3;
    turns(matrixOf(MatrixKind::Givens, {{"angle", angle}}));
    at::Tensor skew = at::zeros({1, 4, 4}, at::kDouble);
    skew[0][0][1] = -0.3, skew[0][1][0] = 0.3;
    turns(matrixOf(MatrixKind::Exponential, {{"X", skew}}));
    at::Tensor k = at::zeros({1, 4, 4}, at::kDouble);  // tan of half the angle; the sign follows (I-K)(I+K)^-1
    k[0][0][1] = std::tan(0.15), k[0][1][0] = -std::tan(0.15);
    turns(matrixOf(MatrixKind::Cayley, {{"S", k}}));
    // Two reflections turn by twice the angle between their normals.
    const at::Tensor v =
        at::tensor({std::cos(0.15), std::sin(0.15), 0., 0., 1., 0., 0., 0.}, at::kDouble).view({1, 2, 4});
    turns(matrixOf(MatrixKind::Householder, {{"v", v}}));
    const at::Tensor b = at::tensor({1., 0., 0., 0.}, at::kDouble).view({1, 4, 1}),
                     right = at::tensor({0., 2., 0., 0.}, at::kDouble).view({1, 4, 1});
    EXPECT_EQ(matrixOf(MatrixKind::LowRank, {{"B", b}, {"C", right}})[0][0][1].item<double>(), 2);
}

TEST(Matrix, GivensReachTheWrappingPairInOddRounds) {
    at::Tensor angle = at::zeros({1, 2, 2}, at::kDouble);
    angle[0][1][1] = 0.3;  // features 3 and 0
    const at::Tensor a = matrixOf(MatrixKind::Givens, {{"angle", angle}})[0];
    EXPECT_NEAR(a[3][3].item<double>(), std::cos(0.3), 1e-12);
    EXPECT_NEAR(a[0][3].item<double>(), std::sin(0.3), 1e-12);
    EXPECT_NEAR(a[1][1].item<double>(), 1, 1e-12);
}

TEST(Matrix, CirculantIsTheExponentialOfCommutingCirculants) {
    // exp(sum_a p_a (C_a - C_a^T)) from the definition, against basis^T R(frequency . p) basis.
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(6);
    const at::Tensor c = at::empty({1, 2, kD}, at::kDouble).normal_(0, 0.3, generator);
    at::Tensor sum = at::zeros({kD, kD}, at::kDouble);
    const double position[2] = {3, 2};  // column, row: the order of c
    for (int a = 0; a < 2; ++a)
        for (int i = 0; i < kD; ++i)
            for (int j = 0; j < kD; ++j)
                sum[i][j] += position[a] * (c[0][a][(i - j + kD) % kD] - c[0][a][(j - i + kD) % kD]);
    const at::Tensor expected = at::matrix_exp(sum);
    const at::Tensor basis = matrixOf(MatrixKind::Circulant, {{"c", c}})[0];
    const at::Tensor f = circulantFrequencies(c)[0];
    at::Tensor turn = at::eye(kD, at::kDouble);
    for (int p = 0; p < kD / 2; ++p) {
        const double angle = f[p][0].item<double>() * position[1] + f[p][1].item<double>() * position[0];
        turn[2 * p][2 * p] = turn[2 * p + 1][2 * p + 1] = std::cos(angle);
        turn[2 * p][2 * p + 1] = -std::sin(angle), turn[2 * p + 1][2 * p] = std::sin(angle);
    }
    EXPECT_LE(largest(at::matmul(at::matmul(basis.t(), turn), basis) - expected), 1e-12);
    EXPECT_EQ(largest(f[kD / 2 - 1]), 0);
    at::Tensor cleaned = f.clone().unsqueeze(0);
    EXPECT_LE(largest(circulantFrequencies(circulantParameters(cleaned)) - cleaned), 1e-12);
}

TEST(Matrix, EveryParameterHasAGradient) {
    for (const Matrix& m : matrices()) {
        WeightTable w = drawn(m.kind);
        for (auto& [name, t] : w) t.requires_grad_(true);
        const at::Tensor a = m.kind == MatrixKind::Circulant ? circulantFrequencies(w.at("c")) : matrixOf(m.kind, w);
        (a * a.detach().sin()).sum().backward();
        for (auto& [name, t] : w) {
            ASSERT_TRUE(t.grad().defined()) << m.name << " " << name;
            EXPECT_GT(largest(t.grad()), 0) << m.name << " " << name;
        }
    }
}

TEST(Matrix, HalfTypesAreRefused) {
    WeightTable w = start(MatrixKind::Exponential);
    w["X"] = w["X"].to(at::kHalf);
    EXPECT_THROW((void)matrixOf(MatrixKind::Exponential, w), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
