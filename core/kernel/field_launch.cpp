// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/field_launch.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

#include "core/kernel/field_cuda.h"

namespace ropescope {

std::optional<AttentionField> fieldByKernel(const at::Tensor& q, const at::Tensor& k, Grid grid) {
#ifdef ROPESCOPE_HAS_CUDA_KERNELS
    const at::ScalarType type = q.scalar_type();
    if (!q.is_cuda() || (type != at::kFloat && type != at::kHalf && type != at::kBFloat16)) return std::nullopt;
    const at::Tensor queries = q.contiguous(), keys = k.contiguous();
    const std::int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2), d = q.size(3);
    const auto floats = [&](at::IntArrayRef shape) { return at::empty(shape, q.options().dtype(at::kFloat)); };
    const at::Tensor logSum = floats({batch, heads, tokens}), entropy = floats({batch, heads, tokens});
    const at::Tensor partial = floats({heads, fieldPartialFloats(grid.rows, grid.cols)});
    const at::Tensor field = floats({heads, 2 * grid.rows - 1, 2 * grid.cols - 1});
    FieldKernelArguments a{};
    a.q = queries.const_data_ptr(), a.k = keys.const_data_ptr();
    a.element = type == at::kFloat ? CudaElement::F32 : type == at::kHalf ? CudaElement::F16 : CudaElement::BF16;
    a.batch = static_cast<int>(batch), a.heads = static_cast<int>(heads), a.dim = static_cast<int>(d);
    a.rows = grid.rows, a.cols = grid.cols;
    a.scale = static_cast<float>(std::pow(static_cast<double>(d), -0.5));
    a.logSum = logSum.data_ptr<float>(), a.entropy = entropy.data_ptr<float>();
    a.partial = partial.data_ptr<float>(), a.field = field.data_ptr<float>();
    if (const char* error = launchFieldKernels(a)) throw std::runtime_error(std::string("field kernel: ") + error);
    return AttentionField{field, entropy.mean(at::IntArrayRef{0, 2})};
#else
    (void)q, (void)k, (void)grid;
    return std::nullopt;
#endif
}

}  // namespace ropescope
