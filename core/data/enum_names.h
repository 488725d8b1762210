// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "core/data/analysis.h"
#include "core/data/error.h"
#include "core/data/extrapolation.h"
#include "core/data/generation.h"
#include "core/data/head_report.h"
#include "core/data/message.h"
#include "core/data/model.h"
#include "core/data/self_check.h"

namespace ropescope {

// The names of every enum that crosses the wire, in the order of its values.

inline constexpr auto enumNames(ErrorKind) {
    return std::to_array<std::string_view>({"refused", "usage", "device", "cancelled", "internal"});
}
inline constexpr auto enumNames(Convention) {
    return std::to_array<std::string_view>({"none", "same", "inverse", "unknown"});
}
inline constexpr auto enumNames(MapTokens) {
    return std::to_array<std::string_view>({"all", "patches", "unknown"});
}
inline constexpr auto enumNames(Precision) {
    return std::to_array<std::string_view>({"fp32", "bf16", "fp16"});
}
inline constexpr auto enumNames(Norm) {
    return std::to_array<std::string_view>({"none", "layer", "rms"});
}
inline constexpr auto enumNames(Activation) {
    return std::to_array<std::string_view>({"gelu", "gelu_tanh", "quick_gelu", "silu", "relu"});
}
inline constexpr auto enumNames(Pool) {
    return std::to_array<std::string_view>({"token", "avg", "avgmax", "max", "map"});
}
inline constexpr auto enumNames(NoisePath) {
    return std::to_array<std::string_view>({"linear", "cosine", "vp"});
}
inline constexpr auto enumNames(Prediction) {
    return std::to_array<std::string_view>({"velocity", "score", "noise"});
}
inline constexpr auto enumNames(Sampler) {
    return std::to_array<std::string_view>({"auto", "ddpm", "ddim", "euler", "heun", "dpmpp-2m"});
}
inline constexpr auto enumNames(GuidanceChannels) {
    return std::to_array<std::string_view>({"auto", "3", "all"});
}
inline constexpr auto enumNames(RecordFields) {
    return std::to_array<std::string_view>({"none", "listed", "all"});
}
inline constexpr auto enumNames(MatrixKind) {
    return std::to_array<std::string_view>({"none", "svd", "full", "diagonal", "exponential", "cayley", "householder",
                                            "givens", "lu", "low_rank", "circulant"});
}
inline constexpr auto enumNames(MapSharing) {
    return std::to_array<std::string_view>({"head", "layer", "model"});
}
inline constexpr auto enumNames(AxisOrder) {
    return std::to_array<std::string_view>({"row", "column"});
}
inline constexpr auto enumNames(RotaryLayout) {
    return std::to_array<std::string_view>({"interleaved", "half-split"});
}
inline constexpr auto enumNames(Extrapolation) {
    return std::to_array<std::string_view>({"none", "interpolation", "ntk", "yarn", "ntk-by-parts", "time-aware"});
}
inline constexpr auto enumNames(LampState) {
    return std::to_array<std::string_view>({"none", "green", "amber", "red"});
}
inline constexpr auto enumNames(About) {
    return std::to_array<std::string_view>({"map", "head"});
}
inline constexpr auto enumNames(CompareMetric) {
    return std::to_array<std::string_view>({"field", "frequency", "kernel", "plane"});
}
inline constexpr auto enumNames(ContentSource) {
    return std::to_array<std::string_view>({"weights", "data"});
}
inline constexpr auto enumNames(ChangeKind) {
    return std::to_array<std::string_view>({"dial", "position-only", "singular-value", "identity", "transplant",
                                            "frequencies", "positions-off", "output-off"});
}
inline constexpr auto enumNames(MessageKind) {
    return std::to_array<std::string_view>({"hello", "request", "progress", "part", "result", "error", "cancel"});
}

template <class E>
[[nodiscard]] constexpr std::string_view enumName(E value) {
    return enumNames(E{})[static_cast<std::size_t>(value)];
}

}  // namespace ropescope
