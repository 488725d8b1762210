// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/modulate_cpu.h"

#include <cmath>

#include "core/kernel/vector_clones.h"

namespace ropescope {

ROPESCOPE_VECTOR void modulateRow(const float* x, const float* shift, const float* scale, std::int64_t n, float eps,
                                  float* y) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += x[i];
    const float mean = sum / static_cast<float>(n);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float factor = 1 / std::sqrt(squares / static_cast<float>(n) + eps);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * factor * (1 + scale[i]) + shift[i];
}

}  // namespace ropescope
