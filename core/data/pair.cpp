// SPDX-License-Identifier: Apache-2.0
#include "core/data/pair.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/data/command_line.h"

namespace ropescope {
namespace {

using Json = nlohmann::ordered_json;

std::string cell(double value) {
    return std::isnan(value) ? "" : numberWord(value);
}

/// The recipe of the first picture, made that of all. One picture is one alone already; so are those of a noise file,
/// but for their classes.
Json recipeOfAll(const GenerateRequest& run, const GenerateResult& result) {
    if (result.images.empty()) return Json::object();
    Json recipe = Json::parse(result.images.front().recipe);
    const std::size_t count = result.images.size();
    if (count < 2) return recipe;
    recipe.erase("image");
    recipe["batch"] = count;
    Json& settings = recipe["settings"];
    settings["seed"] = run.seed, settings["batch"] = count, settings["labels"] = run.labels;
    return recipe;
}

}  // namespace

std::string pairTable(const PairReport& report) {
    std::string text = "step,step_b,log_snr,log_snr_b,latents,clean";
    for (const char* what : {"field.", "kernel."})
        for (const HeadId& id : report.heads) text += "," + (what + id.name());
    text += "\n";
    for (const PairStep& s : report.steps) {
        text += std::to_string(s.step) + "," + std::to_string(s.stepB);
        for (const double value : {s.logSnr, s.logSnrB, s.latents, s.clean}) text += "," + cell(value);
        for (const auto* heads : {&s.fields, &s.kernels})
            for (const double value : *heads) text += "," + cell(value);
        text += "\n";
    }
    return text;
}

std::string partingText(const PairReport& report) {
    if (report.parting == 0) return "never";
    return "step " + std::to_string(report.parting) + " of " + std::to_string(report.steps.size());
}

std::string pairRecipe(const PairRequest& request, const PairReport& report) {
    Json recipe = recipeOfAll(request.run, report.a);
    recipe["against"] = recipeOfAll(request.run, report.b);
    recipe["part_at"] = request.partAt;
    recipe["parting"] = report.parting > 0 ? Json(report.parting) : Json("never");
    return recipe.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ropescope
