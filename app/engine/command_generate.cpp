// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "app/engine/commands.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

struct Options {
    GenerateRequest request;
    DrawCommand draw;                   ///< what text-to-image models need beside the request
    std::optional<std::string> prompt;  ///< an empty one is a prompt too
    std::string out, latentsOut, fieldOut;
    CLI::Option *steps = nullptr, *guidance = nullptr;
    [[nodiscard]] bool isText() const { return prompt || !draw.embeddings.empty(); }
};

void addOptions(CLI::App& command, Options& o) {
    GenerateRequest& r = o.request;
    addModelOptions(command, r.model);
    addComputeOptions(command, r.compute);
    CLI::Option* classes = command.add_option("--class", r.labels, "class number; 1,5,7: one per image");
    CLI::Option* prompt =
        command.add_option("--prompt", o.prompt, "text, for a diffusers folder of FLUX or SD3 with its encoders");
    classes->excludes(prompt)->check(CLI::Range(0, 1'000'000))->delimiter(',')->allow_extra_args(false);
    command.add_option("--negative", o.draw.negative, "SD3: text to stay away from");
    command.add_option(
        "--embeddings", o.draw.embeddings,
        "FLUX, SD3: safetensors file with encoder_hidden_states and pooled_projections, and negative_...");
    command.add_option("--shift", o.draw.shift, "FLUX, SD3: of the noise levels (default: the model's usual one)");
    command.add_option("--memory", o.draw.memory, "FLUX, SD3: stay below this, e.g. 6GB, by streaming blocks")
        ->transform(CLI::AsSizeValue(true));
    command.add_option("--out", o.out, "PNG to write; NAME-i.png for a batch")->required();
    command.add_option("--seed", r.seed, "image i uses seed + i (default 0)");
    o.steps = command.add_option("--steps", r.steps, "sampling steps (default 20; FLUX, SD3: 28)")
                  ->check(CLI::Range(1, 1000));
    o.guidance = command
                     .add_option("--guidance", r.guidance,
                                 "weight against no class or the negative text; FLUX dev: its input; 1: none "
                                 "(default 2; FLUX, SD3: 3.5)")
                     ->check(CLI::Range(0.0, 100.0));
    addChoice<GuidanceChannels>(command, "--guidance-channels", r.guidanceChannels,
                                {{"3", GuidanceChannels::First3}, {"all", GuidanceChannels::All}},
                                "which channels it changes (default 3 for DiT latents)");
    addChoice<Sampler>(
        command, "--sampler", r.sampler,
        {{"ddpm", Sampler::Ddpm}, {"ddim", Sampler::Ddim}, {"euler", Sampler::Euler}, {"heun", Sampler::Heun}},
        "default: the model's kind");
    addSizeOption(command, "--size", r.size, "height x width in pixels of the model's own input");
    addExtrapolationOptions(command, r.extrapolate, false);
    command.add_option("--batch", r.batch, "images (default 1)")->check(CLI::Range(1, 1024));
    command.add_option(
        "--vae", r.vae,
        "autoencoder that makes pictures of latents, a file or folder (default: that of a diffusers folder)");
    command.add_option("--noise", r.noiseFile, "safetensors file with the first noise [B,C,h,w]");
    command.add_option("--step-noise", r.stepNoiseFile, "safetensors file with the steps' noises [steps,C,h,w]");
    command.add_option("--latents-out", o.latentsOut, "safetensors file for the final latents");
    command.add_option("--field", o.fieldOut, "safetensors file for the measured fields of all heads and steps");
}

Error usage(std::string reason, std::string advice) {
    return {ErrorKind::Usage, "bad-option", {}, std::move(reason), {}, {}, std::move(advice)};
}

