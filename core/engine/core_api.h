// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/job.h"

// What libropescope_core.so offers to a program that does not link LibTorch. The library is opened on first need
// (dlopen) and entered through ropescopeCore(); nothing here names LibTorch.

namespace ropescope {

class CoreApi {
public:
    virtual ~CoreApi() = default;
    /// One request in, one result out. Never throws; exceptions become Error here and nowhere else.
    [[nodiscard]] virtual Result<Reply> run(const Request& request, const JobContext& context) = 0;
    /// inspect and forward: write `out`, a safetensors file.
    [[nodiscard]] virtual Result<void> inspect(const InspectCommand& command) = 0;
    [[nodiscard]] virtual Result<void> forward(const ForwardCommand& command) = 0;
    /// Write `out`, a safetensors file; return what was done, in lines (core/engine/weights/fold.h,
    /// core/engine/weights/convert.h).
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
