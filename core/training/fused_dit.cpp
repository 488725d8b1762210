// SPDX-License-Identifier: Apache-2.0
#include "core/training/fused_dit.h"

#include <ATen/ATen.h>

namespace ropescope {

at::Tensor trainingForward(const WeightTable& leaves, const DitShape& shape, const at::Tensor& x, const at::Tensor& t,
                           const at::Tensor& y, Precision) {
    DitShape plain = shape;
    const WeightTable weights = foldMaps(leaves, shape);
    if (shape.encoding->maps) plain.encoding = *findEncoding("axial");
    return ditForward(weights, plain, x, t, y);
}

}  // namespace ropescope
