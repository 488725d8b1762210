// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of heads in the whole window: what is shown is computed with them, wherever they came from.
#include <QAction>
#include <QPushButton>
#include <QTest>
#include <QToolButton>
#include <QTreeWidget>

#include "app/main_window.h"
#include "tests/app/window_fixture.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/compare/compare_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/changes_line.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/generate/run_bar.h"
#include "widgets/models/model_tree.h"
#include "widgets/models/tree_parts.h"

namespace ropescope {

class WindowVariationsTest : public QObject, private test::WindowFixture {
    Q_OBJECT

    const QString m_change = "tau=0 on L1.H0";

    static const OpenModel& first(MainWindow& w) { return w.models().all().begin()->second; }
    static bool isChanged(MainWindow& w) { return first(w).ref.changesHeads(); }
    static QString line(MainWindow& w) {
        return w.panels().changes->isVisible() ? w.panels().changes->text() : QString();
    }
    static QString tail(MainWindow& w) {
        return w.panels().tree->tree()->topLevelItem(0)->data(0, kTailRole).toString();
    }
    /// The last request of this kind, as the engine has noted it.
    [[nodiscard]] QString last(const QString& request) const {
        const QStringList all = diary().filter(request);
        return all.isEmpty() ? QString() : all.last();
    }
    static void make(MainWindow& w) {
        const int before = w.panels().generate->gallery().count();
        w.panels().generate->requestGenerate();
        QTRY_COMPARE(w.panels().generate->gallery().count(), before + 1);
        QTRY_VERIFY(!w.generation().isRunning());
    }
    [[nodiscard]] QString file(const QString& name, const QByteArray& text) const {
        QFile file(folder().filePath(name));
        return file.open(QFile::WriteOnly) && file.write(text) == text.size() ? file.fileName() : QString();
    }
    [[nodiscard]] QString variation() const {
        return file("dial.json", R"({"ropescope_variation":1,"changes":[{"heads":"L1.H0","do":"dial","tau":0}]})");
    }

private slots:
    void initTestCase() { setUpCase(); }
    void cleanup() { cleanUp(); }

    void aPictureBringsItsChangesBack() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        QCOMPARE(line(*w), QString());
        const int steps = w->panels().generate->request().steps;
        bool empty = false;  // nothing of the heads as stored is left
        connect(&w->models(), &OpenModels::modelsChanged, w.get(),
                [&] { empty = empty || (isChanged(*w) && !first(*w).atlas && first(*w).heads.empty()); });
        w->openFiles({"/p/first-changed.png"});
        QTRY_VERIFY(isChanged(*w));
        QVERIFY(empty);
        QCOMPARE(w->panels().generate->request().steps, 11);
        QCOMPARE(line(*w), "1 head changed (" + m_change + "), first");
        QCOMPARE(tail(*w), QString("  changed"));
        QTRY_VERIFY(first(*w).atlas && ready(*w));
        QCOMPARE(last("HeadsRequest"), "HeadsRequest " + m_change);
        QCOMPARE(last("AtlasRequest"), "AtlasRequest " + m_change);
        make(*w);
        QCOMPARE(last("GenerateRequest"), "GenerateRequest " + m_change);
        QVERIFY(w->panels().run->text().contains(m_change));
        // One undo for settings and heads.
        action(*w, "Undo restored settings")->trigger();
        QVERIFY(!isChanged(*w));
        QCOMPARE(w->panels().generate->request().steps, steps);
        QCOMPARE(line(*w), QString());
        QCOMPARE(tail(*w), QString());
        QTRY_VERIFY(ready(*w));
        QCOMPARE(last("HeadsRequest"), QString("HeadsRequest"));
    }

