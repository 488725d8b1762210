// SPDX-License-Identifier: Apache-2.0
// What a header says: shapes decide, the configuration only where they are silent.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/checkpoint/sha256.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, Array>;
using Texts = std::map<std::string, std::string>;

const std::string kGolden = std::string(ROPESCOPE_SOURCE_DIR) + "/tests/golden/";

class Recognise : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-recognise-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
    }
    void TearDown() override { fs::remove_all(m_folder); }

    Result<ModelCard> card(const Arrays& arrays, const Texts& metadata = {}, ModelRef ref = {}) const {
        ref.path = (m_folder / "model.safetensors").string();
        EXPECT_TRUE(writeSafetensors(ref.path, arrays, metadata));
        return openCard(ref);
    }

    fs::path m_folder;
};

Array zeros(std::vector<std::int64_t> shape) {
    Array array{DType::F32, std::move(shape), {}};
    array.bytes.resize(static_cast<std::size_t>(array.elements()) * 4);
    return array;
}

ModelRef withHeads(int heads) {
    ModelRef ref;
    ref.heads = heads;
    return ref;
}

ModelRef golden(const std::string& name, int heads = 0) {
    ModelRef ref = withHeads(heads);
    ref.path = kGolden + name;
    return ref;
}

/// Enough of a DiT for a header: width 24, patch 2, 3 classes.
Arrays smallDit(int layers) {
    Arrays arrays = {{"x_embedder.proj.weight", zeros({24, 1, 2, 2})},
                     {"y_embedder.embedding_table.weight", zeros({4, 24})},
                     {"final_layer.linear.weight", zeros({4, 24})}};
    for (int i = 0; i < layers; ++i) arrays["blocks." + std::to_string(i) + ".attn.qkv.weight"] = zeros({72, 24});
    return arrays;
}

TEST_F(Recognise, AuthorsContainer) {
    const auto card = openCard(golden("harope_dit_tiny.pt"));
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_EQ(card->architecture, "dit");
    EXPECT_EQ(card->encoding, "harope");
    EXPECT_EQ(card->convention, Convention::Inverse);
    EXPECT_EQ(card->layers, 2);
    EXPECT_EQ(card->heads, 3);
    EXPECT_EQ(card->headDim, 16);
    EXPECT_EQ(card->width, 48);
    EXPECT_EQ(card->grid, (Grid{16, 16})) << "256 / 8 / 2";
    EXPECT_EQ(card->gridSource, "args.image_size / 8 / patch");
    EXPECT_EQ(card->classes, 5);
    EXPECT_TRUE(card->learnedVariance);
    EXPECT_EQ(card->objective, "ddpm");
    EXPECT_EQ(card->theta, 10000);
    EXPECT_EQ(card->name, "harope_dit_tiny");
}

