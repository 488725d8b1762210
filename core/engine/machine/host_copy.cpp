// SPDX-License-Identifier: Apache-2.0
#include "core/engine/machine/host_copy.h"

namespace ropescope {

std::vector<float> floatsOf(const at::Tensor& tensor) {
    const at::Tensor dense = tensor.to(at::kCPU, at::kFloat).contiguous();
    const float* first = dense.const_data_ptr<float>();
    return {first, first + dense.numel()};
}

Array arrayOf(const at::Tensor& tensor) {
    const at::Tensor dense = tensor.to(at::kCPU, at::kFloat).contiguous();
    return makeArray(std::span<const float>(dense.const_data_ptr<float>(), dense.numel()), dense.sizes().vec());
}

}  // namespace ropescope
