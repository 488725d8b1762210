// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/data/analysis.h"
#include "core/data/atlas.h"
#include "core/data/classification.h"
#include "core/data/comparison.h"
#include "core/data/error.h"
#include "core/data/extrapolation.h"
#include "core/data/generation.h"
#include "core/data/head_report.h"
#include "core/data/joint_attention.h"
#include "core/data/lora_match.h"
#include "core/data/model_card.h"
#include "core/data/saved_picture.h"
#include "core/data/self_check.h"
#include "core/data/tensors_report.h"

namespace ropescope {

// Every request is complete, so that a restarted engine can replay it. Lanes: what samples or runs a network
// (Generate, Attention, Classify, Calibrate, Compare with data) goes to the heavy lane, all others to the light lane.

/// Header only: what is this file?
struct OpenRequest {
    ModelRef model;
};

/// The few numbers of every head.
struct AtlasRequest {
    ModelRef model;
};

/// Full reports of the heads that are visible. With `extrapolate` the model's grid is the new one, and kernels and
/// frequencies are those of that method.
struct HeadsRequest {
    ModelRef model;
    std::vector<HeadId> heads;
    Extrapolate extrapolate = {};
};
struct HeadsReport {
    std::vector<HeadReport> heads;
};

/// What the engine can run on.
struct DevicesRequest {};
struct DevicesReport {
    std::vector<std::string> names;   ///< values for Compute::device, "cpu" first
    std::vector<std::string> titles;  ///< "CPU (2 cores)", "NVIDIA H200 (139 GiB)"
    std::string note;                 ///< why there is no GPU, when there is none
    std::int64_t residentBytes = 0;   ///< of the engine process
};

using Request = std::variant<OpenRequest, AtlasRequest, HeadsRequest, DevicesRequest, GenerateRequest, SavePngRequest,
                             SelfCheckRequest, CalibrateRequest, CompareRequest, ClassifyRequest, TokensRequest,
                             AttentionRequest, ReadSettingsRequest, LorasRequest, DecodeRequest, TensorsRequest>;
using Reply = std::variant<ModelCard, AtlasReport, HeadsReport, DevicesReport, GenerateResult, SavedFile,
                           SelfCheckReport, CalibrationReport, CompareReport, ClassifyResult, TokensReport,
                           AttentionReport, PictureSettings, LorasReport, DecodedStep, TensorsReport>;

/// Does it run a network? Then it belongs to the heavy lane.
[[nodiscard]] inline bool isHeavy(const Request& request) {
    const auto* compare = std::get_if<CompareRequest>(&request);
    return std::holds_alternative<GenerateRequest>(request) || std::holds_alternative<CalibrateRequest>(request) ||
           std::holds_alternative<ClassifyRequest>(request) || std::holds_alternative<AttentionRequest>(request) ||
           std::holds_alternative<DecodeRequest>(request) || (compare && compare->needsData());
}

template <class V>
void fields(V& v, OpenRequest& r) {
    v("model", r.model);
}
template <class V>
void fields(V& v, AtlasRequest& r) {
    v("model", r.model);
}
template <class V>
void fields(V& v, HeadsRequest& r) {
    v("model", r.model), v("heads", r.heads), v("extrapolate", r.extrapolate);
}
template <class V>
void fields(V& v, HeadsReport& r) {
    v("heads", r.heads);
}
template <class V>
void fields(V&, DevicesRequest&) {}
template <class V>
void fields(V& v, DevicesReport& r) {
    v("names", r.names), v("titles", r.titles), v("note", r.note), v("resident_bytes", r.residentBytes);
}
}  // namespace ropescope
