// SPDX-License-Identifier: Apache-2.0
#include "core/data/request.h"

#include <type_traits>

namespace ropescope {

bool isHeavy(const Request& request) {
    return std::visit([](const auto& asked) { return rowOf<std::decay_t<decltype(asked)>>(kExchanges).heavy(asked); },
                      request);
}

}  // namespace ropescope
