// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/main_window.h"

#include <QAction>
#include <QComboBox>
#include <QDockWidget>
#include <QElapsedTimer>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMimeData>
#include <QPushButton>
#include <QTest>
#include <QTreeWidget>

#include "app/ask_bar.h"
#include "app/command_palette.h"
#include "app/engine_status.h"
#include "core/data/kernel_series.h"
#include "tests/app/window_fixture.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/classify/classify_view.h"
#include "widgets/compare/compare_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frequencies/frequencies_view.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/heads/head_panel.h"
#include "widgets/measure/measure_bar.h"
#include "widgets/models/model_tree.h"
#include "widgets/spectrum/spectrum_view.h"

namespace ropescope {

/// The whole window over the scripted engine: what it does when things go well, and when they do not.
class MainWindowTest : public QObject, private test::WindowFixture {
    Q_OBJECT

private slots:
    void initTestCase() { setUpCase(); }
    void cleanup() { cleanUp(); }

    void opensAndSelectsTheMostMixedHead() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        QVERIFY((w->selection().current().id == HeadId{1, 0}));
        QCOMPARE(w->windowTitle(), QString("first \u2014 ropescope"));
        QCOMPARE(w->panels().view<AtlasView>()->drawnValue({1, 0}), 0.4);
        QCOMPARE(w->panels().view<SpectrumView>()->drawnValues(w->selection().current()),
                 std::vector<double>({1.4, 1.2, 1.0, 0.8}));
        QVERIFY(!w->panels().messages->showsError());
    }

    /// Fault 20: an empty window for the first seconds.
    void theSkeletonIsThereBeforeTheFirstAnswer() {
        script(R"({"OpenRequest":"wait:1500 reply"})");
        QElapsedTimer timer;
        timer.start();
        const auto w = window({"/m/first.safetensors"});
        QVERIFY(QTest::qWaitForWindowExposed(w.get()));
        QVERIFY(timer.elapsed() < 1000);
        QVERIFY(w->models().all().empty());
        bool said = false;
        for (const QLabel* label : w->panels().view<AtlasView>()->findChildren<QLabel*>())
            said |= label->isVisible() && label->text().contains("Opening first.safetensors");
        QVERIFY(said);
        QCOMPARE(w->panels().tree->tree()->topLevelItemCount(), 1);
        QVERIFY(w->panels().tree->tree()->topLevelItem(0)->text(0).contains("first.safetensors"));
        QTRY_VERIFY(ready(*w));
        QVERIFY(w->models().opening().isEmpty());
    }

    void severalModelsShareTheSelection() {
        script("{}");
        const auto w = window({"/m/first.safetensors", "/m/second.safetensors"});
        QTRY_COMPARE(w->models().all().size(), 2u);
        QTRY_VERIFY(ready(*w));
        const int first = w->models().all().begin()->first;
        const int second = w->models().all().rbegin()->first;
        w->selection().selectAll({{first, {0, 0}}, {second, {0, 1}}});
        QTRY_VERIFY(w->models().head({first, {0, 0}}) && w->models().head({second, {0, 1}}));
        QTRY_VERIFY(!w->panels().view<SpectrumView>()->drawnValues({first, {0, 0}}).empty());
        QVERIFY(!w->panels().view<SpectrumView>()->drawnValues({second, {0, 1}}).empty());
        w->closeCurrentModel();
        QCOMPARE(w->models().all().size(), 1u);
        QVERIFY(w->selection().heads() == std::vector<HeadRef>({{first, {0, 0}}}));
    }

