// SPDX-License-Identifier: GPL-3.0-or-later
#include <QDockWidget>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTableView>
#include <QTest>

#include "app/ask_bar.h"
#include "app/command_palette.h"
#include "app/file_questions.h"
#include "tests/app/window_fixture.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/attention/attention_view.h"
#include "widgets/classify/classify_view.h"
#include "widgets/compare/compare_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_view.h"
#include "widgets/heads/head_panel.h"
#include "widgets/measure/measure_bar.h"
#include "widgets/models/model_card_panel.h"
#include "widgets/models/model_tree.h"
#include "widgets/tensors/tensor_list.h"
#include "widgets/tensors/tensor_panel.h"
#include "widgets/tensors/tensors_view.h"

namespace ropescope {

/// Files that leave something open, over the scripted engine: they open, what they leave open is asked, and nothing is
/// computed that cannot be.
class OpenQuestionsTest : public QObject, private test::WindowFixture {
    Q_OBJECT

    static const OpenModel& only(MainWindow& w) { return w.models().all().begin()->second; }
    static int key(MainWindow& w) { return w.models().all().begin()->first; }
    /// Presses the button with that text.
    static void press(MainWindow& w, const QString& text) {
        QTRY_VERIFY(w.panels().questions->isVisible());
        for (QPushButton* button : w.panels().questions->findChildren<QPushButton*>()) {
            if (button->text() == text && !button->isHidden()) return QTest::mouseClick(button, Qt::LeftButton);
        }
        QFAIL(qPrintable("no answer " + text));
    }
    static QStringList cardLines(MainWindow& w) {
        w.panels().tree->setModel(key(w));
        return w.panels().tree->card().text().split('\n');
    }
    static QAction* menuAction(MainWindow& w, QMenu& menu, int model, const QString& text) {
        w.panels().tree->fillMenu(menu, {model, {-1, -1}});
        QList<QAction*> all = menu.actions();
        for (QMenu* inner : menu.findChildren<QMenu*>()) all += inner->actions();
        for (QAction* action : all)
            if (action->text() == text) return action;
        return nullptr;
    }

private slots:
    void initTestCase() { setUpCase(); }
    void cleanup() { cleanUp(); }

    void aFileThatIsNoModelStillOpens() {
        script("{}");
        const auto w = window({"/m/strange.pt"});
        QTRY_COMPARE(w->models().all().size(), 1u);
        QCOMPARE(w->windowTitle(), QString("strange \u2014 ropescope"));
        QTRY_VERIFY(w->panels().messages->showsError());
        QVERIFY(w->panels().messages->text().contains("no known architecture"));
        QVERIFY(!w->panels().questions->isVisible());
        QVERIFY(cardLines(*w).contains("no known architecture."));
        QVERIFY(w->panels().tree->lampText(key(*w)).isEmpty());
        QVERIFY(!w->panels().generate->generateButton()->isEnabled());
        QVERIFY(w->panels().generate->generateButton()->toolTip().contains("no known architecture"));
        // Nothing that needs heads or a run is asked for, and nothing falls over.
        for (Layout layout : kLayouts) w->setLayout(layout);
        for (QDockWidget* dock : w->docks().views) dock->raise();
        for (const char* text : {"Most interesting head", "Next head", "Select the whole layer",
                                 "Pin or unpin the head", "Generate", "Measure data content..."})
            action(*w, text)->trigger();
        QVERIFY(w->panels().measure->messages().text().contains("no known architecture"));
        action(*w, "Find a command, head or model...")->trigger();
        w->panels().palette->field()->setText("strange");
        QTest::keyClick(w->panels().palette->field(), Qt::Key_Return);
        QTest::qWait(100);
        QVERIFY(w->panels().view<AtlasView>()->isShowingEmpty() && w->panels().view<CompareView>()->isShowingEmpty());
        w->panels().messages->clear();
        emit w->panels().view<AttentionView>()->emptyActionRequested();  // "Make a picture"
        QVERIFY(w->panels().messages->text().contains("no known architecture"));
        for (const char* request : {"AtlasRequest", "HeadsRequest", "SelfCheckRequest", "CompareRequest",
                                    "GenerateRequest", "CalibrateRequest", "TokensRequest"})
            QVERIFY2(!diary().contains(request), request);
    }

