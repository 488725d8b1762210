// SPDX-License-Identifier: Apache-2.0
#include "core/model/encoder_tensors.h"

#include <algorithm>

#include "core/checkpoint/names.h"

namespace ropescope {

Result<void> checkEncoderTensors(const TensorTable& table, const std::set<std::string>& used,
                                 std::initializer_list<std::string_view> harmless) {
    for (const TensorEntry& entry : table.tensors()) {
        const bool known = used.contains(entry.name) || std::ranges::any_of(harmless, [&](std::string_view pattern) {
                               return matchesPattern(entry.name, pattern);
                           });
        if (!known)
            return failure({ErrorKind::Refused, "TC-10", place({table.path(), entry.name}),
                            "this tensor does not belong to such a text encoder", "", "",
                            "Use the text encoder of the model"});
    }
    return {};
}

}  // namespace ropescope
