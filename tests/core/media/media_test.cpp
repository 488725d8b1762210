// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "core/media/image_size.h"
#include "core/media/media_api.h"
#include "core/media/png_file.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

class Media : public testing::Test {
protected:
    void SetUp() override {
        m_folder = fs::path(testing::TempDir()) /
                   ("ropescope_media_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(m_folder);
        fs::create_directories(m_folder);
    }
    void TearDown() override { fs::remove_all(m_folder); }
    std::string file(const std::string& name) const { return (m_folder / name).string(); }
    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(file(name), std::ios::binary) << bytes;
    }
    static std::string bytesOf(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    fs::path m_folder;
};

Array colours(std::int64_t rows, std::int64_t cols) {
    std::vector<std::uint8_t> values(rows * cols * 3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 37);
    return makeArray(std::span<const std::uint8_t>(values), {rows, cols, 3});
}

TEST_F(Media, PngKeepsPixelsAndRecipe) {
    const Array image = colours(5, 7);
    const std::string recipe = R"({"steps":20,"sampler":"euler","guidance":2.5,"seed":7,"size":"28x28",
"model_name":"a, b","label":3,"class_name":"dress","version":"0.1.0"})";
    ASSERT_TRUE(ropescopeMedia()->writePng(file("a.png"), image, recipe));
    EXPECT_EQ(ropescopeMedia()->readImage(file("a.png")).value(), image);
    EXPECT_EQ(ropescopeMedia()->readRecipe(file("a.png")).value(), recipe);
    const auto texts = ropescopeMedia()->readPngTexts(file("a.png")).value();
    EXPECT_EQ(texts.at("parameters"),
              "dress\nSteps: 20, Sampler: euler, CFG scale: 2.5, Seed: 7, Size: 28x28, Model: \"a, b\", Class: 3, "
              "Version: 0.1.0");
    ASSERT_TRUE(ropescopeMedia()->writePng(
        file("a.png"), image, R"({"prompt":"a cat","negative_prompt":"blur","steps":28,"size":"512x768"})"));
    EXPECT_EQ(ropescopeMedia()->readPngTexts(file("a.png")).value().at("parameters"),
              "a cat\nNegative prompt: blur\nSteps: 28, Size: 768x512");  // width first there
    ASSERT_TRUE(ropescopeMedia()->writePng(file("a.png"), image,
                                           R"({"prompt":"a cat","steps":28,"guidance":3.5,"true_guidance":1.0})"));
    EXPECT_EQ(ropescopeMedia()->readPngTexts(file("a.png")).value().at("parameters"),
              "a cat\nSteps: 28, CFG scale: 1.0, Distilled CFG Scale: 3.5");
}

TEST_F(Media, TextsAreUncompressedSoThatOtherProgramsFindThem) {
    const std::string recipe = R"({"steps":20,"class_name":"T-shirt)" + std::string(200, 'x') + "\"}";
    ASSERT_TRUE(ropescopeMedia()->writePng(file("a.png"), colours(2, 2), recipe));
    const std::string bytes = bytesOf(file("a.png"));
    EXPECT_NE(bytes.find("tEXtropescope" + std::string(1, '\0') + recipe), std::string::npos);
    EXPECT_NE(bytes.find("tEXtparameters"), std::string::npos);
}

TEST_F(Media, TextBeyondAsciiTravelsAsUtf8) {
    const std::string recipe = "{\"class_name\":\"\xC3\xA9toile \xE2\x98\x85\"}";
    ASSERT_TRUE(ropescopeMedia()->writePng(file("a.png"), colours(2, 2), recipe));
    EXPECT_EQ(ropescopeMedia()->readRecipe(file("a.png")).value(), recipe);
    EXPECT_NE(bytesOf(file("a.png")).find("iTXtropescope"), std::string::npos);
}

TEST_F(Media, GreyPicturesAreRead) {
    const std::vector<std::uint8_t> values = {0, 100, 200, 255, 1, 2};
    const Array grey = makeArray(std::span<const std::uint8_t>(values), {2, 3});
    ASSERT_TRUE(ropescopeMedia()->writePng(file("a.png"), grey, ""));
    const Array image = ropescopeMedia()->readImage(file("a.png")).value();
    EXPECT_EQ(image.shape, (std::vector<std::int64_t>{2, 3, 3}));
    for (int i = 0; i < 18; ++i) EXPECT_EQ(image.as<std::uint8_t>()[i], values[i / 3]);
    EXPECT_EQ(ropescopeMedia()->readRecipe(file("a.png")).error().code, "no-recipe");
}

