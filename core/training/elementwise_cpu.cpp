// SPDX-License-Identifier: Apache-2.0
#include "core/training/elementwise_cpu.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ROPESCOPE_VECTOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ROPESCOPE_VECTOR
#endif
#define ROPESCOPE_INLINE [[gnu::always_inline]] inline

namespace ropescope::elementwise {
namespace {

ROPESCOPE_INLINE float wide(Bf16 h) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}
ROPESCOPE_INLINE Bf16 narrow(float x) {
    const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
    return static_cast<Bf16>((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}

// exp within 1e-5 relative, far below a bfloat16 step: 2^n times a polynomial on [-1/2, 1/2]. No branch, so that it
// vectorises.
ROPESCOPE_INLINE float exponential(float x) {
    const float t = std::min(std::max(x * 1.44269504f, -126.0f), 126.0f);
    const float n = __builtin_rintf(t), f = t - n;
    float p = 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    return p * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

// out = rot(x + add), or x + add when there is no table.
ROPESCOPE_INLINE void rotatePlanes(std::int64_t planes, const Bf16* x, const Bf16* add, const float* cos,
                                   const float* sin, Bf16* out) {
    if (!cos) {
        for (std::int64_t i = 0; i < 2 * planes; ++i) out[i] = narrow(wide(x[i]) + wide(add[i]));
        return;
    }
    for (std::int64_t p = 0; p < planes; ++p) {
        const float a = wide(x[2 * p]) + wide(add[2 * p]), b = wide(x[2 * p + 1]) + wide(add[2 * p + 1]);
        out[2 * p] = narrow(a * cos[p] - b * sin[p]);
        out[2 * p + 1] = narrow(b * cos[p] + a * sin[p]);
    }
}

constexpr float kGeluSlope = 1.5957691216f;  // 2 sqrt(2/pi): the tanh form is x * logistic(this * (x + 0.044715 x^3))
constexpr float kGeluCubic = 0.044715f;

}  // namespace

ROPESCOPE_VECTOR void modulatedNorm(Rows rows, const float* x, Chunk shift, Chunk scale, Bf16* out, float* mean,
                                    float* inverse) {
    const std::int64_t width = rows.width;
    for (std::int64_t row = 0; row < rows.images * rows.tokens; ++row) {
        const float* in = x + row * width;
        const float* add = shift.values + row / rows.tokens * shift.stride;
        const float* times = scale.values + row / rows.tokens * scale.stride;
        float sum = 0, squares = 0;
        for (std::int64_t i = 0; i < width; ++i) sum += in[i];
        const float m = sum / static_cast<float>(width);
        for (std::int64_t i = 0; i < width; ++i) squares += (in[i] - m) * (in[i] - m);
        const float r = 1.0f / std::sqrt(squares / static_cast<float>(width) + 1e-6f);
        for (std::int64_t i = 0; i < width; ++i)
            out[row * width + i] = narrow((in[i] - m) * r * (1.0f + times[i]) + add[i]);
        mean[row] = m, inverse[row] = r;
    }
}

ROPESCOPE_VECTOR void modulatedNormGradient(Rows rows, const Bf16* dOut, const float* x, const float* mean,
                                            const float* inverse, Chunk scale, float* dx, ChunkGradient dShift,
                                            ChunkGradient dScale) {
    const std::int64_t width = rows.width;
    for (std::int64_t image = 0; image < rows.images; ++image) {
        const float* times = scale.values + image * scale.stride;
        float* toShift = dShift.values + image * dShift.stride;
        float* toScale = dScale.values + image * dScale.stride;
        for (std::int64_t i = 0; i < width; ++i) toShift[i] = toScale[i] = 0;
        for (std::int64_t row = image * rows.tokens; row < (image + 1) * rows.tokens; ++row) {
            const float m = mean[row], r = inverse[row];
            const float* in = x + row * width;
            const Bf16* d = dOut + row * width;
            float* to = dx + row * width;
            float sum = 0, product = 0;
            for (std::int64_t i = 0; i < width; ++i) {
                const float g = wide(d[i]), normed = (in[i] - m) * r, dNormed = g * (1.0f + times[i]);
                toShift[i] += g;
                toScale[i] += g * normed;
                sum += dNormed;
                product += dNormed * normed;
            }
            sum /= static_cast<float>(width), product /= static_cast<float>(width);
            for (std::int64_t i = 0; i < width; ++i) {
                const float normed = (in[i] - m) * r;
                to[i] += r * (wide(d[i]) * (1.0f + times[i]) - sum - normed * product);
            }
        }
    }
}

ROPESCOPE_VECTOR void gatedAdd(Rows rows, const float* x, Chunk gate, const Bf16* bias, const Bf16* y, float* out) {
    for (std::int64_t row = 0; row < rows.images * rows.tokens; ++row) {
        const float* g = gate.values + row / rows.tokens * gate.stride;
        const std::int64_t at = row * rows.width;
        for (std::int64_t i = 0; i < rows.width; ++i)
            out[at + i] = x[at + i] + g[i] * (wide(y[at + i]) + wide(bias[i]));
    }
}

ROPESCOPE_VECTOR void gatedAddGradient(Rows rows, const float* dOut, Chunk gate, const Bf16* bias, const Bf16* y,
                                       Bf16* dy, ChunkGradient dGate, float* dBias) {
    const std::int64_t width = rows.width;
    std::fill(dBias, dBias + width, 0.0f);
    for (std::int64_t image = 0; image < rows.images; ++image) {
        const float* g = gate.values + image * gate.stride;
        float* to = dGate.values + image * dGate.stride;
        std::vector<float> sum(width, 0.0f);
        for (std::int64_t i = 0; i < width; ++i) to[i] = 0;
        for (std::int64_t row = image * rows.tokens; row < (image + 1) * rows.tokens; ++row) {
            const std::int64_t at = row * width;
            for (std::int64_t i = 0; i < width; ++i) {
                const float d = dOut[at + i];
                to[i] += d * (wide(y[at + i]) + wide(bias[i]));
                sum[i] += d;
                dy[at + i] = narrow(d * g[i]);
            }
        }
        for (std::int64_t i = 0; i < width; ++i) dBias[i] += sum[i] * g[i];
    }
}

ROPESCOPE_VECTOR void gelu(std::int64_t rows, std::int64_t width, const Bf16* bias, Bf16* a, Bf16* out) {
    for (std::int64_t row = 0; row < rows; ++row) {
        Bf16* in = a + row * width;
        Bf16* to = out + row * width;
        for (std::int64_t i = 0; i < width; ++i) {
            const float x = wide(in[i]) + wide(bias[i]), square = x * x;
            const float s = 1.0f / (1.0f + exponential(-kGeluSlope * x * (1.0f + kGeluCubic * square)));
            to[i] = narrow(x * s);
            in[i] = narrow(s + x * s * (1.0f - s) * kGeluSlope * (1.0f + 3.0f * kGeluCubic * square));
        }
    }
}

ROPESCOPE_VECTOR void geluGradient(std::int64_t rows, std::int64_t width, const Bf16* slope, Bf16* dOut, float* dBias) {
    std::fill(dBias, dBias + width, 0.0f);
    for (std::int64_t row = 0; row < rows; ++row) {
        const Bf16* in = slope + row * width;
        Bf16* d = dOut + row * width;
        for (std::int64_t i = 0; i < width; ++i) {
            const float da = wide(d[i]) * wide(in[i]);
            dBias[i] += da;
            d[i] = narrow(da);
        }
    }
}

ROPESCOPE_VECTOR void splitHeads(Heads h, const Bf16* packed, const Bf16* bias, Turns turns, Bf16* q, Bf16* k,
                                 Bf16* v) {
    const std::int64_t width = h.heads * h.dim, planes = h.dim / 2;
    for (std::int64_t image = 0; image < h.images; ++image)
        for (std::int64_t token = 0; token < h.tokens; ++token)
            for (std::int64_t head = 0; head < h.heads; ++head) {
                const Bf16* from = packed + (image * h.tokens + token) * 3 * width + head * h.dim;
                const Bf16* add = bias + head * h.dim;
                const std::int64_t at = ((image * h.heads + head) * h.tokens + token) * h.dim;
                for (std::int64_t i = 0; i < h.dim; ++i)
                    v[at + i] = narrow(wide(from[2 * width + i]) + wide(add[2 * width + i]));
                const std::int64_t angle = head * turns.headStride + token * planes;
                const float* c = turns.cos ? turns.cos + angle : nullptr;
                const float* s = turns.cos ? turns.sin + angle : nullptr;
                rotatePlanes(planes, from, add, c, s, q + at);
                rotatePlanes(planes, from + width, add + width, c, s, k + at);
            }
}

ROPESCOPE_VECTOR void packHeads(Heads h, const Bf16* dq, const Bf16* dk, const Bf16* dv, Turns turns, Bf16* packed,
                                float* dBias) {
    const std::int64_t width = h.heads * h.dim, planes = h.dim / 2;
    std::fill(dBias, dBias + 3 * width, 0.0f);
    for (std::int64_t image = 0; image < h.images; ++image)
        for (std::int64_t token = 0; token < h.tokens; ++token) {
            Bf16* row = packed + (image * h.tokens + token) * 3 * width;
            for (std::int64_t head = 0; head < h.heads; ++head) {
                Bf16* to = row + head * h.dim;
                const std::int64_t at = ((image * h.heads + head) * h.tokens + token) * h.dim;
                std::copy(dv + at, dv + at + h.dim, to + 2 * width);
                if (!turns.cos) {
                    std::copy(dq + at, dq + at + h.dim, to);
                    std::copy(dk + at, dk + at + h.dim, to + width);
                    continue;
                }
                const float* c = turns.cos + head * turns.headStride + token * planes;
                const float* s = turns.sin + head * turns.headStride + token * planes;
                for (std::int64_t p = 0; p < planes; ++p) {
                    const float a = wide(dq[at + 2 * p]), b = wide(dq[at + 2 * p + 1]);
                    const float e = wide(dk[at + 2 * p]), f = wide(dk[at + 2 * p + 1]);
                    to[2 * p] = narrow(a * c[p] + b * s[p]), to[2 * p + 1] = narrow(b * c[p] - a * s[p]);
                    to[width + 2 * p] = narrow(e * c[p] + f * s[p]),
                                   to[width + 2 * p + 1] = narrow(f * c[p] - e * s[p]);
                }
            }
            for (std::int64_t i = 0; i < 3 * width; ++i) dBias[i] += wide(row[i]);
        }
}

ROPESCOPE_VECTOR void addAngleGradient(Heads h, const Bf16* x, const Bf16* dx, std::int64_t headStride, float* dAngle) {
    const std::int64_t planes = h.dim / 2;
    for (std::int64_t image = 0; image < h.images; ++image)
        for (std::int64_t head = 0; head < h.heads; ++head)
            for (std::int64_t token = 0; token < h.tokens; ++token) {
                const std::int64_t at = ((image * h.heads + head) * h.tokens + token) * h.dim;
                float* to = dAngle + head * headStride + token * planes;
                // Turning (a, b) on by a small angle moves it along (-b, a).
                for (std::int64_t p = 0; p < planes; ++p)
                    to[p] +=
                        wide(dx[at + 2 * p + 1]) * wide(x[at + 2 * p]) - wide(dx[at + 2 * p]) * wide(x[at + 2 * p + 1]);
            }
}

void joinHeads(Heads h, const Bf16* split, Bf16* joined) {
    for (std::int64_t image = 0; image < h.images; ++image)
        for (std::int64_t token = 0; token < h.tokens; ++token)
            for (std::int64_t head = 0; head < h.heads; ++head) {
                const Bf16* from = split + ((image * h.heads + head) * h.tokens + token) * h.dim;
                std::copy(from, from + h.dim, joined + ((image * h.tokens + token) * h.heads + head) * h.dim);
            }
}

void unjoinHeads(Heads h, const Bf16* joined, Bf16* split) {
    for (std::int64_t image = 0; image < h.images; ++image)
        for (std::int64_t token = 0; token < h.tokens; ++token)
            for (std::int64_t head = 0; head < h.heads; ++head) {
                const Bf16* from = joined + ((image * h.tokens + token) * h.heads + head) * h.dim;
                std::copy(from, from + h.dim, split + ((image * h.heads + head) * h.tokens + token) * h.dim);
            }
}

ROPESCOPE_VECTOR void softmaxRows(std::int64_t rows, std::int64_t width, float scale, Bf16* s) {
    std::vector<float> e(width);
    for (std::int64_t row = 0; row < rows; ++row) {
        Bf16* at = s + row * width;
        float top = wide(at[0]), sum = 0;
        for (std::int64_t i = 0; i < width; ++i) top = std::max(top, wide(at[i]));
        for (std::int64_t i = 0; i < width; ++i) {
            e[i] = exponential((wide(at[i]) - top) * scale);
            sum += e[i];
        }
        const float inverse = 1.0f / sum;
        for (std::int64_t i = 0; i < width; ++i) at[i] = narrow(e[i] * inverse);
    }
}

ROPESCOPE_VECTOR void softmaxRowsGradient(std::int64_t rows, std::int64_t width, float scale, const Bf16* p, Bf16* dp) {
    for (std::int64_t row = 0; row < rows; ++row) {
        const Bf16* weight = p + row * width;
        Bf16* d = dp + row * width;
        float sum = 0;
        for (std::int64_t i = 0; i < width; ++i) sum += wide(weight[i]) * wide(d[i]);
        for (std::int64_t i = 0; i < width; ++i) d[i] = narrow(scale * wide(weight[i]) * (wide(d[i]) - sum));
    }
}

}  // namespace ropescope::elementwise
