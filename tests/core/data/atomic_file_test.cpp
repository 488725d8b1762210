// SPDX-License-Identifier: Apache-2.0
// EX-01 and EX-03: whatever happens during a save, the old or the new file is there and no litter stays.
#include "core/data/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-atomic-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
        m_path = m_folder / "model.safetensors";
    }
    void TearDown() override { fs::remove_all(m_folder); }

    static std::vector<std::byte> filled(std::size_t size, char c) {
        return std::vector<std::byte>(size, static_cast<std::byte>(c));
    }
    [[nodiscard]] std::string content() const {
        std::ifstream in(m_path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    [[nodiscard]] std::ptrdiff_t filesInFolder() const {
        return std::distance(fs::directory_iterator(m_folder), fs::directory_iterator());
    }

    fs::path m_folder, m_path;
};

TEST_F(AtomicFile, WritesAndReplaces) {
    ASSERT_TRUE(writeFileAtomically(m_path.string(), {filled(3, 'a'), filled(2, 'b')}));
    EXPECT_EQ(content(), "aaabb");
    ASSERT_TRUE(writeFileAtomically(m_path.string(), {filled(1, 'c')}));
    EXPECT_EQ(content(), "c");
    EXPECT_EQ(filesInFolder(), 1);
}

TEST_F(AtomicFile, FolderAsTargetIsRefused) {
    const auto written = writeFileAtomically(m_folder.string(), {filled(1, 'a')});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, "EX-02");
}

TEST_F(AtomicFile, MissingFolderIsRefusedWithItsReason) {
    const auto written = writeFileAtomically((m_folder / "no" / "f").string(), {filled(1, 'a')});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, "EX-01");
    EXPECT_NE(written.error().message().find("No such file"), std::string::npos);
}

/// Runs a save of 1 MiB in a child that may write `limit` bytes into one file; returns the child's exit code.
int saveUnderLimit(const fs::path& path, rlim_t limit) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit bound{limit, limit};
        ::setrlimit(RLIMIT_FSIZE, &bound);
        const std::vector<std::byte> bytes(1 << 20, std::byte{'n'});
        const auto written = writeFileAtomically(path.string(), {bytes});
        ::_exit(written ? 0 : written.error().code == "EX-01" ? 10 : 11);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(AtomicFile, FullDiskKeepsTheOldFile) {
    ASSERT_TRUE(writeFileAtomically(m_path.string(), {filled(5, 'o')}));
    for (rlim_t limit : {rlim_t{0}, rlim_t{1}, rlim_t{4096}, rlim_t{500'000}, rlim_t{(1 << 20) - 1}}) {
        EXPECT_EQ(saveUnderLimit(m_path, limit), 10) << limit;
        EXPECT_EQ(content(), "ooooo") << limit;
        EXPECT_EQ(filesInFolder(), 1) << limit;
    }
    EXPECT_EQ(saveUnderLimit(m_path, 1 << 20), 0);
    EXPECT_EQ(content(), std::string(1 << 20, 'n'));
}

TEST_F(AtomicFile, KilledDuringSaveLeavesOldOrNew) {
    const std::size_t size = 4 << 20;
    ASSERT_TRUE(writeFileAtomically(m_path.string(), {filled(size, 'o')}));
    for (int i = 0; i < 20; ++i) {
        const char fresh = static_cast<char>('a' + i);
        const std::string before = content();
        const pid_t child = ::fork();
        if (child == 0) {
            (void)writeFileAtomically(m_path.string(), {filled(size, fresh)});
            ::_exit(0);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(300 * i));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        const std::string after = content();
        EXPECT_TRUE(after == before || after == std::string(size, fresh)) << "kill " << i;
    }
    ASSERT_TRUE(writeFileAtomically(m_path.string(), {filled(1, 'z')}));
    EXPECT_EQ(filesInFolder(), 1) << "the next save removes what killed ones left";
}

}  // namespace
}  // namespace ropescope
