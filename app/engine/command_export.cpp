// SPDX-License-Identifier: Apache-2.0
// fold and convert: copies of a model for other programs.
#include <cstdio>
#include <memory>

#include "app/engine/commands.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"

namespace ropescope {
namespace {

using Export = Result<std::string> (CoreApi::*)(const ExportCommand&);

void addExport(CLI::App& command, Export run, int& code, const std::shared_ptr<ExportCommand>& options) {
    addModelOptions(command, options->model);
    command.add_option("--out", options->out, "safetensors file to write")->required();
    addChoice<std::optional<DType>>(
        command, "--dtype", options->dtype,
        {{"keep", std::nullopt}, {"fp32", DType::F32}, {"fp16", DType::F16}, {"bf16", DType::BF16}},
        "element type of all weights (default keep: each its own; folded projections fp32 at least)");
    command.callback([options, run, &code] {
        if (const auto possible = checkOutputs({options->out}, inputsOf(options->model)); !possible) {
            code = report(possible.error());
            return;
        }
        if (const auto sound = checkModel(options->model); !sound) {
            code = report(sound.error());
            return;
        }
        const auto core = coreLibrary();
        const auto done = core ? ((*core)->*run)(*options) : failure(core.error());
        if (!done)
            code = report(done.error());
        else
            std::printf("%s\n", done->c_str());
    });
}

}  // namespace

void addFoldCommand(CLI::App& app, int& code) {
    CLI::App* command = app.add_subcommand("fold", "write the same model as plain RoPE, its maps in the projections");
    auto options = std::make_shared<ExportCommand>();
    addVariationOption(*command, options->model);
    command->footer(
        "Names stay the file's own. Refuses, with the reason, what no projection can hold: maps behind a norm of "
        "queries and keys, maps that pass a class token by.");
    addExport(*command, &CoreApi::fold, code, options);
}

void addConvertCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<ExportCommand>();
    CLI::App* command =
        app.add_subcommand("convert", "write a model as safetensors under the names of another program");
    addChoice<std::string>(*command, "--names", options->names,
                           {{"timm", "timm"}, {"naver", "naver"}, {"dit", "dit"}, {"diffusers", "diffusers"}},
                           "ViT: timm's or rope-vit's (naver); DiT: the original ones or diffusers'");
    command->get_option("--names")->required();
    addExport(*command, &CoreApi::convert, code, options);
}

}  // namespace ropescope
