// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "app/engine/commands.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/usual_run.h"

namespace ropescope {
namespace {

struct Options {
    SweepRequest request;
    std::string prompts;
    CLI::Option *steps = nullptr, *guidance = nullptr;
};

bool readNumber(std::string_view text, int& value) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() && value >= 0 && value < 1'000'000;
}

/// "all", "L3" or "L3.H1".
std::optional<HeadId> headOf(std::string_view text) {
    HeadId id{-1, -1};
    if (text == "all") return id;
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!text.starts_with('L') || !readNumber(text.substr(1, dot - 1), id.layer)) return std::nullopt;
    if (dot == text.size()) return id;
    if (!text.substr(dot).starts_with(".H") || !readNumber(text.substr(dot + 2), id.head)) return std::nullopt;
    return id;
}

/// After addModelOptions().
void addChangeOptions(CLI::App& command, SweepRequest& r) {
    const auto change = [&r](const CLI::results_t& given) {
        auto read = changeFromText(given.front());
        if (!read) throw CLI::ValidationError("--change", read.error().message());
        r.change = std::move(*read);
        return true;
    };
    command
        .add_option("--change", CLI::callback_t(change),
                    "output-off, positions-off, identity, tau=X, position-only or frequencies=X")
        ->required()
        ->type_name("CHANGE");
    const auto heads = [&r](const CLI::results_t& given) {
        for (const std::string& word : given) {
            if (readNumber(word, r.run.model.heads)) continue;
            const auto id = headOf(word);
            if (!id)
                throw CLI::ValidationError("--heads", "found " + printable(word, 40) + ", expected all, L3 or L3.H1");
            r.heads.push_back(*id);
        }
        return true;
    };
    command.remove_option(command.get_option("--heads"));  // which takes a number alone
    command
        .add_option("--heads", CLI::callback_t(heads),
                    "all (default), L0.H0,L1.H1 or L3 (its heads): each is changed in turn; a number: how many a layer "
                    "has, where the tensors do not tell")
        ->type_name("HEADS")
        ->delimiter(',')
        ->expected(1)
        ->take_all();
}

void addPictureOptions(CLI::App& command, Options& o) {
    SweepRequest& r = o.request;
    command.add_option("--classes", r.classes, "models that draw by class: 7,9")
        ->check(CLI::Range(0, 1'000'000))
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_option("--prompts", o.prompts, "FLUX, SD3: a file with one text in each line")
        ->check(CLI::ExistingFile);
    command.add_option("--seeds", r.seeds, "0,1: one noise each for every class or text (default 0)")
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_option("--classifier", r.classifier, "judges the pictures: the classifier of evaluate, or a ViT");
    command.add_option("--folder", r.folder, "ViT: pictures in a sub-folder for each class, named or numbered as it");
    command.add_option("--data", r.data, "ViT: or a folder of idx files, whose test set is taken");
    command.add_option("--images", r.images, "ViT: so many of them, at even distances (default all)")
        ->check(CLI::Range(1, 10'000'000));
}

void addSamplingOptions(CLI::App& command, Options& o) {
    GenerateRequest& r = o.request.run;
    o.steps =
        command.add_option("--steps", r.steps, "sampling steps (default as generate)")->check(CLI::Range(1, 1000));
    o.guidance =
        command.add_option("--guidance", r.guidance, "as generate, with its default")->check(CLI::Range(0.0, 100.0));
    addChoice<GuidanceChannels>(command, "--guidance-channels", r.guidanceChannels,
                                {{"3", GuidanceChannels::First3}, {"all", GuidanceChannels::All}},
                                "which channels it changes (default 3 for DiT latents)");
    addSamplerOption(command, r.sampler);
    addSizeOption(command, "--size", r.size, "height x width in pixels of the model's own input");
    addExtrapolationOptions(command, r.extrapolate, false);
    command.add_option("--vae", r.vae, "autoencoder that makes pictures of latents, a file or folder");
    command.add_option("--negative", r.text.negative, "text to stay away from (FLUX: with --true-guidance)");
    command.add_option("--true-guidance", r.text.trueGuidance, "FLUX: weight against the negative text")
        ->check(CLI::Range(0.0, 100.0));
    command.add_option("--shift", r.text.shift, "FLUX, SD3: of the noise levels")->check(CLI::Range(1e-3, 1e3));
    command.add_option("--encoders", r.text.encoders, "FLUX, SD3: folder with text encoders and tokenizers");
    command.add_option("--embeddings", r.text.embeddings, "FLUX, SD3: instead of --prompts, as generate");
    addMemoryOption(command, r.text.memory);
    command.add_option("--batch", o.request.batch, "pictures at once (default: 16384 tokens; FLUX, SD3: 1)")
        ->check(CLI::Range(1, 1024));
}

