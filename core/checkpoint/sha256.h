// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace ropescope {

/// SHA-256 (FIPS 180-4) as 64 hexadecimal digits. Checked by tests/core/checkpoint/sha256_test.cpp.
[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

}  // namespace ropescope
