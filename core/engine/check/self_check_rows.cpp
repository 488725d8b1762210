// SPDX-License-Identifier: Apache-2.0
#include "core/engine/check/self_check_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace ropescope {
namespace {

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

SelfCheckRow rowOf(std::string key, std::string title, double bound, std::string definition) {
    return {std::move(key), std::move(title), LampState::None, kNotMeasured, bound, {}, std::move(definition)};
}

/// NaN is red.
LampState stateOf(double value, double green, double amber) {
    if (value <= green) return LampState::Green;
    return value <= amber ? LampState::Amber : LampState::Red;
}

void measured(SelfCheckRow& row, const Worst& worst, double amber, const std::string& whyNot) {
    if (!worst.value) {
        row.text = whyNot;
        return;
    }
    row.value = *worst.value;
    row.state = stateOf(row.value, row.bound, amber);
    row.text = "at most " + number(row.value) + ", in " + worst.at.name();
}

SelfCheckRow emptyRelativeRow() {
    return rowOf("relative", "Relative positions", 1e-4,
                 "Largest change of a logit when every position is shifted by (3, 5), over the head's largest logit. "
                 "Through the model's own attention in float32, for drawn tokens. Of FLUX and SD3 between picture tokens, "
                 "in the first sound layer of each kind.");
}

}  // namespace

void Worst::take(int layer, const std::vector<bool>& sound, const at::Tensor& each) {
    for (int h = 0; h < static_cast<int>(sound.size()); ++h) {
        if (!sound[h]) continue;
        const double now = each[each.size(0) == 1 ? 0 : h].item<double>();
        if (value && !(now > *value) && !std::isnan(now)) continue;
        if (value && std::isnan(*value)) continue;
        value = now, at = {layer, h};
    }
}

SelfCheckRow finiteRow(const std::vector<std::string>& problems) {
    SelfCheckRow row = rowOf("finite", "Sound heads", 0,
                             "Number of heads with values that are not finite, with missing tensors, or with maps that "
                             "overflow or stop being orthogonal.");
    row.value = static_cast<double>(problems.size());
    row.state = problems.empty() ? LampState::Green : LampState::Red;
    row.text = problems.empty() ? "all heads" : problems.front();
    if (problems.size() > 1) {
        row.text += "; also";
        for (std::size_t i = 1; i < problems.size() && i < 9; ++i)
            row.text += (i > 1 ? ", " : " ") + problems[i].substr(0, problems[i].find(':'));
        if (problems.size() > 9) row.text += " and " + std::to_string(problems.size() - 9) + " more";
    }
    return row;
}

SelfCheckRow relativeRow(const Worst& worst) {
    SelfCheckRow row = emptyRelativeRow();
    measured(row, worst, 1e-3, "no sound head");
    return row;
}

SelfCheckRow relativeRow(const std::string& whyNot) {
    SelfCheckRow row = emptyRelativeRow();
    row.text = whyNot;
    return row;
}

SelfCheckRow orthogonalRow(const Worst& worst, const EncodingSpec& spec) {
    SelfCheckRow row = rowOf("orthogonal", "Orthogonal factors", 1e-9,
                             "Largest entry of Q^T Q - I for every orthogonal factor Q of the maps: U and V of an SVD, "
                             "else the matrix itself. Float64.");
    measured(row, worst, 1e-6,
             spec.encoding->hasMaps() ? "the matrix has no orthogonal factor" : "the encoding has no matrix");
    return row;
}

SelfCheckRow inverseRow(const Worst& worst, const EncodingSpec& spec) {
    SelfCheckRow row = rowOf("inverse", "Map times inverse", 1e-8,
                             "Largest entry of M M^-1 - I. Inverse-map: the query map times the key map transposed, "
                             "which the model uses; same-map: the numeric inverse. Float64.");
    measured(row, worst, 1e-4, spec.encoding->hasMaps() ? "no sound head" : "the encoding has no matrix");
    return row;
}

SelfCheckRow parityRow(const Result<Parity>& parity, const TensorTable& table) {
    SelfCheckRow row = rowOf("parity", "Recorded output", 1e-4,
                             "Largest difference between what the model computes now and the recorded output, over "
                             "max(1, the output's largest value). Float32.");
    if (!parity) {
        row.text = parity.error().reason;
        if (parity.error().code == "broken-record") row.state = LampState::Red;
        return row;
    }
    const bool half = std::ranges::any_of(table.tensors(), [](const TensorEntry& e) {
        return dtypeSize(e.dtype) < 4 && e.dtype != DType::U8 && e.dtype != DType::Bool;
    });
    // A record beside the file may come from wider weights than the file keeps; one inside it does not.
    row.value = parity->difference;
    row.state = stateOf(row.value, row.bound, parity->inside || !half ? row.bound : 2e-2);
    row.text = "differs by " + number(row.value) + " from " + parity->source;
    if (row.state == LampState::Red) row.text += "; the convention, heads, theta or grid may be another one";
    return row;
}

}  // namespace ropescope