    void itStandsBesideModelsThatRun() {
        script("{}");
        {
            const auto w = window({"/m/first.safetensors"});
            QTRY_VERIFY(ready(*w));
            w->openFiles({"/m/strange.pt"});
            QTRY_COMPARE(w->models().all().size(), 2u);
            const int first = key(*w), strange = w->models().all().rbegin()->first;
            QTRY_COMPARE(w->currentModel(), strange);
            QVERIFY(!w->panels().generate->generateButton()->isEnabled());
            QCOMPARE(w->panels().view<TensorsView>()->model(), strange);
            w->selection().select({first, {0, 1}});
            QCOMPARE(w->currentModel(), first);
            QVERIFY(w->panels().generate->generateButton()->isEnabled());
            QVERIFY(!w->panels().view<CompareView>()->request().models.empty());
            emit w->panels().tree->modelActivated(strange);
            QCOMPARE(w->currentModel(), strange);
            QVERIFY(w->panels().head->title().contains("L0.H1"));  // the head stays
            w->selection().select({first, {1, 1}});
            w->close();
        }
        const auto again = window({});
        QTRY_COMPARE(again->models().all().size(), 2u);
        QTRY_VERIFY(ready(*again));
        QVERIFY((again->selection().current() == HeadRef{key(*again), {1, 1}}));
        QCOMPARE(again->currentModel(), key(*again));
    }

