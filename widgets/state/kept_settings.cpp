// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/kept_settings.h"

#include <algorithm>
#include <cmath>

#include "core/data/usual_run.h"

namespace ropescope {
namespace {

Grid inMultiples(Grid size, int step) {
    return {std::max(1, size.rows / step) * step, std::max(1, size.cols / step) * step};
}

void settleText(GenerateRequest& r, const OpenModel& model) {
    r.labels = {0};
    r.size = inMultiples(r.size, sizeStep(model.card));
    if (model.card.architecture != "flux") {
        r.text.trueGuidance = 1;
        return;
    }
    if (r.text.trueGuidance == 1) r.text.negative.clear();
    if (!model.card.guidanceInput) r.guidance = usualSettings(model).guidance;
}

void settleClass(GenerateRequest& r, const OpenModel& model) {
    r.text = {}, r.model.loras.clear();
    if (r.labels.size() != static_cast<std::size_t>(r.batch)) r.labels.resize(1, 0);
    const int classes = model.card.classes, none = model.card.nullClass ? classes : 0;
    for (int& label : r.labels) label = label < 0 ? none : std::min(label, std::max(0, classes - 1));
    if (!model.card.nullClass) r.guidance = 1;  // nothing to lead away from
    const int patch = model.card.patch;
    // A recipe may say that the training had another grid than the file does: then nothing is as trained.
    const bool elsewhere = r.extrapolate.trained != Grid{} && r.extrapolate.trained != model.card.grid;
    if (elsewhere && patch > 0 && r.size != Grid{}) {
        r.size = inMultiples(r.size, patch);
        return;
    }
    if (patch == 0 || (r.size != Grid{} && Grid{r.size.rows / patch, r.size.cols / patch} == model.card.grid))
        r.size = {};
    if (r.size == Grid{}) {
        r.extrapolate.method = Extrapolation::None;  // nothing to stretch
        return;
    }
    r.size = inMultiples(r.size, patch);
    // A table of absolute positions can only be resized.
    if (model.card.encoding == "absolute") r.extrapolate.method = Extrapolation::Interpolation;
}

}  // namespace

PictureKind kindOf(const OpenModel& model) {
    if (!model.takesText()) return PictureKind::ByClass;
    return model.card.architecture == "flux" ? PictureKind::Flux : PictureKind::Sd3;
}

GenerateRequest untouchedSettings() {
    return {.seed = 42, .steps = kUsualSteps, .guidance = kUsualGuidance, .record = RecordFields::All};
}

int sizeStep(const ModelCard& card) {
    if (!card.takesText()) return card.patch;
    return kPixelsPerLatent * (card.architecture == "mmdit" ? std::max(1, card.patch) : 2);
}

bool drawsLatents(const OpenModel& model) {
    return model.takesText() || (model.drawsImages() && model.card.inChannels != 1 && model.card.inChannels != 3);
}

GenerateRequest usualSettings(const OpenModel& model) {
    GenerateRequest usual;
    const UsualRun run = usualRun(model.card);
    usual.steps = run.steps, usual.guidance = run.guidance;
    if (!model.takesText()) return usual;
    const int table = static_cast<int>(std::lround(std::sqrt(std::max(0, model.card.positionRows))));
    const int side = table > 0 ? std::min(kUsualPixels, table * sizeStep(model.card)) : kUsualPixels;
    usual.size = {side, side};
    return usual;
}

GenerateRequest settled(GenerateRequest kept, const OpenModel& model) {
    const GenerateRequest usual = usualSettings(model);
    const std::vector<LoraRef> loras = kept.model.loras;
    kept.model = model.ref;
    kept.model.loras = loras;
    if (kept.steps == kUsualSteps) kept.steps = usual.steps;
    if (kept.guidance == kUsualGuidance) kept.guidance = usual.guidance;
    if (kept.size == Grid{}) kept.size = usual.size;
    if (!drawsLatents(model)) kept.vae.clear();
    model.takesText() ? settleText(kept, model) : settleClass(kept, model);
    return kept;
}

}  // namespace ropescope