Result<void> readPrompts(Options& o) {
    if (o.prompts.empty()) return {};
    std::ifstream file(o.prompts);
    for (std::string line; std::getline(file, line);) {
        if (line.ends_with('\r')) line.pop_back();
        if (!line.empty()) o.request.prompts.push_back(line);
    }
    if (!o.request.prompts.empty()) return {};
    return failure({ErrorKind::Usage, "bad-option", place({"--prompts", o.prompts}), "no text in the file", "none",
                    "one in each line", "Give another file"});
}

Result<void> chooseUsual(Options& o) {
    const auto card = openCard(o.request.run.model);
    if (!card) return failure(card.error());
    if (o.steps->count() == 0) o.request.run.steps = usualRun(*card).steps;
    if (o.guidance->count() == 0) o.request.run.guidance = usualRun(*card).guidance;
    return {};
}

Result<void> checkFiles(const Options& o) {
    std::vector<std::string> inputs = inputsOf(o.request.run);
    for (const std::string& path : {o.prompts, o.request.classifier, o.request.change.donor}) inputs.push_back(path);
    const std::string& csv = o.request.out;
    return checkOutputs({csv, std::filesystem::path(csv).replace_extension(".safetensors").string()}, inputs);
}

void say(const SweepReport& report, const std::string& out) {
    std::printf("%s\n", out.c_str());
    if (report.before > 0) std::fprintf(stderr, "%d heads were done before\n", report.before);
    std::fprintf(stderr, "%zu heads, %d pictures each; %.2f s on %s%s%s\n", report.rows.size(), report.pictures,
                 report.seconds, report.device.c_str(), report.note.empty() ? "" : "; ", report.note.c_str());
}

Result<void> runSweep(Options& o) {
    if (auto fits = checkFiles(o); !fits) return fits;
    if (auto complete = checkModel(o.request.run.model); !complete) return complete;
    if (auto read = readPrompts(o); !read) return read;
    if (auto chosen = chooseUsual(o); !chosen) return chosen;
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const Interrupt interrupt;
    const bool shown = ::isatty(STDERR_FILENO) != 0;
    JobContext context;
    context.stop = interrupt.token();
    context.onNote = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    context.onShare = [shown](double done, const std::string& word) {
        if (shown) std::fprintf(stderr, "\r%3.0f %%  %s\033[K", 100 * done, word.c_str());
    };
    const auto reply = (*core)->run(o.request, context);
    if (shown) std::fputc('\n', stderr);
    if (!reply) return failure(reply.error());
    say(std::get<SweepReport>(*reply), o.request.out);
    return {};
}

}  // namespace

void addSweepCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<Options>();
    SweepRequest& request = options->request;
    CLI::App* command = app.add_subcommand("sweep", "change every head in turn: how much the result changes");
    addModelOptions(*command, request.run.model);
    addVariationOption(*command, request.run.model);
    addComputeOptions(*command, request.run.compute);
    addChangeOptions(*command, request);
    addPictureOptions(*command, *options);
    addSamplingOptions(*command, *options);
    command->add_option("--out", request.out, "TABLE.csv; TABLE.safetensors beside it keeps every picture's numbers")
        ->required();
    command->add_flag("--restart", request.restart, "from the beginning, over what --out holds");
    command->footer(
        "A row per head: head, layer, index, change, then each number with its standard error in NAME_error. All\n"
        "pictures are drawn unchanged and with each head changed (beside --variation, which stays), from the same\n"
        "noises. picture_l2: root mean square difference, pixels 0 to 1. picture_ssim: 1 for the same (SSIM).\n"
        "latent_l2: ||a - b|| / ||a|| of the final latents. With --classifier answer_change: share of pictures whose\n"
        "best class changes; right_drop: drop of the mean probability of the asked class. The mean is over classes\n"
        "(or texts) and seeds; the standard error over seeds: mean over classes first, then sd / sqrt(seeds), empty\n"
        "for one seed. A ViT: accuracy, accuracy_drop, answer_change over labelled pictures, errors paired over them.\n"
        "TABLE.safetensors holds the numbers [heads, classes, seeds] and all settings. A sweep that was stopped\n"
        "(Ctrl+C) goes on when the same command is run again.");
    command->callback([options, &code] {
        const auto done = runSweep(*options);
        if (!done) code = report(done.error());
    });
}

}  // namespace ropescope
