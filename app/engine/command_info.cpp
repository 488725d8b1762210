// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/commands.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "core/checkpoint/finite.h"
#include "core/checkpoint/names.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/enum_names.h"

namespace ropescope {
namespace {

using Json = nlohmann::ordered_json;

Json asJson(const Preprocessing& p) {
    if (p.size.tokens() == 0) return {};
    return {{"size", {p.size.rows, p.size.cols}},
            {"crop_pct", p.cropFraction},
            {"interpolation", p.interpolation},
            {"mean", p.mean},
            {"std", p.std},
            {"source", p.source}};
}

Json asJson(const NetworkVariant& v) {
    return {{"norm", enumName(v.norm)},
            {"last_norm", enumName(v.lastNorm)},
            {"head_norm", enumName(v.headNorm)},
            {"norm_eps", v.normEps},
            {"gated_mlp", v.gated},
            {"activation", enumName(v.activation)},
            {"qkv_bias", v.qkvBias},
            {"registers", v.registers},
            {"distilled", v.distilled},
            {"norm_before", v.normBefore},
            {"pool", enumName(v.pool)}};
}

/// "axial and absolute": all that gives tokens their places.
std::string positionsText(const ModelCard& card) {
    if (card.positionRows > 0 && card.axes > 0) return card.encoding + " and absolute";
    return card.encoding;
}

Json asJson(const ModelCard& card) {
    return {
        {"path", card.path},
        {"name", card.name},
        {"format", card.format},
        {"architecture", card.architecture},
        {"encoding", card.encoding},
        {"positions", positionsText(card)},
        {"convention", enumName(card.convention)},
        {"map_tokens", card.classToken && card.matrix != MatrixKind::None ? Json(enumName(card.mapTokens)) : Json()},
        {"layers", card.layers},
        {"heads", card.heads},
        {"head_dim", card.headDim},
        {"width", card.width},
        {"grid", {card.grid.rows, card.grid.cols}},
        {"grid_source", card.gridSource},
        {"theta", card.theta > 0 ? Json(card.theta) : Json()},
        {"axes", card.axes},
        {"patch", card.patch},
        {"in_channels", card.inChannels},
        {"out_channels", card.outChannels},
        {"learned_variance", card.learnedVariance},
        {"class_token", card.classToken},
        {"position_rows", card.positionRows},
        {"layer_scale", card.layerScale},
        {"naming", card.naming},
        {"preprocessing", asJson(card.preprocessing)},
        {"objective", card.objective},
        {"time", card.objective == "flow" ? Json(describeTime(card.flow)) : Json()},
        {"classes", card.classes},
        {"class_names", card.classNames},
        {"parameters", card.parameters},
        {"shared_maps", card.sharedMaps},
        {"fingerprint", card.fingerprint},
        {"weights", card.copy},
        {"copies", card.copies},
        {"null_class", card.nullClass},
        {"variant", asJson(card.variant)},
        {"notes", card.notes},
        {"assumed", card.assumed},
        {"not_understood", card.unused},
        {"ignored", card.waived},
        {"problem", card.problem},
        {"training_args", card.trainingArgs},
        {"metadata", card.metadata},
        {"series", card.series}};
}

void printRow(const std::string& key, const Json& value) {
    if (value.is_null() || value.empty() || value == "") return;
    std::string text =
        value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (key == "grid") text = std::to_string(value[0].get<int>()) + "x" + std::to_string(value[1].get<int>());
    std::printf("%-17s %s\n", key.c_str(), printable(text, 400).c_str());
}

void printText(ModelCard card) {
    if (card.architecture.empty()) {  // nothing but the outline is known
        std::printf("%-17s %s\n%-17s %s\n%-17s %lld\n", "path", printable(card.path, 200).c_str(), "format",
                    card.format.c_str(), "parameters", static_cast<long long>(card.parameters));
        for (const auto& [key, value] : card.trainingArgs) printRow("args." + key, value);
        for (const auto& [key, value] : card.metadata) printRow(printable(key, 40), value);
        for (const std::string& copy : card.copies) std::printf("%-17s %s\n", "copy", copy.c_str());
        for (const std::string& note : card.notes) std::printf("%-17s %s\n", "note", printable(note, 400).c_str());
        std::printf("%-17s %s\n", "problem", card.problem.c_str());
        return;
    }
    const Json all = asJson(card);
    for (const auto& [key, value] : all.items()) {
        if (key == "metadata" || key == "training_args" || key == "notes" || key == "assumed") continue;
        if (key == "variant" && card.architecture != "dit" && card.architecture != "vit") continue;
        if (key == "null_class" && card.architecture != "dit") continue;
        if (key == "series") {
            if (!card.series.empty()) printRow(key, std::to_string(card.series.size()) + " checkpoints");
            continue;
        }
        printRow(key, value);
    }
    for (const auto& [key, value] : card.trainingArgs) printRow("args." + key, value);
    for (const auto& [key, value] : card.metadata) printRow(printable(key, 40), value);
    for (const std::string& one : card.assumed) std::printf("%-17s %s\n", "assumed", printable(one, 400).c_str());
    for (const std::string& note : card.notes) std::printf("%-17s %s\n", "note", printable(note, 400).c_str());
}

/// Prints every row of the self-check; 1 when one is red.
int checkFully(const ModelRef& model) {
    const auto table = TensorTable::open(model);
    if (!table) return report(table.error());
    const auto broken = firstNotFinite(*table);
    if (!broken) return report(broken.error());
    if (!broken->empty())
        return report({ErrorKind::Refused, "TC-14", place({model.path, *broken}), "a weight is not finite",
                       "NaN or infinity", "finite numbers", "Use an earlier checkpoint"});
    const auto core = coreLibrary();
    if (!core) return report(core.error());
    const auto reply = (*core)->run(SelfCheckRequest{model}, {});
    if (!reply) return report(reply.error());
    const auto& checked = std::get<SelfCheckReport>(*reply);
    for (const SelfCheckRow& row : checked.rows) {
        char value[32] = "-", bound[32] = "-";  // where nothing was measured
        if (!std::isnan(row.value)) {
            std::snprintf(value, sizeof value, "%.3g", row.value);
            std::snprintf(bound, sizeof bound, "%.3g", row.bound);
        }
        std::printf("%-6s %-20s %-10s bound %-8s %s\n", std::string(enumName(row.state)).c_str(), row.title.c_str(),
                    value, bound, printable(row.text, 400).c_str());
    }
    return checked.overall == LampState::Red ? 1 : 0;
}

}  // namespace

std::string shapeText(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
    return text + "]";
}

/// One line a tensor; values of those that a pattern was given for.
int printTensors(const ModelRef& model, const std::string& pattern) {
    const auto report = reportTensors({model, ""});
    if (!report) return ropescope::report(report.error());
    for (const TensorRow& row : report->rows) {
        if (!matchesPattern(row.name, pattern)) continue;
        std::printf("%-56s %-6s %-20s %s\n", printable(row.name, 120).c_str(), row.dtype.c_str(),
                    shapeText(row.shape).c_str(), row.use.c_str());
        if (pattern == "*") continue;
        const auto values = reportTensors({model, row.name});
        if (!values) return ropescope::report(values.error());
        const TensorStatistics& s = values->statistics;
        std::printf("    min %.6g, max %.6g, mean %.6g, norm %.6g, not finite %lld of %lld\n", s.min, s.max, s.mean,
                    s.norm, static_cast<long long>(s.nonFinite), static_cast<long long>(s.count));
    }
    return 0;
}

void addInfoCommand(CLI::App& app, int& code) {
    struct Options {
        ModelRef model;
        bool json = false;
        std::string tensors;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("info", "what a file holds, from its header alone");
    addModelOptions(*command, options->model);
    command->add_flag("--json", options->json, "as JSON");
    command
        ->add_option("--tensors", options->tensors,
                     "list the tensors and what becomes of them; a pattern (* and ?) other than * adds their values")
        ->type_name("PATTERN");
    command->callback([options, &code] {
        if (!options->tensors.empty()) {
            code = printTensors(options->model, options->tensors);
            return;
        }
        const auto card = describeFile(options->model);
        if (!card) {
            code = report(card.error());
        } else if (options->json) {
            std::printf("%s\n", asJson(*card).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        } else {
            printText(*card);
        }
    });
}

void addCheckCommand(CLI::App& app, int& code) {
    struct Options {
        ModelRef model;
        bool full = false;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("check", "exit 0 for a sound file, 1 with one line for another");
    addModelOptions(*command, options->model);
    command->add_flag("--full", options->full,
                      "measure the model as well: relative positions, orthogonality, inverse, recorded output");
    command->callback([options, &code] {
        const auto checked = checkFile(options->model);
        if (!checked) {
            code = report(checked.error());
            return;
        }
        std::printf("%s: %s\n", printable(options->model.path, 200).c_str(), checked->c_str());
        if (options->full) code = checkFully(options->model);
    });
}

}  // namespace ropescope
