// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>

namespace ropescope {

/// One attention head, always written L4.H2 (both counted from 0).
struct HeadId {
    int layer = 0;
    int head = 0;
    [[nodiscard]] std::string name() const {
        return std::string("L").append(std::to_string(layer)).append(".H").append(std::to_string(head));
    }
    auto operator<=>(const HeadId&) const = default;
};

template <class V>
void fields(V& v, HeadId& h) {
    v("layer", h.layer), v("head", h.head);
}

}  // namespace ropescope
