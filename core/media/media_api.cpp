// SPDX-License-Identifier: Apache-2.0
#include "core/media/media_api.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

#include "core/data/atomic_file.h"
#include "core/media/image_size.h"
#include "core/media/png_file.h"
#include "core/media/similarity.h"

namespace ropescope {
namespace {

Error imageError(const char* code, const std::string& path, const std::string& reason, const std::string& found,
                 const std::string& expected, const std::string& advice) {
    return {ErrorKind::Refused, code, place({path}), reason, found, expected, advice};
}

Result<std::vector<std::byte>> readWhole(const std::string& path) {
    std::error_code none;
    const auto size = std::filesystem::file_size(path, none);
    std::ifstream in(path, std::ios::binary);
    if (none || !in) {
        return failure(imageError("IM-01", path, "the file cannot be read", "", "", "Check its name and its rights"));
    }
    if (size > static_cast<std::uintmax_t>(kMaxImageFileBytes)) {
        return failure(imageError("IM-04", path, "the image file is too large", std::to_string(size) + " bytes",
                                  "at most " + std::to_string(kMaxImageFileBytes), "Use a smaller picture"));
    }
    std::vector<std::byte> bytes(size);
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    return bytes;
}

Result<void> checkSize(const std::string& path, std::span<const std::byte> file) {
    if (imageFormat(file) == ImageFormat::Unknown) {
        return failure(imageError("IM-02", path, "this is no image the program reads", "", "PNG, JPEG or WebP",
                                  "Convert it to one of these"));
    }
    const auto size = imageSize(file);
    if (!size || size->rows <= 0 || size->cols <= 0) {
        return failure(imageError("IM-03", path, "the image's header is damaged", "", "", "Fetch the file again"));
    }
    if (size->rows > kMaxPixels / size->cols) {
        return failure(imageError("IM-04", path, "the picture is too large",
                                  std::to_string(size->cols) + " x " + std::to_string(size->rows) + " pixels",
                                  "at most " + std::to_string(kMaxPixels / 1'000'000) + " million",
                                  "Use a smaller picture"));
    }
    return {};
}

Array decodeImage(const std::vector<std::byte>& file) {
    const cv::Mat raw(1, static_cast<int>(file.size()), CV_8U, const_cast<std::byte*>(file.data()));
    cv::Mat colour = cv::imdecode(raw, cv::IMREAD_COLOR);
    if (colour.empty()) return {};
    cv::cvtColor(colour, colour, cv::COLOR_BGR2RGB);
    const std::span<const std::uint8_t> values(colour.ptr(), colour.total() * 3);
    return makeArray(values, {colour.rows, colour.cols, 3});
}

class Media final : public MediaApi {
public:
    Result<void> writePng(const std::string& path, const Array& pixels, const std::string& recipe) override {
        PngTexts texts;
        if (!recipe.empty()) {
            texts["ropescope"] = recipe;
            const std::string parameters = parametersText(recipe);
            if (!parameters.empty()) texts["parameters"] = parameters;
        }
        const auto bytes = encodePng(pixels, texts);
        if (!bytes) return failure(bytes.error());
        return writeFileAtomically(path, {*bytes});
    }

    Result<PngTexts> readPngTexts(const std::string& path) override {
        const auto bytes = readWhole(path);
        if (!bytes) return failure(bytes.error());
        if (imageFormat(*bytes) != ImageFormat::Png) {
            return failure(imageError("IM-02", path, "this is no PNG", "", "a PNG picture", "Choose another file"));
        }
        return decodePngTexts(*bytes, path);
    }

    Result<std::string> readRecipe(const std::string& path) override {
        const auto texts = readPngTexts(path);
        if (!texts) return failure(texts.error());
        const auto found = texts->find("ropescope");
        if (found == texts->end()) {
            return failure(imageError("no-recipe", path, "the picture carries no recipe of this program", "", "",
                                      "Open a picture that ropescope saved"));
        }
        return found->second;
    }

    Result<Array> readImage(const std::string& path) override {
        const auto bytes = readWhole(path);
        if (!bytes) return failure(bytes.error());
        if (const auto fits = checkSize(path, *bytes); !fits) return failure(fits.error());
        try {
            Array image = decodeImage(*bytes);
            if (!image.bytes.empty()) return image;
        } catch (const cv::Exception&) {
            // The decoder's own text names source files; the message below says what matters.
        }
        return failure(imageError("IM-03", path, "the picture is damaged", "", "", "Fetch the file again"));
    }

    Array montage(const std::vector<Array>& images, int columns, int gap, int zoom) override {
        if (images.empty() || columns < 0 || gap < 0 || zoom < 1) throw std::invalid_argument("montage: arguments");
        const auto& shape = images[0].shape;
        const int count = static_cast<int>(images.size());
        if (columns == 0) columns = static_cast<int>(std::ceil(std::sqrt(count)));
        columns = std::min(columns, count);
        const int rows = (count + columns - 1) / columns;
        const int height = static_cast<int>(shape.at(0)) * zoom, width = static_cast<int>(shape.at(1)) * zoom;
        cv::Mat sheet(rows * (height + gap) - gap, columns * (width + gap) - gap, CV_8UC3, cv::Scalar::all(255));
        for (int i = 0; i < count; ++i) {
            if (images[i].shape != shape || shape.size() != 3 || shape[2] != 3 || images[i].dtype != DType::U8) {
                throw std::invalid_argument("montage: images must be U8 [h,w,3] of one size");
            }
            const cv::Mat image(static_cast<int>(shape[0]), static_cast<int>(shape[1]), CV_8UC3,
                                const_cast<std::byte*>(images[i].bytes.data()));
            const cv::Rect cell(i % columns * (width + gap), i / columns * (height + gap), width, height);
            cv::resize(image, sheet(cell), cell.size(), 0, 0, cv::INTER_NEAREST);
        }
        return makeArray(std::span<const std::uint8_t>(sheet.ptr(), sheet.total() * 3), {sheet.rows, sheet.cols, 3});
    }

    Result<double> similarity(const Array& a, const Array& b) override { return structuralSimilarity(a, b); }
};

}  // namespace
}  // namespace ropescope

extern "C" ropescope::MediaApi* ropescopeMedia() {
    static ropescope::Media media;
    return &media;
}
