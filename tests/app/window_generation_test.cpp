// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures in the whole window: made, kept, cancelled, asked about, and their settings brought back.
#include <QAction>
#include <QDockWidget>
#include <QPushButton>
#include <QRegularExpression>
#include <QSlider>
#include <QTest>
#include <QToolButton>

#include "app/ask_bar.h"
#include "app/main_window.h"
#include "core/data/codec.h"
#include "tests/app/window_fixture.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/attention/attention_canvas.h"
#include "widgets/attention/attention_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/generate/lora_list.h"
#include "widgets/generate/run_bar.h"

namespace ropescope {

class WindowGenerationTest : public QObject, private test::WindowFixture {
    Q_OBJECT

private slots:
    void initTestCase() { setUpCase(); }
    void cleanup() { cleanUp(); }

    void generationFillsFieldsAndGallery() {
        script(R"({"GenerateRequest":"steps:5:10"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        QTest::mouseClick(w->panels().generate->generateButton(), Qt::LeftButton);
        QVERIFY(w->generation().isRunning());
        QTRY_COMPARE(w->panels().generate->gallery().count(), 1);
        QVERIFY(!w->generation().isRunning());
        QVERIFY(!w->panels().generate->shownImage().isNull());
        QCOMPARE(w->runs().step(), 4);
        const std::vector<double> measured = w->panels().view<FieldsView>()->drawnMeasured(w->selection().current());
        QCOMPARE(measured, std::vector<double>(25, 1.0));
    }

    void finishedPicturesAreKeptAndClosingAsks() {
        script(R"({"GenerateRequest":"steps:50:20"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(!w->panels().generate->shownImage().isNull());
        QVERIFY(!w->close());
        QVERIFY(w->panels().questions->text().contains("closing ends it"));
        w->panels().questions->answer(1);  // stay
        QVERIFY(w->generation().isRunning());
        QTRY_COMPARE(w->panels().generate->gallery().count(), 1);
        QTRY_COMPARE(diary().filter("SavePngRequest").size(), 1);
        action(*w, "Keep finished pictures")->trigger();
        QVERIFY(!w->currentSession().keepPictures);
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->generation().isRunning());
        QVERIFY(!w->close());
        w->panels().questions->answer(0);
        QVERIFY(!w->isVisible());
        QCOMPARE(diary().filter("SavePngRequest").size(), 1);
    }

    void aPromptIsWrittenDrawnAndItsAttentionAsked() {
        script(R"({"GenerateRequest":"steps:5:10"})");
        const auto w = window({"/m/flux.safetensors"});
        QTRY_VERIFY(ready(*w));
        GenerateRequest settings = w->panels().generate->request();
        settings.text.prompt = "a red cat";
        settings.steps = 5;
        w->panels().generate->restore(settings);
        QTRY_VERIFY(w->panels().generate->settings().prompt().tokensText().contains("drops the last 1, after \"cat\""));
        w->goTo(w->docks().of(w->panels().view<AttentionView>()));
        QVERIFY(w->panels().view<AttentionView>()->isShowingEmpty());
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->panels().view<AttentionView>()->canAsk());
        QTRY_COMPARE(w->panels().view<AttentionView>()->canvas()->figure().image.size(), 9u);
        w->panels().view<AttentionView>()->choose({4}, {});
        QTRY_COMPARE(w->panels().view<AttentionView>()->canvas()->figure().image.front(), 0.4f);
        QVERIFY(!w->panels().view<AttentionView>()->canvas()->figure().picture.isNull());
        GenerateView& view = *w->panels().generate;
        RunBar& bar = *w->panels().run;
        bar.slider()->setValue(1);
        const QSize preview = view.shownImage().size();
        QTest::mouseClick(bar.decodeButton(), Qt::LeftButton);
        QTRY_COMPARE(view.shownImage().size(), QSize(8, 8));
        QVERIFY(preview != QSize(8, 8));
        QVERIFY(!bar.decodeButton()->isEnabled());
        bar.slider()->setValue(2);
        QVERIFY(bar.decodeButton()->isEnabled());
        // Shares of all heads join the Atlas.
        w->panels().view<AtlasView>()->setNumber("image_to_text");
        QCOMPARE(w->panels().view<AtlasView>()->drawnValue({1, 0}), 0.6);
    }

