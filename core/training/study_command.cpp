// SPDX-License-Identifier: Apache-2.0
#include "core/training/study_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "core/data/atomic_file.h"
#include "core/training/study_report.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

struct Options {
    StudySettings study;
    std::string published;
    bool reportOnly = false;
};

/// resources/study/published.csv in a folder above the program; empty when there is none.
std::string shippedFigures() {
    std::error_code none;
    fs::path folder = fs::read_symlink("/proc/self/exe", none).parent_path();
    for (int up = 0; up < 4; ++up, folder = folder.parent_path())
        if (fs::exists(folder / "resources/study/published.csv", none))
            return (folder / "resources/study/published.csv").string();
    return {};
}

/// The tiny network that a processor trains in a minute.
TrainSettings studyBase() {
    TrainSettings s;
    s.layers = 2, s.heads = 3, s.headDim = 16;
    s.epochs = 1;
    s.rate = 2e-3;
    s.warmUp = 100;
    s.optimizer.averageDecay = 0.99;
    s.saveEvery = 200;
    return s;
}

void addOptions(CLI::App& app, Options& o) {
    TrainSettings& s = o.study.base;
    app.add_option("--out", s.out, "folder of the study; what was begun there goes on")->required();
    app.add_option("--data", s.data, "folder of idx files")->capture_default_str();
    app.add_option("--row", o.study.rows, "only these rows, by name")->expected(1, 100);
    app.add_option("--seeds", o.study.seeds, "runs per row")->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--sizes", o.study.sizes, "sides of the test images in pixels")
        ->expected(1, 20)
        ->capture_default_str();
    app.add_option("--budget", o.study.budget, "processor minutes of all finished runs after which none is begun")
        ->check(CLI::PositiveNumber);
    app.add_option("--epochs", s.epochs)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--steps", s.steps, "number of steps instead of epochs")->check(CLI::PositiveNumber);
    app.add_option("--images", s.images, "use only the first so many images")->check(CLI::PositiveNumber);
    app.add_option("--layers", s.layers)->check(CLI::Range(1, 100))->capture_default_str();
    app.add_option("--heads", s.heads)->check(CLI::Range(1, 100))->capture_default_str();
    app.add_option("--head-dim", s.headDim, "a multiple of 4")->check(CLI::Range(4, 256))->capture_default_str();
    app.add_option("--patch", s.patch)->check(CLI::Range(1, 64))->capture_default_str();
    app.add_option("--batch", s.batch)->check(CLI::Range(1, 65536))->capture_default_str();
    app.add_option("--lr", s.rate)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--warmup", s.warmUp)->check(CLI::NonNegativeNumber)->capture_default_str();
    app.add_option("--threads", s.threads)->check(CLI::Range(1, 256))->capture_default_str();
    app.add_option("--published", o.published, "CSV of published figures shown beside ours")->capture_default_str();
    app.add_flag("--report", o.reportOnly, "write the reports of what is finished, run nothing");
    std::string names;
    for (const StudyRow& row : studyRows()) names += (names.empty() ? "" : ", ") + row.name;
    app.footer("Rows: " + names + ".");
}

std::string setupOf(const StudySettings& study) {
    const TrainSettings& s = study.base;
    const std::string width = std::to_string(s.heads * s.headDim);
    std::string length = CLI::detail::to_string(s.epochs) + (s.epochs == 1 ? " epoch" : " epochs");
    if (s.steps > 0) length = std::to_string(s.steps) + " steps";
    if (s.images > 0) length += " of the first " + std::to_string(s.images) + " images";
    return "A ViT with a class token, " + std::to_string(s.layers) + " layers, " + std::to_string(s.heads) +
           " heads of " + std::to_string(s.headDim) + " (width " + width + "), patches of " + std::to_string(s.patch) +
           " pixels, trained for " + length + " of the training set in batches of " + std::to_string(s.batch) +
           " (AdamW, peak rate " + CLI::detail::to_string(s.rate) +
           ", cosine, no augmentation, moving average of the weights, bfloat16 products), tested at the size it was "
           "trained at and at larger ones. theta is 100 (mixed: 10); matrices learn at ten times the rate of the rest, "
           "in every row that has one. Short training of a small network: differences between rows are what this "
           "setting "
           "shows, no more.";
}

Result<void> writeText(const std::string& path, const std::string& text) {
    return writeFileAtomically(path, {std::as_bytes(std::span(text))});
}

Result<std::string> writeReports(const Options& options) {
    StudyReport report;
    if (!options.published.empty()) {
        Result<std::vector<PublishedFigure>> published = readPublished(options.published);
        if (!published) return failure(published.error());
        report.published = std::move(*published);
    }
    const std::string& out = options.study.base.out;
    Result<std::vector<StudyRun>> runs = finishedRuns(out);
    if (!runs) return failure(runs.error());
    report.runs = std::move(*runs);
    report.sizes = options.study.sizes;
    report.setup = setupOf(options.study);
    std::string table = studyMarkdown(report);
    for (const auto& [name, text] :
         {std::pair{"/results.json", studyJson(report)}, {"/table.md", table}, {"/figure.svg", studySvg(report)}})
        if (Result<void> done = writeText(out + name, text); !done) return failure(done.error());
    return table;
}

Result<std::string> study(const Options& options) {
    const auto say = [](const std::string& line) { std::cerr << line << std::endl; };
    if (options.published.empty()) say("no published figures: resources/study/published.csv was not found");
    const auto finished = [&]() -> Result<void> {
        const Result<std::string> table = writeReports(options);
        if (!table) return failure(table.error());
        return {};
    };
    if (!options.reportOnly)
        if (Result<void> done = runStudy(options.study, say, finished); !done) return failure(done.error());
    return writeReports(options);
}

}  // namespace

int runStudyCommand(const std::vector<std::string>& arguments) {
    Options options;
    options.study.base = studyBase();
    options.published = shippedFigures();
    CLI::App app("Train and compare encodings and matrices of a small ViT", "study");
    addOptions(app, options);
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(reversed);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    const Result<std::string> table = study(options);
    if (!table) {
        std::cerr << table.error().message() << "\n";
        return table.error().exitCode();
    }
    std::cout << *table;
    return 0;
}

}  // namespace ropescope
