// SPDX-License-Identifier: Apache-2.0
#include "core/probe/token_field.h"

#include <ATen/ATen.h>

#include <stdexcept>

namespace ropescope {

TokenField fieldOfTokens(const at::Tensor& attention, Grid grid) {
    const std::int64_t extra = attention.size(2) - grid.tokens(), heads = attention.size(1);
    if (extra != 0 && extra != 1) throw std::invalid_argument("the attention does not fit the grid");
    const at::Tensor a = attention.to(at::kFloat);
    TokenField field;
    if (extra == 0) {
        field.patches = fieldOfAttention(a, grid);
        field.classShare = field.classToItself = at::zeros({heads}, a.options());
        field.ofClass = at::zeros({heads, grid.rows, grid.cols}, a.options());
        return field;
    }
    const at::Tensor queries = a.narrow(2, 1, grid.tokens());
    field.patches = fieldOfAttention(queries.narrow(3, 1, grid.tokens()).contiguous(), grid);
    const at::Tensor toClass = queries.select(3, 0);  // [B,H,N-1]
    field.classShare = toClass.mean(at::IntArrayRef{0, 2});
    field.patches.entropy = field.patches.entropy - at::xlogy(toClass, toClass).mean(at::IntArrayRef{0, 2});
    const at::Tensor row = a.select(2, 0).mean(0);  // [H,N]
    field.classToItself = row.select(1, 0).contiguous();
    field.ofClass = row.narrow(1, 1, grid.tokens()).reshape({heads, grid.rows, grid.cols});
    return field;
}

}  // namespace ropescope