    void aRefusedFileLeavesWhatWasOpen() {
        script(R"({"OpenRequest":"reply"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        script(R"({"OpenRequest":"refuse"})");
        w->engine().restart();
        w->openFiles({"/m/broken.safetensors"});
        QTRY_VERIFY(w->panels().messages->showsError());
        QVERIFY(w->panels().messages->text().contains("[ST-05]"));
        QCOMPARE(w->models().all().size(), 1u);
        QVERIFY(ready(*w));
        QVERIFY(!w->panels().view<SpectrumView>()->drawnValues(w->selection().current()).empty());
    }

    void anUnknownConventionIsAskedAndRemembered() {
        script("{}");
        {
            const auto w = window({"/m/unknown.pt"});
            QTRY_VERIFY(w->panels().questions->isVisible());
            QVERIFY(w->panels().questions->text().contains("unknown"));
            QVERIFY(w->models().all().empty());
            const auto buttons = w->panels().questions->findChildren<QPushButton*>();
            QCOMPARE(buttons.size(), 2);
            QTest::mouseClick(buttons[1], Qt::LeftButton);
            QTRY_COMPARE(w->models().all().size(), 1u);
            QVERIFY(w->models().all().begin()->second.card.convention == Convention::Inverse);
            QVERIFY(!w->panels().questions->isVisible());
            w->close();
        }
        const auto again = window({"/m/unknown.pt"});
        QTRY_VERIFY(ready(*again));
        QVERIFY(again->models().all().begin()->second.card.convention == Convention::Inverse);
    }

    void answersAndModelsOfOneFileAreToldApartByTheirAdapter() {
        script("{}");
        const auto answer = [](MainWindow& w, int button) {
            QTRY_VERIFY(w.panels().questions->isVisible());
            QTest::mouseClick(w.panels().questions->findChildren<QPushButton*>()[button], Qt::LeftButton);
        };
        {
            const auto w = window({"/m/flux-unknown.safetensors"});
            answer(*w, 0);
            QTRY_VERIFY(ready(*w));
            const int base = w->models().all().begin()->first;
            emit w->panels().generate->settings().adapterRequested(base, "/m/unknown-maps.safetensors");
            answer(*w, 1);
            QTRY_COMPARE(w->models().all().size(), 2u);
            w->close();
        }
        const auto again = window({});
        QTRY_COMPARE(again->models().all().size(), 2u);
        std::map<std::string, Convention> found;
        for (const auto& [key, model] : again->models().all()) found[model.ref.adapter] = model.card.convention;
        QVERIFY(found[""] == Convention::Same);
        QVERIFY(found["/m/unknown-maps.safetensors"] == Convention::Inverse);
        // The answers hold for files that are opened anew, each its own.
        while (!again->models().all().empty()) again->closeCurrentModel();
        again->openFiles({"/m/flux-unknown.safetensors"});
        QTRY_COMPARE(again->models().all().size(), 1u);
        const auto& [base, model] = *again->models().all().begin();
        QVERIFY(model.card.convention == Convention::Same);
        emit again->panels().generate->settings().adapterRequested(base, "/m/unknown-maps.safetensors");
        QTRY_COMPARE(again->models().all().size(), 2u);
        QVERIFY(again->models().all().rbegin()->second.card.convention == Convention::Inverse);
        QVERIFY(!again->panels().questions->isVisible());
    }

    void theModelThatWasCurrentIsSoAgain() {
        script("{}");
        HeadId head;
        {
            const auto w = window({"/m/first.safetensors", "/m/second.safetensors", "/m/third.safetensors"});
            QTRY_COMPARE(w->models().all().size(), 3u);
            QTRY_VERIFY(ready(*w));
            w->selection().select({w->models().all().begin()->first, {0, 1}});
            QTRY_VERIFY(ready(*w));
            head = w->selection().current().id;
            w->close();
        }
        const auto again = window({});
        QTRY_COMPARE(again->models().all().size(), 3u);
        for (const auto& [key, model] : again->models().all()) QTRY_VERIFY(again->models().find(key)->atlas);
        QTRY_VERIFY(ready(*again));
        QCOMPARE(again->models().find(again->selection().current().model)->card.name, std::string("first"));
        QVERIFY(again->selection().current().id == head);
    }

    void theWindowOutlivesItsEngine() {  // GP-06
        script(R"({"GenerateRequest":"wait:30 die:9"},{})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->panels().messages->text().contains("running again"));
        QVERIFY(!w->panels().messages->showsError());
        QVERIFY(w->panels().messages->text().contains("The engine was killed (signal 9)"));
        QVERIFY(w->panels().generate->messages().showsError());
        QCOMPARE(w->models().all().size(), 1u);
        QVERIFY(!w->generation().isRunning());
        w->selection().select({w->selection().current().model, {0, 1}});
        QTRY_VERIFY(ready(*w));  // the new engine answers
    }

    void measuringFillsDataAndNumbers() {
        script(R"({"CalibrateRequest":"steps:4:20"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        action(*w, "Measure data content...")->trigger();
        QTRY_VERIFY(w->panels().measure->isVisible());
        QTest::mouseClick(w->panels().measure->startButton(), Qt::LeftButton);
        const HeadRef current = w->selection().current();
        QTRY_VERIFY(w->models().calibration(current) != nullptr);
        QVERIFY(!w->dataJobs().isMeasuring());
        QCOMPARE(w->panels().head->drawnText("data_mean_distance"), QString("1.50 \u00b1 0.10 tokens"));
        w->panels().view<FrequenciesView>()->setEnergy(FrequenciesView::Energy::Data);
        QCOMPARE(w->panels().view<FrequenciesView>()->drawnEnergy(current, 1).front().y(), 0.75);
    }

    void measuringCanBeCancelled() {
        script(R"({"CalibrateRequest":"steps:1000:20"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->offerMeasurement();
        w->dataJobs().measure(w->panels().measure->settings());
        QTRY_VERIFY(w->panels().measure->messages().text().contains("step 2"));
        w->dataJobs().cancelMeasurement();
        QTRY_VERIFY(!w->dataJobs().isMeasuring());
        QVERIFY(!w->panels().measure->isVisible());
        QVERIFY(w->models().calibration(w->selection().current()) == nullptr);
    }

    void headsAreCompared() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->goTo(w->docks().of(w->panels().view<CompareView>()));
        QTRY_VERIFY(!w->panels().view<CompareView>()->isShowingEmpty());
        const int model = w->selection().current().model;
        QCOMPARE(w->panels().view<CompareView>()->drawnValue({model, {0, 0}}, {model, {1, 1}}), 0.5);
        QCOMPARE(w->panels().view<CompareView>()->drawnPlace({model, {1, 0}}), QPointF(1, 0));
    }

    void theLampIsLit() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        const int model = w->selection().current().model;
        QTRY_COMPARE(w->panels().tree->lampText(model), QString("check: all ok"));
        QVERIFY(w->models().find(model)->check->overall == LampState::Green);
    }

    void aClassifierTakesPictures() {
        script("{}");
        const auto w = window({"/m/vit.safetensors"});
        QTRY_VERIFY(ready(*w));
        QCOMPARE(w->docks().generate->windowTitle(), QString("Classify with vit"));
        QVERIFY(w->panels().classify->isVisible());
        w->panels().classify->setImage("/pictures/cat.png");
        QTRY_VERIFY(w->panels().classify->result().has_value());
        QCOMPARE(w->panels().classify->result()->top.front().label, std::string("cat"));
        QCOMPARE(w->panels().view<FieldsView>()->drawnMeasured(w->selection().current()), std::vector<double>(25, 0.5));
        QVERIFY(w->panels().classify->headText().contains("10.0 %"));
        w->openFiles({"/m/first.safetensors"});
        QTRY_COMPARE(w->models().all().size(), 2u);
        QTRY_COMPARE(w->docks().generate->windowTitle(), QString("Generate with first"));
    }

    void anUnknownClassTokenRuleIsAsked() {
        script("{}");
        const auto w = window({"/m/vit-silent.safetensors"});
        QTRY_VERIFY(w->panels().questions->isVisible());
        QVERIFY(w->panels().questions->text().contains("class token"));
        w->panels().questions->answer(1);
        QTRY_COMPARE(w->models().all().size(), 1u);
        QVERIFY(w->models().all().begin()->second.ref.mapTokens == MapTokens::PatchesOnly);
        QVERIFY(w->currentSession().answers.value("/m/vit-silent.safetensors").mapTokens == MapTokens::PatchesOnly);
    }

    void aLargerGridAsksForStretchedFrequencies() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        const HeadRef current = w->selection().current();
        FieldsView& fields = *w->panels().view<FieldsView>();
        fields.setExtrapolation(Extrapolation::Interpolation);
        QVERIFY(fields.extrapolation() == Extrapolation::None);  // the trained grid
        fields.setGrid({6, 6});
        KernelSeries half = w->models().head(current)->kernelWeights;
        QCOMPARE(fields.drawnAnalytic(current), evaluateKernel(half, {6, 6}));
        for (double& omega : half.frequency) omega *= 0.5;
        QTRY_COMPARE(fields.drawnAnalytic(current), evaluateKernel(half, {6, 6}));
    }

    void theSessionComesBack() {
        script("{}");
        {
            const auto w = window({"/m/first.safetensors", "/m/second.safetensors"});
            QTRY_COMPARE(w->models().all().size(), 2u);
            QTRY_VERIFY(ready(*w));
            const int second = w->models().all().rbegin()->first;
            QTRY_VERIFY(w->models().find(second)->atlas.has_value());
            w->selection().selectAll({{second, {0, 0}}, {second, {0, 1}}});
            w->selection().togglePin({second, {0, 0}});
            w->setLayout(Layout::Publish);
            w->close();
        }
        const auto w = window({});
        QTRY_COMPARE(w->models().all().size(), 2u);
        const int second = w->models().all().rbegin()->first;
        QTRY_VERIFY(w->selection().current() == (HeadRef{second, {0, 1}}));
        QCOMPARE(w->selection().heads().size(), 2u);
        QVERIFY(w->selection().isPinned({second, {0, 0}}));
        QVERIFY(!w->docks().models->isVisible());
    }

    void everyLayoutShowsAView() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        for (Layout layout : kLayouts) {
            w->setLayout(layout);
            QTRY_VERIFY(w->activeView() != nullptr);
            // Tabbed ones count as visible docks.
            for (QDockWidget* dock : w->docks().views) QVERIFY2(dock->isVisible(), qPrintable(dock->objectName()));
        }
        const DockLayout saved = saveDocks(w->docks());
        w->setLayout(Layout::Compare);
        QVERIFY(restoreDocks(w->docks(), saved));
        QVERIFY(!restoreDocks(w->docks(), {"garbage", "garbage"}));
        for (QDockWidget* dock : w->docks().all()) QVERIFY(!dock->objectName().isEmpty());
    }

