// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/preprocess.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace ropescope {
namespace {

constexpr int kBits = 22;  // what is left of 32 bits for 8-bit values and weights up to two

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}
double triangle(double x) {
    return std::max(0.0, 1 - std::abs(x));
}
double sinc(double x) {
    return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}
double lanczos(double x) {
    return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

struct Filter {
    double (*weight)(double);
    double support;  ///< input pixels on each side at scale 1
};

Filter filterOf(const std::string& interpolation) {
    if (interpolation == "bicubic") return {cubic, 2};
    if (interpolation == "bilinear") return {triangle, 1};
    if (interpolation == "lanczos") return {lanczos, 3};
    throw std::invalid_argument("no such interpolation: " + interpolation);
}

/// Where one output pixel comes from.
struct Taps {
    int first = 0;
    std::vector<int> weights;
};

std::vector<Taps> tapsOf(int in, int out, const Filter& filter) {
    const double scale = static_cast<double>(in) / out, stretch = std::max(scale, 1.0);
    const double support = filter.support * stretch;
    std::vector<Taps> all(out);
    for (int i = 0; i < out; ++i) {
        const double centre = (i + 0.5) * scale;
        const int first = std::max(0, static_cast<int>(centre - support + 0.5));
        const int end = std::min(in, static_cast<int>(centre + support + 0.5));
        std::vector<double> weights;
        double total = 0;
        for (int x = first; x < end; ++x) {
            weights.push_back(filter.weight((x - centre + 0.5) / stretch));
            total += weights.back();
        }
        all[i].first = first;
        const double inverse = total != 0 ? 1 / total : 1;
        for (const double w : weights) {
            const double fixed = w * inverse * (1 << kBits);
            all[i].weights.push_back(static_cast<int>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
        }
    }
    return all;
}

std::uint8_t rounded(std::int64_t sum) {
    return static_cast<std::uint8_t>(std::clamp<std::int64_t>((sum + (1 << (kBits - 1))) >> kBits, 0, 255));
}

using Pixels = std::vector<std::uint8_t>;

/// One direction: `lines` lines of `in` pixels, neighbours `step` bytes apart, lines `line` bytes apart.
void resizeLines(const Pixels& from, Pixels& to, const std::vector<Taps>& taps, int lines, int channels,
                 std::int64_t fromStep, std::int64_t fromLine, std::int64_t toStep, std::int64_t toLine) {
    for (int l = 0; l < lines; ++l)
        for (std::size_t i = 0; i < taps.size(); ++i)
            for (int c = 0; c < channels; ++c) {
                std::int64_t sum = 0;
                for (std::size_t k = 0; k < taps[i].weights.size(); ++k)
                    sum += static_cast<std::int64_t>(taps[i].weights[k]) *
                           from[l * fromLine + (taps[i].first + static_cast<std::int64_t>(k)) * fromStep + c];
                to[l * toLine + static_cast<std::int64_t>(i) * toStep + c] = rounded(sum);
            }
}

Array nearest(const Array& pixels, Grid size) {
    const int h = static_cast<int>(pixels.shape[0]), w = static_cast<int>(pixels.shape[1]);
    const int channels = static_cast<int>(pixels.shape[2]);
    const auto from = pixels.as<std::uint8_t>();
    Pixels to;
    for (int r = 0; r < size.rows; ++r)
        for (int c = 0; c < size.cols; ++c) {
            const auto y = std::min<std::int64_t>(h - 1, static_cast<std::int64_t>((r + 0.5) * h / size.rows));
            const auto x = std::min<std::int64_t>(w - 1, static_cast<std::int64_t>((c + 0.5) * w / size.cols));
            for (int k = 0; k < channels; ++k) to.push_back(from[(y * w + x) * channels + k]);
        }
    return makeArray(std::span<const std::uint8_t>(to), {size.rows, size.cols, channels});
}

Array grey(const Array& pixels) {
    const auto from = pixels.as<std::uint8_t>();
    Pixels to;
    for (std::size_t i = 0; i + 2 < from.size(); i += 3)
        to.push_back(
            static_cast<std::uint8_t>((from[i] * 19595 + from[i + 1] * 38470 + from[i + 2] * 7471 + 0x8000) >> 16));
    return makeArray(std::span<const std::uint8_t>(to), {pixels.shape[0], pixels.shape[1], 1});
}

/// The middle; black where the picture is smaller. Halves are rounded to even, as the reference does.
Array centre(const Array& pixels, Grid size) {
    const int h = static_cast<int>(pixels.shape[0]), w = static_cast<int>(pixels.shape[1]);
    const int channels = static_cast<int>(pixels.shape[2]);
    // A side that is too small is padded first, the odd pixel behind.
    const auto start = [](int have, int want) {
        return have >= want ? static_cast<int>(std::nearbyint((have - want) / 2.0)) : -((want - have) / 2);
    };
    const int top = start(h, size.rows), left = start(w, size.cols);
    const auto from = pixels.as<std::uint8_t>();
    Pixels to;
    for (int r = 0; r < size.rows; ++r)
        for (int c = 0; c < size.cols; ++c) {
            const int y = top + r, x = left + c;
            const bool inside = y >= 0 && y < h && x >= 0 && x < w;
            for (int k = 0; k < channels; ++k)
                to.push_back(inside ? from[(static_cast<std::int64_t>(y) * w + x) * channels + k] : std::uint8_t{0});
        }
    return makeArray(std::span<const std::uint8_t>(to), {size.rows, size.cols, channels});
}

/// Size before the middle is cut out, and the filter that gets there.
std::pair<Grid, std::string> resizedSize(Grid picture, const Preprocessing& p) {
    const Grid scaled{static_cast<int>(std::floor(p.size.rows / p.cropFraction)),
                      static_cast<int>(std::floor(p.size.cols / p.cropFraction))};
    if (p.size.rows == p.size.cols) {
        const bool tall = picture.rows >= picture.cols;
        const int shorter = tall ? picture.cols : picture.rows, longer = tall ? picture.rows : picture.cols;
        const int other = static_cast<int>(static_cast<double>(scaled.rows) * longer / shorter);
        return {tall ? Grid{other, scaled.rows} : Grid{scaled.rows, other}, p.interpolation};
    }
    const double ratio =
        std::min(static_cast<double>(picture.rows) / scaled.rows, static_cast<double>(picture.cols) / scaled.cols);
    return {{static_cast<int>(std::nearbyint(picture.rows / ratio)),
             static_cast<int>(std::nearbyint(picture.cols / ratio))},
            p.interpolation};
}

}  // namespace

Array resizedLikePil(const Array& pixels, Grid size, const std::string& interpolation) {
    const int h = static_cast<int>(pixels.shape.at(0)), w = static_cast<int>(pixels.shape.at(1));
    const int channels = static_cast<int>(pixels.shape.at(2));
    if (size == Grid{h, w}) return pixels;
    if (interpolation == "nearest") return nearest(pixels, size);
    const Filter filter = filterOf(interpolation);
    const auto bytes = pixels.as<std::uint8_t>();
    Pixels current(bytes.begin(), bytes.end());
    if (size.cols != w) {
        Pixels wide(static_cast<std::size_t>(h) * size.cols * channels);
        resizeLines(current, wide, tapsOf(w, size.cols, filter), h, channels, channels,
                    static_cast<std::int64_t>(w) * channels, channels, static_cast<std::int64_t>(size.cols) * channels);
        current = std::move(wide);
    }
    if (size.rows != h) {
        const std::int64_t row = static_cast<std::int64_t>(size.cols) * channels;
        Pixels tall(static_cast<std::size_t>(size.rows) * row);
        resizeLines(current, tall, tapsOf(h, size.rows, filter), size.cols, channels, row, channels, row, channels);
        current = std::move(tall);
    }
    return makeArray(std::span<const std::uint8_t>(current), {size.rows, size.cols, channels});
}

Result<Array> classifierInput(const Array& pixels, const Preprocessing& p) {
    const auto refused = [](std::string reason, std::string expected) {
        return failure({ErrorKind::Refused, "classifier-input", {}, std::move(reason), {}, std::move(expected), {}});
    };
    if (pixels.dtype != DType::U8 || pixels.shape.size() != 3 || pixels.shape[2] != 3 || pixels.elements() == 0)
        return refused("the picture is not made of colours", "U8 [h,w,3]");
    const bool channels = p.mean.size() == p.std.size() && (p.mean.size() == 1 || p.mean.size() == 3);
    if (p.size.tokens() < 1 || !channels || !(p.cropFraction > 0))
        return refused("the model's preprocessing is not known", "size, mean and std in its configuration");
    const Grid picture{static_cast<int>(pixels.shape[0]), static_cast<int>(pixels.shape[1])};
    const auto [size, interpolation] = resizedSize(picture, p);
    constexpr double kMost = 64e6;
    if (size.rows < 1 || size.cols < 1 || static_cast<double>(size.rows) * size.cols > kMost)
        return refused("the picture is too long and narrow", "at most 64 million pixels after resizing");
    return centre(resizedLikePil(p.mean.size() == 1 ? grey(pixels) : pixels, size, interpolation), p.size);
}

}  // namespace ropescope