/// What would be noticed only after the work was done.
Result<void> checkTargets(const Options& o) {
    for (const std::string& path : {o.out, o.latentsOut, o.fieldOut}) {
        const fs::path folder = fs::path(path).parent_path();
        std::error_code ignored;
        if (!folder.empty() && !fs::is_directory(folder, ignored)) {
            return failure({ErrorKind::Refused,
                            "EX-01",
                            place({path}),
                            "its folder does not exist",
                            {},
                            {},
                            "Create the folder or choose another"});
        }
        if (fs::is_directory(path, ignored)) {
            return failure(
                {ErrorKind::Refused, "EX-02", place({path}), "the target is a folder", {}, {}, "Give a file name"});
        }
    }
    return {};
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

/// field_sum.i and field_mean.i [steps,H,2h-1,2w-1] of every layer, t [steps].
std::map<std::string, Array> fieldArrays(const std::vector<StepFields>& steps) {
    std::map<std::string, Array> arrays;
    const auto count = static_cast<std::int64_t>(steps.size());
    std::vector<float> times;
    std::map<int, std::vector<float>> sums, means;
    std::map<int, std::int64_t> heads;
    Grid grid;
    for (const StepFields& step : steps) {
        times.push_back(static_cast<float>(step.time));
        for (const HeadField& field : step.heads) {
            auto& sum = sums[field.id.layer];
            auto& mean = means[field.id.layer];
            sum.insert(sum.end(), field.sum.begin(), field.sum.end());
            mean.insert(mean.end(), field.mean.begin(), field.mean.end());
            ++heads[field.id.layer];
            grid = field.grid;
        }
    }
    for (const auto& [layer, total] : heads) {
        const std::vector<std::int64_t> shape = {count, total / count, 2 * grid.rows - 1, 2 * grid.cols - 1};
        arrays["field_sum." + std::to_string(layer)] = makeArray(std::span<const float>(sums[layer]), shape);
        arrays["field_mean." + std::to_string(layer)] = makeArray(std::span<const float>(means[layer]), shape);
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

/// The settings that both kinds of models share are the request's.
DrawCommand drawCommand(const Options& o) {
    DrawCommand draw = o.draw;
    const GenerateRequest& r = o.request;
    draw.model = r.model, draw.compute = r.compute, draw.vae = r.vae, draw.noise = r.noiseFile, draw.seed = r.seed;
    draw.prompt = o.prompt.value_or("");
    draw.sampler = r.sampler;
    if (o.steps->count() > 0) draw.steps = r.steps;
    if (o.guidance->count() > 0) draw.guidance = r.guidance;
    if (r.size != Grid{}) draw.size = r.size;
    draw.note = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    return draw;
}

Result<void> generate(const Options& o) {
    if (o.isText() && (o.request.batch > 1 || !o.fieldOut.empty() || !o.request.stepNoiseFile.empty()))
        return failure(usage("--batch, --field and --step-noise are for class-conditional models",
                             "Leave them out; run it again with another --seed"));
    if (auto checked = checkTargets(o); !checked) return checked;
    if (auto complete = checkModel(o.request.model); !complete) return complete;
    if (const auto card = openCard(o.request.model);
        card && !o.isText() && (card->architecture == "flux" || card->architecture == "mmdit"))
        return failure(usage("this model takes text", "Give --prompt, or --embeddings of another program"));
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const Interrupt interrupt;
    JobContext context;
    context.stop = interrupt.token();
    context.onProgress = showProgress;
    if (o.isText()) {
        const auto result = (*core)->draw(drawCommand(o), context);
        if (!result) return failure(result.error());
        return writeResults(o, *result);
    }
    const auto reply = (*core)->run(o.request, context);
    if (!reply) return failure(reply.error());
    return writeResults(o, std::get<GenerateResult>(*reply));
}

}  // namespace

void addGenerateCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("generate", "draw images");
    addOptions(*command, *options);
    command->callback([options, &code] {
        GenerateRequest& request = options->request;
        request.previews = false;
        request.record = options->fieldOut.empty() ? RecordFields::None : RecordFields::All;
        const auto done = generate(*options);
        if (!done) code = report(done.error());
    });
}

}  // namespace ropescope
