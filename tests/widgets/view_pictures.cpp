// SPDX-License-Identifier: GPL-3.0-or-later
// Draws every view with made-up results into PNG files, for looking at: view_pictures FOLDER

#include <QApplication>
#include <QDir>
#include <QPalette>
#include <cstdio>
#include <functional>
#include <memory>

#include "tests/widgets/sample_reports.h"
#include "widgets/atlas_view.h"
#include "widgets/fields_view.h"
#include "widgets/frequencies_view.h"
#include "widgets/generate_view.h"
#include "widgets/head_panel.h"
#include "widgets/message_bar.h"
#include "widgets/model_tree.h"
#include "widgets/planes_view.h"
#include "widgets/spectrum_view.h"

using namespace ropescope;

namespace {

QPalette darkPalette() {
    QPalette palette(QColor(0x35, 0x35, 0x35), QColor(0x2b, 0x2b, 0x2b));
    palette.setColor(QPalette::Base, QColor(0x1e, 0x1e, 0x1e));
    palette.setColor(QPalette::Text, QColor(0xe6, 0xe6, 0xe6));
    palette.setColor(QPalette::WindowText, QColor(0xe6, 0xe6, 0xe6));
    palette.setColor(QPalette::ButtonText, QColor(0xe6, 0xe6, 0xe6));
    palette.setColor(QPalette::PlaceholderText, QColor(0xa0, 0xa0, 0xa0));
    palette.setColor(QPalette::Highlight, QColor(0x3d, 0x7e, 0xc8));
    return palette;
}

void fill(OpenModels& models, Selection& selection) {
    const int model = models.add({}, sampleCard("fashion-harope"));
    models.setAtlas(model, sampleAtlas());
    for (int layer = 0; layer < 6; ++layer) {
        for (int head = 0; head < 4; ++head) models.putHead(model, sampleHead({layer, head}));
    }
    for (int step = 0; step < 8; ++step) models.putFields(model, sampleFields(step, 8));
    selection.selectAll({{model, {0, 0}}, {model, {2, 3}}, {model, {3, 1}}, {model, {4, 2}}, {model, {5, 0}}});
    selection.togglePin({model, {4, 2}});
}

void fillGenerate(GenerateView& view, int model) {
    view.setModel(model);
    GenerateRequest request = view.request();
    for (int i = 0; i < 6; ++i) {
        view.start(8);
        for (int step = 1; step <= 8; ++step) {
            view.showProgress({step, 8, 0.05, 0.05 * (8 - step), samplePicture(i), {}});
        }
        GenerateResult result;
        result.images = {{static_cast<std::uint64_t>(i), i % 5, samplePicture(i), "{}"}};
        result.seconds = 0.4;
        result.device = "CPU, 2 threads, fp32";
        view.finish(request, result);
    }
}

void save(QWidget& widget, QSize size, const QString& path) {
    widget.resize(size);
    widget.show();
    QApplication::processEvents();
    QApplication::processEvents();
    if (!widget.grab().save(path)) std::fprintf(stderr, "cannot write %s\n", qPrintable(path));
}

}  // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    if (argc != 2) {
        std::fprintf(stderr, "usage: view_pictures FOLDER\n");
        return 2;
    }
    const QDir folder(QString::fromLocal8Bit(argv[1]));
    folder.mkpath(QStringLiteral("."));
    const QPalette light = QApplication::palette();
    for (const bool dark : {false, true}) {
        QApplication::setPalette(dark ? darkPalette() : light);
        OpenModels models;
        Selection selection;
        fill(models, selection);
        FieldsView softmax(models, selection);
        softmax.setAnalytic(FieldsView::Analytic::Softmax);
        softmax.setScale(FieldsView::Scale::Log);
        AtlasView atlas(models, selection);
        SpectrumView spectrum(models, selection);
        PlanesView planes(models, selection);
        FrequenciesView frequencies(models, selection);
        FieldsView fields(models, selection);
        HeadPanel panel(models, selection);
        ModelTree tree(models, selection);
        GenerateView generate(models);
        fillGenerate(generate, models.all().begin()->first);
        const std::pair<QString, QWidget*> views[] = {{"atlas", &atlas},   {"spectrum", &spectrum},
                                                      {"planes", &planes}, {"frequencies", &frequencies},
                                                      {"fields", &fields}, {"fields-softmax", &softmax}};
        const QString look = dark ? QStringLiteral("-dark.png") : QStringLiteral("-light.png");
        for (const auto& [name, view] : views) {
            save(*view, QSize(1440, 900), folder.filePath(name + look));
            save(*view, QSize(760, 480), folder.filePath(name + QStringLiteral("-small") + look));
        }
        save(panel, QSize(280, 640), folder.filePath(QStringLiteral("head-panel") + look));
        save(tree, QSize(260, 640), folder.filePath(QStringLiteral("model-tree") + look));
        save(generate, QSize(1440, 260), folder.filePath(QStringLiteral("generate") + look));
        save(atlas, QSize(430, 480), folder.filePath(QStringLiteral("atlas-narrow") + look));
        save(fields, QSize(450, 480), folder.filePath(QStringLiteral("fields-narrow") + look));
        save(planes, QSize(450, 480), folder.filePath(QStringLiteral("planes-narrow") + look));
        save(generate, QSize(760, 260), folder.filePath(QStringLiteral("generate-small") + look));
        fields.messages().showError({ErrorKind::Refused, "ST-12", "model.safetensors > blocks.0.attn.qkv.weight",
                                     "the tensor ends past the file", "offset 4096", "at most 2048",
                                     "Download the file again"});
        save(fields, QSize(760, 480), folder.filePath(QStringLiteral("fields-error") + look));
        if (dark) continue;
        std::vector<HeadRef> all;
        for (int i = 0; i < 24; ++i) all.push_back({0, {i / 4, i % 4}});
        selection.selectAll(all);
        for (const auto& [name, view] : views) save(*view, QSize(1440, 900), folder.filePath(name + "-many" + look));
        OpenModels none;
        SpectrumView empty(none, selection);
        save(empty, QSize(760, 480), folder.filePath(QStringLiteral("empty") + look));
        atlas.figureImage(1).save(folder.filePath(QStringLiteral("export-atlas.png")));
    }
    return 0;
}
