// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>
#include <set>

#include "tests/widgets/sample_reports.h"
#include "widgets/state/open_models.h"
#include "widgets/state/runs.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// The made-up model, open, with all its results.
struct OpenedSample {
    OpenModels models;
    Selection selection;
    Runs runs;
    int model = -1;

    OpenedSample() {
        model = models.add({}, sampleCard("sample"));
        models.setAtlas(model, sampleAtlas());
        for (int layer = 0; layer < 6; ++layer) {
            for (int head = 0; head < 4; ++head) models.putHead(model, sampleHead({layer, head}));
        }
    }
    [[nodiscard]] HeadRef head(int layer, int index) const { return {model, {layer, index}}; }
    /// A selected run of this model without any step yet.
    int addRun(Grid patches = {7, 7}, int steps = 8) {
        Run run;
        run.model = model;
        run.modelName = QStringLiteral("sample");
        run.subject = QStringLiteral("sneaker");
        run.asked.seed = 9;
        run.asked.steps = steps;
        run.patches = patches;
        return runs.add(run);
    }
    void addStep(int run, const StepFields& fields, const Array& preview = {}) {
        GenerateProgress progress;
        progress.step = fields.step + 1;
        progress.steps = fields.steps;
        progress.preview = preview;
        progress.fields = fields;
        runs.addSteps(run, {progress});
    }
};

/// A blank or nearly blank picture has few colours.
[[nodiscard]] inline int coloursOf(const QImage& image) {
    std::set<QRgb> colours;
    for (int y = 0; y < image.height(); ++y) {
        for (int x = 0; x < image.width(); ++x) colours.insert(image.pixel(x, y));
    }
    return static_cast<int>(colours.size());
}

[[nodiscard]] inline int coloursShown(QWidget& widget) {
    widget.resize(760, 480);
    widget.show();
    return coloursOf(widget.grab().toImage());
}

}  // namespace ropescope
