// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Our own CUDA kernels, without a LibTorch header: field.cu is compiled by nvcc as C++17. Only there when the build
// found nvcc (ROPESCOPE_HAS_CUDA_KERNELS).

namespace ropescope {

enum class CudaElement { F32, F16, BF16 };

/// Queries and keys on the device, dense [B,H,N,D], N = rows*cols. All results on the device, float32.
struct FieldKernelArguments {
    const void* q;
    const void* k;
    CudaElement element;
    int batch, heads, rows, cols, dim;
    float scale;     ///< 1/sqrt(D)
    float* logSum;   ///< [B,H,N] work space: log of the row's sum of exponentials
    float* entropy;  ///< [B,H,N] result: -sum alpha ln alpha of each query
    float* partial;  ///< work space of fieldPartialFloats(rows, cols) * H
    float* field;    ///< [H,2 rows-1,2 cols-1] result: mean over batch and queries
};

[[nodiscard]] std::int64_t fieldPartialFloats(int rows, int cols);

/// Launches on the default stream, does not wait. Null, or the CUDA error's text.
[[nodiscard]] const char* launchFieldKernels(const FieldKernelArguments& arguments);

}  // namespace ropescope
