// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/array.h"
#include "core/data/error.h"

namespace ropescope {

inline constexpr int kSimilarityWindow = 11;  ///< pixels, both ways

/// Structural similarity (SSIM) of two pictures, U8 [h,w,3], [h,w,1] or [h,w]: 1 for equal ones, about 0 for unrelated
/// ones, down to -1.
///
/// Local means, variances (population) and covariance under a Gaussian window 11 wide with sigma 1.5, K1 = 0.01,
/// K2 = 0.03, data range 255; mean over the places where the window lies within the picture, then over the channels.
/// Errors: Refused "picture-size" when the sizes differ or a side is shorter than the window, where no such place is
/// left. Other arrays throw std::invalid_argument.
/// Memory: about 110 bytes a pixel (one channel at a time).
/// Source: Wang, Bovik, Sheikh, Simoncelli 2004, doi 10.1109/TIP.2003.819861.
/// Checked by tests/core/media/similarity_test.cpp against scikit-image.
[[nodiscard]] Result<double> structuralSimilarity(const Array& a, const Array& b);

}  // namespace ropescope
