// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/head_report.h"

namespace ropescope {

/// One number for every head: what the Atlas colours and scatters.
struct HeadNumber {
    std::string key;         ///< stable, e.g. "cross_axis_mixing"
    std::string title;       ///< "Cross-axis mixing"
    std::string unit;        ///< "", "nats", "tokens", "degrees", "share"
    std::string definition;  ///< one sentence
    About about = About::Map;
    bool invariant = true;       ///< false: as stored, gauge-dependent, wears a mark
    double neutral = 0;          ///< the value plain RoPE has; NaN where there is none
    std::vector<double> values;  ///< [L*H], NaN where the head is marked
};

struct AtlasReport {
    int layers = 0;
    int heads = 0;
    std::vector<HeadNumber> numbers;
    std::vector<std::string> problems;   ///< [L*H], empty text where sound
    std::vector<double> singularValues;  ///< [L*H, D] gauge-fixed, descending: the faint band behind Spectrum
    int headDim = 0;
};

/// The Atlas while it is being measured: layers 0 .. layersReady-1 are in, the others are NaN. The newest replaces
/// older.
struct AtlasProgress {
    int layersReady = 0;
    AtlasReport atlas;
};

template <class V>
void fields(V& v, HeadNumber& n) {
    v("key", n.key), v("title", n.title), v("unit", n.unit), v("definition", n.definition), v("about", n.about),
        v("invariant", n.invariant), v("neutral", n.neutral), v("values", n.values);
}
template <class V>
void fields(V& v, AtlasReport& a) {
    v("layers", a.layers), v("heads", a.heads), v("numbers", a.numbers), v("problems", a.problems),
        v("singular_values", a.singularValues), v("head_dim", a.headDim);
}

template <class V>
void fields(V& v, AtlasProgress& a) {
    v("layers_ready", a.layersReady), v("atlas", a.atlas);
}

}  // namespace ropescope
