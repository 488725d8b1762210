// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/model.h"

namespace ropescope {

/// Which layers of a model its LoRAs would change; by names alone, nothing is read.
struct LorasRequest {
    ModelRef model;
};

struct LoraMatch {
    std::string path;
    int matched = 0;        ///< layers of the file that the model has
    int all = 0;            ///< layers of the file, without those for text encoders
    int ofText = 0;         ///< layers for text encoders, which stay as they are
    int maps = 0;           ///< tensors of HARoPE maps beside them, which enter as an adapter
    std::string unmatched;  ///< the first that the model does not have; empty: none
    std::string kinds;      ///< what its changes are beside plain pairs, in words: "2 LoKr, 1 bias"; empty: none
    std::string problem;    ///< why it cannot be used at all; empty: it can
};
struct LorasReport {
    std::vector<LoraMatch> loras;  ///< as in the request
};

template <class V>
void fields(V& v, LorasRequest& r) {
    v("model", r.model);
}
template <class V>
void fields(V& v, LoraMatch& m) {
    v("path", m.path), v("matched", m.matched), v("all", m.all), v("of_text", m.ofText), v("maps", m.maps),
        v("unmatched", m.unmatched), v("kinds", m.kinds), v("problem", m.problem);
}
template <class V>
void fields(V& v, LorasReport& r) {
    v("loras", r.loras);
}

}  // namespace ropescope
