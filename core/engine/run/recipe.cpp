// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/recipe.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/data/codec.h"
#include "core/data/command_line.h"
#include "core/data/enum_names.h"
#include "core/data/usual_run.h"
#include "core/sampling/schedule.h"

namespace ropescope {
namespace {

std::string extrapolationOptions(const Extrapolate& e) {
    if (e.method == Extrapolation::None) return "";
    std::string text = " --extrapolation " + std::string(enumName(e.method));
    if (e.trained != Grid{}) text += " --trained-grid " + sizeWord(e.trained);
    return e.coupled ? text : text + " --per-axis";
}

std::string textOptions(const TextSettings& t) {
    std::string text;
    if (t.embeddings.empty()) {
        text += " --prompt " + shellWord(t.prompt);
        if (!t.negative.empty()) text += " --negative " + shellWord(t.negative);
        if (!t.encoders.empty()) text += " --encoders " + shellWord(t.encoders);
    } else {
        text += " --embeddings " + shellWord(t.embeddings);
    }
    if (t.trueGuidance != 1) text += " --true-guidance " + numberWord(t.trueGuidance);
    if (t.shift > 0) text += " --shift " + numberWord(t.shift);
    if (t.memory > 0) text += " --memory " + std::to_string(t.memory);
    return text;
}

/// A path that another program's working folder does not change.
std::string absolute(const std::string& path) {
    std::error_code ignored;
    const auto whole = std::filesystem::absolute(path, ignored);
    return path.empty() || ignored ? path : whole.lexically_normal().string();
}

GenerateRequest withAbsolutePaths(GenerateRequest r) {
    for (std::string* path : {&r.model.path, &r.model.config, &r.model.adapter, &r.noiseFile, &r.stepNoiseFile, &r.vae,
                              &r.text.encoders, &r.text.embeddings})
        *path = absolute(*path);
    for (LoraRef& lora : r.model.loras) lora.path = absolute(lora.path);
    for (HeadChange& change : r.model.changes)
        if (!change.donor.empty()) change.donor = absolute(change.donor);
    return r;
}

/// The request as one that makes this picture alone.
GenerateRequest alone(GenerateRequest r, const Decided& d, std::uint64_t seed) {
    if (r.noiseFile.empty()) r.seed = seed, r.batch = 1;
    r.labels = {d.label};
    r.size = d.size, r.sampler = d.sampler;
    r.record = RecordFields::None, r.recordHeads.clear();
    return r;
}

std::string commandOf(const GenerateRequest& r, const ModelCard& card, const Decided& d, std::uint64_t seed) {
    std::string text = "ropescope generate " + shellWord(r.model.path) + modelOptions(r.model);
    text += card.takesText() ? textOptions(r.text) : " --class " + std::to_string(d.label);
    text += " --seed " + std::to_string(seed);
    text += " --steps " + std::to_string(r.steps) + " --guidance " + numberWord(r.guidance);
    if (d.guidedChannels == 3) text += " --guidance-channels 3";
    if (d.guidedChannels > 3) text += " --guidance-channels all";
    text += std::string(" --sampler ") + samplerName(d.sampler);
    if (r.noiseFile.empty() || !card.takesText()) text += " --size " + sizeWord(d.size);
    text += extrapolationOptions(r.extrapolate);
    if (!r.noiseFile.empty()) text += " --noise " + shellWord(r.noiseFile);
    if (!r.stepNoiseFile.empty()) text += " --step-noise " + shellWord(r.stepNoiseFile);
    if (!r.vae.empty()) text += " --vae " + shellWord(r.vae);
    text += " --precision " + std::string(enumName(r.compute.precision));
    return text + " --out IMAGE.png";
}

void addText(nlohmann::ordered_json& json, const GenerateRequest& r, const ModelCard& card, const Decided& d) {
    if (card.architecture == "flux") json["true_guidance"] = r.text.trueGuidance;
    if (r.text.embeddings.empty()) {
        json["prompt"] = r.text.prompt, json["negative_prompt"] = r.text.negative;
    } else {
        json["embeddings"] = r.text.embeddings;
    }
    if (!r.model.adapter.empty()) json["adapter"] = r.model.adapter;
    for (const LoraRef& lora : r.model.loras)
        json["loras"].push_back({{"path", lora.path}, {"strength", lora.strength}});
    if (r.text.shift > 0) json["shift"] = r.text.shift;
    json["first_levels"] = d.levels;
}

}  // namespace

std::string recipeOf(const GenerateRequest& request, const ModelCard& card, const Decided& d) {
    const GenerateRequest r = withAbsolutePaths(request);
    const std::uint64_t seed = r.seed + static_cast<std::uint64_t>(d.image);
    nlohmann::ordered_json json = {
        {"program", "ropescope"},
        {"version", ROPESCOPE_VERSION},
        {"model", r.model.path},
        {"model_name", card.name},
        {"model_fingerprint", card.fingerprint},
        {"weights", r.model.weights},
        {"encoding", card.encoding},
        {"convention", enumName(card.convention)},
        {"heads", card.heads},
        {"theta", card.theta},
        {"seed", seed},
        {"steps", r.steps},
        {"guidance", r.guidance},
        {"sampler", samplerName(d.sampler)},
        {"size", sizeWord(d.size)},
        {"precision", enumName(r.compute.precision)},
        {"device", d.device},
    };
    if (card.takesText()) {
        addText(json, r, card, d);
    } else {
        json["label"] = d.label, json["guided_channels"] = d.guidedChannels;
    }
    if (d.label < static_cast<int>(card.classNames.size())) json["class_name"] = card.classNames[d.label];
    if (r.extrapolate.method != Extrapolation::None) {
        const Grid trained = r.extrapolate.trained == Grid{} ? trainedGrid(card) : r.extrapolate.trained;
        json["extrapolation"] = enumName(r.extrapolate.method);
        json["trained_grid"] = sizeWord(trained);
        json["one_scale_for_both_axes"] = r.extrapolate.coupled;
    }
    if (!r.model.config.empty()) json["config"] = r.model.config;
    if (!card.copy.empty()) json["weights_copy"] = card.copy;
    if (!card.waived.empty()) json["ignored_tensors"] = card.waived;
    if (!card.takesText()) json["time"] = timeText(card.objective, card.flow);
    if (!r.noiseFile.empty() || !r.stepNoiseFile.empty()) {
        json["noise"] = r.noiseFile;
        json["step_noise"] = r.stepNoiseFile;
        json["image"] = d.image;
        json["batch"] = d.batch;
    }
    // Alone it may differ in the last place: matrix products of several images are summed in another order.
    if (d.batch > 1) json["image"] = d.image, json["batch"] = d.batch;
    if (!r.vae.empty()) json["vae"] = r.vae;
    if (!d.note.empty()) json["note"] = d.note;
    // With noise from a file the whole batch is one run and its seed the first one's.
    json["command"] = commandOf(r, card, d, r.noiseFile.empty() ? seed : r.seed);
    json["settings"] = nlohmann::ordered_json::parse(settingsJson(alone(r, d, seed)));
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ropescope
