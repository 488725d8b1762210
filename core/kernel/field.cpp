// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/field.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/kernel/field_cpu.h"
#include "core/kernel/field_launch.h"

namespace ropescope {
namespace {

/// Logits held at once: about the second-level cache of a core, more on a GPU.
constexpr std::int64_t kCpuLogits = 1 << 20;
constexpr std::int64_t kCudaLogits = 1 << 26;

/// Sums that become an AttentionField: one slot per head, added in a fixed order, so that results do not depend on
/// the number of threads.
struct Sums {
    Grid grid;
    std::vector<double> field;    // [H, 2h-1, 2w-1]
    std::vector<double> entropy;  // [H]

    Sums(Grid g, std::int64_t heads) : grid(g), field(heads * (2 * g.rows - 1) * (2 * g.cols - 1)), entropy(heads) {}

    /// `partial` [h, 2w-1] of the queries of grid row r; `rowEntropy` their summed entropy.
    void add(std::int64_t head, int r, const float* partial, double rowEntropy) {
        const std::int64_t width = 2 * grid.cols - 1;
        double* to = field.data() + (head * (2 * grid.rows - 1) + grid.rows - 1 - r) * width;
        for (std::int64_t i = 0; i < grid.rows * width; ++i) to[i] += partial[i];
        entropy[head] += rowEntropy;
    }

    [[nodiscard]] AttentionField finish(std::int64_t batch) const {
        const double share = 1.0 / (static_cast<double>(batch) * grid.tokens());
        const auto heads = static_cast<std::int64_t>(entropy.size());
        const auto tensor = [&](const std::vector<double>& values, at::IntArrayRef shape) {
            at::Tensor out = at::empty(shape, at::kFloat);
            std::transform(values.begin(), values.end(), out.data_ptr<float>(),
                           [&](double value) { return static_cast<float>(value * share); });
            return out;
        };
        return {tensor(field, {heads, 2 * grid.rows - 1, 2 * grid.cols - 1}), tensor(entropy, {heads})};
    }
};

/// `logits` [G, rows*w, N] of the matrices first..first+G-1 (batch-major) and grid rows from `row` on: softmax in
/// place unless they are probabilities already, field added.
enum class RowsHold { Logits, Probabilities };
void addRows(Sums& sums, at::Tensor& values, RowsHold hold, std::int64_t first, int row) {
    const Grid grid = sums.grid;
    const std::int64_t tokens = grid.tokens(), rows = values.size(1) / grid.cols;
    const std::int64_t tasks = values.size(0) * rows,
                       stride = static_cast<std::int64_t>(grid.rows) * (2 * grid.cols - 1);
    std::vector<float> partial(tasks * stride);
    std::vector<double> entropy(tasks);
    float* data = values.data_ptr<float>();
    at::parallel_for(0, tasks, std::max<std::int64_t>(1, 4096 / (grid.cols * tokens)), [&](auto begin, auto end) {
        for (auto task = begin; task < end; ++task) {
            float* block = data + task * grid.cols * tokens;
            for (int c = 0; c < grid.cols; ++c) {
                float* line = block + c * tokens;
                if (hold == RowsHold::Logits) {
                    entropy[task] += softmaxRow(line, tokens);
                } else {
                    for (std::int64_t j = 0; j < tokens; ++j)
                        if (line[j] > 0) entropy[task] -= line[j] * std::log(static_cast<double>(line[j]));
                }
            }
            gatherRow(block, grid.rows, grid.cols, partial.data() + task * stride);
        }
    });
    const auto heads = static_cast<std::int64_t>(sums.entropy.size());
    for (std::int64_t task = 0; task < tasks; ++task)
        sums.add((first + task / rows) % heads, row + static_cast<int>(task % rows), partial.data() + task * stride,
                 entropy[task]);
}

RecordedAttention attendCpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, Grid grid) {
    const std::int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2), d = q.size(3);
    const auto flat = [&](const at::Tensor& t) { return t.to(at::kFloat).reshape({batch * heads, tokens, d}); };
    const at::Tensor queries = flat(q) * std::pow(static_cast<double>(d), -0.5);
    const at::Tensor keys = flat(k).mT(), values = flat(v);
    at::Tensor output = at::empty({batch * heads, tokens, d}, at::kFloat);
    Sums sums(grid, heads);
    const std::int64_t matrices = std::max<std::int64_t>(1, kCpuLogits / (tokens * tokens));
    const std::int64_t perBlock = std::clamp<std::int64_t>(kCpuLogits / (tokens * grid.cols), 1, grid.rows);
    for (std::int64_t first = 0; first < batch * heads; first += matrices) {
        const std::int64_t count = std::min(matrices, batch * heads - first);
        for (std::int64_t row = 0; row < grid.rows; row += perBlock) {
            const std::int64_t from = row * grid.cols, length = std::min(perBlock, grid.rows - row) * grid.cols;
            at::Tensor logits =
                at::bmm(queries.narrow(0, first, count).narrow(1, from, length), keys.narrow(0, first, count));
            addRows(sums, logits, RowsHold::Logits, first, static_cast<int>(row));
            if (count == batch * heads && length == tokens) {
                output = at::bmm(logits, values);
            } else {
                output.narrow(0, first, count)
                    .narrow(1, from, length)
                    .copy_(at::bmm(logits, values.narrow(0, first, count)));
            }
        }
    }
    return {output.view({batch, heads, tokens, d}).to(q.scalar_type()), sums.finish(batch)};
}