    void theViewsTurnToTheModelWithHeads() {
        script("{}");
        const auto w = window({"/m/strange.pt"});
        QTRY_COMPARE(w->models().all().size(), 1u);
        w->openFiles({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        QCOMPARE(w->currentModel(), w->models().all().rbegin()->first);
        QCOMPARE(w->panels().view<AtlasView>()->drawnValue({1, 0}), 0.4);
        QVERIFY(!w->panels().view<AtlasView>()->scatterPoints().empty());
        w->goTo(w->docks().of(w->panels().view<CompareView>()));
        QTRY_VERIFY(!w->panels().view<CompareView>()->isShowingEmpty());
        QCOMPARE(w->panels().view<CompareView>()->request().models.size(), 1u);
    }

    void aKnownNetworkWithAProblemShowsItsHeadsAlone() {
        script("{}");
        const auto w = window({"/m/vit-broken.safetensors"});
        QTRY_VERIFY(ready(*w));
        QVERIFY(w->panels().messages->text().contains("disagrees"));
        QCOMPARE(w->panels().view<AtlasView>()->drawnValue({1, 0}), 0.4);
        QVERIFY(!w->panels().head->measureButton()->isEnabled());
        QVERIFY(w->panels().head->measureButton()->toolTip().contains("disagrees"));
        w->panels().classify->setImage("/pictures/cat.png");
        QVERIFY(!w->panels().classify->classifyButton()->isEnabled());
        QVERIFY(w->panels().classify->classifyButton()->toolTip().contains("disagrees"));
        QTest::qWait(1700);  // a check would be asked for by now
        QVERIFY(!diary().contains("ClassifyRequest") && !diary().contains("SelfCheckRequest"));
    }

    void anUnknownGridIsAskedAndRemembered() {
        script("{}");
        {
            const auto w = window({"/m/gridless.pt"});
            QTRY_COMPARE(w->models().all().size(), 1u);
            QVERIFY(!only(*w).hasHeads());
            press(*w, "5 \u00d7 3");
            QTRY_VERIFY(ready(*w));
            QCOMPARE(w->models().all().size(), 1u);
            QVERIFY((only(*w).card.grid == Grid{5, 3}));
            QVERIFY(!w->panels().questions->isVisible() && !w->panels().messages->showsError());
            w->close();
        }
        const auto again = window({"/m/gridless.pt"});
        QTRY_VERIFY(ready(*again));
        QVERIFY((only(*again).ref.grid == Grid{5, 3}));
        QVERIFY(!again->panels().questions->isVisible());
        // What was said can be taken back.
        QMenu menu;
        menuAction(*again, menu, key(*again), "Ask again what the file does not say")->trigger();
        QTRY_VERIFY(again->panels().questions->isVisible());
        QCOMPARE(again->models().all().size(), 1u);
        QVERIFY(!only(*again).hasHeads());
        QVERIFY(again->currentSession().answers.isEmpty());
    }

    void anUnknownNumberOfHeadsIsAsked() {
        script("{}");
        const auto w = window({"/m/headless.pt"});
        press(*w, "4");
        QTRY_VERIFY(ready(*w));
        QCOMPARE(only(*w).ref.heads, 4);
    }

    void oneOfSeveralCopiesIsAskedFor() {
        script("{}");
        const auto w = window({"/m/copies.pt"});
        press(*w, "teacher");
        QTRY_VERIFY(ready(*w));
        QCOMPARE(only(*w).ref.weights, std::string("teacher"));
        QCOMPARE(only(*w).card.name, std::string("copies [teacher]"));
    }

    void aQuestionLeavesWithItsModelAndComesBack() {
        script("{}");
        const auto w = window({"/m/gridless.pt"});
        QTRY_VERIFY(w->panels().questions->isVisible());
        w->openFiles({"/m/gridless.pt"});  // open already: the same question, not a second one
        QTest::qWait(50);
        w->panels().questions->answer(-1);
        QVERIFY(!w->panels().questions->isVisible());
        emit w->panels().tree->problemActivated(key(*w));
        QVERIFY(w->panels().questions->isVisible());
        w->closeCurrentModel();
        QVERIFY(!w->panels().questions->isVisible());
        QVERIFY(w->models().all().empty());
    }

    void timeIsAskedBeforeAnythingIsDrawn() {
        script("{}");
        {
            const auto w = window({"/m/timeless.pt"});
            QTRY_VERIFY(ready(*w));
            QVERIFY(w->panels().questions->text().contains("time means"));
            w->panels().questions->answer(-1);
            w->panels().generate->requestGenerate();
            QVERIFY(w->panels().questions->isVisible());
            QVERIFY(!diary().contains("GenerateRequest"));
            press(*w, "Flow, noise at 0 (SiT)");
            QTRY_COMPARE(only(*w).ref.time, std::string("sit"));
            QCOMPARE(w->models().all().size(), 1u);
            QTRY_VERIFY(ready(*w));
            w->panels().generate->requestGenerate();
            QTRY_COMPARE(w->panels().generate->gallery().count(), 1);
            w->closeCurrentModel();
            w->openFiles({"/m/timeless.pt"});
            QTRY_COMPARE(w->models().all().size(), 1u);
            QCOMPARE(only(*w).ref.time, std::string("sit"));
            w->close();
        }
    }

    void tensorsThatAreNotUnderstoodCanBeLeftOut() {
        script("{}");
        const auto w = window({"/m/surplus.pt"});
        QTRY_VERIFY(ready(*w));
        QVERIFY(cardLines(*w).contains("2 tensors not understood"));
        QVERIFY(cardLines(*w).contains("2 assumptions"));
        QVERIFY(!w->panels().generate->generateButton()->isEnabled());
        QVERIFY(w->panels().questions->text().contains("blocks.0.gate, blocks.1.gate"));
        press(*w, "Compute without them");
        QTRY_VERIFY(only(*w).runs());
        QCOMPARE(only(*w).ref.ignore, (std::vector<std::string>{"blocks.0.gate", "blocks.1.gate"}));
        QVERIFY(cardLines(*w).contains("2 tensors left out"));
        QCOMPARE(w->models().all().size(), 1u);
        QTRY_VERIFY(w->panels().generate->generateButton()->isEnabled());
        QVERIFY(w->currentSession().answers.value("/m/surplus.pt").ignore.empty());  // asked again of a changed file
        w->closeCurrentModel();
        w->openFiles({"/m/surplus.pt"});
        QTRY_COMPARE(w->models().all().size(), 1u);
        QMenu menu;
        QAction* without = menuAction(*w, menu, key(*w), "Compute without 2 unknown tensors");
        QVERIFY(without != nullptr);
        without->trigger();
        QTRY_VERIFY(only(*w).runs());
        QVERIFY(!w->panels().questions->isVisible());
    }

    void anotherCopyOpensBesideTheFirst() {
        script("{}");
        const auto w = window({"/m/averaged.pt"});
        QTRY_VERIFY(ready(*w));
        const int first = key(*w);
        QMenu menu;
        QAction* other = menuAction(*w, menu, first, "model");
        QVERIFY(other != nullptr && !other->isChecked());
        other->trigger();
        QTRY_COMPARE(w->models().all().size(), 2u);
        QCOMPARE(w->models().all().rbegin()->second.card.name, std::string("averaged [model]"));
        QTRY_COMPARE(w->currentModel(), w->models().all().rbegin()->first);
        QMenu again;
        QAction* back = menuAction(*w, again, w->currentModel(), "ema");
        QVERIFY(!back->isChecked());
        back->trigger();  // open already
        QCOMPARE(w->currentModel(), first);
        QTest::qWait(50);
        QCOMPARE(w->models().all().size(), 2u);
    }

    void withoutAClassForNothingThereIsNoGuidance() {
        script("{}");
        const auto w = window({"/m/guideless.pt"});
        QTRY_VERIFY(ready(*w));
        QCOMPARE(w->panels().generate->request().guidance, 1.0);
    }

    void tensorsAreListedAndRead() {
        script("{}");
        const auto w = window({"/m/strange.pt"});
        QTRY_COMPARE(w->models().all().size(), 1u);
        QVERIFY(!diary().contains("TensorsRequest"));  // nobody looks
        w->goTo(w->docks().of(w->panels().view<TensorsView>()));
        TensorsView& view = *w->panels().view<TensorsView>();
        QTRY_COMPARE(view.list().rowCount(), 3);
        view.choose("blocks.0.gate");
        QTRY_COMPARE(view.panel().shown().name, std::string("blocks.0.gate"));
        QCOMPARE(view.panel().text("Norm"), QString("2.25"));
        QCOMPARE(view.commandLine(), QString("ropescope info /m/strange.pt --tensors blocks.0.gate"));
        w->openFiles({"/m/surplus.pt"});
        QTRY_COMPARE(view.model(), w->models().all().rbegin()->first);
        QTRY_VERIFY(view.list().rowCount() == 3 && isNotUnderstood(view.list().at(1)));
        QVERIFY(view.panel().shown().name.empty());
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::OpenQuestionsTest)
#include "open_questions_test.moc"
