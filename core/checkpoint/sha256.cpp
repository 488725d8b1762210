// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/sha256.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace ropescope {
namespace {

/// First 32 bits of the fractional part of the `root`-th root of the first primes, which is where the standard's
/// constants come from. long double holds enough digits for 32 bits of a cube root.
template <std::size_t N>
std::array<std::uint32_t, N> primeRoots(int root) {
    std::array<std::uint32_t, N> out{};
    std::size_t count = 0;
    for (unsigned candidate = 2; count < N; ++candidate) {
        bool prime = true;
        for (unsigned d = 2; d * d <= candidate; ++d) prime = prime && candidate % d != 0;
        if (!prime) continue;
        const long double value =
            root == 2 ? std::sqrt(static_cast<long double>(candidate)) : std::cbrt(static_cast<long double>(candidate));
        out[count++] = static_cast<std::uint32_t>((value - std::floor(value)) * 4294967296.0L);
    }
    return out;
}

void compress(std::array<std::uint32_t, 8>& state, const std::byte* block) {
    static const auto kRound = primeRoots<64>(3);
    std::uint32_t w[64];
    for (int i = 0; i < 16; ++i) {
        w[i] = 0;
        for (int k = 0; k < 4; ++k) w[i] = w[i] << 8 | std::to_integer<std::uint32_t>(block[4 * i + k]);
    }
    for (int i = 16; i < 64; ++i) {
        const std::uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
               (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto v = state;
    for (int i = 0; i < 64; ++i) {
        const std::uint32_t s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
        const std::uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + kRound[i] + w[i];
        const std::uint32_t s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
        const std::uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
    }
    for (int i = 0; i < 8; ++i) state[i] += v[i];
}

}  // namespace

std::string sha256(std::span<const std::byte> bytes) {
    auto state = primeRoots<8>(2);
    std::vector<std::byte> tail(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 64 * 64), bytes.end());
    tail.push_back(std::byte{0x80});
    while (tail.size() % 64 != 56) tail.push_back(std::byte{0});
    const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
    for (int i = 7; i >= 0; --i) tail.push_back(static_cast<std::byte>(bits >> (8 * i)));
    for (std::size_t i = 0; i + 64 <= bytes.size(); i += 64) compress(state, bytes.data() + i);
    for (std::size_t i = 0; i < tail.size(); i += 64) compress(state, tail.data() + i);
    std::string hex;
    for (std::uint32_t word : state) {
        for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[word >> shift & 15];
    }
    return hex;
}

}  // namespace ropescope
