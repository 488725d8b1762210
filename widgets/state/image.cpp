// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/image.h"

#include <algorithm>

namespace ropescope {

QImage imageOf(const Array& pixels) {
    if (pixels.dtype != DType::U8 || pixels.shape.size() != 3 || pixels.shape[2] != 3) return {};
    const auto height = static_cast<int>(pixels.shape[0]), width = static_cast<int>(pixels.shape[1]);
    if (height == 0 || width == 0) return {};
    const QImage view(reinterpret_cast<const uchar*>(pixels.bytes.data()), width, height, 3 * width,
                      QImage::Format_RGB888);
    return view.convertToFormat(QImage::Format_RGB32);
}

QImage enlarged(const QImage& image, int side) {
    if (image.isNull()) return {};
    const int longest = std::max(image.width(), image.height());
    if (longest > side) return image.scaled(side, side, Qt::KeepAspectRatio, Qt::SmoothTransformation);
    return image.scaled(image.size() * (side / longest), Qt::KeepAspectRatio, Qt::FastTransformation);
}

}  // namespace ropescope
