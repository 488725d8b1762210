// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "app/engine/commands.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "app/engine/run_options.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

struct Options {
    RunOptions run;
    std::string out, latentsOut, fieldOut;
};

void addOptions(CLI::App& command, Options& o) {
    o.run.addTo(command);
    command.add_option("--out", o.out, "PNG to write; NAME-i.png for a batch")->required();
    command.add_option("--latents-out", o.latentsOut, "safetensors file for the final latents");
    command.add_option("--field", o.fieldOut, "safetensors file for the measured fields of all heads and steps");
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

/// field_sum.i and field_mean.i [steps,H,2h-1,2w-1] of every layer, t [steps]; with text image_to_text.i and
/// text_to_image.i [steps,H].
std::map<std::string, Array> fieldArrays(const std::vector<StepFields>& steps) {
    std::map<std::string, Array> arrays;
    const auto count = static_cast<std::int64_t>(steps.size());
    std::vector<float> times;
    std::map<int, std::vector<float>> sums, means, toText, toImage;
    std::map<int, std::int64_t> heads;
    Grid grid;
    for (const StepFields& step : steps) {
        times.push_back(static_cast<float>(step.time));
        for (const HeadField& field : step.heads) {
            auto& sum = sums[field.id.layer];
            auto& mean = means[field.id.layer];
            sum.insert(sum.end(), field.sum.begin(), field.sum.end());
            mean.insert(mean.end(), field.mean.begin(), field.mean.end());
            if (field.shares.text > 0) {
                toText[field.id.layer].push_back(static_cast<float>(field.shares.imageToText));
                toImage[field.id.layer].push_back(static_cast<float>(field.shares.textToImage));
            }
            ++heads[field.id.layer];
            grid = field.grid;
        }
    }
    for (const auto& [layer, total] : heads) {
        const std::vector<std::int64_t> shape = {count, total / count, 2 * grid.rows - 1, 2 * grid.cols - 1};
        arrays["field_sum." + std::to_string(layer)] = makeArray(std::span<const float>(sums[layer]), shape);
        arrays["field_mean." + std::to_string(layer)] = makeArray(std::span<const float>(means[layer]), shape);
        if (toText[layer].empty()) continue;
        const std::vector<std::int64_t> each = {count, total / count};
        arrays["image_to_text." + std::to_string(layer)] = makeArray(std::span<const float>(toText[layer]), each);
        arrays["text_to_image." + std::to_string(layer)] = makeArray(std::span<const float>(toImage[layer]), each);
    }
    arrays["t"] = makeArray(std::span<const float>(times), {count});
    return arrays;
}

Result<void> writeResults(const Options& o, const GenerateResult& result) {
    if (!o.latentsOut.empty()) {
        if (auto done = writeSafetensors(o.latentsOut, {{"latents", result.latents}}); !done) return done;
    }
    if (!o.fieldOut.empty()) {
        if (auto done = writeSafetensors(o.fieldOut, fieldArrays(result.fields)); !done) return done;
    }
    // Latents of a kind that no picture can be made of here are the result: they are kept.
    const auto channels = result.latents.shape.size() == 4 ? result.latents.shape[1] : 0;
    const bool shown = channels == 1 || channels == 3 || channels == 4 || channels == 16;
    if (o.latentsOut.empty() && !shown && result.note.find("no decoder") != std::string::npos) {
        const std::filesystem::path picture(o.out);
        const std::string path = (picture.parent_path() / picture.stem()).string() + ".latents.safetensors";
        if (auto done = writeSafetensors(path, {{"latents", result.latents}}); !done) return done;
        std::fprintf(stderr, "no decoder for %lld channels: the latents are saved as %s, the picture shows the first\n",
                     static_cast<long long>(channels), printable(path, 200).c_str());
    }
    const auto media = mediaLibrary();
    if (!media) return failure(media.error());
    for (std::size_t i = 0; i < result.images.size(); ++i) {
        const std::string path = imagePath(o.out, i, result.images.size());
        if (auto done = (*media)->writePng(path, result.images[i].pixels, result.images[i].recipe); !done) return done;
        std::printf("%s\n", path.c_str());
    }
    std::fprintf(stderr, "%.2f s on %s%s%s\n", result.seconds, result.device.c_str(), result.note.empty() ? "" : "; ",
                 result.note.c_str());
    return {};
}

Result<void> generate(const Options& o) {
    std::vector<std::string> outputs = {o.latentsOut, o.fieldOut, o.out};
    for (int i = 0; i < o.run.values.batch && o.run.values.batch > 1; ++i)
        outputs.push_back(imagePath(o.out, static_cast<std::size_t>(i), static_cast<std::size_t>(o.run.values.batch)));
    if (auto checked = checkOutputs(outputs, inputsOf(o.run.values)); !checked) return checked;
    if (auto complete = checkModel(o.run.values.model); !complete) return complete;
    auto request = o.run.request();
    if (!request) return failure(request.error());
    request->previews = false;
    request->record = o.fieldOut.empty() ? RecordFields::None : RecordFields::All;
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const Interrupt interrupt;
    JobContext context;
    context.stop = interrupt.token();
    context.onProgress = showProgress;
    context.onNote = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    const auto reply = (*core)->run(*request, context);
    if (!reply) return failure(reply.error());
    return writeResults(o, std::get<GenerateResult>(*reply));
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
