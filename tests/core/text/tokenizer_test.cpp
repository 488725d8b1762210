// SPDX-License-Identifier: Apache-2.0
// Tokenizers against the packages that made the models. ROPESCOPE_TOKENIZERS names a folder that
// tests/reference/text_reference.py --tokenizers filled with 10,000 strings; without it the shipped ones are compared.
#include "core/text/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace ropescope {
namespace {

const std::string kText = std::string(ROPESCOPE_SOURCE_DIR) + "/tests/golden/text/";

nlohmann::json jsonOf(const std::string& path) {
    return nlohmann::json::parse(std::ifstream(path));
}

/// The numbers up to the end token.
std::vector<int> used(const Tokens& tokens) {
    return {tokens.ids.begin(), tokens.ids.begin() + tokens.used};
}

void compare(const Tokenizer& clip, const Tokenizer& t5, const nlohmann::json& strings, std::size_t least) {
    const auto& texts = strings.at("text");
    ASSERT_GE(texts.size(), least);
    int end = clip.encode("", 77).ids[1], wrong = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string text = texts[i].get<std::string>();
        std::vector<int> own = used(clip.encode(text, 77));
        own.resize(std::find(own.begin(), own.end(), end) - own.begin() + 1);
        if (own != strings.at("clip")[i].get<std::vector<int>>() && ++wrong < 5) ADD_FAILURE() << "CLIP: " << texts[i];
        if (used(t5.encode(text, 256)) != strings.at("t5")[i].get<std::vector<int>>() && ++wrong < 5)
            ADD_FAILURE() << "T5: " << texts[i];
    }
    EXPECT_EQ(wrong, 0);
}

TEST(Tokenizer, EqualsThePackagesOnRecordedStrings) {
    const auto clip = openClipTokenizer(kText + "tokenizer");
    const auto t5 = openT5Tokenizer(kText + "tokenizer_2");
    ASSERT_TRUE(clip && t5);
    compare(**clip, **t5, jsonOf(kText + "strings.json"), 100);
}

TEST(Tokenizer, EqualsThePackagesOnTenThousandStrings) {
    const char* folder = std::getenv("ROPESCOPE_TOKENIZERS");
    if (!folder) GTEST_SKIP() << "needs a folder that text_reference.py --tokenizers filled";
    const auto clip = openClipTokenizer(folder);
    const auto t5 = openT5Tokenizer(folder);
    ASSERT_TRUE(clip && t5);
    compare(**clip, **t5, jsonOf(std::string(folder) + "/strings.json"), 10'000);
}

/// Joining symbols takes time that grows with the length, not with its square: 60,000 letters in a moment.
TEST(Tokenizer, OneLongWordTakesNoTime) {
    const auto clip = openClipTokenizer(kText + "tokenizer").value();
    std::string word;
    for (int i = 0; i < 6000; ++i) word += "photoblack";
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(clip->encode(word, 77).used, 77);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(Tokenizer, LongTextsAreCutBeforeTheEnd) {
    const auto clip = openClipTokenizer(kText + "tokenizer").value();
    const auto t5 = openT5Tokenizer(kText + "tokenizer_2").value();
    std::string text;
    for (int i = 0; i < 200; ++i) text += "cat ";
    for (const Tokenizer* tokenizer : {clip.get(), t5.get()}) {
        const Tokens all = tokenizer->encode(text, 77), none = tokenizer->encode("", 77);
        EXPECT_EQ(all.ids.size(), 77u);
        EXPECT_EQ(all.used, 77);
        EXPECT_GE(all.cut, 120);
        EXPECT_EQ(all.ids.back(), none.ids[none.used - 1]);
        EXPECT_EQ(all.pieces.size(), 77u);
        EXPECT_EQ(none.cut, 0);
    }
}

TEST(Tokenizer, PaddingIsTheFoldersOwn) {
    const Tokens own = openClipTokenizer(kText + "tokenizer").value()->encode("cat", 77);
    const Tokens bang = openClipTokenizer(kText + "tokenizer_bang").value()->encode("cat", 77);
    EXPECT_EQ(own.ids.back(), own.ids[own.used - 1]);
    EXPECT_EQ(bang.ids.back(), 0);
    EXPECT_EQ(used(own), used(bang));
    // transformers takes a padding of its own for a special token wherever it stands.
    const Tokens loud = openClipTokenizer(kText + "tokenizer_bang").value()->encode("cat!?", 77);
    EXPECT_EQ(loud.ids[bang.used - 1], 0);
    EXPECT_EQ(loud.pieces[bang.used - 1], "!");
    EXPECT_EQ(loud.used, bang.used + 2);
}

TEST(Tokenizer, AnyBytesAreAText) {
    const auto clip = openClipTokenizer(kText + "tokenizer").value();
    const auto t5 = openT5Tokenizer(kText + "tokenizer_2").value();
    std::string all;
    for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
    const std::string big(3'000'000, 'x');
    for (const std::string& text : {all, std::string("\xed\xa0\x80 \xff\xfe", 6), std::string(1000, '\n'), big}) {
        EXPECT_EQ(clip->encode(text, 77).ids.size(), 77u);
        EXPECT_EQ(t5->encode(text, 256).ids.size(), 256u);
    }
}

TEST(Tokenizer, RefusesWhatIsNone) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "ropescope_tokenizer";
    std::filesystem::create_directories(folder);
    EXPECT_EQ(openClipTokenizer(folder.string()).error().code, "CF-05");
    EXPECT_EQ(openT5Tokenizer(folder.string()).error().code, "CF-05");
    const auto clip = [&](const std::string& words, const std::string& merges) {
        std::ofstream(folder / "vocab.json") << words;
        std::ofstream(folder / "merges.txt") << merges;
        const auto tokenizer = openClipTokenizer(folder.string());
        return tokenizer ? std::string("opened") : tokenizer.error().message();
    };
    EXPECT_NE(clip("[]", "").find("not a JSON object"), std::string::npos);
    EXPECT_NE(clip(R"({"a": -1})", "").find("no usable number"), std::string::npos);
    EXPECT_NE(clip(R"({"a": 1})", "").find("begin and end"), std::string::npos);
    EXPECT_NE(clip(R"({"<|startoftext|>": 0, "<|endoftext|>": 1})", "a b c\n").find("no pair"), std::string::npos);
    std::ofstream(folder / "spiece.model") << "no model";
    EXPECT_NE(openT5Tokenizer(folder.string()).error().message().find("sentencepiece"), std::string::npos);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ropescope
