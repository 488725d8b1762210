// SPDX-License-Identifier: Apache-2.0
#include "core/probe/token_field.h"

#include <ATen/ATen.h>

#include <stdexcept>

namespace ropescope {

TokenField fieldOfTokens(const at::Tensor& attention, Grid grid) {
    const std::int64_t extra = attention.size(2) - grid.tokens(), heads = attention.size(1);
    if (extra < 0) throw std::invalid_argument("the attention does not fit the grid");
    const at::Tensor a = attention.to(at::kFloat);
    TokenField field;
    if (extra == 0) {
        field.patches = fieldOfAttention(a, grid);
        field.classShare = field.classToItself = at::zeros({heads}, a.options());
        field.ofClass = at::zeros({heads, grid.rows, grid.cols}, a.options());
        return field;
    }
    const at::Tensor queries = a.narrow(2, extra, grid.tokens());
    field.patches = fieldOfAttention(queries.narrow(3, extra, grid.tokens()).contiguous(), grid);
    const at::Tensor toLead = queries.narrow(3, 0, extra);  // [B,H,N,extra]
    field.classShare = toLead.sum(3).mean(at::IntArrayRef{0, 2});
    field.patches.entropy = field.patches.entropy - at::xlogy(toLead, toLead).sum(3).mean(at::IntArrayRef{0, 2});
    const at::Tensor row = a.select(2, 0).mean(0);  // [H,N]
    field.classToItself = row.select(1, 0).contiguous();
    field.ofClass = row.narrow(1, extra, grid.tokens()).reshape({heads, grid.rows, grid.cols});
    return field;
}

}  // namespace ropescope
