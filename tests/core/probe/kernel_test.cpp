// SPDX-License-Identifier: Apache-2.0
#include "core/probe/kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/data/kernel_series.h"
#include "core/probe/frequencies.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kD = 8;
constexpr Grid kGrid{3, 4};

/// Calls check(value index, row, column) over the offsets of the grid.
template <class Check>
void overOffsets(Check check) {
    std::size_t i = 0;
    for (int r = 1 - kGrid.rows; r < kGrid.rows; ++r)
        for (int c = 1 - kGrid.cols; c < kGrid.cols; ++c) check(i++, r, c);
}

at::Tensor operatorAt(const HeadOperator& head, double row, double col) {
    return at::matmul(head.map.query.mT(), at::matmul(rotaryMatrix(head.planes, row, col), head.map.key));
}

double traceOf(const at::Tensor& m) {
    return at::trace(m).item<double>();
}

TEST(Kernel, EqualsTheTraceWithTheContentMomentAtEveryOffset) {
    for (Convention convention : {Convention::None, Convention::Same, Convention::Inverse}) {
        const at::Tensor map = convention == Convention::None ? at::eye(kD, at::kDouble) : drawInvertible(kD, 13);
        const HeadOperator head = headWith(map, convention);
        const at::Tensor moment = at::matmul(keyProjection(kD), queryProjection(kD).mT());  // C = E[k q^T]
        const std::vector<double> k = evaluateKernel(kernelOf(mapped(head.map, head.content), head.planes, 2), kGrid);
        const std::vector<double> white =
            evaluateKernel(kernelOf(mapped(head.map, whiteContent(kD)), head.planes, 1), kGrid);
        overOffsets([&](std::size_t i, int r, int c) {
            const at::Tensor g = operatorAt(head, r, c);
            EXPECT_NEAR(k[i], traceOf(at::matmul(g, moment)) / 2, 1e-10);
            EXPECT_NEAR(white[i], traceOf(g) / kD, 1e-12);
        });
    }
}

TEST(Kernel, IsTheMeanLogitOfRandomContentWithThatMoment) {
    const HeadOperator head = headWith(drawInvertible(kD, 13), Convention::Same);
    const KernelSeries series = kernelOf(mapped(head.map, head.content), head.planes, 1);
    constexpr int kDraws = 50000;
    const at::Tensor x = draw({25, kDraws}, 91);  // the same white input at both tokens; the bias column is white too
    const at::Tensor q = at::matmul(queryProjection(kD), x), k = at::matmul(keyProjection(kD), x);
    const std::vector<double> exact = evaluateKernel(series, kGrid);
    overOffsets([&](std::size_t i, int r, int c) {
        if ((r + c) % 2) return;
        const at::Tensor logits = (q * at::matmul(operatorAt(head, r, c), k)).sum(0);
        const double error = std::sqrt(logits.var().item<double>() / kDraws);
        EXPECT_NEAR(logits.mean().item<double>(), exact[i], 5 * error);  // five standard errors
    });
}

TEST(Kernel, WhiteKernelOfRopeIsTheMeanCosineForEveryInverseAndOrthogonalMap) {
    const HeadOperator rope = headWith(at::eye(kD, at::kDouble), Convention::None);
    const std::vector<double> expected = evaluateKernel(kernelOf(whiteContent(kD), rope.planes, 1), kGrid);
    overOffsets([&](std::size_t i, int r, int c) {
        const double mean = (std::cos(r) + std::cos(0.1 * r) + std::cos(c) + std::cos(0.1 * c)) / 4;
        EXPECT_NEAR(expected[i], mean, 1e-14);
    });
    for (const HeadOperator& head :
         {headWith(drawInvertible(kD, 2), Convention::Inverse), headWith(drawOrthogonal(kD, 2), Convention::Same)}) {
        const std::vector<double> k =
            evaluateKernel(kernelOf(mapped(head.map, whiteContent(kD)), head.planes, 1), kGrid);
        for (std::size_t i = 0; i < k.size(); ++i) EXPECT_NEAR(k[i], expected[i], 1e-12);
    }
}

TEST(Kernel, OverTheEnergiesItStaysWithinOne) {
    for (int seed = 0; seed < 20; ++seed) {
        HeadOperator head = headWith(drawInvertible(kD, seed), seed % 2 ? Convention::Same : Convention::Inverse);
        if (seed % 3 == 0) head.content = momentsOf(queryProjection(kD), queryProjection(kD));
        const ContentMoments content = mapped(head.map, head.content);
        const std::vector<double> energy = planeEnergies(content);
        const double total = std::accumulate(energy.begin(), energy.end(), 0.0);
        for (double v : evaluateKernel(kernelOf(content, head.planes, total), {9, 9})) EXPECT_LE(std::abs(v), 1);
    }
}

TEST(Sensitivity, EqualsTheNormOfTheOperatorsDifference) {
    for (Convention convention : {Convention::Same, Convention::Inverse}) {
        const HeadOperator head = headWith(drawInvertible(kD, 17), convention);
        const ContentMoments content = mapped(head.map, head.content);
        const std::vector<double> s =
            evaluateSensitivity(sensitivityOf(content, head.planes, zeroOffsetNorm(content)), kGrid);
        const at::Tensor g0 = operatorAt(head, 0, 0);
        // ||S_q^1/2 D S_k^1/2||_F = ||X_q^T D X_k||_F for any X with X X^T = S.
        const auto weighted = [&](const at::Tensor& g) {
            return at::matmul(queryProjection(kD).mT(), at::matmul(g, keyProjection(kD))).norm().item<double>();
        };
        overOffsets([&](std::size_t i, int r, int c) {
            EXPECT_NEAR(s[i], weighted(operatorAt(head, r, c) - g0) / weighted(g0), 1e-9);
        });
        EXPECT_EQ(s[s.size() / 2], 0);
    }
}

TEST(Sensitivity, WhiteRopeHasTheChordsOfItsAngles) {
    const HeadOperator rope = headWith(at::eye(kD, at::kDouble), Convention::None);
    const SensitivityForm form = sensitivityOf(whiteContent(kD), rope.planes, 1 / std::sqrt(double(kD)));
    const std::vector<double> s = evaluateSensitivity(form, kGrid);
    overOffsets([&](std::size_t i, int r, int c) {
        double square = 0;  // ||rot(phi) - I||_F^2 = 8 sin^2(phi/2) per plane
        for (double phi : {1.0 * r, 0.1 * r, 1.0 * c, 0.1 * c}) square += 8 * std::pow(std::sin(phi / 2), 2);
        EXPECT_NEAR(s[i], std::sqrt(square / kD), 1e-12);
    });
}

}  // namespace
}  // namespace ropescope
