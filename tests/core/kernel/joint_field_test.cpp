// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/joint_field.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ropescope {
namespace {

constexpr std::int64_t kText = 3;
constexpr Grid kGrid{2, 4};
constexpr std::int64_t kAll = kText + 8;

struct Drawn {
    at::Tensor q, k;  ///< [B,h,T+N,D] float64
    at::Tensor alpha;
};

Drawn drawn() {
    at::manual_seed(5);
    Drawn d{at::randn({2, 3, kAll, 4}, at::kDouble), at::randn({2, 3, kAll, 4}, at::kDouble), {}};
    d.alpha = at::softmax(at::matmul(d.q, d.k.mT()) / 2, -1);
    return d;
}

double at2(const at::Tensor& t, std::int64_t i, std::int64_t j) {
    return t[i][j].item<double>();
}

TEST(JointField, EqualsTheObviousSums) {
    const Drawn d = drawn();
    const JointField found = jointField(d.q.to(at::kFloat), d.k.to(at::kFloat), kText, kGrid);
    for (int head = 0; head < 3; ++head) {
        at::Tensor field = at::zeros({3, 7}, at::kDouble);
        double entropy = 0, toText = 0, toImage = 0;
        for (int b = 0; b < 2; ++b) {
            const at::Tensor alpha = d.alpha[b][head];
            for (std::int64_t i = 0; i < 8; ++i) {
                for (std::int64_t j = 0; j < kAll; ++j) {
                    const double a = at2(alpha, kText + i, j);
                    entropy -= a * std::log(a) / 16;
                    if (j < kText) {
                        toText += a / 16;
                        continue;
                    }
                    const std::int64_t n = j - kText;
                    field[n / 4 - i / 4 + 1][n % 4 - i % 4 + 3] += a / 16;
                }
            }
            for (std::int64_t i = 0; i < kText; ++i)
                for (std::int64_t j = kText; j < kAll; ++j) toImage += at2(alpha, i, j) / (2 * kText);
        }
        // float32 against float64, sums of at most 100 numbers below 1.
        EXPECT_LT((found.field.sum[head].to(at::kDouble) - field).abs().max().item<double>(), 1e-6);
        EXPECT_NEAR(found.field.entropy[head].item<double>(), entropy, 1e-5);
        EXPECT_NEAR(found.imageToText[head].item<double>(), toText, 1e-6);
        EXPECT_NEAR(found.textToImage[head].item<double>(), toImage, 1e-6);
        EXPECT_NEAR(found.field.sum[head].sum().item<double>() + toText, 1, 1e-5);
    }
}

TEST(JointField, WithoutTextItIsTheFieldOfThePicture) {
    const Drawn d = drawn();
    const at::Tensor q = d.q.narrow(2, kText, 8).to(at::kFloat), k = d.k.narrow(2, kText, 8).to(at::kFloat);
    const JointField found = jointField(q, k, 0, kGrid);
    const AttentionField own = attendRecording(q, k, k, kGrid).field;
    EXPECT_LT((found.field.sum - own.sum).abs().max().item<double>(), 1e-6);
    EXPECT_LT((found.field.entropy - own.entropy).abs().max().item<double>(), 1e-5);
    EXPECT_EQ(found.imageToText.abs().max().item<double>(), 0);
}

TEST(JointField, ChosenTokensAreRowsAndColumns) {
    const Drawn d = drawn();
    const ChosenTokens found =
        chosenTokens(d.q[1][2].to(at::kFloat), d.k[1][2].to(at::kFloat), kText, kGrid, {1, kText + 6});
    const at::Tensor alpha = d.alpha[1][2];
    const at::Tensor rows = (alpha[1] + alpha[kText + 6]) / 2;
    const at::Tensor cols = alpha.select(1, 1) + alpha.select(1, kText + 6);
    EXPECT_LT((found.looks.to(at::kDouble) - rows).abs().max().item<double>(), 1e-6);
    EXPECT_LT((found.seen.to(at::kDouble) - cols).abs().max().item<double>(), 1e-6);
    EXPECT_NEAR(found.looks.sum().item<double>(), 1, 1e-5);
    EXPECT_THROW((void)chosenTokens(d.q[0][0], d.k[0][0], 2, kGrid, {0}), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
