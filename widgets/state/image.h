// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>

#include "core/data/array.h"

namespace ropescope {

/// A copy of a U8 [h,w,3] array; a null image when the array is empty or of another kind.
[[nodiscard]] QImage imageOf(const Array& pixels);
/// Enlarged to fit `side` without smoothing, by a whole factor where the picture is smaller.
[[nodiscard]] QImage enlarged(const QImage& image, int side);

}  // namespace ropescope
