// SPDX-License-Identifier: Apache-2.0
#include "core/training/evaluate_command.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "core/data/atomic_file.h"
#include "core/data/enum_names.h"
#include "core/engine/machine/media_library.h"
#include "core/training/evaluation.h"
#include "core/training/model_card.h"
#include "core/training/resolution.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

constexpr double kLeastAccuracy = 0.91;  // a weaker judge says little about the pictures
constexpr std::uint64_t kClassifierSeed = 7;

const std::map<std::string, Precision> kPrecisions = {
    {"fp32", Precision::Fp32}, {"bf16", Precision::Bf16}, {"fp16", Precision::Fp16}};
const std::map<std::string, Convention> kConventions = {{"same", Convention::Same}, {"inverse", Convention::Inverse}};

void say(const std::string& line) {
    std::cerr << line << std::endl;
}

/// What a ViT is asked for.
struct SidesAsked {
    std::vector<int> sides;
    std::vector<std::string> methods = {"none"};
    int images = 0;
};

void addOptions(CLI::App& app, EvaluationSettings& s, SidesAsked& asked) {
    app.add_option("--resolutions", asked.sides, "ViT: accuracy at these sides in pixels, e.g. 28,42,56")
        ->delimiter(',')
        ->check(CLI::Range(1, 4096));
    app.add_option("--extrapolation", asked.methods,
                   "ViT: none, interpolation, ntk, yarn, ntk-by-parts, time-aware; several: each at every side")
        ->delimiter(',')
        ->capture_default_str();
    app.add_option("--test-images", asked.images, "ViT: only the first so many (default all)")
        ->check(CLI::Range(1, 1'000'000));

    app.add_option("FILE", s.model.path, "the model")->required();
    app.add_option("--out", s.out, "folder for evaluation.json, pictures and card (default: the model's)");
    app.add_option("--data", s.data, "folder of idx files")->capture_default_str();
    app.add_option("--classifier", s.classifier, "DiT: classifier file; trained and written when it is missing");
    app.add_option("--classifier-epochs", s.classifierEpochs)->check(CLI::Range(1, 100))->capture_default_str();
    app.add_option("--remark", s.remark, "a sentence for the card");
    app.add_option("--images", s.images)->check(CLI::Range(200, 10000))->capture_default_str();
    app.add_option("--guided-images", s.guidedImages, "at strengths after the first")
        ->check(CLI::Range(100, 10000))
        ->capture_default_str();
    app.add_option("--steps", s.steps)->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--guidance", s.guidance, "strengths to measure, the first one counts")->capture_default_str();
    app.add_option("--seed", s.seed)->capture_default_str();
    app.add_option("--convention", s.model.convention)->transform(CLI::CheckedTransformer(kConventions));
    const auto vary = [&s](const CLI::results_t& given) {
        const auto variation = readVariation(given.front());
        if (!variation) throw CLI::ValidationError("--variation", variation.error().message());
        s.model.variation() = *variation;
        return true;
    };
    app.add_option("--variation", CLI::callback_t(vary), "changes of heads: a JSON file, see the README")
        ->type_name("FILE");
    app.add_option("--device", s.compute.device)->capture_default_str();
    app.add_option("--precision", s.compute.precision)
        ->transform(CLI::CheckedTransformer(kPrecisions))
        ->default_str("fp32");
    app.add_option("--threads", s.compute.threads, "0: all cores")->check(CLI::Range(0, 256));
}

