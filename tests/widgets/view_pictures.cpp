// SPDX-License-Identifier: GPL-3.0-or-later
// Draws every view with made-up results into PNG files, for looking at: view_pictures FOLDER

#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QPalette>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>

#include "tests/widgets/sample_reports.h"
#include "widgets/atlas_view.h"
#include "widgets/classify_view.h"
#include "widgets/compare_view.h"
#include "widgets/fields_view.h"
#include "widgets/frequencies_view.h"
#include "widgets/generate_view.h"
#include "widgets/head_panel.h"
#include "widgets/measure_bar.h"
#include "widgets/message_bar.h"
#include "widgets/model_tree.h"
#include "widgets/planes_view.h"
#include "widgets/spectrum_view.h"
#include "widgets/tensors_view.h"

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

/// A file that leaves something open, and the list of its tensors.
void saveTensors(const QDir& folder, const QString& look) {
    OpenModels models;
    Selection selection;
    ModelCard card = sampleCard("some-dit");
    card.problemCode = "TC-10";
    card.problem =
        "[TC-10] " + card.path + ": 2 tensors do not belong to such a network: blocks.0.gate, blocks.1.gate.";
    card.unused = {"blocks.0.gate", "blocks.1.gate"};
    card.assumed = {"theta: 100, usual for this layout", "rotary planes: neighbouring features"};
    const int model = models.add({}, card);
    ModelTree tree(models, selection);
    save(tree, QSize(240, 360), folder.filePath(QStringLiteral("tree-problem") + look));
    TensorsView view(models, selection);
    QObject::connect(&view, &TensorsView::tensorsRequested, &view, [&view](const TensorsRequest& request) {
        TensorsReport report;
        for (int i = 0; i < 12; ++i) {
            const std::string block = "blocks." + std::to_string(i) + ".";
            report.rows.push_back({block + "attn.qkv.weight", "F32", {384, 128}, 384 * 128 * 4, "used"});
            report.rows.push_back({block + "attn.qkv.bias", "BF16", {384}, 384 * 2, "used"});
            if (i < 2) report.rows.push_back({block + "gate", "F32", {128}, 512, "not understood"});
            report.rows.push_back({block + "rope.t_x", "F32", {49}, 196, "not used: a table that is computed anew"});
        }
        report.statistics = {request.tensor, 49152, 3, -0.42, 0.4, 0.0004, 16.5, {}};
        for (int i = 0; i < 64; ++i)
            report.statistics.bins.push_back(static_cast<std::int64_t>(3000 * std::exp(-0.008 * (i - 32) * (i - 32))));
        view.take(request, report);
    });
    view.setModel(model);
    save(view, QSize(1280, 720), folder.filePath(QStringLiteral("tensors-none") + look));
    QApplication::processEvents();
    view.choose("blocks.0.attn.qkv.weight");
    QElapsedTimer timer;
    for (timer.start(); timer.elapsed() < 300;) QApplication::processEvents();
    save(view, QSize(1280, 720), folder.filePath(QStringLiteral("tensors") + look));
    save(view, QSize(450, 480), folder.filePath(QStringLiteral("tensors-narrow") + look));
    view.figureImage(1).save(folder.filePath(QStringLiteral("export-tensors") + look));
}

