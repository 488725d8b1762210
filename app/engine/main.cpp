// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "app/engine/commands.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"

namespace ropescope {
namespace {

constexpr const char* kVersion = "ropescope-engine " ROPESCOPE_VERSION " (own CUDA kernels: " ROPESCOPE_KERNELS ")";

/// Subcommands of libropescope_core.so that parse their own arguments.
struct PassedOn {
    const char* name;
    const char* help;
    int (CoreApi::*run)(const std::vector<std::string>&);
};
constexpr PassedOn kPassedOn[] = {
    {"train", "train a class-conditional DiT or a ViT classifier", &CoreApi::train},
    {"evaluate", "measure a model's images", &CoreApi::evaluate},
    {"study", "train and compare encodings and matrices of a small ViT", &CoreApi::study},
    {"bench", "speed figures as JSON", &CoreApi::bench},
};

int runCommandLine(int argc, char** argv) {
    for (const PassedOn& command : kPassedOn) {
        if (argc < 2 || std::string_view(argv[1]) != command.name) continue;
        const auto core = coreLibrary();
        return core ? ((*core)->*command.run)({argv + 2, argv + argc}) : report(core.error());
    }
    CLI::App app("Looks into the positional encodings of image transformers and draws with them.", "ropescope-engine");
    app.set_version_flag("--version", kVersion);
    app.require_subcommand(1);
    int code = 0;
    addInfoCommand(app, code);
    addCheckCommand(app, code);
    addInspectCommand(app, code);
    addForwardCommand(app, code);
    addClassifyCommand(app, code);
    addGenerateCommand(app, code);
    addAttentionCommand(app, code);
    addFoldCommand(app, code);
    addConvertCommand(app, code);
    addCalibrateCommand(app, code);
    addCompareCommand(app, code);
    addSweepCommand(app, code);
    for (const PassedOn& command : kPassedOn) app.add_subcommand(command.name, command.help);
    addServeCommand(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& done) {
        return app.exit(done);
    } catch (const CLI::ParseError& wrong) {
        const std::string text = printable(wrong.what(), 300);
        std::fprintf(stderr, "[usage] %s. See --help.\n", text.c_str());
        return 2;
    }
    return code;
}

}  // namespace
}  // namespace ropescope

int main(int argc, char** argv) {
    // A full disk or a closed pipe is an error to report, not a reason to die.
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    // Read when the OpenMP library is loaded: waiting threads must not burn the cores that others compute on.
    setenv("OMP_WAIT_POLICY", "passive", 0);
    using namespace ropescope;
    try {
        const int code = runCommandLine(argc, argv);
        return std::fflush(stdout) == 0 ? code : std::max(code, 1);
    } catch (const std::bad_alloc&) {
        return report({ErrorKind::Device, "no-memory", {}, "not enough memory", {}, {}, "Close other programs"});
    } catch (const std::exception& e) {
        return report({ErrorKind::Internal, "internal", {}, printable(e.what(), 200), {}, {}, {}});
    }
}
