// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/joint_field.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

/// Probabilities [T+N,T+N] of one head, float32.
at::Tensor probabilities(const at::Tensor& q, const at::Tensor& k) {
    const at::Tensor scaled = q.to(at::kFloat) * std::pow(static_cast<double>(q.size(-1)), -0.5);
    return at::softmax(at::matmul(scaled, k.to(at::kFloat).mT()), -1);
}

/// `alpha` [T+N,T+N] of one head; h = 1.
JointField fieldOf(const at::Tensor& alpha, std::int64_t text, Grid grid) {
    const std::int64_t n = alpha.size(0) - text;
    const at::Tensor rows = alpha.narrow(0, text, n);
    JointField out;
    out.field = fieldOfAttention(rows.narrow(1, text, n).unsqueeze(0).unsqueeze(0), grid);
    out.field.entropy = at::special_entr(rows).sum(-1).mean().to(at::kCPU).view({1});
    const auto share = [&](const at::Tensor& queries, std::int64_t from, std::int64_t count) {
        if (text == 0) return at::zeros({1});
        return queries.narrow(1, from, count).sum(1).mean().to(at::kCPU).view({1});
    };
    out.imageToText = share(rows, 0, text);
    out.textToImage = share(alpha.narrow(0, 0, text), text, n);
    return out;
}

void check(const at::Tensor& q, std::int64_t text, Grid grid) {
    if (text < 0 || q.size(-2) != text + grid.tokens() || grid.tokens() < 1)
        throw std::invalid_argument("joint attention: the grid does not match the number of tokens");
}

}  // namespace

JointField jointField(const at::Tensor& q, const at::Tensor& k, std::int64_t text, Grid grid) {
    check(q, text, grid);
    const std::int64_t batch = q.size(0), heads = q.size(1);
    std::vector<at::Tensor> sums, entropies, toText, toImage;
    for (std::int64_t head = 0; head < heads; ++head) {
        JointField mean;
        for (std::int64_t b = 0; b < batch; ++b) {
            const JointField one = fieldOf(probabilities(q[b][head], k[b][head]), text, grid);
            const auto add = [&](at::Tensor& to, const at::Tensor& part) {
                to = to.defined() ? to + part / batch : part / batch;
            };
            add(mean.field.sum, one.field.sum), add(mean.field.entropy, one.field.entropy);
            add(mean.imageToText, one.imageToText), add(mean.textToImage, one.textToImage);
        }
        sums.push_back(mean.field.sum), entropies.push_back(mean.field.entropy);
        toText.push_back(mean.imageToText), toImage.push_back(mean.textToImage);
    }
    return {{at::cat(sums, 0), at::cat(entropies, 0)}, at::cat(toText, 0), at::cat(toImage, 0)};
}

ChosenTokens chosenTokens(const at::Tensor& q, const at::Tensor& k, std::int64_t text, Grid grid,
                          const std::vector<std::int64_t>& tokens) {
    check(q, text, grid);
    const at::Tensor alpha = probabilities(q, k);
    const at::Tensor chosen = at::tensor(tokens, at::kLong).to(alpha.device());
    return {fieldOf(alpha, text, grid), alpha.index_select(0, chosen).mean(0).to(at::kCPU),
            alpha.index_select(1, chosen).sum(1).to(at::kCPU)};
}

}  // namespace ropescope
