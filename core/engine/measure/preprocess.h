// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/data/array.h"
#include "core/data/error.h"
#include "core/data/model.h"
#include "core/data/model_card.h"

namespace ropescope {

/// A picture U8 [h,w,C] resized as PIL does it: separable filter of the output's width where it shrinks (antialias),
/// eight bits after each direction, weights in 22-bit fixed point. `interpolation` bicubic (a = -0.5), bilinear,
/// lanczos or nearest (std::invalid_argument for others). Equal to PIL byte for byte
/// (tests/core/engine/classify_test.cpp).
[[nodiscard]] Array resizedLikePil(const Array& pixels, Grid size, const std::string& interpolation);

/// What a classifier with this preprocessing sees of a picture U8 [h,w,3], before normalisation: U8 [h,w,C], C = the
/// number of means (1: grey by the weights of ITU-R 601). Square inputs: shorter side resized to floor(size / crop);
/// others: the smallest size that covers both sides, as timm does. Then the middle is cut out.
/// Errors: Refused when the picture is empty or not U8 [h,w,3], or the preprocessing is not known.
[[nodiscard]] Result<Array> classifierInput(const Array& pixels, const Preprocessing& preprocessing);

}  // namespace ropescope
