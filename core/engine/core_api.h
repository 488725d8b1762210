// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/data/request.h"

// What libropescope_core.so offers to a program that does not link LibTorch. The library is opened on first need
// (dlopen) and entered through ropescopeCore(); nothing here names LibTorch.

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

class CoreApi {
public:
    virtual ~CoreApi() = default;
    /// One request in, one result out. Never throws; exceptions become Error here and nowhere else.
    [[nodiscard]] virtual Result<Reply> run(const Request& request, const JobContext& context) = 0;
    /// inspect and forward: write `out`, a safetensors file.
    [[nodiscard]] virtual Result<void> inspect(const InspectCommand& command) = 0;
    [[nodiscard]] virtual Result<void> forward(const ForwardCommand& command) = 0;
    /// Write `out`, a safetensors file; return what was done, in lines (core/engine/fold.h, core/engine/convert.h).
    [[nodiscard]] virtual Result<std::string> fold(const ExportCommand& command) = 0;
    [[nodiscard]] virtual Result<std::string> convert(const ExportCommand& command) = 0;
    /// train, evaluate, study, bench: parse their own arguments (without the program and subcommand name).
    [[nodiscard]] virtual int train(const std::vector<std::string>& arguments) = 0;
    [[nodiscard]] virtual int evaluate(const std::vector<std::string>& arguments) = 0;
    [[nodiscard]] virtual int study(const std::vector<std::string>& arguments) = 0;
    [[nodiscard]] virtual int bench(const std::vector<std::string>& arguments) = 0;
};

}  // namespace ropescope

/// The one entry of libropescope_core.so. The object lives as long as the process.
extern "C" ropescope::CoreApi* ropescopeCore();
