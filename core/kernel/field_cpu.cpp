// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/field_cpu.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/kernel/vector_clones.h"

namespace ropescope {
namespace {

/// exp(x) for x <= 0, relative error < 2e-7: 2^n times a polynomial in the rest (coefficients as in Cephes' expf).
/// Written without calls and branches so that the compiler vectorises it.
inline __attribute__((always_inline)) float expNegative(float x) {
    x = x < -87.0f ? -87.0f : x;
    const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
    const float n = (x * 1.44269504f + magic) - magic;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const std::int32_t bits = (static_cast<std::int32_t>(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}

}  // namespace

ROPESCOPE_VECTOR float softmaxRow(float* row, std::int64_t n) {
    float top = row[0];
#pragma omp simd reduction(max : top)
    for (std::int64_t j = 0; j < n; ++j) top = row[j] > top ? row[j] : top;
    float sum = 0, weighted = 0;
#pragma omp simd reduction(+ : sum, weighted)
    for (std::int64_t j = 0; j < n; ++j) {
        const float x = row[j] - top;
        const float e = expNegative(x);
        row[j] = e;
        sum += e;
        weighted += e * x;
    }
    const float scale = 1 / sum;
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) row[j] *= scale;
    return std::log(sum) - weighted * scale;
}

ROPESCOPE_VECTOR void gatherRow(const float* alpha, int rows, int cols, float* partial) {
    const std::int64_t width = 2 * cols - 1;
    std::fill(partial, partial + rows * width, 0.0f);
    for (int c = 0; c < cols; ++c) {
        for (int r = 0; r < rows; ++r) {
            const float* from = alpha + (static_cast<std::int64_t>(c) * rows + r) * cols;
            float* to = partial + r * width + (cols - 1 - c);
#pragma omp simd
            for (int j = 0; j < cols; ++j) to[j] += from[j];
        }
    }
}

}  // namespace ropescope
