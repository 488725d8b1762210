// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ropescope {

/// What a random number is for. Values are part of every training's result: never renumber.
enum class Stream : std::uint64_t { Weights = 1, Order = 2, Times = 3, Noise = 4, Labels = 5, Check = 6 };

/// Seed of one stream at one step: a pure function, so that a resumed training draws what the unbroken one drew
/// without storing any generator (SplitMix64 finaliser, applied once per argument).
[[nodiscard]] constexpr std::uint64_t streamSeed(std::uint64_t seed, Stream stream, std::uint64_t step) {
    std::uint64_t z = seed;
    for (const std::uint64_t word : {static_cast<std::uint64_t>(stream), step}) {
        z += 0x9E3779B97F4A7C15ULL * (word + 1);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        z ^= z >> 31;
    }
    return z;
}

}  // namespace ropescope
