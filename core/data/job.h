// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/data/request.h"

// What a job is given beside its request, and the work that is asked for on the command line only.

namespace ropescope {

/// What a running job may tell and ask. Callbacks arrive on the thread that runs the job.
struct JobContext {
    std::stop_token stop;                                     ///< polled at least once per sampling step / layer
    std::function<void(const GenerateProgress&)> onProgress;  ///< may be empty
    std::function<void(const HeadReport&)> onHead;            ///< heads as they are ready; may be empty
    std::function<void(const AtlasProgress&)> onAtlas;        ///< the Atlas so far, a few times a second; may be empty
    std::function<void(double done, const std::string&)>
        onShare;  ///< share done in [0,1], below 0: not known, and a word; may be empty
    std::function<void(const std::string&)>
        onNote;  ///< what is worth knowing before the work: tokens, memory; may be empty
};

/// Command-line-only work: writes files, says its results on stdout, messages on stderr, returns the exit code.
struct InspectCommand {
    ModelRef model;
    std::string out;
    Extrapolate extrapolate = {};  ///< with a method, model.grid is the new grid
};
struct ForwardCommand {
    ModelRef model;
    Compute compute;
    std::string in, out;
    bool attention = false, field = false;
    Extrapolate extrapolate = {};
    std::uint64_t memory = 0;                           ///< bytes the whole pass may take; 0: as many as it needs
    std::function<void(const std::string&)> note = {};  ///< hears what the memory is used for, before the start
};

/// A copy of a model under other names or with its maps multiplied into its projections.
struct ExportCommand {
    ModelRef model;
    std::string out;
    std::string names;           ///< convert: timm | naver | dit | diffusers
    std::optional<DType> dtype;  ///< of floating-point tensors; empty: each keeps its own
};

}  // namespace ropescope
