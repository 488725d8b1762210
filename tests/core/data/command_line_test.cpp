// SPDX-License-Identifier: Apache-2.0
#include "core/data/command_line.h"

#include <gtest/gtest.h>

namespace ropescope {
namespace {

TEST(CommandLine, QuotesWordsForTheShell) {
    EXPECT_EQ(shellWord("/a/b-c_1.pt"), "/a/b-c_1.pt");
    EXPECT_EQ(shellWord("it's here; rm"), "'it'\\''s here; rm'");
    EXPECT_EQ(shellWord(""), "''");
}

TEST(CommandLine, NumbersReadBackAsTheyWere) {
    EXPECT_EQ(numberWord(10000), "10000");
    EXPECT_EQ(numberWord(0.1), "0.1");
    EXPECT_EQ(std::stod(numberWord(1234567.875)), 1234567.875);
}

TEST(CommandLine, SaysAllThatDecidesHowAModelIsRead) {
    EXPECT_EQ(modelOptions({}), "");
    ModelRef ref;
    ref.path = "/m.pt";
    ref.weights = "model";
    ref.convention = Convention::Inverse;
    ref.mapTokens = MapTokens::PatchesOnly;
    ref.heads = 6, ref.grid = {7, 9}, ref.theta = 1234567.5;
    ref.config = "/a b.json", ref.adapter = "/maps.safetensors";
    ref.loras = {{"/l.safetensors", 0.25}};
    EXPECT_EQ(modelOptions(ref),
              " --weights model --convention inverse --map-tokens patches --heads 6 --grid 7x9 --theta 1234567.5"
              " --config '/a b.json' --adapter /maps.safetensors --lora /l.safetensors:0.25");
    ModelRef changed;
    changed.changes.emplace_back().on = false;
    EXPECT_EQ(modelOptions(changed), "");
    changed.changes.emplace_back();
    EXPECT_EQ(modelOptions(changed), " --variation VARIATION.json");
}

}  // namespace
}  // namespace ropescope
