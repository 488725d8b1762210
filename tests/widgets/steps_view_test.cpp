// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/steps/steps_view.h"

#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "tests/widgets/opened_sample.h"
#include "widgets/frame/key_line.h"

using namespace ropescope;

namespace {

/// Every query of a 2 x 2 grid looks at every key alike; `text` of its attention goes to 3 text tokens.
HeadField uniformField(HeadId head, double text = 0) {
    HeadField field;
    field.id = head;
    field.grid = {2, 2};
    for (const float pairs : {1, 2, 1, 2, 4, 2, 1, 2, 1})
        field.sum.push_back(static_cast<float>(1 - text) * pairs / 16);
    field.mean.assign(9, static_cast<float>(1 - text) / 4);
    field.entropy = std::log(4);
    if (text > 0) field.shares = {3, text, 0.5};
    return field;
}

/// Half on itself, half on the token to the right.
HeadField nearField(HeadId head) {
    HeadField field = uniformField(head);
    field.sum = {0, 0, 0, 0, 0.5f, 0.5f, 0, 0, 0};
    field.entropy = std::log(2);
    return field;
}

const double kUniformDistance = (2 + std::sqrt(2)) / 4;  // 8 of 16 pairs lie 1 apart, 4 lie sqrt(2) apart

struct Shown : OpenedSample {
    StepsView view{models, selection, runs};

    Shown() {
        view.resize(900, 400);
        view.show();
    }
    /// A run of four steps: head 3.1 narrows at the second, head 4.2 looks everywhere.
    int addSteps(int count, double text = 0) {
        const int run = addRun({2, 2}, 4);
        addSteps(run, 0, count, text);
        return run;
    }
    void addSteps(int run, int from, int to, double text = 0) {
        for (int step = from; step < to; ++step) {
            const HeadField first = step == 1 ? nearField({3, 1}) : uniformField({3, 1}, text);
            addStep(run, {step, 4, 750.0 - 250 * step, {first, uniformField({4, 2}, text)}});
        }
    }
    [[nodiscard]] QString emptyText() {
        if (!view.isShowingEmpty()) return {};
        for (QLabel* label : view.findChildren<QLabel*>())
            if (label->isVisible() && !label->whatsThis().isEmpty()) return label->text();
        return {};
    }
    [[nodiscard]] QPushButton* action() {
        for (QPushButton* button : view.findChildren<QPushButton*>())
            if (button->isVisible()) return button;
        return nullptr;
    }
};

}  // namespace