std::string readText(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

Result<void> writeText(const fs::path& path, const std::string& text) {
    return writeFileAtomically(path.string(), {std::as_bytes(std::span(text))});
}

Result<Classifier> classifierOf(const EvaluationSettings& s, const Dataset& train, const Dataset& test) {
    if (fs::exists(s.classifier)) return loadClassifier(s.classifier);
    Classifier classifier = trainClassifier(train, test, s.classifierEpochs, kClassifierSeed, say);
    if (Result<void> saved = saveClassifier(s.classifier, classifier); !saved) return failure(saved.error());
    return classifier;
}

// Pictures [n,1,h,w] or [n,3,h,w] as one, rows of `columns`.
Result<void> writeSheet(const fs::path& path, const at::Tensor& pictures, int columns) {
    const Result<MediaApi*> media = openMediaLibrary();
    if (!media) return failure(media.error());
    std::vector<Array> arrays;
    for (const at::Tensor& picture : pictures.unbind(0))
        arrays.push_back(toArray(picture.expand({3, -1, -1}).permute({1, 2, 0}), DType::U8));
    return (*media)->writePng(path.string(), (*media)->montage(arrays, columns, 2, 2), "");
}

Result<void> writePictures(const fs::path& out, const Evaluation& e, int classes) {
    if (Result<void> done = writeSheet(out / "samples.png", e.generated.narrow(0, 0, 10 * classes), classes); !done)
        return done;
    if (Result<void> done = writeSheet(out / "samples-guided.png", e.guided, classes); !done) return done;
    const at::Tensor samples = e.generated.narrow(0, 0, e.nearest.size(0));
    std::vector<at::Tensor> rows;
    for (std::int64_t begin = 0; begin < samples.size(0); begin += 10)
        for (const at::Tensor& from : {samples, e.nearest}) rows.push_back(from.narrow(0, begin, 10));
    return writeSheet(out / "nearest.png", at::cat(rows), 10);
}

Result<void> writeCard(const fs::path& out, const fs::path& model, const std::string& evaluation,
                       const std::string& remark) {
    const fs::path folder = model.parent_path();
    if (!fs::exists(folder / "training.json") || !fs::exists(folder / "loss.csv")) return {};
    if (Result<void> done = writeText(out / "loss.svg", lossCurveSvg(readText(folder / "loss.csv"))); !done)
        return done;
    const std::string name = fs::absolute(model).parent_path().filename().string();
    return writeText(out / "card.md", modelCardText(name, readText(folder / "training.json"), evaluation, remark));
}

Result<std::vector<Extrapolation>> methodsOf(const SidesAsked& asked) {
    std::vector<Extrapolation> methods;
    constexpr auto names = enumNames(Extrapolation{});
    for (const std::string& name : asked.methods) {
        const auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end())
            return failure({ErrorKind::Usage, "bad-option", "--extrapolation", "no such method", printable(name, 40),
                            "none, interpolation, ntk, yarn, ntk-by-parts or time-aware", "Choose one of them"});
        methods.push_back(static_cast<Extrapolation>(found - names.begin()));
    }
    return methods;
}

/// A table on stdout, one line a side and method.
Result<void> measureSides(const EvaluationSettings& s, const SidesAsked& asked) {
    const auto methods = methodsOf(asked);
    if (!methods) return failure(methods.error());
    const Result<Dataset> test = readIdxFolder(s.data, Split::Test);
    if (!test) return failure(test.error());
    std::printf("%-6s %-14s %-7s %-8s %s\n", "side", "extrapolation", "images", "top-1 %", "95 %");
    const auto points = accuracyAtSides(
        {s.model, s.compute, asked.sides, *methods, true, asked.images}, *test, [](const ResolutionPoint& p) {
            std::printf("%-6d %-14s %-7d %-8.2f %.2f to %.2f\n", p.side, std::string(enumName(p.method)).c_str(),
                        p.images, 100 * p.top1, 100 * p.low, 100 * p.high);
            std::fflush(stdout);
        });
    return points ? Result<void>() : failure(points.error());
}

Result<void> evaluate(EvaluationSettings& s) {
    if (s.classifier.empty())
        return failure({ErrorKind::Usage, "bad-option", "--classifier", "a DiT's pictures need a judge", "", "",
                        "Add --classifier FILE; for a ViT add --resolutions"});
    const Result<Dataset> train = readIdxFolder(s.data, Split::Train);
    if (!train) return failure(train.error());
    const Result<Dataset> test = readIdxFolder(s.data, Split::Test);
    if (!test) return failure(test.error());
    const Result<Classifier> classifier = classifierOf(s, *train, *test);
    if (!classifier) return failure(classifier.error());
    if (classifier->testAccuracy < kLeastAccuracy)
        return failure({ErrorKind::Refused, "classifier", place({s.classifier}), "the classifier is too weak to judge",
                        std::to_string(classifier->testAccuracy), std::to_string(kLeastAccuracy),
                        "Delete it and give more --classifier-epochs"});
    const Result<Evaluation> evaluation = evaluateModel(s, *classifier, *train, *test, say);
    if (!evaluation) return failure(evaluation.error());
    const fs::path out = s.out.empty() ? fs::absolute(s.model.path).parent_path() : fs::path(s.out);
    std::error_code ignored;
    fs::create_directories(out, ignored);  // a failure shows when the files are written
    const std::string json = evaluationJson(s, *classifier, *test, *evaluation);
    std::cout << json;
    if (Result<void> done = writeText(out / "evaluation.json", json); !done) return done;
    if (Result<void> done = writePictures(out, *evaluation, static_cast<int>(test->classNames.size())); !done)
        return done;
    return writeCard(out, s.model.path, json, s.remark);
}

}  // namespace

int runEvaluate(const std::vector<std::string>& arguments) {
    EvaluationSettings settings;
    CLI::App app("Generate with a trained model and measure the pictures", "evaluate");
    SidesAsked asked;
    addOptions(app, settings, asked);
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(reversed);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    if (settings.compute.threads > 0) at::set_num_threads(settings.compute.threads);
    const Result<void> done = asked.sides.empty() ? evaluate(settings) : measureSides(settings, asked);
    if (done) return 0;
    std::cerr << done.error().message() << "\n";
    return done.error().exitCode();
}

}  // namespace ropescope
