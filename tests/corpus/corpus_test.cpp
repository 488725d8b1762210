// SPDX-License-Identifier: Apache-2.0
// Every file of the corpus gets exactly its outcome: accepted, or refused with its code and one clear line.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <regex>

#include "core/checkpoint/tensor_table.h"
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

namespace fs = std::filesystem;

class Corpus : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-corpus-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
        m_before = fs::current_path();
        fs::current_path(m_folder);
    }
    void TearDown() override {
        // The hostile pickles would have made this file, had anything been run.
        EXPECT_FALSE(fs::exists(m_folder / "ropescope-was-here"));
        fs::current_path(m_before);
        fs::remove_all(m_folder);
    }

    [[nodiscard]] std::string written(const std::string& bytes, const std::string& suffix,
                                      std::uint64_t size = 0) const {
        const fs::path path = m_folder / ("file" + suffix);
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
        if (size) fs::resize_file(path, size);
        return path.string();
    }

    static Result<std::string> check(const std::string& path, int heads = 0) {
        ModelRef ref;
        ref.path = path;
        ref.heads = heads;
        return checkFile(ref);
    }

    static void expectWellFormed(const Error& error, const std::string& name, int exit = 1) {
        const std::string message = error.message();
        EXPECT_LE(message.size(), 400u) << name;
        EXPECT_TRUE(message.starts_with("[" + error.code + "] ")) << name << ": " << message;
        EXPECT_TRUE(message.ends_with(".")) << name << ": " << message;
        EXPECT_NE(message.find("file."), std::string::npos) << name << ": the file is not named: " << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << name;
        EXPECT_EQ(error.exitCode(), exit) << name;
    }

    void run(const std::vector<Case>& cases) const {
        for (const Case& c : cases) {
            const auto begin = std::chrono::steady_clock::now();
            const auto checked = check(written(c.bytes, c.suffix, c.sparseSize));
            const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
            EXPECT_LT(seconds.count(), 3.0) << c.name;
            if (c.code.empty()) {
                EXPECT_TRUE(checked) << c.name << ": " << checked.error().message();
                continue;
            }
            EXPECT_FALSE(checked) << c.name << " was accepted: " << *checked;
            if (checked) continue;
            const Error& error = checked.error();
            EXPECT_TRUE(c.code.ends_with("-") ? error.code.starts_with(c.code) : error.code == c.code)
                << c.name << ": " << error.message();
            EXPECT_NE(error.message().find(c.says), std::string::npos) << c.name << ": " << error.message();
            expectWellFormed(error, c.name, c.exit);
        }
    }

    fs::path m_folder, m_before;
};

TEST_F(Corpus, Safetensors) {
    run(safetensorsCases());
}
TEST_F(Corpus, Zip) {
    run(zipCases());
}
TEST_F(Corpus, Pickle) {
    run(pickleCases());
}
TEST_F(Corpus, Models) {
    run(modelCases());
}
TEST_F(Corpus, Wild) {
    EXPECT_GE(wildCases().size(), 120u);
    run(wildCases());
}
TEST_F(Corpus, GoodFiles) {
    const auto files = goodFiles();
    EXPECT_EQ(files.size(), 30u);
    run(files);
    // Accepted means readable: every tensor of every file has the bytes that its header promises.
    for (const Case& c : files) {
        const auto table = TensorTable::open(written(c.bytes, c.suffix));
        ASSERT_TRUE(table) << c.name;
        for (const TensorEntry& entry : table->tensors()) {
            const auto values = table->readDouble(entry.name);
            ASSERT_TRUE(values) << c.name << ": " << values.error().message();
            EXPECT_EQ(values->size(), static_cast<std::size_t>(entry.elements()));
        }
    }
}

TEST_F(Corpus, NamesOfIgnoredCallsAreTold) {
    for (const Case& c : pickleCases()) {
        if (!c.name.starts_with("PK-01 os.system")) continue;
        const auto table = TensorTable::open(written(c.bytes, c.suffix));
        ASSERT_TRUE(table);
        EXPECT_NE(std::find_if(table->notes().begin(), table->notes().end(),
                               [](const auto& note) { return note == "contains calls (os system): ignored, not run"; }),
                  table->notes().end());
    }
}

TEST_F(Corpus, ViewsAreRead) {
    std::string storage;
    for (const float value : {1.0f, 2.0f, 3.0f, 4.0f}) storage.append(reinterpret_cast<const char*>(&value), 4);
    const std::string body = "}" + pickledText("plain") + pickled({}) + "s" + pickledText("transposed") +
                             pickled({.shape = {2, 2}, .strides = {1, 2}}) + "s" + pickledText("expanded") +
                             pickled({.offset = 2, .shape = {3, 2}, .strides = {0, 1}}) + "s";
    const auto table = TensorTable::open(written(torchFile(body, {{"0", storage}}), ".pt"));
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_EQ(table->readFloat("plain").value(), (std::vector<float>{1, 2, 3, 4}));
    EXPECT_EQ(table->readFloat("transposed").value(), (std::vector<float>{1, 3, 2, 4}));
    EXPECT_EQ(table->readFloat("expanded").value(), (std::vector<float>{3, 4, 3, 4, 3, 4}));
}

