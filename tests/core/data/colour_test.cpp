// SPDX-License-Identifier: Apache-2.0
#include "core/data/colour.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

using namespace ropescope;

namespace {

double linear(std::uint8_t byte) {
    const double c = byte / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

/// Relative luminance of sRGB.
double luminance(Rgb c) {
    return 0.2126 * linear(c.red) + 0.7152 * linear(c.green) + 0.0722 * linear(c.blue);
}

}  // namespace

TEST(Colour, EndsOfTheMaps) {
    EXPECT_EQ(colourAt(ColourMap::Viridis, 0), (Rgb{0x44, 0x01, 0x54}));
    EXPECT_EQ(colourAt(ColourMap::Viridis, 1), (Rgb{0xfd, 0xe7, 0x25}));
    EXPECT_EQ(colourAt(ColourMap::Cividis, 0), (Rgb{0x00, 0x22, 0x4e}));
    EXPECT_EQ(colourAt(ColourMap::Cividis, 1), (Rgb{0xfe, 0xe8, 0x38}));
}

TEST(Colour, MagnitudesGrowLighter) {
    for (ColourMap map : {ColourMap::Viridis, ColourMap::Cividis}) {
        for (int i = 1; i < 256; ++i) {
            EXPECT_GE(luminance(colourTable(map)[i]), luminance(colourTable(map)[i - 1]) - 2e-3) << i;
        }
    }
}

TEST(Colour, DivergingIsWhiteInTheMiddleAndEvenOnBothSides) {
    const auto& table = colourTable(ColourMap::Diverging);
    EXPECT_GT(luminance(table[127]), 0.9);
    EXPECT_GT(table[0].blue, table[0].red);
    EXPECT_GT(table[255].red, table[255].blue);
    for (int i = 1; i < 128; ++i) {
        EXPECT_GE(luminance(table[i]), luminance(table[i - 1]) - 2e-3) << i;
        EXPECT_NEAR(luminance(table[127 - i]), luminance(table[128 + i]), 0.06) << i;
    }
}

TEST(Colour, OutsideIsClampedAndNotANumberIsLowest) {
    EXPECT_EQ(colourAt(ColourMap::Viridis, -3), colourAt(ColourMap::Viridis, 0));
    EXPECT_EQ(colourAt(ColourMap::Viridis, 7), colourAt(ColourMap::Viridis, 1));
    EXPECT_EQ(colourAt(ColourMap::Viridis, std::numeric_limits<double>::quiet_NaN()), colourAt(ColourMap::Viridis, 0));
}

TEST(Colour, CategoricalColoursDifferAndWrap) {
    std::set<int> seen;
    for (int i = 0; i < kCategoricalColours; ++i) {
        const Rgb c = categoricalColour(i);
        seen.insert(c.red << 16 | c.green << 8 | c.blue);
    }
    EXPECT_EQ(static_cast<int>(seen.size()), kCategoricalColours);
    EXPECT_EQ(categoricalColour(kCategoricalColours + 1), categoricalColour(1));
}
