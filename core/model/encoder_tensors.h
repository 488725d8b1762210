// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// Every tensor of a text encoder's file is one of `used` or fits one of the patterns of what does no harm. Errors:
/// TC-10 names the first that does neither: left out in silence it would change the text.
[[nodiscard]] Result<void> checkEncoderTensors(const TensorTable& table, const std::set<std::string>& used,
                                               std::initializer_list<std::string_view> harmless);

}  // namespace ropescope
