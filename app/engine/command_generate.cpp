// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "app/engine/commands.h"
#include "app/engine/field_arrays.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "app/engine/pair_options.h"
#include "app/engine/run_options.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

struct Options {
    RunOptions run;
    PairOptions pair;
    RunFiles files;
};

void addOptions(CLI::App& command, Options& o) {
    o.run.addTo(command);
    command.add_option("--out", o.files.picture, "PNG to write; NAME-i.png for a batch")->required();
    command.add_option("--latents-out", o.files.latents, "safetensors file for the final latents");
    command.add_option("--field", o.files.fields, "safetensors file for the measured fields of all heads and steps");
    o.pair.addTo(command);
}

void showProgress(const GenerateProgress& p) {
    if (!::isatty(STDERR_FILENO)) return;
    std::fprintf(stderr, "\rstep %d of %d, %.2f s each, %.0f s left   ", p.step, p.steps, p.secondsPerStep,
                 p.secondsLeft);
    if (p.step == p.steps) std::fputc('\n', stderr);
}

std::string imagePath(const std::string& out, std::size_t index, std::size_t count) {
    if (count <= 1) return out;
    const fs::path path(out);
    const std::string name = path.stem().string() + "-" + std::to_string(index) + path.extension().string();
    return (path.parent_path() / name).string();
}

Result<void> writeResults(const RunFiles& files, const GenerateResult& result) {
    if (!files.latents.empty()) {
        if (auto done = writeSafetensors(files.latents, {{"latents", result.latents}}); !done) return done;
    }
    if (!files.fields.empty()) {
        if (auto done = writeSafetensors(files.fields, fieldArrays(result.fields)); !done) return done;
    }
    // Latents of a kind that no picture can be made of here are the result: they are kept.
    const auto channels = result.latents.shape.size() == 4 ? result.latents.shape[1] : 0;
    const bool shown = channels == 1 || channels == 3 || channels == 4 || channels == 16;
    if (files.latents.empty() && !shown && result.note.find("no decoder") != std::string::npos) {
        const std::filesystem::path picture(files.picture);
        const std::string path = (picture.parent_path() / picture.stem()).string() + ".latents.safetensors";
        if (auto done = writeSafetensors(path, {{"latents", result.latents}}); !done) return done;
        std::fprintf(stderr, "no decoder for %lld channels: the latents are saved as %s, the picture shows the first\n",
                     static_cast<long long>(channels), printable(path, 200).c_str());
    }
    const auto media = mediaLibrary();
    if (!media) return failure(media.error());
    for (std::size_t i = 0; i < result.images.size(); ++i) {
        const std::string path = imagePath(files.picture, i, result.images.size());
        if (auto done = (*media)->writePng(path, result.images[i].pixels, result.images[i].recipe); !done) return done;
        std::printf("%s\n", path.c_str());
    }
    std::fprintf(stderr, "%.2f s on %s%s%s\n", result.seconds, result.device.c_str(), result.note.empty() ? "" : "; ",
                 result.note.c_str());
    return {};
}

Result<void> generate(const Options& o) {
    const RunFiles& files = o.files;
    if (o.pair.given()) return generatePair(o.run, o.pair, files);
    std::vector<std::string> outputs = {files.latents, files.fields, files.picture};
    for (int i = 0; i < o.run.values.batch && o.run.values.batch > 1; ++i)
        outputs.push_back(
            imagePath(files.picture, static_cast<std::size_t>(i), static_cast<std::size_t>(o.run.values.batch)));
    if (auto checked = checkOutputs(outputs, inputsOf(o.run.values)); !checked) return checked;
    if (auto complete = checkModel(o.run.values.model); !complete) return complete;
    auto request = o.run.request();
    if (!request) return failure(request.error());
    request->previews = false;
    request->record = files.fields.empty() ? RecordFields::None : RecordFields::All;
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const Interrupt interrupt;
    JobContext context;
    context.stop = interrupt.token();
    context.onProgress = showProgress;
    context.onNote = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    const auto reply = (*core)->run(*request, context);
    if (!reply) return failure(reply.error());
    return writeResults(files, std::get<GenerateResult>(*reply));
}

}  // namespace

void addGenerateCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("generate", "draw images");
    addOptions(*command, *options);
    command->callback([options, &code] {
        const auto done = generate(*options);
        if (!done) code = report(done.error());
    });
}

}  // namespace ropescope
