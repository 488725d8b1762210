// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/data/network_variant.h"

namespace ropescope {

/// Tensors that a network has, by name.
using ShapeTable = std::map<std::string, std::vector<std::int64_t>>;

inline void addLinear(ShapeTable& all, const std::string& name, std::int64_t out, std::int64_t in) {
    all[name + ".weight"] = {out, in};
    all[name + ".bias"] = {out};
}

/// The parameters that such a norm has.
inline void addNorm(ShapeTable& all, const std::string& name, Norm norm, std::int64_t width) {
    if (norm != Norm::None) all[name + ".weight"] = {width};
    if (norm == Norm::Layer) all[name + ".bias"] = {width};
}

/// fc1 and fc2, or of a gated one w12 (both halves) and w3. `name` ends with a dot.
inline void addMlp(ShapeTable& all, const std::string& name, std::int64_t width, std::int64_t hidden, bool gated) {
    addLinear(all, name + (gated ? "w12" : "fc1"), gated ? 2 * hidden : hidden, width);
    addLinear(all, name + (gated ? "w3" : "fc2"), width, hidden);
}

}  // namespace ropescope
