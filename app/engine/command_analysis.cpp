// SPDX-License-Identifier: Apache-2.0
// calibrate and compare: what heads do with data, and how they differ.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/commands.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/enum_names.h"
#include "core/data/kernel_series.h"
#include "core/data/safetensors.h"
#include "core/data/usual_run.h"

namespace ropescope {
namespace {

using Json = nlohmann::ordered_json;

struct Output {
    std::string file;
    bool json = false;
};

/// Options whose usual value depends on the model.
struct Usual {
    CLI::Option *steps = nullptr, *guidance = nullptr;
};

bool takePrompts(const CLI::results_t& files, CalibrateRequest& r) {
    std::ifstream file(files.front());
    const std::size_t before = r.prompts.size();
    for (std::string line; std::getline(file, line);) {
        if (line.ends_with('\r')) line.pop_back();
        if (!line.empty()) r.prompts.push_back(line);
    }
    if (r.prompts.size() > before) return true;
    throw CLI::ValidationError("--prompts", "no text in " + printable(files.front(), 80) + ", expected one in a line");
}

bool takeHeads(const CLI::results_t& words, CalibrateRequest& r) {
    for (const std::string& word : words) {
        HeadId id;
        int read = 0;
        const bool fits = std::sscanf(word.c_str(), "L%5d.H%5d%n", &id.layer, &id.head, &read) == 2;
        if (!fits || static_cast<std::size_t>(read) != word.size())
            throw CLI::ValidationError("--only", "found " + printable(word, 40) + ", expected e.g. L0.H0,L3.H2");
        r.heads.push_back(id);
    }
    return true;
}

void addTextOptions(CLI::App& command, CalibrateRequest& r) {
    command
        .add_option(
            "--prompts", [&r](const CLI::results_t& files) { return takePrompts(files, r); },
            "FLUX, SD3: a file with one text in each line; images take them in turn")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    command
        .add_option(
            "--prompt",
            [&r](const CLI::results_t& texts) {
                r.prompts.insert(r.prompts.end(), texts.begin(), texts.end());
                return true;
            },
            "FLUX, SD3: a text; may be given several times")
        ->type_name("TEXT")
        ->expected(1)
        ->take_all();
    command.add_option("--negative", r.text.negative, "text to stay away from (FLUX: with --true-guidance)");
    command.add_option("--embeddings", r.text.embeddings, "FLUX, SD3: instead of texts, as generate");
    command.add_option("--true-guidance", r.text.trueGuidance, "FLUX: weight against the negative text")
        ->check(CLI::Range(0.0, 100.0));
    command.add_option("--shift", r.text.shift, "FLUX, SD3: of the noise levels")->check(CLI::Range(1e-3, 1e3));
    command.add_option("--encoders", r.text.encoders, "FLUX, SD3: folder with text encoders and tokenizers");
    addSizeOption(command, "--size", r.size, "FLUX, SD3: height x width of the pictures (default 1024x1024)");
    addMemoryOption(command, r.text.memory);
}

Usual addSamplingOptions(CLI::App& command, CalibrateRequest& r) {
    addComputeOptions(command, r.compute);
    command.add_option("--images", r.images, "how many to measure (default 16)")->check(CLI::Range(1, 100'000));
    command.add_option("--folder", r.folder,
                       "pictures for a model that classifies, taken at even distances in order of their paths");
    command.add_option("--class", r.labels, "classes of generated images, in turn; 1,5,7 (default: all)")
        ->check(CLI::Range(0, 1'000'000))
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_option("--seed", r.seed, "image i uses seed + i (default 0)");
    Usual usual;
    usual.steps = command.add_option("--steps", r.steps, "sampling steps (default 20; FLUX, SD3: as generate)")
                      ->check(CLI::Range(1, 1000));
    usual.guidance = command
                         .add_option("--guidance", r.guidance,
                                     "steers the images; measured is the conditional half (default 2; FLUX, SD3: as "
                                     "generate)")
                         ->check(CLI::Range(0.0, 100.0));
    addSamplerOption(command, r.sampler);
    addTextOptions(command, r);
    command
        .add_option(
            "--only", [&r](const CLI::results_t& words) { return takeHeads(words, r); },
            "the heads to measure, e.g. L0.H0,L3.H2 (default: all)")
        ->type_name("HEADS")
        ->delimiter(',')
        ->expected(1)
        ->take_all();
    return usual;
}

/// The usual steps and guidance of a model that takes text.
Result<void> chooseUsual(const ModelRef& model, const Usual& usual, CalibrateRequest& r) {
    const auto card = openCard(model);
    if (!card) return failure(card.error());
    if (!card->takesText()) return {};
    if (usual.steps->count() == 0) r.steps = usualRun(*card).steps;
    if (usual.guidance->count() == 0) r.guidance = usualRun(*card).guidance;
    return {};
}

void addOutputOptions(CLI::App& command, Output& output) {
    command.add_option("--out", output.file, "safetensors file to write");
    command.add_flag("--json", output.json, "the numbers as JSON on stdout");
}

Result<void> checkOutput(const Output& output, const std::vector<ModelRef>& models) {
    std::vector<std::string> inputs;
    for (const ModelRef& model : models)
        for (const std::string& path : inputsOf(model)) inputs.push_back(path);
    if (!output.file.empty()) return checkOutputs({output.file}, inputs);
    if (output.json) return {};
    return failure({ErrorKind::Usage, "bad-option", {}, "nowhere to put the result", {}, {}, "Give --out or --json"});
}

/// One request through the core, with its progress on a terminal and Ctrl+C as cancel.
Result<Reply> answered(const Request& request) {
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const Interrupt interrupt;
    JobContext context;
    context.stop = interrupt.token();
    context.onShare = [](double done, const std::string& word) {
        if (::isatty(STDERR_FILENO)) std::fprintf(stderr, "\r%3.0f %%  %s   ", 100 * done, word.c_str());
    };
    auto reply = (*core)->run(request, context);
    if (::isatty(STDERR_FILENO)) std::fputc('\n', stderr);
    return reply;
}

Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

/// [rows, columns] of a flat list; what is not finite is null.
Json table(const std::vector<double>& values, std::size_t columns) {
    Json rows = Json::array();
    for (std::size_t i = 0; columns > 0 && i + columns <= values.size(); i += columns) {
        Json row = Json::array();
        for (std::size_t j = 0; j < columns; ++j) row.push_back(number(values[i + j]));
        rows.push_back(std::move(row));
    }
    return rows;
}

void print(const Json& json) {
    std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

// ---------------------------------------------------------------------------------------------------- calibrate

/// Tensors [heads, ...] of one layer; heads that were not measured are NaN.
struct LayerArrays {
    std::map<std::string, Array>& out;
    std::string prefix;
    int heads;

    template <class T>
    void add(const std::string& name, int head, const std::vector<T>& values, std::vector<std::int64_t> shape) {
        if (values.empty()) return;
        shape.insert(shape.begin(), heads);
        Array& array = out[prefix + name];
        if (array.shape.empty()) {
            const std::vector<float> none(values.size() * heads, std::numeric_limits<float>::quiet_NaN());
            array = makeArray(std::span<const float>(none), shape);
        }
        std::copy(values.begin(), values.end(), array.as<float>().begin() + head * values.size());
    }
};

std::map<std::string, Array> calibrationArrays(const CalibrationReport& report) {
    std::map<std::string, Array> out;
    const std::int64_t layers = report.layers, heads = report.heads;
    const auto steps = static_cast<std::int64_t>(report.times.size());
    for (const MeasuredNumber& n : report.numbers) {
        out["number." + n.key] = makeArray(std::span<const double>(n.mean), {layers, heads});
        out["number_error." + n.key] = makeArray(std::span<const double>(n.error), {layers, heads});
        if (steps == 0) continue;
        out["step." + n.key] = makeArray(std::span<const double>(n.stepMean), {steps, layers, heads});
        out["step_error." + n.key] = makeArray(std::span<const double>(n.stepError), {steps, layers, heads});
    }
    if (steps > 0) out["t"] = makeArray(std::span<const double>(report.times), {steps});
    const std::vector<std::int64_t> offsets = {2 * report.grid.rows - 1, 2 * report.grid.cols - 1};
    for (const HeadCalibration& h : report.curves) {
        LayerArrays layer{out, "layer." + std::to_string(h.id.layer) + ".", report.heads};
        const auto planes = static_cast<std::int64_t>(h.energy.size());
        layer.add("field_sum", h.id.head, h.field.sum, offsets);
        layer.add("field_mean", h.id.head, h.field.mean, offsets);
        if (planes == 0) continue;
        layer.add("frequency", h.id.head, h.frequency, {planes, h.kernel.axes});
        layer.add("energy_data", h.id.head, h.energy, {planes});
        layer.add("energy_data_error", h.id.head, h.energyError, {planes});
        layer.add("energy_data_reference", h.id.head, h.reference, {planes});
        layer.add("kernel_data", h.id.head, evaluateKernel(h.kernel, report.grid), offsets);
        layer.add("sensitivity_data", h.id.head, evaluateSensitivity(h.sensitivity, report.grid), offsets);
    }
    return out;
}

Json calibrationJson(const CalibrationReport& report) {
    Json numbers = Json::array();
    for (const MeasuredNumber& n : report.numbers) {
        numbers.push_back({{"key", n.key},
                           {"title", n.title},
                           {"unit", n.unit},
                           {"about", enumName(n.about)},
                           {"definition", n.definition},
                           {"mean", table(n.mean, report.heads)},
                           {"standard_error", table(n.error, report.heads)}});
    }
    return {{"source", report.source}, {"images", report.images},   {"grid", {report.grid.rows, report.grid.cols}},
            {"device", report.device}, {"seconds", report.seconds}, {"t", report.times},
            {"numbers", numbers}};
}

Result<void> runCalibrate(CalibrateRequest& request, const Usual& usual, const Output& output) {
    if (auto fits = checkOutput(output, {request.model}); !fits) return fits;
    if (auto complete = checkModel(request.model); !complete) return complete;
    if (auto chosen = chooseUsual(request.model, usual, request); !chosen) return chosen;
    const auto reply = answered(request);
    if (!reply) return failure(reply.error());
    const auto& report = std::get<CalibrationReport>(*reply);
    for (const HeadCalibration& h : report.curves)
        if (!h.problem.empty()) std::fprintf(stderr, "%s: %s\n", h.id.name().c_str(), h.problem.c_str());
    if (output.json) print(calibrationJson(report));
    if (!output.file.empty())
        if (auto written = writeSafetensors(output.file, calibrationArrays(report)); !written) return written;
    std::fprintf(stderr, "%s; %.2f s on %s\n", report.source.c_str(), report.seconds, report.device.c_str());
    return {};
}

// ---------------------------------------------------------------------------------------------------- compare

Json comparisonJson(const CompareReport& report) {
    return {{"title", report.title},
            {"unit", report.unit},
            {"about", enumName(report.about)},
            {"definition", report.definition},
            {"note", report.note},
            {"names", report.names},
            {"matrix", table(report.matrix, report.names.size())},
            {"embedding", table(report.embedding, 2)},
            {"axis_share", report.axisShare}};
}

std::map<std::string, Array> comparisonArrays(const CompareReport& report) {
    const auto n = static_cast<std::int64_t>(report.names.size());
    std::vector<double> ids;
    for (std::size_t i = 0; i < report.heads.size(); ++i)
        for (int v : {report.models[i], report.heads[i].layer, report.heads[i].head}) ids.push_back(v);
    std::map<std::string, Array> out = {{"matrix", makeArray(std::span<const double>(report.matrix), {n, n})},
                                        {"head", makeArray(std::span<const double>(ids), {n, 3})}};
    if (!report.embedding.empty()) {
        out["embedding"] = makeArray(std::span<const double>(report.embedding), {n, 2});
        out["axis_share"] = makeArray(std::span<const double>(report.axisShare), {2});
    }
    if (!report.perPlane.empty()) {
        const std::int64_t half = n / 2, planes = static_cast<std::int64_t>(report.perPlane.size()) / half;
        out["plane_overlap"] = makeArray(std::span<const double>(report.perPlane), {half, planes});
    }
    return out;
}

Result<void> runCompare(CompareRequest& request, const Usual& usual, const Output& output) {
    if (auto fits = checkOutput(output, request.models); !fits) return fits;
    for (const ModelRef& model : request.models)
        if (auto complete = checkModel(model); !complete) return complete;
    if (auto chosen = chooseUsual(request.models.front(), usual, request.measure); !chosen) return chosen;
    const auto reply = answered(request);
    if (!reply) return failure(reply.error());
    const auto& report = std::get<CompareReport>(*reply);
    if (output.json) print(comparisonJson(report));
    if (!output.file.empty())
        if (auto written = writeSafetensors(output.file, comparisonArrays(report)); !written) return written;
    std::fprintf(stderr, "%s, %zu heads%s%s\n", report.title.c_str(), report.names.size(),
                 report.note.empty() ? "" : "; ", report.note.c_str());
    return {};
}

}  // namespace

void addCalibrateCommand(CLI::App& app, int& code) {
    struct Options {
        CalibrateRequest request;
        Usual usual;
        Output output;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("calibrate", "numbers of every head from data, with standard errors");
    addModelOptions(*command, options->request.model);
    addVariationOption(*command, options->request.model);
    options->usual = addSamplingOptions(*command, options->request);
    addOutputOptions(*command, options->output);
    command->footer(
        "Writes number.KEY and number_error.KEY [L,H], step.KEY and step_error.KEY [S,L,H], t [S], and per layer\n"
        "layer.i.field_sum, field_mean, kernel_data, sensitivity_data [H,2h-1,2w-1], energy_data, energy_data_error,\n"
        "energy_data_reference [H,P], frequency [H,P,axes]. Computed in fp32, but FLUX and SD3\n"
        "in --precision; of these, the picture's tokens among themselves.");
    command->callback([options, &code] {
        const auto done = runCalibrate(options->request, options->usual, options->output);
        if (!done) code = report(done.error());
    });
}

void addCompareCommand(CLI::App& app, int& code) {
    struct Options {
        CompareRequest request;
        ModelRef model;
        std::string second;
        Usual usual;
        Output output;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("compare", "heads against heads, of one model or two");
    addModelOptions(*command, options->model);
    addVariationOption(*command, options->model);
    command->add_option("FILE2", options->second, "another model, read with the same options, its heads as stored");
    addChoice<CompareMetric>(*command, "--metric", options->request.metric,
                             {{"field", CompareMetric::FieldCorrelation},
                              {"frequency", CompareMetric::FrequencyWasserstein},
                              {"kernel", CompareMetric::KernelCorrelation},
                              {"plane", CompareMetric::PlaneOverlap}},
                             "what is compared (default kernel); plane: two states of one training run");
    addChoice<ContentSource>(*command, "--content", options->request.content,
                             {{"weights", ContentSource::Weights}, {"data", ContentSource::Data}},
                             "of frequencies and kernels (default weights)");
    options->usual = addSamplingOptions(*command, options->request.measure);
    addOutputOptions(*command, options->output);
    command->footer(
        "Writes matrix [n,n], head [n,3] (model, layer, head), embedding [n,2] and axis_share [2] by classical "
        "scaling,\n"
        "plane_overlap [n/2,P] for two states. Fields and data contents are measured over images\n"
        "(generated; of a model that classifies, those of --folder).");
    command->callback([options, &code] {
        CompareRequest& request = options->request;
        request.heads = request.measure.heads;
        request.models = {options->model};
        if (!options->second.empty()) {
            request.models.push_back(withoutChanges(options->model));
            request.models.back().path = options->second;
        }
        const auto done = runCompare(request, options->usual, options->output);
        if (!done) code = report(done.error());
    });
}

}  // namespace ropescope
