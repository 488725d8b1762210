// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/data/array.h"
#include "core/data/error.h"

namespace ropescope {

// Pictures here are U8 [h,w,3], [h,w,1] or [h,w], the last two of one meaning; anything else throws
// std::invalid_argument. Checked by tests/core/data/picture_distance_test.cpp.

/// "64 x 32 pixels in 3 channels", width first.
[[nodiscard]] std::string pictureSize(const Array& picture);

/// Errors: Refused "picture-size" with both sizes when they differ.
[[nodiscard]] Result<void> checkSameSize(const Array& a, const Array& b);

/// Root of the mean over pixels and channels of (a - b)^2, values on the scale 0 to 1: 0 for equal pictures, 1 between
/// black and white. Errors: as checkSameSize, and Refused "picture-size" when there is no pixel.
[[nodiscard]] Result<double> pictureDistance(const Array& a, const Array& b);

}  // namespace ropescope