/// What needs a measurement, a comparison or another encoding.
void saveAnalysis(const QDir& folder, const QString& look) {
    OpenModels models;
    Selection selection;
    fill(models, selection);
    const int model = selection.current().model;
    models.setCalibration(model, sampleCalibration());
    models.setCheck(model, {{{"relative", "Relative positions", LampState::Green, 2e-7, 1e-5, "at L0.H0", "Logits."},
                             {"inverse", "M times its inverse", LampState::Amber, 3e-3, 1e-3, "at L4.H1", "Entry."}},
                            LampState::Amber});
    CompareView compare(models, selection);
    compare.take(compare.request(), sampleComparison(compare.request()));
    FrequenciesView data(models, selection);
    data.setEnergy(FrequenciesView::Energy::Data);
    HeadPanel panel(models, selection);
    ModelTree tree(models, selection);
    ClassifyView classify(models, selection);
    classify.setModel(model);
    ModelRef later;
    later.path = "later";
    models.add(later, sampleCard("run-000400"));
    CompareView two(models, selection);
    QObject::connect(&two, &CompareView::compareRequested, &two,
                     [&](const CompareRequest& request) { two.take(request, sampleComparison(request)); });
    two.show();
    two.setHeads(-2);
    save(two, QSize(1280, 720), folder.filePath(QStringLiteral("compare-two") + look));
    two.setMetric(CompareView::Metric::PlaneOverlap);
    save(two, QSize(1280, 720), folder.filePath(QStringLiteral("compare-planes") + look));
    models.remove(models.all().rbegin()->first);
    save(classify, QSize(1280, 260), folder.filePath(QStringLiteral("classify-empty") + look));
    ClassifyResult result;
    result.top = {{3, "Dress", 0.8, 4},
                  {0, "T-shirt/top", 0.12, 2},
                  {4, "Coat", 0.05, 1},
                  {1, "Trouser", 0.02, 0},
                  {2, "Pullover", 0.01, 0}};
    result.input = samplePicture(1);
    HeadAttention head;
    head.field.id = selection.current().id;
    head.classShare = 0.25;
    result.heads = {head};
    classify.finish(result);
    for (const auto& [name, view] : std::vector<std::pair<QString, QWidget*>>{{"compare", &compare}, {"data", &data}}) {
        save(*view, QSize(1280, 720), folder.filePath(name + look));
        save(*view, QSize(600, 480), folder.filePath(name + QStringLiteral("-small") + look));
    }
    save(classify, QSize(1280, 260), folder.filePath(QStringLiteral("classify") + look));
    save(panel, QSize(280, 640), folder.filePath(QStringLiteral("head-measured") + look));
    save(tree, QSize(240, 480), folder.filePath(QStringLiteral("tree-lamp") + look));
    MeasureBar bar;
    bar.offer(QStringLiteral("fashion-harope"), true);
    save(bar, QSize(900, 60), folder.filePath(QStringLiteral("measure-bar") + look));
    bar.offer(QStringLiteral("vit_base_patch16_rope_224"), false);
    save(bar, QSize(900, 60), folder.filePath(QStringLiteral("measure-bar-folder") + look));

    selection.selectAll({{model, {3, 1}}, {model, {5, 0}}});
    for (HeadRef pinned : std::vector<HeadRef>(selection.pinned())) selection.togglePin(pinned);
    PlanesView planes(models, selection);
    planes.setDifference(true);
    save(planes, QSize(900, 640), folder.filePath(QStringLiteral("planes-difference") + look));
    FieldsView fields(models, selection);
    fields.setDifference(true);
    save(fields, QSize(900, 640), folder.filePath(QStringLiteral("fields-difference") + look));
    AtlasView sorted(models, selection);
    sorted.setSort(AtlasView::Sort::Both);
    save(sorted, QSize(900, 560), folder.filePath(QStringLiteral("atlas-sorted") + look));
    HeadReport mixed = sampleHead({1, 1});
    for (int p = 0; p < 16; ++p) {
        const double omega = p < 3 ? 0 : 2.0 * std::pow(0.75, p - 3);
        mixed.planeAxis[p] = -1;
        mixed.energy.frequency[2 * p] = omega * std::sin(1.3 * p);
        mixed.energy.frequency[2 * p + 1] = omega * std::cos(1.3 * p);
    }
    models.putHead(model, mixed);
    selection.select({model, {1, 1}});
    FrequenciesView polar(models, selection);
    save(polar, QSize(900, 640), folder.filePath(QStringLiteral("frequencies-mixed") + look));
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
        saveAnalysis(folder, look);
        saveTensors(folder, look);
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