    void aPictureBringsItsModelAndSettingsBack() {
        script("{}");
        const auto w = window({"/m/flux.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->generation().restoreFrom("/p/other-program.png");
        QTRY_COMPARE(w->panels().generate->request().seed, 77u);
        QCOMPARE(w->panels().generate->request().text.prompt, std::string("a dog"));
        QVERIFY(w->panels().generate->request().steps != 11);
        QCOMPARE(w->models().all().size(), 1u);
        w->generation().restoreFrom("/p/own.png");
        QTRY_COMPARE(w->models().all().size(), 2u);
        QTRY_COMPARE(w->panels().generate->request().steps, 11);
        const GenerateRequest back = w->panels().generate->request();
        QCOMPARE(back.model.path, std::string("/m/flux-other.safetensors"));
        QVERIFY(back.model.loras == (std::vector<LoraRef>{{"/l/style.safetensors", 0.5}}));
        QTRY_COMPARE(w->panels().generate->settings().loras().matchText(0), QString("7 of 9 layers"));
        QVERIFY((back.size == Grid{256, 512}));
        QTRY_COMPARE(w->selection().current().model, w->panels().generate->model());
    }

    void anAdapterOpensTheModelOnceMore() {
        script("{}");
        const auto w = window({"/m/flux.safetensors"});
        QTRY_VERIFY(ready(*w));
        emit w->panels().generate->settings().adapterRequested(w->panels().generate->model(), "/m/maps.safetensors");
        QTRY_COMPARE(w->models().all().size(), 2u);
        const OpenModel& second = w->models().all().rbegin()->second;
        QCOMPARE(second.ref.adapter, std::string("/m/maps.safetensors"));
        QCOMPARE(second.card.name, std::string("flux + maps"));
        QTRY_COMPARE(w->panels().generate->request().model.adapter, std::string("/m/maps.safetensors"));
    }

    void settingsOfBothKindsComeBackAtTheNextStart() {
        script("{}");
        GenerateRequest text, byClass;
        {
            const auto w = window({"/m/flux.safetensors", "/m/second.safetensors"});
            QTRY_COMPARE(w->models().all().size(), 2u);
            QTRY_VERIFY(ready(*w));
            GenerateView& view = *w->panels().generate;
            std::map<bool, int> keys;
            for (const auto& [key, model] : w->models().all()) keys[model.takesText()] = key;
            w->selection().select({keys[true], {0, 0}});
            QCOMPARE(view.model(), keys[true]);
            text = view.request();
            text.text.prompt = "a cat", text.text.shift = 1.23456, text.steps = 20, text.size = {320, 640};
            text.model.loras = {{"/l.safetensors", 0.333}};
            view.restore(text);
            w->selection().select({keys[false], {0, 0}});
            // Another text model is opened first at the next start: it takes nothing away.
            byClass = view.request();
            byClass.labels = {2}, byClass.guidance = 2.34567, byClass.size = {8, 10};  // no class
            view.restore(byClass);
            w->close();
        }
        const auto again = window({});
        QTRY_COMPARE(again->models().all().size(), 2u);
        QTRY_VERIFY(ready(*again));
        for (const auto& [key, model] : again->models().all()) {
            again->selection().select({key, {0, 0}});
            QCOMPARE(again->panels().generate->model(), key);
            QCOMPARE(settingsJson(again->panels().generate->request()),
                     settingsJson(model.takesText() ? text : byClass));
        }
    }

    void aRefusedRunLeavesTheLastOne() {
        script(R"({"GenerateRequest":"steps:5:10"},{"GenerateRequest":"refuse"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->panels().view<AttentionView>()->canAsk());
        w->engine().restart();
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->panels().generate->messages().showsError());
        QVERIFY(w->panels().view<AttentionView>()->canAsk());
        QCOMPARE(w->panels().run->slider()->maximum(), 4);
        QCOMPARE(w->panels().view<FieldsView>()->drawnMeasured(w->selection().current()).size(), 25u);
    }

    void aNewRunEndsQuestionsAboutTheOneBefore() {
        script(R"({"GenerateRequest":"steps:5:10","AttentionRequest":"steps:1000:10"})");
        const auto w = window({"/m/first.safetensors", "/m/second.safetensors"});
        QTRY_COMPARE(w->models().all().size(), 2u);
        QTRY_VERIFY(ready(*w));
        w->goTo(w->docks().of(w->panels().view<AttentionView>()));
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->panels().view<AttentionView>()->canAsk());
        QTRY_VERIFY(w->panels().view<AttentionView>()->messages().text().contains("step 2"));
        w->panels().generate->requestGenerate();
        QTRY_COMPARE(diary().filter(QRegularExpression("^cancelled after ")).size(), 1);
        // A model that is selected meanwhile is the one to generate with afterwards.
        const int first = w->models().all().begin()->first, second = w->models().all().rbegin()->first;
        const int other = w->panels().generate->model() == first ? second : first;
        QVERIFY(w->generation().isRunning());
        w->selection().select({other, {0, 0}});
        QTRY_VERIFY(!w->generation().isRunning());
        QCOMPARE(w->panels().generate->model(), other);
    }

    void cancelEndsWithinAStepAndKeepsTheRest() {
        script(R"({"GenerateRequest":"steps:1000:20"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(!w->panels().generate->shownImage().isNull());
        QTest::keyClick(w.get(), Qt::Key_Escape);
        QTRY_VERIFY(!w->generation().isRunning());
        QCOMPARE(w->panels().generate->gallery().count(), 0);
        QCOMPARE(diary().filter(QRegularExpression("^cancelled after ")).size(), 1);
        QVERIFY(!w->panels().generate->messages().showsError());
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::WindowGenerationTest)
#include "window_generation_test.moc"
