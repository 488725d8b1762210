// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace ropescope {

struct Rgb {
    std::uint8_t red = 0;
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    bool operator==(const Rgb&) const = default;
};

/// Viridis, Cividis: magnitudes. Diverging: differences, blue - white - red, white in the middle.
enum class ColourMap { Viridis, Cividis, Diverging };

/// 256 colours from low to high. Viridis: van der Walt and Smith 2015; Cividis: Nunez et al. 2018, both from 33 samples
/// by linear interpolation. Diverging is computed in OKLab: lightness falls evenly to both sides, hues 250 and 30
/// degrees, which differ for every common colour vision deficiency. Checked by tests/core/data/colour_test.cpp.
[[nodiscard]] const std::array<Rgb, 256>& colourTable(ColourMap map);

/// The colour for a share t in [0,1]; values outside are clamped, NaN is the lowest.
[[nodiscard]] Rgb colourAt(ColourMap map, double t);

/// Categorical colours of Okabe and Ito 2008 without black and yellow (one vanishes on dark ground, one on white), in
/// the order of contrast; the index wraps around after kCategoricalColours.
inline constexpr int kCategoricalColours = 6;
[[nodiscard]] Rgb categoricalColour(int index);

}  // namespace ropescope