    void asStoredGoesBackAndCanBeUndone() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->openFiles({"/p/first-changed.png"});
        QTRY_VERIFY(isChanged(*w));
        QTest::mouseClick(w->panels().changes->asStoredButton(), Qt::LeftButton);
        QVERIFY(!isChanged(*w));
        QCOMPARE(w->panels().generate->request().steps, 11);  // of the heads alone
        make(*w);
        QCOMPARE(last("GenerateRequest"), QString("GenerateRequest"));
        QTRY_VERIFY(ready(*w));
        QCOMPARE(last("HeadsRequest"), QString("HeadsRequest"));
        action(*w, "Undo restored settings")->trigger();
        QVERIFY(isChanged(*w));
        QCOMPARE(w->panels().generate->request().steps, 11);
        make(*w);
        QCOMPARE(last("GenerateRequest"), "GenerateRequest " + m_change);
    }

    void aPictureOfTheStoredHeadsTakesChangesBack() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->openFiles({variation()});
        QVERIFY(isChanged(*w));
        w->openFiles({"/p/first-stored.png"});
        QTRY_VERIFY(!isChanged(*w));
        QVERIFY(w->panels().generate->messages().text().contains("The heads of first are as stored."));
    }

    void makingAPictureAgainTakesItsHeads() {
        script(R"({"GenerateRequest":"steps:5:1"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->openFiles({variation()});
        make(*w);
        const int run = w->runs().current()->key;
        w->variations().asStored(w->currentModel());
        QVERIFY(!isChanged(*w));
        w->generation().runAgain(run);
        QVERIFY(isChanged(*w));
        QTRY_VERIFY(!w->generation().isRunning());
        QCOMPARE(last("GenerateRequest"), "GenerateRequest " + m_change);
        QCOMPARE(line(*w), "1 head changed (" + m_change + "), first");
    }

    void everyRequestAboutTheModelCarriesThem() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->openFiles({variation()});
        auto* compare = w->panels().view<CompareView>();
        w->goTo(w->docks().of(compare));
        QTRY_COMPARE(last("CompareRequest"), "CompareRequest " + m_change);
        w->dataJobs().offerMeasurement(w->currentModel());
        w->dataJobs().measure({});
        QTRY_VERIFY(first(*w).calibration.has_value());
        QCOMPARE(last("CalibrateRequest"), "CalibrateRequest " + m_change);
        QVERIFY(first(*w).calibrationLine.contains("--variation VARIATION.json"));
        QVERIFY(w->panels().view<AtlasView>()->commandLine().contains("--variation VARIATION.json"));
        // The check is of the file.
        QTRY_VERIFY(first(*w).check.has_value());
        QCOMPARE(last("SelfCheckRequest"), QString("SelfCheckRequest"));
        QVERIFY(w->panels().tree->tree()->topLevelItem(0)->toolTip(0).contains("the check is of the heads as stored"));
        // What was measured with them is not of the heads as stored.
        w->variations().asStored(w->currentModel());
        QVERIFY(!first(*w).calibration.has_value());
        QTRY_COMPARE(last("CompareRequest"), QString("CompareRequest"));
    }

    void lateAnswersAboutOtherHeadsAreDropped() {
        script(R"({"HeadsRequest":"wait:300 reply"})");
        const auto w = window({"/m/first.safetensors", "/m/second.safetensors"});
        QTRY_COMPARE(w->models().all().size(), 2u);
        QTRY_VERIFY(ready(*w));
        const int changed = w->models().all().begin()->first, other = w->models().all().rbegin()->first;
        w->selection().select({changed, {0, 1}});
        w->selection().select({other, {0, 0}});  // its answer is on the way, its heads are not shown
        w->variations().open(variation(), changed);
        QTRY_COMPARE(w->engine().openJobs(), 0);
        QVERIFY(first(*w).heads.empty());
        QVERIFY(first(*w).atlas.has_value());
        QCOMPARE(w->selection().current().model, other);  // numbers that come anew take no selection
    }

    void aVariationIsSavedOpenedAndRefused() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        const int model = w->currentModel();
        w->openFiles({variation()});  // as dropped
        QVERIFY(w->panels().messages->text().contains("1 head changed"));
        w->panels().messages->actionButton()->click();  // Undo
        QVERIFY(!isChanged(*w));
        w->variations().open(variation(), model);
        const QString saved = folder().filePath("saved.json");
        w->variations().save(saved, model);
        const Result<Variation> read = readVariation(saved.toStdString());
        QVERIFY(read && read->changes == first(*w).ref.changes);
        QVERIFY((read->madeFor == VariationModel{"first", 2, 2, 4, "harope", "same"}));
        // Of another model: one message, nothing lost.
        const std::vector<HeadChange> before = first(*w).ref.changes;
        w->openFiles({file("other.json", R"({"ropescope_variation":1,"model":{"name":"big","layers":9,"heads":2,)"
                                         R"("head_dim":4},"changes":[{"heads":"all","do":"identity"}]})")});
        QVERIFY(w->panels().messages->showsError());
        QVERIFY(w->panels().messages->text().contains("made for big, not for first"));
        QVERIFY(first(*w).ref.changes == before);
        w->openFiles({file("broken.json", R"({"ropescope_variation":1,"changes":[{"heads":"all","do":"sing"}]})")});
        QVERIFY(w->panels().messages->text().contains("not a change"));
        QVERIFY(first(*w).ref.changes == before);
        QCOMPARE(diary().filter("OpenRequest").size(), 1);
    }

    void changesComeBackAtTheNextStart() {
        script("{}");
        {
            const auto w = window({"/m/first.safetensors"});
            QTRY_VERIFY(ready(*w));
            w->openFiles({variation()});
            QTRY_VERIFY(ready(*w));
            w->close();
        }
        const auto again = window({});
        QTRY_VERIFY(ready(*again));
        QCOMPARE(line(*again), "1 head changed (" + m_change + "), first");
        QCOMPARE(last("HeadsRequest"), "HeadsRequest " + m_change);
        again->openFiles({"/m/first.safetensors"});  // open already: it stays as it is
        QTest::qWait(50);
        QCOMPARE(again->models().all().size(), 1u);
        QVERIFY(isChanged(*again));
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::WindowVariationsTest)
#include "window_variations_test.moc"
