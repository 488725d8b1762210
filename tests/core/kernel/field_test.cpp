// SPDX-License-Identifier: Apache-2.0
// The reference here is the definition, written out in float64 over all N x N pairs.
#include "core/kernel/field.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/kernel/field_cpu.h"

namespace ropescope {
namespace {

struct Case {
    int batch, heads, rows, cols, dim;
};

struct Inputs {
    at::Tensor q, k, v;
};

Inputs inputs(const Case& c, double spread = 2) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(c.rows * 100 + c.cols);
    const auto draw = [&] { return at::randn({c.batch, c.heads, c.rows * c.cols, c.dim}, generator) * spread; };
    const at::Tensor q = draw(), k = draw(), v = draw();
    return {q, k, v};
}

at::Tensor referenceAttention(const Inputs& in) {
    const double scale = 1 / std::sqrt(static_cast<double>(in.q.size(3)));
    return at::softmax(at::matmul(in.q.to(at::kDouble), in.k.to(at::kDouble).mT()) * scale, -1);
}

/// sum and mean [H,2h-1,2w-1], entropy [H], by the definition.
struct Reference {
    at::Tensor sum, mean, entropy;
};

Reference reference(const at::Tensor& attention, Grid grid) {
    const std::int64_t batch = attention.size(0), heads = attention.size(1), n = attention.size(2);
    Reference out;
    out.sum = at::zeros({heads, 2 * grid.rows - 1, 2 * grid.cols - 1}, at::kDouble);
    out.entropy = at::zeros({heads}, at::kDouble);
    at::Tensor pairs = at::zeros_like(out.sum);
    auto sum = out.sum.accessor<double, 3>(), count = pairs.accessor<double, 3>();
    auto entropy = out.entropy.accessor<double, 1>();
    auto alpha = attention.accessor<double, 4>();
    for (int b = 0; b < batch; ++b)
        for (int h = 0; h < heads; ++h)
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j) {
                    const int dr = j / grid.cols - i / grid.cols + grid.rows - 1;
                    const int dc = j % grid.cols - i % grid.cols + grid.cols - 1;
                    sum[h][dr][dc] += alpha[b][h][i][j] / static_cast<double>(n * batch);
                    count[h][dr][dc] += 1.0 / static_cast<double>(n * batch);
                    entropy[h] -= alpha[b][h][i][j] * std::log(alpha[b][h][i][j]) / static_cast<double>(n * batch);
                }
    out.mean = out.sum / pairs;
    return out;
}

double worst(const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kCPU, at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

void expectEqual(const RecordedAttention& found, const Inputs& in, Grid grid) {
    const at::Tensor attention = referenceAttention(in);
    const Reference expected = reference(attention, grid);
    EXPECT_LT(worst(found.output, at::matmul(attention, in.v.to(at::kDouble))), 2e-5);
    EXPECT_LT(worst(found.field.sum, expected.sum), 1e-6);
    EXPECT_LT(worst(fieldMean(found.field.sum, grid), expected.mean), 2e-5);
    EXPECT_LT(worst(found.field.entropy, expected.entropy), 2e-5);
    EXPECT_LT(worst(found.field.sum.sum({1, 2}), at::ones({in.q.size(1)})), 1e-5);
}

const std::vector<Case> kCases = {{1, 1, 1, 1, 4},   {2, 3, 4, 4, 16},  {3, 2, 5, 3, 8},
                                  {1, 4, 7, 7, 32},  {2, 2, 1, 9, 12},  {2, 1, 11, 2, 72},
                                  {1, 2, 3, 37, 16}, {1, 1, 5, 70, 24}, {1, 1, 36, 33, 8}};

TEST(Field, EqualsTheDefinitionOnOddAndNonSquareGrids) {
    for (const Case& c : kCases) {
        SCOPED_TRACE(std::to_string(c.rows) + "x" + std::to_string(c.cols));
        const Inputs in = inputs(c);
        expectEqual(attendRecording(in.q, in.k, in.v, {c.rows, c.cols}), in, {c.rows, c.cols});
    }
}

TEST(Field, TakesStridedInputs) {
    const Inputs in = inputs({2, 3, 4, 5, 8});
    const auto strided = [](const at::Tensor& t) { return t.transpose(1, 2).contiguous().transpose(1, 2); };
    expectEqual(attendRecording(strided(in.q), strided(in.k), strided(in.v), {4, 5}), in, {4, 5});
}

TEST(Field, BlocksOfRowsEqualTheWhole) {
    // 1221 tokens: more logits than one block holds.
    const Inputs in = inputs({1, 1, 33, 37, 8});
    expectEqual(attendRecording(in.q, in.k, in.v, {33, 37}), in, {33, 37});
}

TEST(Field, OfExistingAttentionEqualsTheRecordedOne) {
    const Inputs in = inputs({2, 3, 5, 4, 8});
    const at::Tensor attention = referenceAttention(in);
    const AttentionField found = fieldOfAttention(attention, {5, 4});
    const Reference expected = reference(attention, {5, 4});
    EXPECT_LT(worst(found.sum, expected.sum), 1e-7);
    EXPECT_LT(worst(found.entropy, expected.entropy), 1e-5);
}

TEST(Field, DoesNotDependOnTheNumberOfThreads) {
    const Inputs in = inputs({2, 4, 8, 8, 16});
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const auto one = attendRecording(in.q, in.k, in.v, {8, 8});
    at::set_num_threads(3);
    const auto three = attendRecording(in.q, in.k, in.v, {8, 8});
    at::set_num_threads(threads);
    EXPECT_LT(worst(one.field.sum, three.field.sum), 1e-7);
}

TEST(Field, HalfTypesComputeInFloat) {
    const Inputs in = inputs({1, 2, 4, 4, 16}, 1);
    for (const auto type : {at::kBFloat16, at::kHalf}) {
        const Inputs half = {in.q.to(type), in.k.to(type), in.v.to(type)};
        const auto found = attendRecording(half.q, half.k, half.v, {4, 4});
        EXPECT_EQ(found.output.scalar_type(), type);
        EXPECT_LT(worst(found.field.sum, reference(referenceAttention(half), {4, 4}).sum), 1e-6);
    }
}

TEST(Field, SoftmaxRowIsExactOverItsWholeRange) {
    std::vector<float> row;
    for (int i = 0; i < 4001; ++i) row.push_back(-0.03f * static_cast<float>(i));
    std::vector<double> expected(row.begin(), row.end());
    double sum = 0, entropy = 0;
    for (double& x : expected) sum += x = std::exp(x);
    for (double& x : expected) x /= sum, entropy -= x > 0 ? x * std::log(x) : 0;
    const float found = softmaxRow(row.data(), static_cast<std::int64_t>(row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (i * 0.03 < 80)
            EXPECT_NEAR(row[i] / expected[i], 1, 1e-6) << i;
        else
            EXPECT_LT(row[i], 1e-34) << i;
    }
    EXPECT_NEAR(found, entropy, 1e-5);
}

TEST(Field, ANonFiniteLogitStaysVisible) {
    std::vector<float> row = {0, std::nanf(""), 1};
    EXPECT_TRUE(std::isnan(softmaxRow(row.data(), 3)));
    EXPECT_TRUE(std::isnan(row[0]) && std::isnan(row[2]));
}

TEST(Field, RefusesAGridThatDoesNotFit) {
    const Inputs in = inputs({1, 1, 2, 3, 4});
    EXPECT_THROW((void)attendRecording(in.q, in.k, in.v, {2, 2}), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
