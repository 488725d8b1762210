// SPDX-License-Identifier: Apache-2.0
#include "core/data/colour.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

namespace ropescope {
namespace {

// 33 samples of each map, six hexadecimal digits a colour.
constexpr std::string_view kViridis =
    "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e21918c"
    "1f978b1f9f8821a68527ad8131b57b3dbc744cc26c5cc8636ece5881d34d95d840aadc32c0df25d5e21aeae51afde725";
constexpr std::string_view kCividis =
    "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f70737676767d7c78"
    "8381798b8778928d789a9376a29975aaa073b3a670bbad6dc3b369ccba64d4c15fddc858e6d051efd748f8df3cfee838";

int hexPair(std::string_view text, std::size_t at) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    return digit(text[at]) * 16 + digit(text[at + 1]);
}

std::array<Rgb, 256> interpolated(std::string_view samples) {
    constexpr int kLast = 32;
    std::array<Rgb, 256> table;
    for (int i = 0; i < 256; ++i) {
        const double position = i / 255.0 * kLast;
        const int low = std::min(static_cast<int>(position), kLast - 1);
        const double share = position - low;
        std::uint8_t channel[3];
        for (int c = 0; c < 3; ++c) {
            const int a = hexPair(samples, 6 * low + 2 * c);
            const int b = hexPair(samples, 6 * low + 6 + 2 * c);
            channel[c] = static_cast<std::uint8_t>(std::lround(a + share * (b - a)));
        }
        table[i] = {channel[0], channel[1], channel[2]};
    }
    return table;
}

std::uint8_t gammaByte(double linear) {
    const double c = std::clamp(linear, 0.0, 1.0);
    const double coded = c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(std::lround(255 * coded));
}

/// OKLab (Ottosson 2020) with polar chroma and hue (radians) to sRGB.
Rgb fromOkLab(double lightness, double chroma, double hue) {
    const double a = chroma * std::cos(hue);
    const double b = chroma * std::sin(hue);
    const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return {gammaByte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            gammaByte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            gammaByte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

std::array<Rgb, 256> diverging() {
    std::array<Rgb, 256> table;
    for (int i = 0; i < 256; ++i) {
        const double t = (i - 127.5) / 127.5;
        const double hue = (t < 0 ? 250 : 30) * std::numbers::pi / 180;
        // Chroma grows fast, then levels off where the darker colours of sRGB allow no more of it.
        const double chroma = 0.15 * std::sin(std::min(1.0, 1.25 * std::abs(t)) * std::numbers::pi / 2);
        table[i] = fromOkLab(0.975 - 0.535 * std::abs(t), chroma, hue);
    }
    return table;
}

}  // namespace

const std::array<Rgb, 256>& colourTable(ColourMap map) {
    static const std::array<Rgb, 256> viridis = interpolated(kViridis);
    static const std::array<Rgb, 256> cividis = interpolated(kCividis);
    static const std::array<Rgb, 256> blueWhiteRed = diverging();
    switch (map) {
        case ColourMap::Viridis:
            return viridis;
        case ColourMap::Cividis:
            return cividis;
        case ColourMap::Diverging:
            break;
    }
    return blueWhiteRed;
}

Rgb colourAt(ColourMap map, double t) {
    if (!(t > 0)) return colourTable(map).front();
    return colourTable(map)[static_cast<std::size_t>(std::lround(255 * std::min(t, 1.0)))];
}

Rgb categoricalColour(int index) {
    static constexpr Rgb kColours[kCategoricalColours] = {{0x00, 0x72, 0xB2}, {0xD5, 0x5E, 0x00}, {0x00, 0x9E, 0x73},
                                                          {0xCC, 0x79, 0xA7}, {0xE6, 0x9F, 0x00}, {0x56, 0xB4, 0xE9}};
    return kColours[((index % kCategoricalColours) + kCategoricalColours) % kCategoricalColours];
}

}  // namespace ropescope