    void thePaletteFindsHeadsAndCommands() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        action(*w, "Find a command, head or model...")->trigger();
        CommandPalette& palette = *w->panels().palette;
        QVERIFY(palette.isVisible());
        palette.field()->setText("0.1");
        QCOMPARE(palette.list()->count(), 1);
        QTest::keyClick(palette.field(), Qt::Key_Return);
        QVERIFY((w->selection().current().id == HeadId{0, 1}));
        QVERIFY(!palette.isVisible());
        action(*w, "Find a command, head or model...")->trigger();
        palette.field()->setText("layout reset");
        QVERIFY(palette.list()->count() >= 1);
        QTest::keyClick(palette.field(), Qt::Key_Escape);
        QVERIFY(!palette.isVisible());
    }

    void keysDoWhatTheySay() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        const int model = w->selection().current().model;
        const auto current = [&] { return w->selection().current().id; };
        action(*w, "Pin or unpin the head")->trigger();
        QVERIFY(w->selection().isPinned({model, {1, 0}}));
        action(*w, "Next head")->trigger();
        QCOMPARE(current().name(), "L1.H1");
        action(*w, "Next head")->trigger();
        QCOMPARE(current().name(), "L0.H0");
        action(*w, "Previous head")->trigger();
        QCOMPARE(current().name(), "L1.H1");
        action(*w, "Pinned head 1")->trigger();
        QCOMPARE(current().name(), "L1.H0");
        action(*w, "Select the whole layer")->trigger();
        QCOMPARE(w->selection().heads().size(), 2u);
        action(*w, "Unpin all")->trigger();
        QVERIFY(w->selection().pinned().empty());
        action(*w, "Most interesting head")->trigger();
        QCOMPARE(w->selection().heads().size(), 1u);
        QTest::keyClick(w.get(), Qt::Key_W, Qt::ControlModifier);
        QTRY_VERIFY(w->models().all().empty());
    }

    void filesCanBeDropped() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile("/m/second.safetensors"), QUrl::fromLocalFile("/m/third.safetensors")});
        QDragEnterEvent enter({10, 10}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(w.get(), &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop({10, 10}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(w.get(), &drop);
        QTRY_COMPARE(w->models().all().size(), 3u);
    }

    void theDeviceChooserHoldsWhatTheEngineHas() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_COMPARE(w->panels().status->chooser()->count(), 2);
        QCOMPARE(w->panels().status->chooser()->itemText(1), QString("CPU (fake)"));
        QVERIFY(w->panels().status->chooser()->toolTip().contains("no GPU"));
    }

    void aMissingEngineIsToldInTheWindow() {
        MainWindow w({{"/no/such/engine"}, {"/m/first.safetensors"}, sessionFile()});
        w.show();
        QTRY_VERIFY(w.panels().messages->showsError());
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::MainWindowTest)
#include "main_window_test.moc"
