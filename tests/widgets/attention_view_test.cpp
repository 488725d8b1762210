// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention_view.h"

#include <QApplication>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include "tests/widgets/opened_sample.h"
#include "widgets/attention_canvas.h"
#include "widgets/message_bar.h"
#include "widgets/preview_image.h"

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
    AttentionView view{models, selection};
    AttentionRequest asked;
    int count = 0;

    Shown() {
        QObject::connect(&view, &AttentionView::attentionRequested, [this](const AttentionRequest& request) {
            asked = request;
            ++count;
        });
        selection.select(head(2, 1));
        view.resize(800, 500);
        view.show();
    }
    void run() {
        GenerateRequest request;
        request.seed = 9;
        view.beginRun(model, request);
        for (int step = 0; step < 3; ++step) view.addStep(step, imageOf(samplePicture(step)));
        view.endRun(4);
    }
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
        s.models.remove(s.model);
        QVERIFY(s.view.isShowingEmpty());
    }
    void asksForTheCurrentHeadAndStep() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        QCOMPARE(s.asked.run.seed, 9u);
        QCOMPARE(s.asked.step, 2);  // the middle
        QVERIFY((s.asked.head == HeadId{2, 1}));
        QVERIFY(s.asked.patches.empty() && s.asked.words.empty());
        s.view.setStep(3);
        s.view.choose({4, 1}, {2});
        QTRY_COMPARE(s.count, 2);  // once for both
        QCOMPARE(s.asked.step, 3);
        QCOMPARE(s.asked.patches, std::vector<int>({1, 4}));
        QCOMPARE(s.asked.words, std::vector<int>({2}));
        s.selection.select(s.head(5, 0));
        QTRY_COMPARE(s.count, 3);
        QVERIFY((s.asked.head == HeadId{5, 0}));
        s.view.hide();
        s.view.setStep(0);
        QTest::qWait(100);
        QCOMPARE(s.count, 3);  // nobody looks
    }
    void drawsBothDirections() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.view.take(s.asked, report());
        const AttentionFigure& figure = s.view.canvas()->figure();
        QCOMPARE(figure.image, report().looks.image);
        QCOMPARE(figure.high, double(0.1f));
        QCOMPARE(figure.words.size(), 3u);  // padding is not drawn
        QCOMPARE(figure.words[1], QString("\u2581cat"));
        QCOMPARE(figure.picture, imageOf(samplePicture(2)));
        QVERIFY(figure.title.contains("L2.H1"));
        QVERIFY(figure.hint.contains("10.0 % on padding"));  // of the fourth token, which stands for no word
        s.view.setDirection(AttentionView::Direction::Seen);
        QCOMPARE(s.view.canvas()->figure().image, report().seen.image);
        QVERIFY(s.view.canvas()->figure().hint.contains("all patches"));
        QVERIFY(coloursShown(s.view) > 30);
    }
    void clicksChoosePatchesAndWords() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.view.take(s.asked, report());
        AttentionCanvas* canvas = s.view.canvas();
        QTest::mouseClick(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(4));
        QTRY_COMPARE(s.asked.patches, std::vector<int>({4}));
        s.view.take(s.asked, report());
        QVERIFY(canvas->figure().hint.contains("row 1, column 1"));
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
        s.view.take(s.asked, report());
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
        s.view.take(s.asked, report());
        const AttentionFigure answered = s.view.canvas()->figure();
        s.view.setStep(0);
        s.view.choose({4}, {});
        s.selection.select(s.head(5, 0));
        const AttentionFigure& shown = s.view.canvas()->figure();
        QCOMPARE(shown.title, answered.title);
        QCOMPARE(shown.hint, answered.hint);
        QCOMPARE(shown.picture, answered.picture);
        QVERIFY(shown.patches == std::set<int>{4});  // seen at once
        QTRY_COMPARE(s.count, 2);
        s.view.take(s.asked, report());
        QVERIFY(shown.title.contains("L5.H0, step 1 of 4"));
        QVERIFY(shown.hint.contains("row 1, column 1"));
        QCOMPARE(shown.picture, imageOf(samplePicture(0)));
    }
    void anAnswerDoesNotEndADrag() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.view.take(s.asked, report());
        AttentionCanvas* canvas = s.view.canvas();
        QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(1));
        QTest::mouseMove(canvas, canvas->placeOfPatch(4));
        QTRY_COMPARE(s.count, 2);
        s.view.take(s.asked, report());  // about the patch that was pressed
        QTest::mouseMove(canvas, canvas->placeOfPatch(5));
        QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->placeOfPatch(5));
        QTRY_COMPARE(s.asked.patches, std::vector<int>({1, 2, 4, 5}));
    }
    void aNewRunShowsItsPictures() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        const AttentionRequest before = s.asked;
        s.view.take(before, report());
        s.view.beginRun(s.model, {});
        QVERIFY(s.view.canvas()->figure().image.empty());
        s.view.addStep(0, imageOf(samplePicture(5)));
        QCOMPARE(s.view.canvas()->figure().picture, imageOf(samplePicture(5)));
        s.view.take(before, report());  // too late
        QVERIFY(s.view.canvas()->figure().image.empty());
        QVERIFY(coloursShown(s.view) > 10);
    }
    void theNumbersAreThoseOfAllTokens() {
        Shown s;
        s.run();
        QTRY_COMPARE(s.count, 1);
        s.view.take(s.asked, report());
        const QStringList lines = s.view.numbers(',').trimmed().split('\n');
        QCOMPARE(lines.size(), 1 + 4 + 6);
        QCOMPARE(lines[2], QString("1,text,\"\u2581cat\",0.3,0.2"));
        QCOMPARE(lines.last(), QString("5,picture,\"row 1 column 2\",0.1,0.5"));
    }
    void failureStaysInTheView() {
        Shown s;
        s.run();
        s.view.fail({ErrorKind::Device, "memory", "flux", "too little memory", "", "", ""});
        QVERIFY(s.view.messages().showsError());
    }
    void sharesOfARunJoinTheAtlas() {
        OpenedSample s;
        s.models.joinShares(s.model);
        const std::size_t before = s.models.find(s.model)->atlas->numbers.size();
        for (int step = 0; step < 2; ++step) {
            StepFields fields{step, 2, 0, {}};
            fields.heads.push_back({{1, 2}, {1, 1}, {1.f}, {1.f}, 0, {4, 0.5 + 0.25 * step, 0.125}});
            s.models.putFields(s.model, fields);
        }
        QSignalSpy changed(&s.models, &OpenModels::atlasChanged);
        s.models.joinShares(s.model);
        QCOMPARE(changed.count(), 1);
        const AtlasReport& atlas = *s.models.find(s.model)->atlas;
        QCOMPARE(atlas.numbers.size(), before + 2);
        const HeadNumber& number = atlas.numbers[before];
        QCOMPARE(number.key, std::string("image_to_text"));
        QCOMPARE(number.values[1 * 4 + 2], 0.625);
        QVERIFY(std::isnan(number.values[0]));
        s.models.joinShares(s.model);
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
