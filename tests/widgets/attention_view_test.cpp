// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention/attention_view.h"

#include <QApplication>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include "tests/widgets/opened_sample.h"
#include "widgets/attention/attention_canvas.h"
#include "widgets/frame/message_bar.h"
#include "widgets/state/image.h"

using namespace ropescope;

namespace {

/// A joint attention over 4 text tokens and 2 x 3 patches.
AttentionReport report() {
    AttentionReport r;
    r.grid = {2, 3};
    r.time = 250;
    r.shares = {4, 0.75, 0.25};
    r.looks = {{0.01f, 0.02f, 0.03f, 0.04f, 0.05f, 0.1f}, {0.2f, 0.3f, 0.15f, 0.1f}};
    r.seen = {std::vector<float>(6, 0.5f), {0.1f, 0.2f, 0.3f, 0.4f}};
    r.tokens.parts = {{"text_encoder", -1, 77, 3, 0, {"<s>", "cat</w>", "</s>"}},
                      {"text_encoder_2", 0, 4, 3, 0, {"\u2581a", "\u2581cat", "</s>"}}};
    return r;
}

struct Shown : OpenedSample {
    AttentionView view{models, selection, runs};
    AttentionRequest asked;
    int count = 0, key = -1;

    Shown() {
        QObject::connect(&view, &AttentionView::attentionRequested, [this](const AttentionRequest& request) {
            asked = request;
            ++count;
        });
        selection.select(head(2, 1));
        view.resize(800, 500);
        view.show();
    }
    /// A finished picture of four steps; the slider stands on the third.
    void run() {
        key = addRun({2, 3}, 4);
        for (int step = 0; step < 4; ++step) addStep(key, {step, 4, 250, {}}, samplePicture(step));
        runs.finish(key, Run::State::Done, imageOf(samplePicture(3)),
                    "ropescope generate m.safetensors --out IMAGE.png", {});
        runs.setStep(2);
    }
    void answer() { view.take(asked, report()); }
    [[nodiscard]] const AttentionFigure& figure() const { return view.canvas()->figure(); }
    [[nodiscard]] const AttentionFigure& figureOf(HeadRef h) const { return view.canvasOf(h)->figure(); }
};

}  // namespace

