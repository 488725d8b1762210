// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/model.h"

namespace ropescope {

/// Green: within the bound. Amber: beyond it, but within what rounding of the file's own precision explains. Red:
/// wrong. None: the property does not apply, or there is nothing to compare with (`text` says why).
enum class LampState { None, Green, Amber, Red };

/// Measures whether a model file computes what it should. Light lane.
struct SelfCheckRequest {
    ModelRef model;
};

/// One property. All keys: core/engine/check/self_check.h.
struct SelfCheckRow {
    std::string key;    ///< stable: "relative", "orthogonal", "inverse", "parity"
    std::string title;  ///< a few words
    LampState state = LampState::None;
    double value = 0;        ///< the figure, no unit; NaN where nothing was measured
    double bound = 0;        ///< green at or below it
    std::string text;        ///< what was found, with the head where it was, in one line
    std::string definition;  ///< what the figure is, for a tooltip
};

struct SelfCheckReport {
    std::vector<SelfCheckRow> rows;
    LampState overall = LampState::None;  ///< the worst of the rows; None only when all are
};

template <class V>
void fields(V& v, SelfCheckRequest& r) {
    v("model", r.model);
}
template <class V>
void fields(V& v, SelfCheckRow& r) {
    v("key", r.key), v("title", r.title), v("state", r.state), v("value", r.value), v("bound", r.bound),
        v("text", r.text), v("definition", r.definition);
}
template <class V>
void fields(V& v, SelfCheckReport& r) {
    v("rows", r.rows), v("overall", r.overall);
}

}  // namespace ropescope
