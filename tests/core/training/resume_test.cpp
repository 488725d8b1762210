// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "core/checkpoint/tensor_table.h"
#include "core/training/train_command.h"
#include "tests/core/training/idx_folder.h"

namespace ropescope {
namespace {

std::vector<std::string> arguments(const IdxFolder& data, const std::string& out) {
    return {"--data",         data.path(), "--out",      out,  "--convention", "inverse", "--layers", "1",
            "--heads",        "2",         "--head-dim", "8",  "--patch",      "2",       "--batch",  "8",
            "--steps",        "300",       "--warmup",   "10", "--save-every", "7",       "--series", "3",
            "--map-lr-scale", "5"};
}

// A child process, so that it can be killed like a real one.
pid_t start(const IdxFolder& data, const std::string& out) {
    const pid_t child = fork();
    if (child != 0) return child;
    const int code = runTrain(arguments(data, out));
    _exit(code);
}

int finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string bytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Kills after a random time in which the training went on by at least one state file, five times.
TEST(Resume, FiveKillsChangeNothing) {
    const IdxFolder data("ropescope-resume");
    const std::string unbroken = data.file("unbroken"), broken = data.file("broken");
    ASSERT_EQ(finish(start(data, unbroken)), 0);
    std::mt19937 random(20);
    int killed = 0;
    for (int kill5 = 0; kill5 < 5; ++kill5) {
        const std::string before = bytesOf(broken + "/state.safetensors");
        const pid_t child = start(data, broken);
        while (bytesOf(broken + "/state.safetensors") == before)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
        kill(child, SIGKILL);
        if (finish(child) == -SIGKILL) ++killed;
        ASSERT_FALSE(std::filesystem::exists(broken + "/model.safetensors")) << "finished before the kill " << kill5;
    }
    EXPECT_EQ(killed, 5);
    ASSERT_EQ(finish(start(data, broken)), 0);
    const std::string expected = bytesOf(unbroken + "/model.safetensors");
    ASSERT_GT(expected.size(), 10000u);
    EXPECT_TRUE(expected == bytesOf(broken + "/model.safetensors"));
    EXPECT_TRUE(bytesOf(unbroken + "/loss.csv") == bytesOf(broken + "/loss.csv"));
    int series = 0;
    for (const auto& file : std::filesystem::directory_iterator(unbroken + "/series")) {
        EXPECT_TRUE(bytesOf(file.path()) == bytesOf(broken + "/series/" + file.path().filename().string()));
        ++series;
    }
    EXPECT_EQ(series, 3);
    ModelRef ref;
    ref.path = unbroken + "/model.safetensors";
    const ModelCard card = openCard(ref).value();
    EXPECT_EQ(card.encoding, "harope");
    EXPECT_EQ(card.convention, Convention::Inverse);
    EXPECT_EQ(card.objective, "flow");
    EXPECT_EQ(card.grid, (Grid{4, 4}));
    EXPECT_EQ(card.series.size(), 3u);
}

TEST(Resume, OtherSettingsAreRefusedAndBadOnesAreUsageErrors) {
    const IdxFolder data("ropescope-refuse");
    std::vector<std::string> first = arguments(data, data.file("out"));
    first[std::distance(first.begin(), std::find(first.begin(), first.end(), "300"))] = "7";
    const auto inChild = [](const std::vector<std::string>& list) {
        const pid_t child = fork();
        if (child == 0) _exit(runTrain(list));
        return finish(child);
    };
    EXPECT_EQ(inChild(first), 0);
    std::vector<std::string> other = first;
    other.insert(other.end(), {"--seed", "9"});
    EXPECT_EQ(inChild(other), 1);
    EXPECT_EQ(inChild({"--out", data.file("x"), "--encoding", "harope"}), 2);
    EXPECT_EQ(inChild({"--out", data.file("x"), "--encoding", "nonsense"}), 2);
    EXPECT_EQ(inChild({"--out", data.file("x"), "--encoding", "axial", "--device", "cuda:99"}), 3);
    EXPECT_EQ(inChild({"--out", data.file("x"), "--encoding", "axial", "--data", "/nowhere"}), 1);
}

}  // namespace
}  // namespace ropescope