/// [G,h,w,h,w] attention (query row, query column, key row, key column) -> [G,2h-1,2w-1] sums over equal offsets.
/// Reading a padded row with a stride one shorter than the row shifts every next row by one: no scatter, no atomics.
at::Tensor sumDiagonals(const at::Tensor& alpha) {
    const std::int64_t g = alpha.size(0), h = alpha.size(1), w = alpha.size(2);
    // Columns first: [G,h,h,w,w] -> [G,h,h,2w-1].
    at::Tensor t = at::constant_pad_nd(alpha.permute({0, 1, 3, 2, 4}).flip(3), {0, w}).reshape({g, h, h, 2 * w * w});
    t = t.narrow(3, 0, w * (2 * w - 1)).reshape({g, h, h, w, 2 * w - 1}).sum(3);
    t = at::constant_pad_nd(t.permute({0, 3, 1, 2}).flip(2), {0, h}).reshape({g, 2 * w - 1, 2 * h * h});
    return t.narrow(2, 0, h * (2 * h - 1)).reshape({g, 2 * w - 1, h, 2 * h - 1}).sum(2).mT();
}

RecordedAttention attendAnywhere(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, Grid grid) {
    const std::int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2), d = q.size(3);
    const at::Tensor queries = q.to(at::kFloat) * std::pow(static_cast<double>(d), -0.5), keys = k.to(at::kFloat).mT();
    std::vector<at::Tensor> outputs, fields, entropies;
    const std::int64_t perChunk = std::max<std::int64_t>(1, kCudaLogits / (batch * tokens * tokens));
    for (std::int64_t head = 0; head < heads; head += perChunk) {
        const std::int64_t count = std::min(perChunk, heads - head);
        const auto chunk = [&](const at::Tensor& t) { return t.narrow(1, head, count); };
        const at::Tensor alpha = at::softmax(at::matmul(chunk(queries), chunk(keys)), -1);
        outputs.push_back(at::matmul(alpha.to(v.scalar_type()), chunk(v)));
        const at::Tensor mean = alpha.mean(0);
        fields.push_back(sumDiagonals(mean.reshape({count, grid.rows, grid.cols, grid.rows, grid.cols})) / tokens);
        entropies.push_back(at::special_entr(alpha).sum(-1).mean(at::IntArrayRef{0, 2}));
    }
    return {at::cat(outputs, 1), {at::cat(fields, 0), at::cat(entropies, 0)}};
}

void checkGrid(const at::Tensor& t, Grid grid) {
    if (t.dim() != 4 || grid.rows < 1 || grid.cols < 1 || t.size(2) != grid.tokens())
        throw std::invalid_argument("attention field: the grid does not match the number of tokens");
}

}  // namespace

RecordedAttention attendRecording(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, Grid grid) {
    checkGrid(q, grid);
    if (q.is_cpu()) return attendCpu(q, k, v, grid);
    if (auto field = fieldByKernel(q, k, grid)) return {at::scaled_dot_product_attention(q, k, v), *field};
    return attendAnywhere(q, k, v, grid);
}

AttentionField fieldOfAttention(const at::Tensor& attention, Grid grid) {
    checkGrid(attention, grid);
    const std::int64_t batch = attention.size(0), heads = attention.size(1), tokens = attention.size(2);
    if (!attention.is_cpu()) {
        const at::Tensor mean = attention.to(at::kFloat).mean(0);
        return {sumDiagonals(mean.reshape({heads, grid.rows, grid.cols, grid.rows, grid.cols})).to(at::kCPU) / tokens,
                at::special_entr(attention.to(at::kFloat)).sum(-1).mean(at::IntArrayRef{0, 2}).to(at::kCPU)};
    }
    at::Tensor alpha = attention.to(at::kCPU, at::kFloat).reshape({batch * heads, tokens, tokens}).contiguous();
    Sums sums(grid, heads);
    addRows(sums, alpha, RowsHold::Probabilities, 0, 0);
    return sums.finish(batch);
}

at::Tensor fieldMean(const at::Tensor& sum, Grid grid) {
    const auto pairs = [](int n) { return n - at::arange(-(n - 1), n, at::kDouble).abs(); };
    const at::Tensor count = pairs(grid.rows).unsqueeze(1) * pairs(grid.cols).unsqueeze(0);
    return (sum.to(at::kDouble) * (static_cast<double>(grid.tokens()) / count).to(sum.device())).to(at::kFloat);
}

}  // namespace ropescope
