// SPDX-License-Identifier: Apache-2.0
#include "core/data/picture_distance.h"

#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

struct Size {
    std::int64_t rows = 0, cols = 0, channels = 0;
    bool operator==(const Size&) const = default;
};

Size sizeOf(const Array& picture) {
    const auto& shape = picture.shape;
    const bool flat = shape.size() == 2;
    if (picture.dtype != DType::U8 || (!flat && (shape.size() != 3 || (shape[2] != 1 && shape[2] != 3)))) {
        throw std::invalid_argument("a picture must be U8 [h,w,3], [h,w,1] or [h,w]");
    }
    return {shape[0], shape[1], flat ? 1 : shape[2]};
}

}  // namespace

std::string pictureSize(const Array& picture) {
    const Size size = sizeOf(picture);
    return std::to_string(size.cols) + " x " + std::to_string(size.rows) + " pixels in " +
           std::to_string(size.channels) + (size.channels == 1 ? " channel" : " channels");
}

Result<void> checkSameSize(const Array& a, const Array& b) {
    if (sizeOf(a) == sizeOf(b)) return {};
    return failure({ErrorKind::Refused, "picture-size", "", "the two pictures differ in size", pictureSize(b),
                    "as the first, " + pictureSize(a), "Compare pictures of one size"});
}

Result<double> pictureDistance(const Array& a, const Array& b) {
    if (const auto same = checkSameSize(a, b); !same) return failure(same.error());
    if (a.elements() == 0) {
        return failure({ErrorKind::Refused, "picture-size", "", "the pictures have no pixels", pictureSize(a), "",
                        "Compare pictures of at least one pixel"});
    }
    const auto left = a.as<std::uint8_t>(), right = b.as<std::uint8_t>();
    std::int64_t squares = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
        const int difference = left[i] - right[i];
        squares += difference * difference;
    }
    return std::sqrt(static_cast<double>(squares) / static_cast<double>(left.size())) / 255;
}

}  // namespace ropescope
