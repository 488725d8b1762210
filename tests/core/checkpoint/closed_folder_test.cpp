// SPDX-License-Identifier: Apache-2.0
// Files and folders that the user may not read are no empty ones. The tests read as another user, for whom rights
// count.
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

constexpr auto kNobody = 65534;
constexpr auto kOpen = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read |
                       fs::perms::others_exec;
constexpr const char* kNoOther = "cannot become another user";

class ClosedFolder : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-closed-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
        fs::permissions(m_folder, kOpen);
    }
    void TearDown() override {
        for (const auto& entry : fs::directory_iterator(m_folder))
            if (!entry.is_symlink()) fs::permissions(entry.path(), kOpen);
        fs::remove_all(m_folder);
    }
    [[nodiscard]] std::string folder(const std::string& name, fs::perms rights) const {
        fs::create_directories(m_folder / name);
        fs::permissions(m_folder / name, rights);
        return (m_folder / name).string();
    }

    /// What opening says to somebody without rights of his own.
    static std::string told(const std::string& path) {
        int ends[2];
        if (::pipe(ends) != 0) return "no pipe";
        const pid_t child = ::fork();
        if (child == 0) {
            const std::string text = toldToNobody(path);
            const bool written = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
            ::_exit(written ? 0 : 1);
        }
        ::close(ends[1]);
        std::string text;
        char part[512];
        for (ssize_t n; (n = ::read(ends[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
        ::close(ends[0]);
        ::waitpid(child, nullptr, 0);
        return text;
    }

    fs::path m_folder;

private:
    static std::string toldToNobody(const std::string& path) {
        const bool root = ::geteuid() == 0;
        if (root && (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) return kNoOther;
        const auto table = TensorTable::open(path);
        return table ? "opened" : table.error().message();
    }
};

TEST_F(ClosedFolder, SaysThatItCannotBeRead) {
    const std::string closed = folder("closed", fs::perms::none);
    const std::string found = told(closed);
    if (found == kNoOther) GTEST_SKIP() << found;
    EXPECT_EQ(found, "[ST-21] " + closed +
                         ": the folder cannot be read (found Permission denied). Give yourself the right to read it, "
                         "or choose another.");
    // Its names may be listed, but no file in it be opened.
    const std::string listed = folder("listed", fs::perms::owner_read | fs::perms::others_read);
    EXPECT_NE(told(listed).find(listed + ": the folder cannot be read (found Permission denied)"), std::string::npos);
    EXPECT_NE(told(folder("empty", kOpen)).find("the folder holds no weights"), std::string::npos);
}

TEST_F(ClosedFolder, AClosedPartIsNamed) {
    const std::string part = folder("transformer", fs::perms::none);
    const std::string found = told(m_folder.string());
    if (found == kNoOther) GTEST_SKIP() << found;
    EXPECT_NE(found.find(part + ": the folder cannot be read"), std::string::npos) << found;
}

TEST_F(ClosedFolder, AFileLikewise) {
    const fs::path file = m_folder / "model.safetensors";
    std::ofstream(file) << "12345678";
    fs::permissions(file, fs::perms::none);
    const std::string found = told(m_folder.string());
    if (found == kNoOther) GTEST_SKIP() << found;
    EXPECT_EQ(found, "[ST-21] " + file.string() + ": cannot open: Permission denied.");
    const std::string inside = folder("closed", fs::perms::none) + "/model.safetensors";
    EXPECT_EQ(told(inside), "[ST-21] " + inside + ": cannot open: Permission denied.");
}

/// A part of several that lies where the user may not look is not missing.
TEST_F(ClosedFolder, APartOfSeveralIsNotMissing) {
    const std::string closed = folder("closed", fs::perms::none);
    const fs::path index = m_folder / "model.safetensors.index.json";
    fs::create_symlink(closed + "/part", m_folder / "model-00001-of-00001.safetensors");
    std::ofstream(index) << R"({"weight_map":{"w":"model-00001-of-00001.safetensors"}})";
    const std::string found = told(index.string());
    if (found == kNoOther) GTEST_SKIP() << found;
    EXPECT_NE(found.find("cannot open: Permission denied"), std::string::npos) << found;
}

}  // namespace
}  // namespace ropescope
