// SPDX-License-Identifier: Apache-2.0
#include "core/probe/head_operator.h"

#include <ATen/ATen.h>

#include <cmath>

namespace ropescope {
namespace {

// Frobenius norm of every plane's 2xD block, [P].
at::Tensor planeNorms(const at::Tensor& map) {
    return map.view({-1, 2 * map.size(1)}).square().sum(1).sqrt();
}

}  // namespace

ContentMoments momentsOf(const at::Tensor& query, const at::Tensor& key) {
    return {at::matmul(query, query.mT()), at::matmul(key, key.mT()), at::matmul(key, query.mT())};
}

ContentMoments mapped(const HeadMaps& map, const ContentMoments& content) {
    const auto between = [](const at::Tensor& left, const at::Tensor& moment, const at::Tensor& right) {
        return at::matmul(left, at::matmul(moment, right.mT()));
    };
    return {between(map.query, content.query, map.query), between(map.key, content.key, map.key),
            between(map.key, content.cross, map.query)};
}

bool allFinite(const at::Tensor& tensor) {
    if (tensor.numel() == 0) return true;
    const auto [least, most] = at::aminmax(tensor);  // NaN if there is one
    return std::isfinite(least.item<double>()) && std::isfinite(most.item<double>());
}

std::vector<double> flat(const at::Tensor& tensor) {
    const at::Tensor dense = tensor.contiguous();
    const double* first = dense.data_ptr<double>();
    return {first, first + dense.numel()};
}

at::Tensor gaugeFixedMap(const HeadOperator& head) {
    if (head.convention != Convention::Inverse) return head.map.query;
    const at::Tensor scale = (planeNorms(head.map.key) / planeNorms(head.map.query)).sqrt();
    return head.map.query * scale.repeat_interleave(2).unsqueeze(1);
}

}  // namespace ropescope
