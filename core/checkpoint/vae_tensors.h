// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// Names (of the first release) and possible shapes of an image autoencoder with as many levels and blocks as the file
/// has: every level has as many blocks as the fullest, so that a missing one is seen. Linear layers of its attention
/// may be 1x1 convolutions.
[[nodiscard]] std::map<std::string, std::vector<std::vector<std::int64_t>>> vaeTensors(const TensorTable& table);

}  // namespace ropescope
