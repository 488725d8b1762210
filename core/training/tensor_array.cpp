// SPDX-License-Identifier: Apache-2.0
#include "core/training/tensor_array.h"

#include <ATen/ATen.h>

#include <cstring>
#include <stdexcept>

namespace ropescope {
namespace {

at::ScalarType scalarOf(DType type) {
    switch (type) {
        case DType::F32:
            return at::kFloat;
        case DType::F16:
            return at::kHalf;
        case DType::I64:
            return at::kLong;
        case DType::U8:
            return at::kByte;
        default:
            throw std::invalid_argument("no such element type here");
    }
}

}  // namespace

Array toArray(const at::Tensor& tensor, DType type) {
    const at::Tensor dense = tensor.detach().to(at::kCPU, scalarOf(type)).contiguous();
    Array array{type, dense.sizes().vec(), std::vector<std::byte>(dense.nbytes())};
    std::memcpy(array.bytes.data(), dense.data_ptr(), dense.nbytes());
    return array;
}

at::Tensor toTensor(const Array& array) {
    at::Tensor t = at::empty(array.shape, scalarOf(array.dtype));
    std::memcpy(t.data_ptr(), array.bytes.data(), array.bytes.size());
    return t;
}

}  // namespace ropescope
