// SPDX-License-Identifier: Apache-2.0
// inspect, forward and serve: everything behind them is in libropescope_core.so.
#include <cstdio>
#include <memory>

#include "app/engine/commands.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "app/engine/serve.h"
#include "core/data/picture_settings.h"

namespace ropescope {

void addInspectCommand(CLI::App& app, int& code) {
    struct Options {
        InspectCommand command;
        Compute compute;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("inspect", "the numbers of every head as tensors");
    addModelOptions(*command, options->command.model);
    addVariationOption(*command, options->command.model);
    addComputeOptions(*command, options->compute);
    addExtrapolationOptions(*command, options->command.extrapolate, true);
    command->footer(
        "Computed in float64 on the processor, whatever --device and --precision say. With --extrapolation the numbers "
        "are those of --grid.");
    command->add_option("--out", options->command.out, "safetensors file to write")->required();
    command->callback([options, &code] {
        Result<void> done = checkOutputs({options->command.out}, inputsOf(options->command.model));
        if (done) {
            const auto core = coreLibrary();
            done = core ? (*core)->inspect(options->command) : failure(core.error());
        }
        if (!done) code = report(done.error());
    });
}

void addForwardCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<ForwardCommand>();
    CLI::App* command = app.add_subcommand("forward", "one pass of the network over given inputs");
    addModelOptions(*command, options->model);
    addVariationOption(*command, options->model);
    addComputeOptions(*command, options->compute);
    command
        ->add_option("--in", options->in,
                     "safetensors file with the inputs (DiT: x, t, y; ViT: x; FLUX, SD3: diffusers' arguments; VAE: "
                     "latents, image)")
        ->required();
    command->add_option("--out", options->out, "safetensors file to write")->required();
    addExtrapolationOptions(*command, options->extrapolate, false);
    command->add_flag("--attention", options->attention, "write attention.i [B,H,N,N] as well");
    command->add_flag(
        "--field", options->field,
        "write field_sum.i and field_mean.i [H,2h-1,2w-1] as well, class_share.i [H] of a ViT, text_share.i [H]");
    addMemoryOption(*command, options->memory);
    options->note = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    command->callback([options, &code] {
        std::vector<std::string> inputs = inputsOf(options->model);
        inputs.push_back(options->in);
        Result<void> done = checkOutputs({options->out}, inputs);
        if (done) done = checkModel(options->model, options->in);
        if (done) {
            const auto core = coreLibrary();
            done = core ? (*core)->forward(*options) : failure(core.error());
        }
        if (!done) code = report(done.error());
    });
}

void addServeCommand(CLI::App& app) {
    CLI::App* command = app.add_subcommand("serve", "the engine on stdin and stdout");
    command->callback([] {
        serve({coreLibrary,
               [](const SavePngRequest& save) -> Result<void> {
                   const auto media = mediaLibrary();
                   if (!media) return failure(media.error());
                   return (*media)->writePng(save.path, save.pixels, save.recipe);
               },
               [](const std::string& path) -> Result<PictureSettings> {
                   const auto media = mediaLibrary();
                   if (!media) return failure(media.error());
                   const auto texts = (*media)->readPngTexts(path);
                   if (!texts) return failure(texts.error());
                   return settingsOfTexts(path, *texts);
               }});
    });
}

}  // namespace ropescope
