// SPDX-License-Identifier: Apache-2.0
#include "core/training/quality.h"

#include <ATen/ATen.h>

#include <vector>

namespace ropescope {
namespace {

constexpr std::int64_t kExact = 2;   // distances by subtraction: the product form loses small ones
constexpr std::int64_t kRows = 500;  // at once: distances to a whole training set would not fit otherwise

struct Gaussian {
    at::Tensor mean, covariance;
};

Gaussian fit(const at::Tensor& rows) {
    const at::Tensor x = rows.to(at::kDouble), mean = x.mean(0), centred = x - mean;
    return {mean, at::matmul(centred.mT(), centred) / static_cast<double>(x.size(0) - 1)};
}

at::Tensor symmetricRoot(const at::Tensor& m) {
    const auto [values, vectors] = at::linalg_eigh(m);
    return at::matmul(vectors * values.clamp_min(0).sqrt(), vectors.mT());
}

}  // namespace

double coveredShare(const at::Tensor& reference, const at::Tensor& samples, int k) {
    std::vector<at::Tensor> radii;
    for (const at::Tensor& part : reference.split(kRows))
        // k + 1 smallest: a row is its own nearest neighbour.
        radii.push_back(std::get<0>(at::cdist(part, reference, 2.0, kExact).topk(k + 1, 1, false)).select(1, k));
    const at::Tensor radius = at::cat(radii);
    double inside = 0;
    for (const at::Tensor& part : samples.split(kRows))
        inside += at::cdist(part, reference, 2.0, kExact).le(radius.unsqueeze(0)).any(1).sum().item<double>();
    return inside / static_cast<double>(samples.size(0));
}

double frechetDistance(const at::Tensor& a, const at::Tensor& b) {
    const Gaussian p = fit(a), q = fit(b);
    const at::Tensor root = symmetricRoot(p.covariance);
    const at::Tensor cross = at::linalg_eigvalsh(at::matmul(at::matmul(root, q.covariance), root)).clamp_min(0).sqrt();
    return ((p.mean - q.mean).square().sum() + p.covariance.trace() + q.covariance.trace() - 2 * cross.sum())
        .item<double>();
}

at::Tensor nearestRows(const at::Tensor& reference, const at::Tensor& samples) {
    return at::cdist(samples, reference, 2.0, kExact).argmin(1);
}

}  // namespace ropescope
