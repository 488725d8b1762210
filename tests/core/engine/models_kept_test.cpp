// SPDX-License-Identifier: Apache-2.0
#include "core/engine/machine/models_kept.h"

#include <gtest/gtest.h>

namespace ropescope {
namespace {

/// Asks for a model of that name and size; says whether it was read.
bool reads(ModelsKept<int>& kept, const std::string& name, std::uint64_t bytes = 0) {
    Identity identity;
    identity.ref.path = name;
    bool read = false;
    const auto value = kept.get(identity, at::kCPU, [&](const auto& room) -> Result<std::shared_ptr<int>> {
        room(bytes);
        read = true;
        return std::make_shared<int>(0);
    });
    EXPECT_TRUE(value);
    return read;
}

TEST(ModelsKept, TheLastFourStay) {
    ModelsKept<int> kept;
    for (const char* name : {"a", "b", "c", "d"}) EXPECT_TRUE(reads(kept, name));
    EXPECT_FALSE(reads(kept, "a"));  // asked for last
    EXPECT_TRUE(reads(kept, "e"));
    EXPECT_EQ(kept.count(), 4u);
    EXPECT_FALSE(reads(kept, "a"));
    EXPECT_TRUE(reads(kept, "b")) << "the one that was not asked for longest goes";
    kept.forget();
    EXPECT_TRUE(reads(kept, "a"));
}

TEST(ModelsKept, HalfOfTheFreeMemoryIsTheLimit) {
    const std::uint64_t free = freeBytes(at::kCPU);
    if (free == 0) GTEST_SKIP() << "this machine does not say what is free";
    ModelsKept<int> kept;
    EXPECT_TRUE(reads(kept, "small", free / 20));
    EXPECT_TRUE(reads(kept, "other", free / 20));
    EXPECT_FALSE(reads(kept, "small", free / 20));
    EXPECT_TRUE(reads(kept, "large", free));
    EXPECT_EQ(kept.count(), 1u) << "kept alone, after the others went";
    EXPECT_FALSE(reads(kept, "large", free));
    EXPECT_TRUE(reads(kept, "small", free / 20));
}

TEST(ModelsKept, WhatFailsIsNotKept) {
    ModelsKept<int> kept;
    const auto failed = kept.get({}, at::kCPU, [](const auto&) -> Result<std::shared_ptr<int>> {
        return failure({ErrorKind::Refused, "no", "", "", "", "", ""});
    });
    EXPECT_FALSE(failed);
    EXPECT_EQ(kept.count(), 0u);
}

}  // namespace
}  // namespace ropescope
