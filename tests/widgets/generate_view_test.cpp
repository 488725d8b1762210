// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/generate_view.h"

#include <QApplication>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include "core/data/codec.h"
#include "tests/widgets/opened_sample.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/lora_list.h"
#include "widgets/state/image.h"
#include "widgets/state/kept_settings.h"

using namespace ropescope;

namespace {

GenerateRequest madeRequest() {
    GenerateRequest request;
    request.labels = {3};
    request.seed = 12345678901ULL;
    request.steps = 9;
    request.guidance = 3.5;
    request.sampler = Sampler::Heun;
    request.batch = 2;
    request.compute.precision = Precision::Bf16;
    return request;
}

/// FLUX.1 schnell; with guidanceInput dev.
ModelCard fluxCard() {
    ModelCard card = sampleCard("flux");
    card.architecture = "flux", card.patch = 1;
    return card;
}

}  // namespace

class GenerateViewTest : public QObject {
    Q_OBJECT
private slots:
    void needsAModelThatGenerates() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        QVERIFY(!view.generateButton()->isEnabled());
        ModelCard card = sampleCard("classifier");
        card.objective = "classify", card.architecture = "vit";
        view.setModel(models.add({}, card));
        QVERIFY(!view.generateButton()->isEnabled());
        view.setModel(models.add({}, sampleCard("generator")));
        QVERIFY(view.generateButton()->isEnabled());
    }
    void whatCannotRunSaysWhy() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = sampleCard("broken");
        card.problemCode = "TC-05";
        card.problem = "[TC-05] " + card.path + ": a tensor is missing.";
        view.setModel(models.add({}, card));
        QVERIFY(!view.generateButton()->isEnabled());
        QCOMPARE(view.generateButton()->toolTip(), QString("broken cannot be run: a tensor is missing."));
        QSignalSpy asked(&view, &GenerateView::generateRequested);
        view.requestGenerate();
        QCOMPARE(asked.count(), 0);
        ModelCard text = fluxCard();
        text.problem = "no";
        QSignalSpy tokens(&view.settings(), &GenerateSettings::tokensWanted);
        view.setModel(models.add({}, text));
        QVERIFY(!view.generateButton()->isEnabled());
        QCOMPARE(tokens.count(), 0);
    }
    void withoutARowForNoClassThereIsNoGuidance() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = sampleCard("guideless");
        card.nullClass = false;
        GenerateRequest wanted;
        wanted.guidance = 3.5;
        wanted.labels = {kNoClass};
        const int guideless = models.add({}, card);
        view.setModel(guideless);
        view.restore(wanted);
        QCOMPARE(view.request().guidance, 1.0);
        QCOMPARE(view.request().labels.front(), 0);
        QDoubleSpinBox* guidance = nullptr;
        for (auto* box : view.findChildren<QDoubleSpinBox*>())
            if (box->toolTip().contains("no class")) guidance = box;
        QVERIFY(guidance != nullptr && !guidance->isEnabled());
        QCOMPARE(guidance->value(), 1.0);
        auto* classes = view.findChild<QComboBox*>();
        QCOMPARE(classes->findText("no class"), -1);
        view.setModel(models.add({}, sampleCard("guided")));  // what was wanted comes back
        QCOMPARE(view.request().guidance, 3.5);
        QVERIFY(guidance->isEnabled());
        QVERIFY(classes->findText("no class") >= 0);
        QCOMPARE(view.request().labels.front(), 5);
    }
    void anAutoencoderIsOfferedWhereLatentsAreDrawn() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        GenerateRequest asked;
        asked.vae = "/vae.safetensors";
        ModelCard card = sampleCard("pixels");
        card.inChannels = 1;
        view.setModel(models.add({}, card));
        view.restore(asked);
        QCOMPARE(view.request().vae, std::string());  // nothing to decode
        card.inChannels = 4;
        view.setModel(models.add({}, card));
        view.restore(asked);
        QCOMPARE(view.request().vae, asked.vae);
    }
    void sizeIsInPatchesAndTheRequestInPixels() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = sampleCard("generator");
        card.patch = 4;
        view.setModel(models.add({}, card));
        QCOMPARE(view.settings().patches(), (Grid{7, 7}));
        QCOMPARE(view.request().size, Grid{});  // as trained
        view.settings().setSize({8, 11});
        QCOMPARE(view.request().size, (Grid{32, 44}));
        const GenerateRequest larger = view.request();
        view.settings().setSize({7, 7});  // the trained one by hand is as trained
        QCOMPARE(view.settings().kept(PictureKind::ByClass).size, Grid{});
        view.settings().setSize({});
        QCOMPARE(view.request().size, Grid{});
        view.restore(larger);
        QCOMPARE(view.settings().patches(), (Grid{8, 11}));
        QVERIFY(view.request().extrapolate.method == Extrapolation::None);
        GenerateRequest stretched = larger;
        stretched.extrapolate.method = Extrapolation::NtkAware;
        view.restore(stretched);
        QVERIFY(view.request().extrapolate.method == Extrapolation::NtkAware);
        view.settings().setSize({});
        QVERIFY(view.request().extrapolate.method == Extrapolation::None);  // nothing to stretch
        card.encoding = "absolute";
        view.setModel(models.add({}, card));
        view.settings().setSize({9, 9});  // a table of positions can only be resized
        QVERIFY(view.request().extrapolate.method == Extrapolation::Interpolation);
    }
    void textModelsTakeAPromptAndPixels() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        view.setModel(models.add({}, sampleCard("classes")));
        QVERIFY(view.settings().prompt().isHidden());
        QCOMPARE(view.request().steps, 20);
        ModelCard card = fluxCard();
        card.guidanceInput = true;
        ModelRef ref;
        ref.path = "/flux";
        view.setModel(models.add(ref, card));
        QVERIFY(!view.settings().prompt().isHidden());
        QCOMPARE(view.request().steps, 28);  // nobody had touched them
        QCOMPARE(view.request().guidance, 3.5);
        QVERIFY((view.request().size == Grid{1024, 1024}));
        GenerateRequest own = view.request();
        own.text = {.prompt = "a cat", .encoders = "/encoders", .shift = 2.5, .memory = 6'000'000'000};
        own.model.loras = {{"/a.safetensors", 0.5}, {"/b.safetensors", -1}};
        own.size = {256, 512};
        own.steps = 7;
        own.sampler = Sampler::Dpmpp2m;
        view.restore(own);
        const GenerateRequest got = view.request();
        QCOMPARE(got.text.prompt, own.text.prompt);
        QCOMPARE(got.text.encoders, own.text.encoders);
        QCOMPARE(got.text.shift, 2.5);
        QCOMPARE(got.text.memory, own.text.memory);
        QVERIFY(got.model.loras == own.model.loras);
        QVERIFY((got.size == Grid{256, 512}));
        QVERIFY(got.sampler == Sampler::Dpmpp2m);
        // A class-conditional model looks at none of it, and it is not lost.
        view.setModel(models.all().begin()->first);
        QVERIFY(view.request().text.prompt.empty());
        QVERIFY(view.request().model.loras.empty());
        QCOMPARE(view.request().steps, 20);  // each kind has its own
        QCOMPARE(view.settings().kept(PictureKind::Flux).text.prompt, own.text.prompt);
        view.restore(madeRequest());
        view.setModel(models.all().rbegin()->first);
        QCOMPARE(settingsJson(view.request()), settingsJson(own));
    }
    void restoredSettingsAreExact() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = fluxCard();
        card.guidanceInput = true;
        view.setModel(models.add({}, card));
        GenerateRequest own = view.request();
        own.seed = ~0ULL;
        own.guidance = 3.14159, own.batch = 3, own.steps = 999;
        own.text = {.prompt = "a cat", .embeddings = "/e.safetensors", .shift = 1.15789, .memory = 6'123'456'789};
        own.model.loras = {{"/a.safetensors", 0.12345}, {"/b.safetensors", -12.5}};
        own.size = {512, 768};
        own.noiseFile = "/noise.safetensors", own.stepNoiseFile = "/steps.safetensors";
        own.guidanceChannels = GuidanceChannels::All;
        view.restore(own);
        QCOMPARE(settingsJson(view.request()), settingsJson(own));
        // A control changes its own value only; a seed of one's own takes the file's noise away.
        view.settings().findChild<QLineEdit*>("seed")->setText("");
        QTest::keyClicks(view.settings().findChild<QLineEdit*>("seed"), "77");
        own.seed = 77, own.noiseFile.clear(), own.stepNoiseFile.clear();
        QCOMPARE(settingsJson(view.request()), settingsJson(own));

        ModelCard classes = sampleCard("classes");
        classes.patch = 4, classes.classes = 10;
        view.setModel(models.add({}, classes));
        GenerateRequest drawn = view.request();
        drawn.labels = {10};  // no class
        drawn.size = {40, 48};
        drawn.extrapolate = {Extrapolation::NtkAware, {9, 9}, false};
        drawn.guidance = 100;
        view.restore(drawn);
        QCOMPARE(settingsJson(view.request()), settingsJson(drawn));
        classes.classes = 1000;
        view.setModel(models.add({}, classes));
        QCOMPARE(view.request().labels, std::vector<int>{1000});
    }
    void settingsAreKeptBeforeAModelIsOpen() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        GenerateRequest saved = untouchedSettings();
        saved.steps = 20, saved.guidance = 2, saved.size = {640, 512}, saved.labels = {7};
        view.settings().setKept(PictureKind::Flux, saved);
        GenerateRequest byClass = untouchedSettings();
        byClass.labels = {7}, byClass.size = {36, 40};
        view.settings().setKept(PictureKind::ByClass, byClass);
        ModelCard card = sampleCard("classes");
        card.patch = 4, card.classes = 10;
        view.setModel(models.add({}, card));
        QCOMPARE(view.request().labels, std::vector<int>{7});
        QVERIFY((view.request().size == Grid{36, 40}));
        card.architecture = "flux", card.guidanceInput = true;
        view.setModel(models.add({}, card));
        QCOMPARE(view.request().steps, 20);
        QCOMPARE(view.request().guidance, 2.0);
        QVERIFY((view.request().size == Grid{640, 512}));
        QCOMPARE(view.settings().kept(PictureKind::ByClass).labels, std::vector<int>{7});
    }
    void eachTextKindComesBackFromTheSession() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        GenerateRequest saved = untouchedSettings();
        saved.text.prompt = "a cat", saved.seed = 9;
        view.settings().setKept(PictureKind::Sd3, saved);
        ModelCard card = fluxCard();
        view.setModel(models.add({}, card));  // opened first, untouched
        card.architecture = "mmdit", card.patch = 2;
        view.setModel(models.add({}, card));
        QCOMPARE(view.request().text.prompt, std::string("a cat"));
        QCOMPARE(view.request().seed, 9u);
        view.settings().prompt().setTexts("a dog", "");
        view.setModel(models.all().begin()->first);
        QCOMPARE(view.request().text.prompt, std::string("a dog"));
    }
    void sizesAreTypedFreelyAndEndInMultiples() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = fluxCard();
        view.setModel(models.add({}, card));
        auto* rows = view.settings().findChild<QSpinBox*>("rows");
        rows->selectAll();
        QTest::keyClicks(rows, "1000");
        QCOMPARE(rows->value(), 1000);
        QCOMPARE(view.request().size.rows, 992);
        QTest::keyClick(rows, Qt::Key_Return);
        QCOMPARE(rows->value(), 992);
    }
    void fluxLooksAtANegativePromptUnderTrueGuidance() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = fluxCard();
        view.setModel(models.add({}, card));
        GenerateRequest own = view.request();
        QCOMPARE(own.steps, 4);  // schnell
        own.text.prompt = "a cat", own.text.negative = "blur";
        view.restore(own);
        QCOMPARE(view.request().text.negative, std::string());
        own.text.trueGuidance = 2.5;
        own.model.loras = {{"/flux.safetensors", 1}};
        view.restore(own);
        QCOMPARE(settingsJson(view.request()), settingsJson(own));
        card.architecture = "mmdit", card.patch = 2;
        view.setModel(models.add({}, card));
        QCOMPARE(view.request().text.negative, std::string("blur"));  // the words go along, files do not
        QCOMPARE(view.request().text.trueGuidance, 1.0);
        QVERIFY(view.request().model.loras.empty());
        view.setModel(models.all().begin()->first);
        QVERIFY(view.request().model.loras == own.model.loras);
    }
    void theSizeFitsTheTableOfPositions() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard card = sampleCard("sd3");
        card.architecture = "mmdit", card.patch = 2, card.positionRows = 64;
        view.setModel(models.add({}, card));
        QVERIFY((view.request().size == Grid{128, 128}));
    }
    void tokensAndCutsAreShown() {
        PromptEdit edit;
        QSignalSpy wanted(&edit, &PromptEdit::tokensWanted);
        edit.setTexts("a long prompt", "");
        QTRY_COMPARE(wanted.count(), 1);
        QCOMPARE(wanted.first().first().toString(), QString("a long prompt"));
        edit.showTokens({{{"text_encoder", 0, 4, 4, 2, {"<s>", "a", "long", "</s>"}}}});
        QVERIFY(edit.tokensText().contains("drops the last 2, after \"long\""));
        QVERIFY(edit.tokensText().contains("4 of 4 tokens"));
        edit.showProblem({ErrorKind::Device, "memory", "m", "no memory left", "", "", ""});
        QVERIFY(edit.tokensText().contains("no memory"));
        edit.setOff("embeddings");
        edit.setTexts("another", "");
        QTest::qWait(500);
        QCOMPARE(wanted.count(), 1);  // nobody reads it
    }
    void loRAsAreAddedAndTakenAway() {
        LoraList list;
        QSignalSpy changed(&list, &LoraList::changed);
        list.add("/x/style.safetensors", 0.75);
        list.add("/x/other.safetensors");
        QCOMPARE(changed.count(), 2);
        QVERIFY(list.loras() == (std::vector<LoraRef>{{"/x/style.safetensors", 0.75}, {"/x/other.safetensors", 1}}));
        list.showMatches({{{"/x/style.safetensors", 9, 9, 2, 3, "", "", ""},
                           {"/x/other.safetensors", 0, 0, 0, 0, "", "", "no LoRA"}}});
        QCOMPARE(list.matchText(0), QString("9 of 9 layers"));
        QCOMPARE(list.matchText(1), QString("does not fit"));
        list.findChildren<QToolButton*>().first()->click();
        QVERIFY(list.loras() == (std::vector<LoraRef>{{"/x/other.safetensors", 1}}));
        list.setLoras({});
        QVERIFY(list.loras().empty());
    }
    void emitsItsSettings() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        view.restore(madeRequest());
        GenerateRequest got;
        connect(&view, &GenerateView::generateRequested, this, [&](const GenerateRequest& request) { got = request; });
        QTest::mouseClick(view.generateButton(), Qt::LeftButton);
        QCOMPARE(got.labels, madeRequest().labels);
        QCOMPARE(got.seed, madeRequest().seed);
        QCOMPARE(got.steps, 9);
        QCOMPARE(got.guidance, 3.5);
        QVERIFY(got.sampler == Sampler::Heun);
        QVERIFY(got.compute.precision == Precision::Bf16);
        QCOMPARE(got.batch, 2);
    }
    void oneButtonMakesAndCancels() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        view.resize(1280, 190);
        view.show();
        QSignalSpy cancel(&view, &GenerateView::cancelRequested);
        const QRect place = view.generateButton()->geometry();
        QCOMPARE(view.generateButton()->text(), QString("Generate"));
        view.start(4);
        QCOMPARE(view.generateButton()->text(), QString("Cancel"));
        view.showProgress({2, 4, 0.1, 0.2, {}, {}});
        QVERIFY(view.statusText().startsWith("Step 2 of 4"));
        QCOMPARE(view.generateButton()->geometry(), place);
        QTest::mouseClick(view.generateButton(), Qt::LeftButton);
        QCOMPARE(cancel.count(), 1);
        view.cancelled();
        QVERIFY(!view.isRunning());
        QCOMPARE(view.statusText(), QString("Cancelled after step 2 of 4"));
        QCOMPARE(view.generateButton()->text(), QString("Generate"));
        QCOMPARE(view.generateButton()->geometry(), place);
    }
    /// Fault: at 64x64 Generate moved to another row and Cancel took its place.
    void nothingMovesWhenASettingChanges() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        view.resize(1280, 190);
        view.show();
        QList<QWidget*> controls = {view.generateButton(), &view.gallery()};
        for (const auto& [name, control] : view.settings().named()) controls << control;
        const auto places = [&] {
            QList<QRect> all;
            for (const QWidget* control : controls) all << QRect(control->mapTo(&view, QPoint(0, 0)), control->size());
            return all;
        };
        QApplication::processEvents();
        const QList<QRect> before = places();
        view.settings().setSize({64, 64});
        GenerateRequest settings = view.request();
        settings.seed = 18446744073709551615ULL, settings.steps = 1000, settings.guidance = 100;
        view.restore(settings);
        view.start(1000);
        view.showProgress({999, 1000, 123.4, 0.12345, {}, {}});
        view.messages().showNote("a note that takes its place");
        QApplication::processEvents();
        QCOMPARE(places(), before);
    }
    void thePreviewIsTheSelectedPicture() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        const int first = sample.addRun();
        for (int step = 0; step < 3; ++step) sample.addStep(first, {step, 8, 0, {}}, samplePicture(step));
        QCOMPARE(view.shownImage(), imageOf(samplePicture(2)));
        sample.runs.setStep(0);
        QCOMPARE(view.shownImage(), imageOf(samplePicture(0)));
        const int second = sample.addRun();
        QVERIFY(view.shownImage().isNull());
        sample.addStep(second, {0, 8, 0, {}}, samplePicture(7));
        QCOMPARE(view.shownImage(), imageOf(samplePicture(7)));
        sample.runs.select(first);
        QCOMPARE(view.shownImage(), imageOf(samplePicture(2)));
        view.resize(900, 260);
        QVERIFY(coloursShown(view) > 50);
    }
    void missingEncodersAreChosenWithAButton() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        view.setModel(models.add({}, fluxCard()));
        QVERIFY(view.generateButton()->isEnabled());
        view.settings().prompt().showProblem({ErrorKind::Refused, "text-encoder", "/x/m > text_encoder_2",
                                              "this part is missing", "", "", "Give --encoders"});
        QVERIFY(!view.generateButton()->isEnabled());
        QVERIFY(view.generateButton()->toolTip().contains("text_encoder_2"));
        QCOMPARE(view.settings().prompt().tokensText(), QString("m holds no text_encoder_2"));
        QPushButton* choose = nullptr;
        for (auto* button : view.findChildren<QPushButton*>())
            if (button->text().startsWith("Choose text encoders")) choose = button;
        QVERIFY(choose != nullptr && !choose->isHidden());
        view.settings().prompt().showTokens({{{"text_encoder", 0, 4, 4, 0, {"<s>", "a", "b", "</s>"}}}});
        QVERIFY(view.generateButton()->isEnabled());
        QVERIFY(choose->isHidden());
        QVERIFY(view.statusText().startsWith("Ready"));
    }
    void aRestoreCanBeUndone() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        const std::string before = settingsJson(view.request());
        view.restore(madeRequest());
        QVERIFY(settingsJson(view.request()) != before);
        view.messages().showNote("Restored.", causedBy(GenerateView::kRestored));
        view.undoRestore();
        QCOMPARE(settingsJson(view.request()), before);
        QVERIFY(view.messages().text().isEmpty());
        QVERIFY(!view.settings().canUndo());
    }
    void statusIsOfTheModelAtHand() {
        OpenModels models;
        Runs runs;
        GenerateView view(models, runs);
        ModelCard vit = sampleCard("classifier");
        vit.objective = "classify", vit.architecture = "vit";
        view.setModel(models.add({}, vit));
        QVERIFY(view.statusText().contains("classifies"));
        view.setModel(models.add({}, fluxCard()));
        QVERIFY2(view.statusText().startsWith("Ready: write a prompt"), qPrintable(view.statusText()));
        view.start(4);
        view.fail({ErrorKind::Device, "out-of-memory", "cpu", "no memory left", "", "", ""});
        QVERIFY(view.messages().showsError());
        view.setModel(models.all().begin()->first);
        QVERIFY(!view.messages().showsError());  // it was the other model's
    }
    void longWordsDoNotWidenTheWindow() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        view.start(4);
        const int before = view.minimumSizeHint().width();
        view.showWords(QString("a token ").repeated(200));
        view.settings().prompt().showTokens({{{"text_encoder", 0, 4, 4, 2, std::vector<std::string>(400, "word")}}});
        QCOMPARE(view.minimumSizeHint().width(), before);
    }
    void failureIsSaidInTheView() {
        OpenedSample sample;
        GenerateView view(sample.models, sample.runs);
        view.setModel(sample.model);
        view.start(4);
        view.fail({ErrorKind::Device, "out-of-memory", "cpu", "no memory left", "", "", "Use a smaller batch"});
        QVERIFY(!view.isRunning());
        QVERIFY(view.messages().showsError());
        QVERIFY(view.messages().text().contains("smaller batch"));
        QVERIFY(view.generateButton()->isEnabled());
    }
    void enlargesByWholeFactors() {
        const QImage small = imageOf(samplePicture(3));
        const QImage large = enlarged(small, 100);
        QCOMPARE(large.size(), QSize(84, 84));
        QCOMPARE(large.pixel(3 * 14 + 2, 3 * 14 + 1), small.pixel(14, 14));
        QVERIFY(imageOf(Array{}).isNull());
    }
};

QTEST_MAIN(GenerateViewTest)
#include "generate_view_test.moc"
