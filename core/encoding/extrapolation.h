// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "core/data/extrapolation.h"
#include "core/encoding/encoding.h"

namespace ropescope {

/// An extrapolation with its numbers filled in: what changes frequencies.
struct Stretch {
    Extrapolation method = Extrapolation::None;
    std::array<double, 2> scale = {1, 1};   ///< s of the row and the column axis, >= 1; one axis: the first
    std::array<double, 2> length = {1, 1};  ///< L, trained positions along that axis
    double time = 1;                        ///< 0 noise, 1 image
    /// Does it change anything?
    [[nodiscard]] bool active() const { return method != Extrapolation::None && (scale[0] > 1 || scale[1] > 1); }
};

/// May this encoding use the method? Interpolation: every encoding that turns, and absolute positions (their table is
/// resized). The others work on a ladder theta^(-2i/D_a): axial, rope1d, video, rethinking, harope. Errors: Usage with
/// the methods that are possible.
[[nodiscard]] Result<void> checkExtrapolation(const EncodingSpec& spec, Extrapolation method);

/// Scales of `target` against the trained grid, for an encoding with `axes` position axes: sides over sides, the larger
/// for both axes when coupled; one axis: tokens over tokens. Grids that are not larger give 1.
[[nodiscard]] Stretch stretchOf(const Extrapolate& how, Grid trained, Grid target, int axes);

/// Changes frequencies and sets the attention factors [P] of `positions` where the method has some. D_a: width of the
/// ladder (twice its planes for axial ones, which is D/2 where both axes have as many; else D), b theta, i index in the
/// ladder, s scale of the plane's axis:
///   Interpolation  w / s
///   NtkAware       b^(-2i/D_a), b := b s^(D_a/(D_a-2))
///   Yarn           w/s for planes slower than one turn over L, w for those faster than 32, linear in i between;
///   cosines
///                  and sines times 0.1 ln s + 1 (arXiv 2309.00071)
///   NtkByParts     interpolation and NTK blended between 1.25 and 0.75 turns over L, then with the original between 16
///                  and 2 (arXiv 2402.12376)
///   TimeAware      max(w/s, b_t^(-2i/D_a)), b_t = b s^(D/(tD+1)) (arXiv 2406.18583)
/// Maps stay as they are: they know no positions. s = 1 changes nothing. Checked by
/// tests/core/encoding/extrapolation_test.cpp.
void stretchPositions(LayerPositions& positions, const EncodingSpec& spec, const Stretch& stretch);

/// A ladder theta^(-2i/width) along one axis, stretched, of a head of `headDim` features.
struct StretchedLadder {
    at::Tensor frequency;  ///< [width/2] float64
    double factor = 1;     ///< on cosines and sines
};
/// `axis` 0: the rows', 1: the columns'. Networks that give their own frequencies take them from here.
[[nodiscard]] StretchedLadder stretchedLadder(int width, double theta, int headDim, const Stretch& stretch, int axis);

/// Share of the way from noise to image of a model time on the 0..1000 scale.
[[nodiscard]] double imageShare(double modelTime);

/// A table of absolute positions [1, prefix+N, C] for another grid: the first `prefix` tokens as they are, the others
/// bicubic with antialias as timm does, computed in float32, in the type given.
[[nodiscard]] at::Tensor resizePositions(const at::Tensor& table, Grid trained, Grid target, int prefix = 0);

}  // namespace ropescope