TEST_F(Media, ReadsJpegAndWebpByContent) {
    const cv::Mat red(40, 24, CV_8UC3, cv::Scalar(10, 20, 230));  // BGR
    for (const char* name : {"a.jpg", "b.webp"}) {
        ASSERT_TRUE(cv::imwrite(file(name), red));
        const std::string bytes = bytesOf(file(name));
        const auto size = imageSize(std::as_bytes(std::span(bytes)));
        ASSERT_TRUE(size) << name;
        EXPECT_EQ(size->rows, 40) << name;
        EXPECT_EQ(size->cols, 24) << name;
        fs::rename(file(name), file("wrong-suffix.txt"));
        const Array image = ropescopeMedia()->readImage(file("wrong-suffix.txt")).value();
        EXPECT_EQ(image.shape, (std::vector<std::int64_t>{40, 24, 3}));
        EXPECT_NEAR(image.as<std::uint8_t>()[0], 230, 12) << name;
        EXPECT_NEAR(image.as<std::uint8_t>()[2], 10, 12) << name;
    }
}

TEST_F(Media, RefusesBadFilesWithOneMessageEach) {
    EXPECT_EQ(ropescopeMedia()->readImage(file("none.png")).error().code, "IM-01");
    write("text.png", "this is no picture at all, whatever its name says");
    EXPECT_EQ(ropescopeMedia()->readImage(file("text.png")).error().code, "IM-02");
    EXPECT_EQ(ropescopeMedia()->readPngTexts(file("text.png")).error().code, "IM-02");
    ASSERT_TRUE(ropescopeMedia()->writePng(file("whole.png"), colours(64, 64), "{\"steps\":1}"));
    const std::string whole = bytesOf(file("whole.png"));
    write("short.png", whole.substr(0, 40));
    EXPECT_EQ(ropescopeMedia()->readImage(file("short.png")).error().code, "IM-03");
    EXPECT_EQ(ropescopeMedia()->readPngTexts(file("short.png")).error().code, "IM-03");
    std::string bomb = whole;  // claims 65536 x 65536 pixels
    bomb.replace(16, 8, std::string("\0\1\0\0\0\1\0\0", 8));
    write("bomb.png", bomb);
    const auto error = ropescopeMedia()->readImage(file("bomb.png")).error();
    EXPECT_EQ(error.code, "IM-04");
    EXPECT_NE(error.message().find("65536 x 65536 pixels"), std::string::npos);
}

TEST_F(Media, AFailedWriteLeavesTheOldPicture) {
    ASSERT_TRUE(ropescopeMedia()->writePng(file("a.png"), colours(3, 3), ""));
    const std::string old = bytesOf(file("a.png"));
    EXPECT_FALSE(ropescopeMedia()->writePng(file("no/such/folder/a.png"), colours(3, 3), ""));
    EXPECT_THROW((void)ropescopeMedia()->writePng(file("a.png"), makeArray(std::vector<float>{1}, {1}), ""),
                 std::invalid_argument);
    EXPECT_EQ(bytesOf(file("a.png")), old);
}

TEST_F(Media, MontagePlacesImagesInRows) {
    const Array a = colours(2, 3);
    const Array sheet = ropescopeMedia()->montage({a, a, a}, 2, 1, 2);
    EXPECT_EQ(sheet.shape, (std::vector<std::int64_t>{9, 13, 3}));
    const auto pixel = [&](int r, int c) { return sheet.as<std::uint8_t>()[(r * 13 + c) * 3]; };
    EXPECT_EQ(pixel(0, 0), a.as<std::uint8_t>()[0]);
    EXPECT_EQ(pixel(1, 9), a.as<std::uint8_t>()[3]);  // second image starts at column 7; its second pixel at 9
    EXPECT_EQ(pixel(4, 0), 255);                      // the gap
    EXPECT_EQ(pixel(8, 12), 255);                     // no fourth image
    EXPECT_EQ(pixel(5, 0), a.as<std::uint8_t>()[0]);
    EXPECT_THROW((void)ropescopeMedia()->montage({a, colours(3, 3)}, 2, 1, 1), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
