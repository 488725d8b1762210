// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/modulate.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/kernel/modulate_cpu.h"

namespace ropescope {
at::Tensor modulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale, double eps) {
    const bool dense = x.is_contiguous() && shift.stride(1) == 1 && scale.stride(1) == 1;
    if (!x.is_cpu() || x.scalar_type() != at::kFloat || shift.scalar_type() != at::kFloat || !dense)
        return at::layer_norm(x, {x.size(-1)}, {}, {}, eps) * (scale.unsqueeze(1) + 1) + shift.unsqueeze(1);
    at::Tensor y = at::empty_like(x);
    const std::int64_t tokens = x.size(1), width = x.size(2);
    const std::int64_t shiftStep = shift.size(0) > 1 ? shift.stride(0) : 0;
    const std::int64_t scaleStep = scale.size(0) > 1 ? scale.stride(0) : 0;
    const float *from = x.const_data_ptr<float>(), *shifts = shift.const_data_ptr<float>();
    const float* scales = scale.const_data_ptr<float>();
    float* to = y.data_ptr<float>();
    at::parallel_for(0, x.size(0) * tokens, std::max<std::int64_t>(1, 16384 / width), [&](auto begin, auto end) {
        for (auto row = begin; row < end; ++row)
            modulateRow(from + row * width, shifts + row / tokens * shiftStep, scales + row / tokens * scaleStep, width,
                        static_cast<float>(eps), to + row * width);
    });
    return y;
}

}  // namespace ropescope