class AttentionViewTest : public QObject {
    Q_OBJECT
private slots:
    void saysWhatItNeeds() {
        Shown s;
        QVERIFY(s.view.isShowingEmpty());
        s.run();
        QVERIFY(!s.view.isShowingEmpty());
        s.runs.closeModel(s.model);
        QVERIFY(s.view.isShowingEmpty());
    }
    void asksForTheCurrentHeadAndStep() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        QCOMPARE(s.asked.run.seed, 9u);
        QCOMPARE(s.asked.step, 2);
        QVERIFY((s.asked.head == HeadId{2, 1}));
        QVERIFY(s.asked.patches.empty() && s.asked.words.empty());
        s.runs.setStep(3);
        s.view.choose({4, 1}, {2});
        QTRY_COMPARE(s.count, 2);  // once for both
        QCOMPARE(s.asked.step, 3);
        QCOMPARE(s.asked.patches, std::vector<int>({1, 4}));
        QCOMPARE(s.asked.words, std::vector<int>({2}));
        s.selection.select(s.head(5, 0));
        QTRY_COMPARE(s.count, 3);
        QVERIFY((s.asked.head == HeadId{5, 0}));
        s.view.hide();
        s.runs.setStep(0);
        QTest::qWait(100);
        QCOMPARE(s.count, 3);  // nobody looks
    }
    void theRangeDoesNotShrinkFromStepToStep() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        QCOMPARE(s.figure().high, double(0.1f));
        s.runs.setStep(1);
        QTRY_COMPARE(s.count, 2);
        AttentionReport faint = report();
        for (float& v : faint.looks.image) v *= 0.5f;
        s.view.take(s.asked, faint);
        QCOMPARE(s.figure().high, double(0.1f));
        s.view.choose({2}, {});  // another question
        QTRY_COMPARE(s.count, 3);
        s.view.take(s.asked, faint);
        QCOMPARE(s.figure().high, double(0.05f));
    }
    void theChoiceStaysOnPicturesOfOneGrid() {
        Shown s;
        s.run();
        s.view.choose({4}, {});
        QTRY_VERIFY(s.asked.patches == std::vector<int>{4});
        s.run();
        QTRY_COMPARE(s.asked.run.seed, 9u);
        QVERIFY(s.figure().patches == std::set<int>{4});
        s.addRun({3, 3}, 4);
        QVERIFY(s.figure().patches.empty());
    }
    void severalHeadsSideBySideOnOneScale() {
        Shown s;
        s.selection.selectAll({s.head(1, 0), s.head(2, 1)});
        s.run();
        QTRY_COMPARE(s.count, 1);
        QVERIFY((s.asked.head == HeadId{2, 1}));  // the current one first
        s.answer();
        QCOMPARE(s.count, 2);
        QVERIFY((s.asked.head == HeadId{1, 0}));
        AttentionReport second = report();
        second.looks.image[0] = 0.7f;
        s.view.take(s.asked, second);
        QCOMPARE(s.count, 2);  // all are answered
        QVERIFY(s.figure().titles.first().startsWith("L2.H1") &&
                s.figureOf(s.head(1, 0)).titles.first().startsWith("L1.H0"));
        QCOMPARE(s.figure().high, double(0.7f));
        QCOMPARE(s.figureOf(s.head(1, 0)).high, double(0.7f));
        // The words of the current head stand beside all pictures, which have the same room.
        QCOMPARE(s.view.words()->figure().words.size(), 3u);
        QVERIFY(s.view.words()->figure().titles.first().startsWith("L2.H1"));
        AttentionCanvas *one = s.view.canvas(), *other = s.view.canvasOf(s.head(1, 0));
        QCOMPARE(one->figure().words.size() + other->figure().words.size(), 0u);
        QTRY_COMPARE(one->size(), other->size());
        QCOMPARE(one->placeOfPatch(5), other->placeOfPatch(5));
        QVERIFY(s.view.words()->width() >= 160 && !s.view.words()->geometry().intersects(one->geometry()));
        QTest::mouseClick(s.view.words(), Qt::LeftButton, {}, s.view.words()->placeOfWord(1));
        QTRY_COMPARE(s.asked.words, std::vector<int>({1}));
        QCOMPARE(s.view.contents(FigureFormat::Csv), QString("Attention, 2 heads, 40 numbers"));
    }
    void headsOfAnotherModelAreNamedAsLeftOut() {
        Shown s;
        const int second = s.models.add({}, sampleCard("second"));
        s.selection.selectAll({{second, {0, 0}}, s.head(2, 1)});
        s.run();
        QVERIFY(s.view.hint().contains("1 head of another model"));
        s.selection.select(s.head(2, 1));
        QVERIFY(!s.view.hint().contains("another model"));
    }
    void allPatchesSeenByAllAreAllOne() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        AttentionReport plain = report();
        plain.shares = {}, plain.tokens = {};
        plain.looks.text.clear(), plain.seen.text.clear();
        plain.seen.image.assign(6, 1.0f);
        s.view.take(s.asked, plain);
        QCOMPARE(s.figure().image.size(), 6u);
        s.view.setDirection(AttentionView::Direction::Seen);
        QVERIFY(s.figure().image.empty());
        QCOMPARE(s.view.hint(), QString("Averaged over all patches every patch gives 1: choose a patch."));
        s.view.choose({4}, {});
        QTRY_COMPARE(s.count, 2);
        s.view.take(s.asked, plain);
        QCOMPARE(s.figure().image, plain.seen.image);
    }
    void aClassifiedPictureIsAskedWithItsFile() {
        Shown s;
        Run run;
        run.state = Run::State::Done;
        run.model = s.model;
        run.file = "/p/cat.png";
        run.subject = "cat.png";
        run.patches = {2, 3};
        run.picture = imageOf(samplePicture(1));
        s.runs.add(run);
        QTRY_COMPARE(s.count, 1);
        QCOMPARE(s.asked.image, std::string("/p/cat.png"));
        QCOMPARE(s.asked.step, 0);
        AttentionReport r = report();
        r.tokens.parts = {{"class token", 0, 1, 1, 0, {"class token"}}};
        r.looks.text = {0.2f}, r.seen.text = {0.1f};
        s.view.take(s.asked, r);
        QCOMPARE(s.figure().words, std::vector<QString>{"class token"});
        QVERIFY(!s.figure().titles.first().contains("step"));
        QVERIFY(s.view.commandLine().contains("attention") && s.view.commandLine().contains("--image /p/cat.png"));
        QVERIFY(!s.view.commandLine().contains("--step"));
    }
    void drawsBothDirections() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        QCOMPARE(s.figure().image, report().looks.image);
        QCOMPARE(s.figure().high, double(0.1f));
        QCOMPARE(s.figure().words.size(), 3u);  // padding is not drawn
        QCOMPARE(s.figure().words[1], QString("\u2581cat"));
        QCOMPARE(s.figure().picture, imageOf(samplePicture(2)));
        QVERIFY(s.figure().titles.first().contains("L2.H1, step 3 of 4"));
        QVERIFY(s.view.commandLine().contains("--step 3"));    // steps count from 1 everywhere
        QVERIFY(s.view.hint().contains("10.0 % on padding"));  // of the fourth token, which stands for no word
        s.view.setDirection(AttentionView::Direction::Seen);
        QVERIFY(s.figure().image.empty());  // who looks at all of them together: everything, by definition
        QVERIFY(s.view.hint().contains("all patches"));
        s.view.choose({4}, {});
        QTRY_COMPARE(s.count, 2);
        s.answer();
        QCOMPARE(s.figure().image, report().seen.image);
        QVERIFY(coloursShown(s.view) > 30);
    }
    void clicksChoosePatchesAndWords() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        AttentionCanvas* canvas = s.view.canvas();
        QTest::mouseClick(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(4));
        QTRY_COMPARE(s.asked.patches, std::vector<int>({4}));
        s.answer();
        QVERIFY(s.view.hint().contains("row 1, column 1"));
        QTest::mouseClick(canvas, Qt::LeftButton, Qt::ShiftModifier, canvas->placeOfWord(1));
        QTRY_COMPARE(s.asked.words, std::vector<int>({1}));
        QCOMPARE(s.asked.patches, std::vector<int>({4}));
        QTest::mouseClick(canvas, Qt::LeftButton, {}, canvas->placeOfWord(0));
        QTRY_COMPARE(s.asked.words, std::vector<int>({0}));
        QVERIFY(s.asked.patches.empty());
        // A drag takes the rectangle.
        QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(1));
        QTest::mouseMove(canvas, canvas->placeOfPatch(5));
        QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(5));
        QTRY_COMPARE(s.asked.patches, std::vector<int>({1, 2, 4, 5}));
    }
    void manyWordsAreReachedByTheWheel() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        AttentionReport many = report();
        const int n = 154;
        many.shares.text = n;
        many.looks.text.assign(n, 0.01f), many.seen.text.assign(n, 0.01f);
        many.tokens.parts = {{"text_encoder", 0, 77, 77, 0, std::vector<std::string>(77, "abcdefgh")},
                             {"text_encoder_3", 77, 77, 77, 0, std::vector<std::string>(77, "ijklmnop")}};
        s.view.take(s.asked, many);
        AttentionCanvas* canvas = s.view.canvas();
        QCOMPARE(canvas->figure().groups.size(), 2u);
        QCOMPARE(canvas->figure().groups[1].first, 77);
        const QPoint middle = canvas->placeOfWord(3);
        const int last = n - 1;
        QVERIFY(canvas->placeOfWord(last).y() <= 0);  // no room
        for (int i = 0; i < 100; ++i) {
            QWheelEvent down(middle, canvas->mapToGlobal(middle), {}, {0, -120}, {}, {}, Qt::NoScrollPhase, false);
            QApplication::sendEvent(canvas, &down);
        }
        QVERIFY(canvas->placeOfWord(last).y() > 0);
        QVERIFY(canvas->placeOfWord(0).y() <= 0);
        s.view.resize(3000, 3000);  // now there is room for all
        QTRY_VERIFY(canvas->placeOfWord(0).y() > 0);
        QVERIFY(canvas->placeOfWord(last).y() > 0);
        QTest::mouseClick(canvas, Qt::LeftButton, {}, canvas->placeOfWord(last));
        QTRY_COMPARE(s.asked.words, std::vector<int>({last}));
    }
    void theMouseReadsValues() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        AttentionCanvas* canvas = s.view.canvas();
        QTest::mouseMove(canvas, canvas->placeOfPatch(5));
        QCOMPARE(canvas->reading(), QString("row 1, column 2: 0.1"));
        QTest::mouseMove(canvas, canvas->placeOfWord(1));
        QCOMPARE(canvas->reading(), QString("\"\u2581cat\": 0.3"));
    }
    void labelsAreThoseOfTheAnswer() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        const AttentionFigure answered = s.figure();
        const QString hint = s.view.hint();
        s.runs.setStep(0);
        s.view.choose({4}, {});
        QCOMPARE(s.figure().titles, answered.titles);
        QCOMPARE(s.view.hint(), hint);
        QCOMPARE(s.figure().picture, answered.picture);
        QVERIFY(s.figure().patches == std::set<int>{4});  // seen at once
        QTRY_COMPARE(s.count, 2);
        s.answer();
        QVERIFY(s.figure().titles.first().contains("L2.H1, step 1 of 4"));
        QVERIFY(s.view.hint().contains("row 1, column 1"));
        QCOMPARE(s.figure().picture, imageOf(samplePicture(0)));
        s.selection.select(s.head(5, 0));
        QVERIFY(s.figure().image.empty());  // nothing of another head
        QVERIFY(s.figure().titles.first().contains("L5.H0"));
    }
    void anAnswerDoesNotEndADrag() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        AttentionCanvas* canvas = s.view.canvas();
        QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(1));
        QTest::mouseMove(canvas, canvas->placeOfPatch(4));
        QTRY_COMPARE(s.count, 2);
        s.answer();  // about the patch that was pressed
        QTest::mouseMove(canvas, canvas->placeOfPatch(5));
        QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(5));
        QTRY_COMPARE(s.asked.patches, std::vector<int>({1, 2, 4, 5}));
    }
    void anotherPictureTakesThePlaceOfTheOneBefore() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        const AttentionRequest before = s.asked;
        s.view.take(before, report());
        Run next;
        next.model = s.model;
        next.asked.seed = 10;
        const int key = s.runs.add(next);
        QVERIFY(s.figure().image.empty());
        s.addStep(key, {0, 4, 0, {}}, samplePicture(5));
        QCOMPARE(s.figure().picture, imageOf(samplePicture(5)));
        s.view.take(before, report());  // too late
        QVERIFY(s.figure().image.empty());
        QVERIFY(!s.view.canAsk());  // while it is made
        QVERIFY(coloursShown(s.view) > 10);
    }
    void theNumbersAreThoseOfAllTokens() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.answer();
        const QStringList lines = s.view.numbers(',').trimmed().split('\n');
        QCOMPARE(lines.size(), 1 + 4 + 6);
        QCOMPARE(lines[2], QString("sample,L2.H1,\"sneaker, seed 9\",3,1,text,\"\u2581cat\",0.3000000119,0.200000003"));
        QCOMPARE(lines.last(),
                 QString("sample,L2.H1,\"sneaker, seed 9\",3,5,picture,\"row 1 column 2\",0.1000000015,0.5"));
    }
    void failureStaysInTheView() {
        Shown s;
        s.run();
        s.view.fail({ErrorKind::Device, "memory", "flux", "too little memory", "", "", ""});
        QVERIFY(s.view.messages().showsError());
    }
    void sharesOfARunJoinTheAtlas() {
        OpenedSample s;
        s.models.joinShares(s.model, {});
        const std::size_t before = s.models.find(s.model)->atlas->numbers.size();
        std::vector<StepFields> steps;
        for (int step = 0; step < 2; ++step) {
            StepFields fields{step, 2, 0, {}};
            fields.heads.push_back({{1, 2}, {1, 1}, {1.f}, {1.f}, 0, {4, 0.5 + 0.25 * step, 0.125}});
            steps.push_back(fields);
        }
        QSignalSpy changed(&s.models, &OpenModels::atlasChanged);
        s.models.joinShares(s.model, steps);
        QCOMPARE(changed.count(), 1);
        const AtlasReport& atlas = *s.models.find(s.model)->atlas;
        QCOMPARE(atlas.numbers.size(), before + 2);
        const HeadNumber& number = atlas.numbers[before];
        QCOMPARE(number.key, std::string("image_to_text"));
        QCOMPARE(number.values[1 * 4 + 2], 0.625);
        QVERIFY(std::isnan(number.values[0]));
        s.models.joinShares(s.model, steps);
        QCOMPARE(s.models.find(s.model)->atlas->numbers.size(), before + 2);
        // They stay when layers of the Atlas still arrive.
        AtlasReport later = *s.models.find(s.model)->atlas;
        later.numbers.resize(before);
        s.models.setAtlas(s.model, later);
        QCOMPARE(s.models.find(s.model)->atlas->numbers.back().key, std::string("text_to_image"));
    }
};

QTEST_MAIN(AttentionViewTest)
#include "attention_view_test.moc"