TEST_F(Corpus, EveryPrefixOfAGoodFileIsRefused) {
    std::size_t cut = 0;
    for (const Case& c : goodFiles()) {
        if (c.bytes.size() > 1500) continue;
        const std::string path = written(c.bytes, c.suffix);
        for (std::size_t n = c.bytes.size(); n-- > 0; ++cut) {
            fs::resize_file(path, n);
            const auto checked = check(path);
            ASSERT_FALSE(checked) << c.name << " cut to " << n;
            expectWellFormed(checked.error(), c.name);
        }
    }
    EXPECT_GT(cut, 3000u);
}

TEST_F(Corpus, DamagedBytesNeverCrash) {
    std::mt19937 random(7);
    const auto files = goodFiles();
    for (int i = 0; i < 1000; ++i) {
        const Case& c = files[random() % files.size()];
        std::string bytes = c.bytes;
        for (std::size_t k = 1 + random() % 4; k-- > 0 && !bytes.empty();) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        const std::string path = written(bytes, c.suffix);
        const auto checked = check(path);
        if (!checked) {
            expectWellFormed(checked.error(), c.name);
            continue;
        }
        const auto table = TensorTable::open(path);
        ASSERT_TRUE(table);
        for (const TensorEntry& entry : table->tensors()) EXPECT_TRUE(table->read(entry.name));
    }
}

TEST_F(Corpus, WhatIsNoFileIsRefusedAtOnce) {
    ASSERT_EQ(::mkfifo((m_folder / "file.pipe").c_str(), 0600), 0);
    fs::create_directory(m_folder / "file.folder");
    fs::create_symlink("nowhere", m_folder / "file.link");
    for (const char* name : {"file.pipe", "file.folder", "file.link", "file.missing"}) {
        const auto checked = check((m_folder / name).string());
        ASSERT_FALSE(checked) << name;
        EXPECT_EQ(checked.error().code, "ST-21") << name;
        expectWellFormed(checked.error(), name);
    }
    EXPECT_EQ(check("/dev/zero").error().code, "ST-21");
}

TEST_F(Corpus, FileThatShrinksWhileOpenGivesAnError) {
    const std::string path =
        written(safetensorsFile(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", std::string(8, '\0')),
                ".safetensors");
    const auto table = TensorTable::open(path);
    ASSERT_TRUE(table);
    fs::resize_file(path, 20);
    const auto read = table->read("a");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, "ST-19");
}

/// The headers of real small models of every architecture; their data is a hole in the file.
TEST_F(Corpus, HeadersOfTheReferenceModels) {
    const std::map<std::string, std::string> expected = {{"flux_tiny_diffusers", "flux with axial"},
                                                         {"sd3_tiny_diffusers", "mmdit with absolute"},
                                                         {"sd35_tiny_diffusers", "mmdit with absolute"},
                                                         {"vae_tiny_diffusers", "vae with none"},
                                                         {"vit_tiny_patch16_224", "vit with absolute"},
                                                         {"vit_tiny_patch16_rope_224", "vit with axial"},
                                                         {"vit_tiny_patch16_rope_ape_224", "vit with axial"},
                                                         {"vit_tiny_patch16_rope_mixed_224", "vit with mixed"},
                                                         {"vit_tiny_patch16_rope_mixed_ape_224", "vit with mixed"}};
    const fs::path headers = fs::path(ROPESCOPE_SOURCE_DIR) / "tests/golden/headers";
    std::size_t found = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(headers)) {
        if (entry.path().extension() != ".header") continue;
        const std::string name = entry.path().stem().stem().string();
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string header((std::istreambuf_iterator<char>(in)), {});
        std::uint64_t end = 0;
        const std::regex offsets(R"("data_offsets":\[\d+,(\d+)\])");
        for (std::sregex_iterator it(header.begin(), header.end(), offsets), none; it != none; ++it) {
            end = std::max<std::uint64_t>(end, std::stoull((*it)[1]));
        }
        const std::string path = written(header, ".safetensors", header.size() + end);
        const fs::path config = headers / (name + ".config.json"), beside = m_folder / "file.config.json";
        fs::remove(beside);
        if (fs::exists(config)) fs::copy_file(config, beside);
        const auto checked = check(path);
        ASSERT_TRUE(checked) << name << ": " << checked.error().message();
        const auto want = expected.find(name);
        if (want == expected.end()) continue;
        EXPECT_NE(checked->find(want->second), std::string::npos) << name << ": " << *checked;
        ++found;
    }
    EXPECT_EQ(found, expected.size());
}

}  // namespace
}  // namespace ropescope::corpus
