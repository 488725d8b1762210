// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/runs.h"

#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>
#include <QToolButton>

#include "tests/widgets/opened_sample.h"
#include "widgets/generate/run_bar.h"
#include "widgets/state/image.h"

using namespace ropescope;

class RunsTest : public QObject {
    Q_OBJECT
private slots:
    void theSliderFollowsTheNewestStep() {
        OpenedSample s;
        const int run = s.addRun();
        QSignalSpy stepped(&s.runs, &Runs::stepChanged);
        for (int step = 0; step < 4; ++step) s.addStep(run, sampleFields(step, 8), samplePicture(step));
        QCOMPARE(s.runs.step(), 3);
        QCOMPARE(stepped.count(), 3);
        s.runs.setStep(1);
        s.addStep(run, sampleFields(4, 8), samplePicture(4));
        QCOMPARE(s.runs.step(), 1);
        s.runs.setStep(99);
        QCOMPARE(s.runs.step(), 4);
        QCOMPARE(s.runs.current()->pictureAt(2), imageOf(samplePicture(2)));
        QVERIFY(s.runs.field(s.head(2, 3)) != nullptr);
        QVERIFY(s.runs.field({s.model + 1, {2, 3}}) == nullptr);  // of another model
    }
    void skippedPreviewsAndFieldsKeepTheirSteps() {
        OpenedSample s;
        const int run = s.addRun();
        s.addStep(run, sampleFields(0, 8), samplePicture(0));
        s.addStep(run, sampleFields(3, 8), samplePicture(3));
        QCOMPARE(s.runs.current()->steps(), 4);
        QCOMPARE(s.runs.current()->pictureAt(2), imageOf(samplePicture(0)));
        QVERIFY(s.runs.current()->at(2) == nullptr);
        s.runs.finish(run, Run::State::Done, imageOf(samplePicture(9)), "c", {sampleFields(2, 8), sampleFields(3, 8)});
        QVERIFY(s.runs.current()->at(2) != nullptr);
        QCOMPARE(s.runs.current()->fields.size(), 3u);
    }
    void oldDataGoWithinTheBudget() {
        Run run;
        run.model = 1;
        Runs runs(nullptr, 5000);
        const auto step = [](int of) {
            GenerateProgress progress;
            progress.step = of + 1;
            progress.steps = 2;
            progress.preview = samplePicture(of);  // 28 x 28, four bytes a pixel
            return progress;
        };
        const int first = runs.add(run);
        runs.addSteps(first, {step(0)});
        runs.finish(first, Run::State::Done, imageOf(samplePicture(5)), "line", {});
        const int second = runs.add(run);
        runs.addSteps(second, {step(0), step(1)});
        runs.finish(second, Run::State::Done, imageOf(samplePicture(6)), "line", {});
        QCOMPARE(runs.find(first)->steps(), 0);
        QVERIFY(!runs.find(first)->picture.isNull());
        QCOMPARE(runs.find(second)->steps(), 2);  // the selected one stays, whatever it takes
    }
    void aClosedModelTakesItsRunsOutOfSight() {
        OpenedSample s;
        const int run = s.addRun();
        s.addStep(run, sampleFields(0, 8), samplePicture(0));
        QSignalSpy selected(&s.runs, &Runs::selected);
        s.runs.closeModel(s.model);
        QCOMPARE(selected.count(), 1);
        QVERIFY(s.runs.current() == nullptr);
        s.runs.openModel(
            7, [](const Run&) { return true; },
            [](const Run&) {
                return Grid{3, 3};
            });
        QCOMPARE(s.runs.find(run)->model, 7);
    }
    void theBarSaysWhichPictureAndStep() {
        OpenedSample s;
        RunBar bar(s.runs);
        QVERIFY(bar.text().contains("No picture is selected"));
        const int run = s.addRun();
        for (int step = 0; step < 8; ++step) s.addStep(run, sampleFields(step, 8), samplePicture(step));
        s.runs.finish(run, Run::State::Done, imageOf(samplePicture(9)), "c", {});
        QVERIFY2(bar.text().contains("sneaker, seed 9") && bar.text().contains("sample"), qPrintable(bar.text()));
        QVERIFY(bar.text().contains("7 \u00d7 7 patches") && bar.text().contains("positions as trained"));
        QVERIFY(bar.stepText().startsWith("step 8 of 8"));
        bar.slider()->setValue(2);
        QCOMPARE(s.runs.step(), 2);
        QVERIFY(bar.stepText().startsWith("step 3 of 8"));
        QVERIFY(bar.againButton()->isHidden());
    }
    void theRunningOneIsFoundAgain() {
        OpenedSample s;
        RunBar bar(s.runs);
        const int first = s.addRun();
        s.runs.finish(first, Run::State::Done, imageOf(samplePicture(9)), "c", {});
        const int second = s.addRun();
        s.addStep(second, sampleFields(0, 8), samplePicture(0));
        QVERIFY(bar.latestButton()->isHidden());
        s.runs.select(first);
        QVERIFY(!bar.latestButton()->isHidden());
        QTest::mouseClick(bar.latestButton(), Qt::LeftButton);
        QCOMPARE(s.runs.current()->key, second);
        s.runs.select(first);
        s.runs.finish(second, Run::State::Cancelled, {}, {}, {});
        QVERIFY(!bar.latestButton()->isHidden());  // its steps stay reachable
    }
    void aPreviewThatWasSkippedIsSaid() {
        OpenedSample s;
        RunBar bar(s.runs);
        const int run = s.addRun();
        s.addStep(run, sampleFields(0, 8), samplePicture(0));
        s.addStep(run, sampleFields(3, 8), samplePicture(3));
        s.runs.setStep(2);
        QVERIFY2(bar.stepText().contains("preview of step 1"), qPrintable(bar.stepText()));
        s.runs.setStep(3);
        QVERIFY(!bar.stepText().contains("preview"));
    }
    void aClassifiedPictureHasNoStepsToPlay() {
        OpenedSample s;
        RunBar bar(s.runs);
        QVERIFY(!bar.playButton()->isHidden());
        Run run;
        run.state = Run::State::Done;
        run.model = s.model;
        run.file = "/p/cat.png";
        run.fields.push_back(sampleFields(0, 1));
        s.runs.add(run);
        QVERIFY(bar.playButton()->isHidden() && bar.slider()->isHidden());
        s.addRun();
        QVERIFY(!bar.playButton()->isHidden() && !bar.slider()->isHidden());
    }
    void theGlyphIsSeenInTheDark() {
        OpenedSample s;
        RunBar bar(s.runs);
        QPalette dark = bar.palette();
        dark.setColor(QPalette::ButtonText, Qt::white);
        bar.setPalette(dark);
        const QImage glyph = bar.playButton()->icon().pixmap(16).toImage();
        QCOMPARE(glyph.pixelColor(glyph.rect().center()), QColor(Qt::white));
    }
    void playGoesThroughAllSteps() {
        OpenedSample s;
        RunBar bar(s.runs);
        const int run = s.addRun();
        for (int step = 0; step < 4; ++step) s.addStep(run, sampleFields(step, 4), samplePicture(step));
        bar.togglePlay();  // from the start again
        QCOMPARE(s.runs.step(), 0);
        QTRY_COMPARE(s.runs.step(), 3);
        QTRY_VERIFY(!bar.playButton()->isChecked());
    }
    void whatIsGoneCanBeMadeAgain() {
        OpenedSample s;
        RunBar bar(s.runs);
        Run kept;
        kept.state = Run::State::Done;
        kept.picture = imageOf(samplePicture(3));
        const int run = s.runs.add(kept);
        QVERIFY(!bar.againButton()->isHidden());
        QVERIFY(!bar.slider()->isEnabled());
        QSignalSpy again(&bar, &RunBar::againRequested);
        QTest::mouseClick(bar.againButton(), Qt::LeftButton);
        QCOMPARE(again.first().first().toInt(), run);
        s.runs.restart(run, s.model);
        QVERIFY(bar.againButton()->isHidden());
        s.addStep(run, sampleFields(0, 4), samplePicture(0));
        s.addStep(run, sampleFields(1, 4), samplePicture(1));
        QVERIFY(bar.slider()->isEnabled());
    }
};

QTEST_MAIN(RunsTest)
#include "runs_test.moc"
