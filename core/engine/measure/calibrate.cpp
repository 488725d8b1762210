// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/calibrate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <list>
#include <mutex>

#include "core/engine/measure/calibration_sources.h"

namespace ropescope {
namespace {

constexpr int kMostImages = 100'000;

Error usage(const std::string& option, const std::string& reason, const std::string& found, const std::string& expected,
            const std::string& advice) {
    return {ErrorKind::Usage, "bad-option", option, reason, found, expected, advice};
}

Result<void> checkRequest(const CalibrateRequest& request, const ModelCard& card) {
    if (request.images < 1 || request.images > kMostImages)
        return failure(usage("--images", "not a possible number of images", std::to_string(request.images),
                             "1 to " + std::to_string(kMostImages), "Choose another number"));
    for (HeadId id : request.heads)
        if (id.layer < 0 || id.layer >= card.layers || id.head < 0 || id.head >= card.heads)
            return failure(usage("heads", "the model has no such head", id.name(),
                                 "L0.H0 to " + HeadId{card.layers - 1, card.heads - 1}.name(),
                                 "Choose one of its heads"));
    const bool draws = card.architecture == "dit" || card.takesText();
    if (!draws && card.architecture != "vit")
        return failure(usage("calibrate", "only models that draw images or classify them are measured",
                             card.architecture, "a DiT, ViT, FLUX or SD3", "Open one of these"));
    if (draws && !request.folder.empty())
        return failure(usage("--folder", "this model is measured on images that it draws", request.folder, "no folder",
                             "Leave --folder out"));
    if (card.architecture == "vit" && request.folder.empty())
        return failure(usage("--folder", "a model that classifies is measured on pictures, and none are named", {},
                             "a folder of PNG, JPEG or WebP files", "Name one"));
    const bool told = !request.prompts.empty() || !request.text.embeddings.empty();
    if (card.takesText() && !told)
        return failure(usage("--prompts", "this model draws what a text says, and none is given", {},
                             "prompts, or embeddings of one", "Give --prompts, --prompt or --embeddings"));
    if (card.takesText() && !request.labels.empty())
        return failure(
            usage("--class", "this model draws what a text says", "classes", "no classes", "Leave --class out"));
    if (!card.takesText() && (told || request.size != Grid{}))
        return failure(usage(told ? "--prompts" : "--size", "this model takes no text", card.architecture,
                             "a FLUX or SD3", "Leave it out"));
    return {};
}

/// Measurements made before. The store's identity stands for the state of the file.
struct Kept {
    CalibrateRequest request;
    std::weak_ptr<HeadStore> store;
    CalibrationReport report;
};
constexpr std::size_t kKeptReports = 6;
std::mutex keptMutex;
std::list<Kept> kept;  // newest first

}  // namespace

MeasuredLayers::MeasuredLayers(const std::vector<CalibratedLayer>& measured, int layers, at::Device device)
    : index(layers, -1) {
    for (std::size_t i = 0; i < measured.size(); ++i) {
        index[measured[i].layer] = static_cast<int>(i);
        const std::vector<std::int64_t> numbers(measured[i].heads.begin(), measured[i].heads.end());
        heads.push_back(at::tensor(numbers).to(device));
    }
}

Result<std::vector<CalibratedLayer>> chosenLayers(HeadStore& store, const std::vector<HeadId>& heads) {
    std::vector<CalibratedLayer> layers;
    for (int number = 0; number < store.card().layers; ++number) {
        CalibratedLayer layer;
        layer.layer = number;
        for (int head = 0; head < store.card().heads; ++head)
            if (heads.empty() || std::find(heads.begin(), heads.end(), HeadId{number, head}) != heads.end())
                layer.heads.push_back(head);
        if (layer.heads.empty()) continue;
        const Result<const std::vector<LoadedHead>*> loaded = store.layer(number);
        if (!loaded) return failure(loaded.error());
        for (int head : layer.heads) {
            layer.operators.push_back((**loaded)[head].value);
            layer.problems.push_back((**loaded)[head].problem);
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

Result<CalibrationReport> calibrate(const CalibrateRequest& request, const JobContext& context) {
    const Result<std::shared_ptr<HeadStore>> store = headStore(request.model);
    if (!store) return failure(store.error());
    if (auto fits = checkRequest(request, (*store)->card()); !fits) return failure(fits.error());
    {
        const std::lock_guard lock(keptMutex);
        for (const Kept& k : kept)
            if (k.request == request && k.store.lock() == *store) return k.report;
    }
    const ModelCard& card = (*store)->card();
    const auto measured = card.takesText()             ? calibrateOnPrompts
                          : card.architecture == "vit" ? calibrateOnFolder
                                                       : calibrateOnGenerated;
    Result<CalibrationReport> report = measured(request, **store, context);
    if (!report) return report;
    const std::lock_guard lock(keptMutex);
    kept.push_front({request, *store, *report});
    if (kept.size() > kKeptReports) kept.pop_back();
    return report;
}

}  // namespace ropescope
