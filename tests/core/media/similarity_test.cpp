// SPDX-License-Identifier: Apache-2.0
#include "core/media/similarity.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "core/data/safetensors.h"
#include "core/media/media_api.h"

namespace ropescope {
namespace {

/// tests/reference/similarity_reference.py
std::map<std::string, Array> golden() {
    std::ifstream in(ROPESCOPE_SOURCE_DIR "/tests/golden/similarity.safetensors", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    return decodeSafetensors(std::as_bytes(std::span(bytes))).value().arrays;
}

Array plain(std::uint8_t value, std::vector<std::int64_t> shape) {
    Array picture{DType::U8, std::move(shape), {}};
    picture.bytes.assign(static_cast<std::size_t>(picture.elements()), std::byte{value});
    return picture;
}

double similarity(const Array& a, const Array& b) {
    return ropescopeMedia()->similarity(a, b).value();
}

TEST(Similarity, EqualsScikitImage) {
    // Both compute in double. A variance is a difference of values up to 255^2, each known to some 20 units of
    // 255^2 * 2^-53, over a denominator of at least C2 = 58: 3e-12 in the worst pixel. Arithmetic in float is off by
    // 3e-8 to 4e-7 on these pictures.
    constexpr double kTolerance = 1e-10;
    const auto arrays = golden();
    int compared = 0;
    for (const auto& [key, expected] : arrays) {
        if (!key.ends_with(".similarity")) continue;
        const std::string name = key.substr(0, key.find('.'));
        EXPECT_NEAR(similarity(arrays.at(name + ".a"), arrays.at(name + ".b")), expected.as<double>()[0], kTolerance)
            << name;
        ++compared;
    }
    EXPECT_EQ(compared, 6);
}

TEST(Similarity, IsOneForEqualPicturesAndSymmetric) {
    const auto arrays = golden();
    for (const char* name : {"window", "wide", "grey"}) {
        const Array& a = arrays.at(std::string(name) + ".a");
        const Array& b = arrays.at(std::string(name) + ".b");
        EXPECT_DOUBLE_EQ(similarity(a, a), 1) << name;
        EXPECT_LT(similarity(a, b), 0.9) << name;
        EXPECT_DOUBLE_EQ(similarity(a, b), similarity(b, a)) << name;
    }
}

TEST(Similarity, OfPlainPicturesHasAClosedForm) {
    constexpr double kC1 = 2.55 * 2.55;
    EXPECT_NEAR(similarity(plain(0, {12, 13}), plain(255, {12, 13})), kC1 / (255.0 * 255.0 + kC1), 1e-12);
    EXPECT_DOUBLE_EQ(similarity(plain(90, {11, 11, 3}), plain(90, {11, 11, 3})), 1);
}

TEST(Similarity, GreyPicturesMayOmitTheirChannel) {
    Array a = golden().at("grey.a"), b = golden().at("grey.b");
    const double flat = similarity(a, b);
    a.shape.push_back(1);
    EXPECT_EQ(similarity(a, b), flat);
    b.shape.push_back(1);
    EXPECT_EQ(similarity(a, b), flat);
}

TEST(Similarity, RefusesOtherSizesAndNamesThem) {
    const auto differ = structuralSimilarity(plain(0, {20, 30, 3}), plain(0, {30, 20, 3}));
    ASSERT_FALSE(differ);
    EXPECT_EQ(differ.error().kind, ErrorKind::Refused);
    EXPECT_EQ(differ.error().code, "picture-size");
    EXPECT_NE(differ.error().message().find("20 x 30 pixels"), std::string::npos);
    EXPECT_NE(differ.error().message().find("30 x 20 pixels"), std::string::npos);
    EXPECT_EQ(structuralSimilarity(plain(0, {20, 30, 3}), plain(0, {20, 30})).error().code, "picture-size");
    const auto small = structuralSimilarity(plain(0, {40, 10, 3}), plain(0, {40, 10, 3}));
    ASSERT_FALSE(small);
    EXPECT_EQ(small.error().message(),
              "[picture-size] the pictures are smaller than the window of the similarity (found 10 x 40 pixels in 3 "
              "channels, expected at least 11 x 11 pixels). Compare larger pictures.");
    EXPECT_FALSE(structuralSimilarity(plain(0, {10, 40}), plain(0, {10, 40})));
    EXPECT_THROW((void)structuralSimilarity(plain(0, {20, 20, 4}), plain(0, {20, 20, 4})), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