class StepsViewTest : public QObject {
    Q_OBJECT
private slots:
    void aSeriesHoldsTheNumbersOfTheFields() {
        const std::vector<StepFields> fields = {{0, 3, 750, {uniformField({3, 1}, 0.4), nearField({4, 2})}},
                                                {1, 3, 500, {nearField({4, 2})}},
                                                {2, 3, 250, {nearField({3, 1})}}};
        const std::vector<StepPoint> series = stepSeries(fields, {3, 1});
        QCOMPARE(series.size(), std::size_t(2));  // it was not measured at the second step
        QCOMPARE(series[0].time, 750.0);
        QCOMPARE(series[0].entropy, std::log(4));
        // What went to the text is no part of the distance.
        QVERIFY(std::abs(series[0].distance - kUniformDistance) < 1e-6);
        QCOMPARE(series[1].step, 2);
        QCOMPARE(series[1].distance, 0.5);
        QVERIFY(pointAt(series, 1) == nullptr);
        QVERIFY(stepSeries(fields, {0, 0}).empty());
        // Known points are not measured again, and go with their step.
        const std::vector<StepPoint> known = {{0, 750, 7, 8}, {5, 0, 7, 8}};
        QCOMPARE(stepSeries(fields, {3, 1}, known).front().distance, 8.0);
        QCOMPARE(stepSeries(fields, {3, 1}, known).back().step, 2);
    }
    void linesGrowWithTheSteps() {
        Shown s;
        s.selection.selectAll({s.head(3, 1), s.head(4, 2)});
        const int run = s.addSteps(0);
        QVERIFY(s.view.isShowingEmpty());
        for (int step = 0; step < 4; ++step) {
            s.addSteps(run, step, step + 1);
            QVERIFY(!s.view.isShowingEmpty());
            QCOMPARE(s.view.drawnSeries(s.head(3, 1)).size(), std::size_t(step + 1));
        }
        QVERIFY(std::abs(s.view.drawnSeries(s.head(4, 2))[1].distance - kUniformDistance) < 1e-6);
        QCOMPARE(s.view.drawnSeries(s.head(3, 1))[1].distance, 0.5);
        QVERIFY(s.view.drawnSeries(s.head(0, 1)).empty());  // not selected
        QVERIFY(coloursShown(s.view) > 20);
        s.runs.restart(run, s.model);  // nothing of the first time stays
        QVERIFY(s.view.drawnSeries(s.head(3, 1)).empty());
        QVERIFY(s.view.isShowingEmpty());
    }
    void markedHeadsHaveNoLine() {
        Shown s;
        s.selection.selectAll({s.head(2, 3), s.head(3, 1)});
        const int run = s.addRun({2, 2}, 4);
        s.addStep(run, {0, 4, 750, {uniformField({2, 3}), uniformField({3, 1})}});
        QVERIFY(s.view.drawnSeries(s.head(2, 3)).empty());
        QVERIFY(!s.view.drawnSeries(s.head(3, 1)).empty());
        QVERIFY(s.view.findChild<KeyLine*>()->words().last().startsWith("L2.H3 is not drawn: "));
        s.selection.select(s.head(2, 3));
        QVERIFY2(s.emptyText().startsWith("L2.H3"), qPrintable(s.emptyText()));
    }
    void theMarkerFollowsTheSliderAndAClickMovesIt() {
        Shown s;
        s.selection.select(s.head(3, 1));
        s.addSteps(4);
        QCOMPARE(s.runs.step(), 3);
        QCOMPARE(s.view.drawnMarker(), 4.0);
        s.runs.setStep(1);
        QCOMPARE(s.view.drawnMarker(), 2.0);
        auto* plot = s.view.findChild<QWidget*>("plot");
        QVERIFY(QTest::qWaitForWindowExposed(&s.view));
        QTest::qWait(20);  // laid out when it is drawn
        for (int panel : {0, 1}) {
            QTest::mouseClick(plot, Qt::LeftButton, {}, s.view.placeOf(panel, panel));
            QCOMPARE(s.runs.step(), panel);
            QCOMPARE(s.view.drawnMarker(), panel + 1.0);
        }
        QTest::mouseClick(plot, Qt::RightButton, {}, s.view.placeOf(0, 3));
        QCOMPARE(s.runs.step(), 1);
        QTest::mouseClick(plot, Qt::LeftButton, {}, {1, 1});  // beside the panels
        QCOMPARE(s.runs.step(), 1);
    }
    void theMouseReadsStepTimeAndValue() {
        Shown s;
        s.selection.selectAll({s.head(3, 1), s.head(4, 2)});
        s.addSteps(4);
        QVERIFY(QTest::qWaitForWindowExposed(&s.view));
        QTest::qWait(20);
        QSignalSpy hovered(&s.view, &View::hovered);
        auto* plot = s.view.findChild<QWidget*>("plot");
        QTest::mouseMove(plot, s.view.placeOf(1, 1));
        QTRY_VERIFY(!hovered.isEmpty());
        QCOMPARE(hovered.last().first().toString(),
                 QString("step 2 of 4, t = 500, mean distance (tokens): L3.H1 0.5, L4.H2 0.854"));
    }
    void panelsStandSideBySideOrAboveEachOther() {
        Shown s;
        s.selection.select(s.head(3, 1));
        s.addSteps(4);
        const auto below = [&] { return s.view.placeOf(1, 0).y() - s.view.placeOf(0, 0).y(); };
        s.view.resize(1000, 400);
        (void)s.view.grab();
        QCOMPARE(below(), 0);
        s.view.resize(400, 700);
        (void)s.view.grab();
        QVERIFY(below() > 150);
        QCOMPARE(s.view.placeOf(0, 2).x(), s.view.placeOf(1, 2).x());
        s.view.resize(1000, 400);
        (void)s.view.grab();
        QCOMPARE(below(), 0);
    }
    void emptyViewsSayWhy() {
        Shown s;
        QVERIFY(s.emptyText().contains("Select a head"));
        const QString help = s.view.helpText();
        s.selection.select(s.head(3, 1));
        QVERIFY(s.emptyText().startsWith("No picture is selected"));
        QVERIFY(s.action() != nullptr && s.action()->text() == "Make a picture");
        const int run = s.addRun({2, 2}, 4);
        QVERIFY(s.emptyText().startsWith("No fields are measured"));
        QVERIFY(s.action() == nullptr);
        s.runs.finish(run, Run::State::Done, {}, {}, {});
        QVERIFY(s.emptyText().startsWith("The fields of this picture are gone"));
        Run recorded;
        recorded.model = s.model;
        recorded.asked.record = RecordFields::All;
        s.runs.add(recorded);
        QVERIFY(s.emptyText().startsWith("The lines begin"));
        s.addSteps(2);
        QCOMPARE(s.emptyText(), QString());
        s.selection.select(s.head(0, 1));  // without a field in this picture
        QVERIFY(s.emptyText().startsWith("No fields of the selected heads"));
        const int other = s.models.add({}, sampleCard("other"));
        s.models.putHead(other, sampleHead({3, 1}));
        s.selection.select({other, {3, 1}});
        QVERIFY(s.emptyText().startsWith("The selected picture is of sample"));
        Run classified;
        classified.model = s.model;
        classified.file = "cat.png";
        classified.fields = {{0, 1, 0, {uniformField({3, 1})}}};
        s.runs.add(classified);
        s.selection.select(s.head(3, 1));
        QVERIFY(s.emptyText().contains("in one pass"));
        QCOMPARE(s.view.helpText(), help);  // whatever the view was short of
    }
    void theKeySaysWhatTheNumbersAreOf() {
        Shown s;
        const KeyLine& key = *s.view.findChild<KeyLine*>();
        s.selection.select(s.head(3, 1));
        s.addSteps(1);
        QCOMPARE(key.words(), (QStringList{"the step shown; a click moves it", "mean over the picture's queries"}));
        const int other = s.models.add({}, sampleCard("other"));
        s.selection.add({other, {3, 1}});
        QVERIFY(key.words().last().contains("the picture is of sample"));
        s.selection.selectAll({s.head(3, 1)});
        s.addSteps(1, 0.4);
        QVERIFY(key.words().contains("entropy over picture and text, distance over the picture alone"));
    }
    void numbersAndPapers() {
        Shown s;
        s.selection.selectAll({s.head(3, 1), s.head(4, 2)});
        const int run = s.addSteps(2);
        s.runs.finish(run, Run::State::Done, {}, "ropescope generate m --out IMAGE.png", {});
        const QStringList lines = s.view.numbers(',').split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 5);
        QCOMPARE(lines[0], QString("model,head,step,time,entropy_nats,distance_tokens"));
        QCOMPARE(lines[2], QString("sample,L3.H1,2,500,%1,0.5").arg(QString::number(std::log(2), 'g', 10)));
        QVERIFY2(lines[3].startsWith("sample,L4.H2,1,750,"), qPrintable(lines[3]));
        QCOMPARE(s.view.commandLine(), QString("ropescope generate m --field field.safetensors --out IMAGE.png"));
        const QByteArray paper = s.view.figure(FigureFormat::Svg);
        for (const char* words : {"Entropy (nats)", "Mean distance (tokens)", "Sampling step", "L4.H2"})
            QVERIFY2(paper.contains(words), words);
        QVERIFY(s.view.figure(FigureFormat::Pdf).startsWith("%PDF"));
        QVERIFY(!s.view.findChild<QWidget*>("plot")->accessibleName().isEmpty());
    }
    void aHiddenViewIsBroughtUpToDateWhenItIsShown() {
        Shown s;
        s.selection.select(s.head(3, 1));
        const int run = s.addSteps(1);
        s.view.hide();
        s.addSteps(run, 1, 4);
        QCOMPARE(s.view.drawnSeries(s.head(3, 1)).size(), std::size_t(1));
        s.view.show();
        QCOMPARE(s.view.drawnSeries(s.head(3, 1)).size(), std::size_t(4));
    }
};

QTEST_MAIN(StepsViewTest)
#include "steps_view_test.moc"
