// SPDX-License-Identifier: Apache-2.0
#include "core/data/picture_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

Array plain(std::uint8_t value, std::vector<std::int64_t> shape) {
    Array picture{DType::U8, std::move(shape), {}};
    picture.bytes.assign(static_cast<std::size_t>(picture.elements()), std::byte{value});
    return picture;
}

TEST(PictureDistance, IsTheRootOfTheMeanSquareOnTheUnitScale) {
    Array a = plain(100, {2, 5, 3});
    const Array b = a;
    EXPECT_EQ(pictureDistance(a, b).value(), 0);
    a.bytes[7] = std::byte{151};  // 0.2 away in one of 30 values
    EXPECT_DOUBLE_EQ(pictureDistance(a, b).value(), 0.2 / std::sqrt(30.0));
    EXPECT_EQ(pictureDistance(a, b).value(), pictureDistance(b, a).value());
    EXPECT_EQ(pictureDistance(plain(0, {3, 4}), plain(255, {3, 4, 1})).value(), 1);
}

TEST(PictureDistance, SumsOfLargePicturesDoNotOverflow) {
    EXPECT_EQ(pictureDistance(plain(0, {300, 400}), plain(255, {300, 400})).value(), 1);  // 7.8e9 > 2^32
}

TEST(PictureDistance, RefusesWhatCannotBeComparedAndNamesTheSizes) {
    const auto sizes = pictureDistance(plain(0, {64, 32, 3}), plain(0, {32, 64, 3}));
    ASSERT_FALSE(sizes);
    EXPECT_EQ(sizes.error().kind, ErrorKind::Refused);
    EXPECT_EQ(sizes.error().message(),
              "[picture-size] the two pictures differ in size (found 64 x 32 pixels in 3 channels, expected as the "
              "first, 32 x 64 pixels in 3 channels). Compare pictures of one size.");
    EXPECT_EQ(pictureDistance(plain(0, {4, 4, 3}), plain(0, {4, 4})).error().code, "picture-size");
    EXPECT_EQ(pictureDistance(plain(0, {0, 4, 3}), plain(0, {0, 4, 3})).error().reason, "the pictures have no pixels");
    EXPECT_THROW((void)pictureDistance(plain(0, {4, 4, 2}), plain(0, {4, 4, 2})), std::invalid_argument);
    EXPECT_THROW((void)pictureDistance(makeArray(std::vector<float>{1}, {1, 1}), plain(0, {1, 1})),
                 std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