TEST_F(Recognise, TheFingerprintIsOfTheBeginningAndTheSize) {
    constexpr std::size_t kBeginning = 64 << 10;
    const std::string path = (m_folder / "model.safetensors").string();
    const auto fingerprint = [&](std::vector<float> values) {
        const auto count = static_cast<std::int64_t>(values.size());
        EXPECT_TRUE(writeSafetensors(path, {{"w", makeArray(std::span<const float>(values), {count})}}));
        ModelRef ref;
        ref.path = path;
        return describeFile(ref).value().fingerprint;
    };
    std::vector<float> values(50'000, 1);
    const std::string plain = fingerprint(values);
    std::ifstream in(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::uint64_t size = bytes.size();
    bytes.resize(kBeginning);
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(size >> (8 * i));
    EXPECT_EQ(plain, sha256(std::as_bytes(std::span(bytes))));
    values.back() = 2;
    EXPECT_EQ(fingerprint(values), plain) << "behind the beginning";
    values.front() = 2;
    EXPECT_NE(fingerprint(values), plain);
}

TEST_F(Recognise, OptionsWinOverGuesses) {
    ModelRef ref = golden("harope_dit_tiny.pt");
    ref.convention = Convention::Same;
    ref.grid = {4, 4};
    ref.theta = 100;
    const auto card = openCard(ref);
    ASSERT_TRUE(card);
    EXPECT_EQ(card->convention, Convention::Same);
    EXPECT_EQ(card->grid, (Grid{4, 4}));
    EXPECT_EQ(card->theta, 100);
}

TEST_F(Recognise, BareDitNeedsHeads) {
    const auto refused = openCard(golden("dit_ape_tiny.pt"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().exitCode(), 2);
    EXPECT_NE(refused.error().message().find("--heads"), std::string::npos);
    const auto card = openCard(golden("dit_ape_tiny.pt", 3));
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_EQ(card->encoding, "absolute");
    EXPECT_EQ(card->convention, Convention::None);
    EXPECT_EQ(card->grid, (Grid{4, 4}));
    EXPECT_EQ(card->gridSource, "pos_embed");
    EXPECT_EQ(card->axes, 0);
}

TEST_F(Recognise, BareHaropeDoesNotGuessTheConvention) {
    Arrays arrays = smallDit(2);
    for (const char* name : {"blocks.0.attn.learnable_rot.A_u", "blocks.1.attn.learnable_rot.A_u"}) {
        arrays[name] = zeros({3, 8, 8});
    }
    const auto unknown = card(arrays);
    ASSERT_TRUE(unknown) << unknown.error().message();
    EXPECT_EQ(unknown->convention, Convention::Unknown);
    EXPECT_EQ(unknown->heads, 3);
    EXPECT_FALSE(unknown->sharedMaps);
    const auto said = card(arrays, {{"harope.convention", "same"}});
    ASSERT_TRUE(said);
    EXPECT_EQ(said->convention, Convention::Same);
}

TEST_F(Recognise, MapsSharedByALayersHeads) {
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{8, 8}, {1, 8, 8}}) {
        Arrays arrays = smallDit(1);
        arrays["blocks.0.attn.learnable_rot.A_u"] = zeros(shape);
        const auto shared = card(arrays);
        ASSERT_TRUE(shared) << shared.error().message();
        EXPECT_EQ(shared->headDim, 8);
        EXPECT_EQ(shared->heads, 3);
        EXPECT_TRUE(shared->sharedMaps);
    }
}

TEST_F(Recognise, OwnMetadata) {
    const std::string config = R"({"architecture":"dit","encoding":"axial","theta":100,"objective":"flow","classes":3,)"
                               R"("class_names":["a","b","c"],"heads":3,"grid":[5,7],"patch":2,"name":"mine"})";
    fs::create_directories(m_folder / "series");
    for (const char* name : {"step-10", "step-9", "step-000100"}) {
        ASSERT_TRUE(writeSafetensors((m_folder / "series" / name).string() + ".safetensors", {}));
    }
    const auto own = card(smallDit(2), {{"ropescope.config", config}});
    ASSERT_TRUE(own) << own.error().message();
    EXPECT_EQ(own->encoding, "axial");
    EXPECT_EQ(own->theta, 100);
    EXPECT_EQ(own->objective, "flow");
    EXPECT_EQ(own->grid, (Grid{5, 7}));
    EXPECT_EQ(own->gridSource, "own metadata");
    EXPECT_EQ(own->classNames, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(own->name, "mine");
    ASSERT_EQ(own->series.size(), 3u);
    EXPECT_TRUE(own->series[0].ends_with("step-9.safetensors"));
    EXPECT_TRUE(own->series[2].ends_with("step-000100.safetensors"));
}

TEST_F(Recognise, SeriesFileHoldsOnlyProjections) {
    const auto part = card({{"blocks.0.attn.qkv.weight", zeros({72, 24})}},
                           {{"ropescope.config", R"({"architecture":"dit","heads":3,"patch":4,"grid":[7,7],)"
                                                 R"("content":"projections and maps","encoding":"axial"})"}});
    ASSERT_TRUE(part) << part.error().message();
    EXPECT_EQ(part->width, 24);
    EXPECT_EQ(part->patch, 4);
}

TEST_F(Recognise, PrefixesComeOff) {
    Arrays arrays;
    for (const auto& [name, array] : smallDit(1)) arrays["module._orig_mod." + name] = array;
    const auto stripped = card(arrays, {}, withHeads(3));
    ASSERT_TRUE(stripped) << stripped.error().message();
    EXPECT_EQ(stripped->layers, 1);
}

TEST_F(Recognise, EmaAndModelInOneFlatFile) {
    Arrays arrays;
    for (const auto& [name, array] : smallDit(1)) {
        arrays["ema." + name] = array;
        arrays["model." + name] = array;
        arrays["opt." + name] = array;
    }
    const auto one = card(arrays, {}, withHeads(3));
    ASSERT_TRUE(one) << one.error().message();
    EXPECT_EQ(one->parameters, 24 * 4 + 4 * 24 + 4 * 24 + 72 * 24);
}

TEST_F(Recognise, UnusableSizesAreRefusedWithTheNumbers) {
    const auto uneven = card(smallDit(1), {}, withHeads(5));
    ASSERT_FALSE(uneven);
    EXPECT_EQ(uneven.error().code, "TC-08");
    EXPECT_NE(uneven.error().message().find("24"), std::string::npos);
    const auto odd = card(smallDit(1), {}, withHeads(4));
    ASSERT_FALSE(odd) << "6 features cannot be two axes of planes";
    Arrays deep = smallDit(1);
    deep["blocks.99999999999.attn.qkv.weight"] = zeros({1});
    EXPECT_EQ(card(deep, {}, withHeads(3)).error().code, "TC-08");
}

TEST_F(Recognise, BadConfigurationNamesTheKey) {
    for (const char* config : {R"({"patch":0})", R"({"heads":"12"})", R"({"theta":-1})", R"({"classes":1e99})"}) {
        const auto refused = card(smallDit(1), {{"ropescope.config", config}}, withHeads(3));
        ASSERT_FALSE(refused) << config;
        EXPECT_EQ(refused.error().code, "CF-02") << config;
    }
    for (const char* config : {"", "[]", "{", R"({"a":1,"a":2})"}) {
        const auto refused = card(smallDit(1), {{"ropescope.config", config}}, withHeads(3));
        ASSERT_FALSE(refused) << config;
        EXPECT_EQ(refused.error().code, "CF-01") << config;
    }
}

TEST_F(Recognise, LongMetadataIsCutBetweenCharacters) {
    std::string text = "x";
    for (int i = 0; i < 20'000; ++i) text += "\u00e4";
    const auto cut = card(smallDit(1), {{"text", text}}, withHeads(3));
    ASSERT_TRUE(cut) << cut.error().message();
    const std::string& shown = cut->metadata.at("text");
    EXPECT_LT(shown.size(), text.size() / 2);
    EXPECT_EQ(shown, text.substr(0, shown.size() - 3) + "...");
    EXPECT_EQ(shown.size() % 2, 0u) << "one byte, pairs of bytes, three points";
}

TEST_F(Recognise, OtherTensorsAreNoModel) {
    const auto refused = card({{"noise", zeros({1, 4, 8, 8})}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "unknown-model");
    EXPECT_EQ(refused.error().exitCode(), 1);
    const auto diffusers = card({{"transformer_blocks.0.attn1.to_q.weight", zeros({8, 8})}});
    ASSERT_FALSE(diffusers);
    EXPECT_NE(diffusers.error().message().find("diffusers"), std::string::npos);
}

/// The examples of FIPS 180-4.
TEST(Sha256, StandardExamples) {
    const auto of = [](std::string_view text) { return sha256(std::as_bytes(std::span(text.data(), text.size()))); };
    EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace ropescope
