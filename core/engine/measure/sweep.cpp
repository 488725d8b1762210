// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/sweep.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "core/checkpoint/sha256.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/codec.h"
#include "core/engine/machine/kept.h"
#include "core/engine/measure/sweep_parts.h"
#include "core/engine/network/known_card.h"
#include "core/engine/network/request_checks.h"

namespace ropescope {
namespace {

constexpr const char* kPlace = "sweep";

std::string timeText(double seconds) {
    const auto whole = static_cast<long long>(std::lround(seconds));
    if (whole < 60) return std::to_string(whole) + " s";
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
}

/// The heads that one entry of a request names, as changes of one map each.
std::vector<HeadChange> expanded(HeadChange change, HeadId id, const ModelCard& card) {
    std::vector<HeadChange> all;
    const auto add = [&](int layer, int head) { change.layer = layer, change.head = head, all.push_back(change); };
    const MapSharing sharing = change.ofMap() ? card.sharing : MapSharing::Head;
    const bool known = id.layer < card.layers;
    if (!known || id.head >= 0 || (sharing == MapSharing::Model && id.layer < 0)) {
        add(id.layer, id.head);
        return all;
    }
    const int first = std::max(0, id.layer), last = id.layer < 0 ? card.layers - 1 : id.layer;
    for (int layer = first; layer <= last; ++layer) {
        if (sharing != MapSharing::Head) add(layer, -1);
        for (int head = 0; head < card.heads && sharing == MapSharing::Head; ++head) add(layer, head);
    }
    return all;
}

Result<void> checkFor(const SweepRequest& request, const ModelCard& card) {
    const bool drawn = card.architecture != "vit";
    const bool labelled = !request.folder.empty() || !request.data.empty();
    const auto refused = [&](const std::string& option, const std::string& reason, const std::string& advice) {
        return failure(optionError(option, reason, card.name, "", advice));
    };
    if (!drawn && !request.classifier.empty())
        return refused("--classifier", "the model classifies by itself", "Leave it out");
    if (!drawn && request.folder.empty() == request.data.empty())
        return refused("--folder", "a model that classifies is measured on labelled pictures, of one place",
                       "Give --folder with a sub-folder for each class, or --data with idx files");
    if (drawn && labelled)
        return refused("--folder", "the model draws its own pictures", "Leave --folder and --data out");
    if (drawn && request.seeds.empty()) return refused("--seeds", "no seed", "Give --seeds 0,1");
    if (drawn && !card.takesText() && !request.prompts.empty())
        return refused("--prompts", "this model takes no text", "Give --classes");
    if (drawn && !card.takesText() && request.classes.empty())
        return refused("--classes", "no class to draw", "Give --classes 7,9");
    if (card.takesText() && !request.classes.empty())
        return refused("--classes", "this model takes text", "Give --prompts FILE");
    if (card.takesText() && request.prompts.empty() == request.run.text.embeddings.empty())
        return refused("--prompts", "this model takes text", "Give either --prompts FILE or --embeddings FILE");
    if (!request.run.noiseFile.empty() || !request.run.stepNoiseFile.empty())
        return refused("--noise", "the noises of a sweep come from its seeds", "Leave it out");
    return {};
}

}  // namespace

Result<std::vector<HeadChange>> sweepHeads(const SweepRequest& request, const ModelCard& card) {
    const std::vector<HeadId> asked = request.heads.empty() ? std::vector<HeadId>{{-1, -1}} : request.heads;
    std::vector<HeadChange> heads;
    for (const HeadId& id : asked)
        for (const HeadChange& change : expanded(request.change, id, card))
            if (std::ranges::find(heads, change) == heads.end()) heads.push_back(change);
    for (const HeadChange& change : heads)
        if (auto fits = checkVariation(withChange(request.run.model, change), card, kPlace); !fits)
            return failure(fits.error());
    return heads;
}

Error ofHead(Error error, const HeadChange& change) {
    if (error.kind != ErrorKind::Cancelled) error.place = place({headsText(change), error.place});
    return error;
}

ModelRef withChange(ModelRef model, const HeadChange& change) {
    model.changes.push_back(change);
    return model;
}

std::map<std::string, std::string> sweepSettings(const SweepRequest& request) {
    GenerateRequest run = request.run;
    run.labels = {}, run.seed = 0, run.batch = 1;
    run.compute.threads = 0, run.text.memory = 0;
    std::string prompts, files = stampText(stampOf(run.model));
    for (const std::string& prompt : request.prompts) prompts += prompt + "\n";
    std::vector<HeadChange> changes = run.model.changes;
    changes.push_back(request.change);
    for (const HeadChange& change : changes) files += stampText(stampOf(change.donor));
    for (const std::string& path : {run.vae, run.text.embeddings, request.classifier, request.folder, request.data})
        files += stampText(stampOf(path));
    return {{"run", settingsJson(run)},
            {"change", changeText(request.change)},
            {"classes", spaced(request.classes)},
            {"prompts", prompts},
            {"seeds", spaced(request.seeds)},
            {"classifier", request.classifier},
            {"folder", request.folder},
            {"data", request.data},
            {"images", std::to_string(request.images)},
            {"files", sha256(std::as_bytes(std::span(files)))}};
}

void SweepProgress::tell(const std::string& head, double pictures) const {
    if (!m_context.onShare) return;
    const double made = m_done + pictures, share = m_all > 0 ? std::min(1.0, made / m_all) : 1;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - m_start;
    const std::string left = share > 0 ? ", " + timeText(passed.count() * (1 - share) / share) + " left" : "";
    m_context.onShare(share, head + left);
}

Result<SweepReport> sweep(const SweepRequest& request, const JobContext& context, const ReadTestSet& readTestSet) {
    const c10::InferenceMode inference;
    const auto start = std::chrono::steady_clock::now();
    const auto card = knownCard(request.run.model);
    if (!card) return failure(card.error());
    if (auto fits = checkFor(request, *card); !fits) return failure(fits.error());
    auto report = card->architecture == "vit" ? sweepClassified(request, *card, context, readTestSet)
                                              : sweepDrawn(request, *card, context);
    if (!report && report.error().kind == ErrorKind::Cancelled && !request.out.empty()) {
        Error ended = report.error();
        ended.advice = "What is done is kept: the same command goes on with it";
        return failure(std::move(ended));
    }
    if (report) report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace ropescope
