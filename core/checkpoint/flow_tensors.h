// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/model_card.h"

namespace ropescope {

/// Names (those of the first release) and shapes of a FLUX.1 or MMDiT (SD3, SD3.5) transformer of the card's sizes, its
/// maps aside. What the card does not hold (width of the text, guidance, norms of queries and keys, second attentions)
/// is what the file shows. Empty for other architectures.
[[nodiscard]] std::map<std::string, std::vector<std::int64_t>> flowTensors(const TensorTable& table,
                                                                           const ModelCard& card);

}  // namespace ropescope
