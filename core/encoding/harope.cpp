// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/harope.h"

#include <ATen/ATen.h>

#include <stdexcept>

namespace ropescope {
namespace {

at::Tensor skewExponential(const at::Tensor& a) {
    const at::Tensor heads = a.dim() == 2 ? a.unsqueeze(0) : a;
    if (heads.dim() != 3 || heads.size(1) != heads.size(2)) throw std::invalid_argument("a generator must be [H,D,D]");
    return at::matrix_exp((heads - heads.mT()) * 0.5);
}

}  // namespace

HaropeFactors haropeFactors(const at::Tensor& aU, const at::Tensor& aV, const at::Tensor& sigma) {
    for (const at::Tensor& t : {aU, aV, sigma})
        if (t.scalar_type() != at::kFloat && t.scalar_type() != at::kDouble)
            throw std::invalid_argument("HARoPE maps are computed in float32 or float64");
    const at::Tensor s = at::softplus(sigma.dim() == 1 ? sigma.unsqueeze(0) : sigma) + kSingularFloor;
    return {skewExponential(aU), s, skewExponential(aV)};
}

HeadMaps haropeMaps(const HaropeFactors& f, Convention convention) {
    const at::Tensor map = at::matmul(f.u * f.s.unsqueeze(-2), f.v.mT());
    if (convention == Convention::Same) return {map, map};
    if (convention == Convention::Inverse) return {map, at::matmul(f.u / f.s.unsqueeze(-2), f.v.mT())};
    throw std::invalid_argument("HARoPE maps need a convention: same or inverse");
}

}  // namespace ropescope
