// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/error.h"

namespace ropescope {

/// Noise of a file: the tensor of one of these names, or the only one; float32 [n,channels,h,w]. Errors: those of
/// reading; Usage naming `option` when there is none of that form.
[[nodiscard]] Result<at::Tensor> readNoise(const std::string& option, const std::string& path,
                                           std::initializer_list<std::string_view> names, std::int64_t channels);

/// "[2,4,32,32]"
[[nodiscard]] std::string sidesText(const std::vector<std::int64_t>& sides);

}  // namespace ropescope
