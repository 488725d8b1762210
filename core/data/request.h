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
#include "core/data/exchange.h"
#include "core/data/extrapolation.h"
#include "core/data/generation.h"
#include "core/data/head_report.h"
#include "core/data/joint_attention.h"
#include "core/data/lora_match.h"
#include "core/data/model_card.h"
#include "core/data/pair.h"
#include "core/data/saved_picture.h"
#include "core/data/self_check.h"
#include "core/data/sweep.h"
#include "core/data/tensors_report.h"

namespace ropescope {

// Every request is complete, so that a restarted engine can replay it. What samples or runs a network goes to the heavy
// lane, all others to the light lane.

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

/// All that can be asked: one row for each request. The variants, the names on the wire and the lanes follow from it.
inline constexpr RowTable kExchanges{
    Exchange<OpenRequest, ModelCard>{"OpenRequest", "ModelCard", lane::light},
    Exchange<AtlasRequest, AtlasReport>{"AtlasRequest", "AtlasReport", lane::light},
    Exchange<HeadsRequest, HeadsReport>{"HeadsRequest", "HeadsReport", lane::light},
    Exchange<DevicesRequest, DevicesReport>{"DevicesRequest", "DevicesReport", lane::light},
    Exchange<GenerateRequest, GenerateResult>{"GenerateRequest", "GenerateResult", lane::heavy},
    Exchange<SavePngRequest, SavedFile>{"SavePngRequest", "SavedFile", lane::light},
    Exchange<SelfCheckRequest, SelfCheckReport>{"SelfCheckRequest", "SelfCheckReport", lane::light},
    Exchange<CalibrateRequest, CalibrationReport>{"CalibrateRequest", "CalibrationReport", lane::heavy},
    Exchange<CompareRequest, CompareReport>{"CompareRequest", "CompareReport", lane::heavyWithData},
    Exchange<ClassifyRequest, ClassifyResult>{"ClassifyRequest", "ClassifyResult", lane::heavy},
    Exchange<TokensRequest, TokensReport>{"TokensRequest", "TokensReport", lane::light},
    Exchange<AttentionRequest, AttentionReport>{"AttentionRequest", "AttentionReport", lane::heavy},
    Exchange<ReadSettingsRequest, PictureSettings>{"ReadSettingsRequest", "PictureSettings", lane::light},
    Exchange<LorasRequest, LorasReport>{"LorasRequest", "LorasReport", lane::light},
    Exchange<DecodeRequest, DecodedStep>{"DecodeRequest", "DecodedStep", lane::heavy},
    Exchange<TensorsRequest, TensorsReport>{"TensorsRequest", "TensorsReport", lane::light},
    Exchange<SweepRequest, SweepReport>{"SweepRequest", "SweepReport", lane::heavy},
    Exchange<PairRequest, PairReport>{"PairRequest", "PairReport", lane::heavy},
};

using Request = decltype(requestsIn(kExchanges));
using Reply = decltype(repliesIn(kExchanges));
/// The reply to a request of that type, e.g. ModelCard for OpenRequest.
template <class Asked>
using ReplyOf = decltype(replyIn<Asked>(kExchanges));

/// Does it run a network? Then it belongs to the heavy lane.
[[nodiscard]] bool isHeavy(const Request& request);

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
