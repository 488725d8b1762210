// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// The trainer's work between matrix products, each one pass over memory with its gradient. Plain pointers, one thread.
// Bf16 values are the upper halves of floats, rounded to nearest even. Rows are tokens: `images` x `tokens` x `width`.
// The obvious versions are in core/model; tests/core/training/fused_dit_test.cpp compares both.

namespace ropescope::elementwise {

using Bf16 = std::uint16_t;

struct Rows {
    std::int64_t images, tokens, width;
};

/// Modulation rows [images, 6*width] and where in a row a chunk begins.
struct Chunk {
    const float* values;
    std::int64_t stride;
};
struct ChunkGradient {
    float* values;
    std::int64_t stride;
};

/// out = norm(x) * (1 + scale) + shift; mean and 1/deviation per token are kept for the gradient.
void modulatedNorm(Rows rows, const float* x, Chunk shift, Chunk scale, Bf16* out, float* mean, float* inverse);
/// Adds the gradient of x into `dx`; writes those of shift and scale.
void modulatedNormGradient(Rows rows, const Bf16* dOut, const float* x, const float* mean, const float* inverse,
                           Chunk scale, float* dx, ChunkGradient dShift, ChunkGradient dScale);

// `bias` is that of the product that gave `y`, `a` or `packed`: added here, where it costs nothing.

/// out = x + gate * (y + bias).
void gatedAdd(Rows rows, const float* x, Chunk gate, const Bf16* bias, const Bf16* y, float* out);
/// dy = gate * dOut, dGate, and dBias[width] = sum of dy over all tokens. The gradient of x is dOut itself.
void gatedAddGradient(Rows rows, const float* dOut, Chunk gate, const Bf16* bias, const Bf16* y, Bf16* dy,
                      ChunkGradient dGate, float* dBias);

/// out = GELU(a + bias), tanh form; writes the slope GELU'(a + bias) over a, where both share one exponential.
void gelu(std::int64_t rows, std::int64_t width, const Bf16* bias, Bf16* a, Bf16* out);
/// da = dOut * slope, written over dOut; dBias[width] = sum of da over rows.
void geluGradient(std::int64_t rows, std::int64_t width, const Bf16* slope, Bf16* dOut, float* dBias);

/// Heads of one attention: packed rows are [image, token, 3, head, dim], split ones [image, head, token, dim].
struct Heads {
    std::int64_t images, tokens, heads, dim;
};
/// Cosines and sines [tokens, dim/2] (headStride 0) or [head, tokens, dim/2]; null where nothing turns.
struct Turns {
    const float* cos = nullptr;
    const float* sin = nullptr;
    std::int64_t headStride = 0;
};
/// Splits packed rows into q, k, v; rotates q and k.
void splitHeads(Heads h, const Bf16* packed, const Bf16* bias, Turns turns, Bf16* q, Bf16* k, Bf16* v);
/// The way back: rotates the gradients of q and k by the opposite angle, packs them, and sums dBias[3*heads*dim].
void packHeads(Heads h, const Bf16* dq, const Bf16* dk, const Bf16* dv, Turns turns, Bf16* packed, float* dBias);
/// Adds to dAngle [head or 1, tokens, dim/2] the gradient of the angles that turned x (q or k, already turned), where
/// dx is the gradient of the turned x.
void addAngleGradient(Heads h, const Bf16* x, const Bf16* dx, std::int64_t headStride, float* dAngle);
/// [image, head, token, dim] <-> [image, token, head, dim].
void joinHeads(Heads h, const Bf16* split, Bf16* joined);
void unjoinHeads(Heads h, const Bf16* joined, Bf16* split);

/// Softmax of scale * s over the last axis, in place.
void softmaxRows(std::int64_t rows, std::int64_t width, float scale, Bf16* s);
/// ds = scale * p * (dp - sum(p dp)), written over dp.
void softmaxRowsGradient(std::int64_t rows, std::int64_t width, float scale, const Bf16* p, Bf16* dp);

}  // namespace ropescope::elementwise
