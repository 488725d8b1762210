// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/fields/fields_view.h"

#include <QElapsedTimer>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>
#include <algorithm>

#include "core/data/kernel_series.h"
#include "tests/widgets/opened_sample.h"
#include "widgets/fields/field_profiles.h"
#include "widgets/fields/fields_canvas.h"

using namespace ropescope;

class FieldsViewTest : public QObject {
    Q_OBJECT
private slots:
    void analyticFollowsTheControls() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.selectAll({sample.head(3, 1), sample.head(4, 2)});
        QCOMPARE(view.grid(), (Grid{7, 7}));  // the model's own
        const HeadReport report = sampleHead({4, 2});
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)), evaluateKernel(report.kernelWeights, {7, 7}));
        view.setGrid({5, 9});
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)), evaluateKernel(report.kernelWeights, {5, 9}));
        view.setContentKind(FieldsView::Content::White);
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)), evaluateKernel(report.kernelWhite, {5, 9}));
        view.setAnalytic(FieldsView::Analytic::Sensitivity);
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)), evaluateSensitivity(report.sensitivityWhite, {5, 9}));
        view.setAnalytic(FieldsView::Analytic::Softmax);
        view.setBeta(10);
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)),
                 softmaxOfOffsets(evaluateKernel(report.kernelWhite, {5, 9}), 10));
    }
    void measuredIsThatOfTheSelectedPicture() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        const HeadRef head = sample.head(4, 2);
        sample.selection.select(head);
        QVERIFY(view.drawnMeasured(head).empty());
        const int first = sample.addRun();
        for (int step = 0; step < 8; ++step) sample.addStep(first, sampleFields(step, 8));
        const auto as = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
        QCOMPARE(sample.runs.step(), 7);  // the newest
        QCOMPARE(view.drawnMeasured(head), as(sampleFields(7, 8).heads[18].mean));
        sample.runs.setStep(2);
        view.setMeasured(FieldsView::Measured::Sum);
        QCOMPARE(view.drawnMeasured(head), as(sampleFields(2, 8).heads[18].sum));
        sample.addStep(first, sampleFields(8, 9));
        QCOMPARE(sample.runs.step(), 2);  // stays where the user put it
        const int second = sample.addRun();
        QVERIFY(view.drawnMeasured(head).empty());  // nothing of the one before
        sample.addStep(second, sampleFields(0, 8));
        QCOMPARE(view.drawnMeasured(head), as(sampleFields(0, 8).heads[18].sum));
        sample.runs.select(first);
        QCOMPARE(view.drawnMeasured(head), as(sampleFields(8, 9).heads[18].sum));
        sample.runs.closeModel(sample.model);
        QVERIFY(view.drawnMeasured(head).empty());
    }
    /// Fault: analytic and measured fields of different extent at equal size.
    void theGridFollowsThePicture() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.select(sample.head(4, 2));
        QCOMPARE(view.grid(), (Grid{7, 7}));
        Run run;
        run.model = sample.model;
        run.patches = {14, 10};
        run.asked.extrapolate.method = Extrapolation::NtkAware;
        sample.runs.add(run);
        QCOMPARE(view.grid(), (Grid{14, 10}));
        QVERIFY(view.extrapolation() == Extrapolation::NtkAware);  // positions as they were for the picture
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)).size(), std::size_t(27 * 19));
        sample.runs.select(-1);
        QCOMPARE(view.grid(), (Grid{7, 7}));
    }
    void bothMapsHaveOneExtent() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.select(sample.head(4, 2));
        sample.addStep(sample.addRun(), sampleFields(0, 1));
        view.setGrid({12, 12});  // by hand: the measured field is of 7 x 7
        const auto* canvas = qobject_cast<FieldsCanvas*>(view.canvas());
        QVERIFY((canvas->figure().extent() == Grid{12, 12}));
        QCOMPARE(canvas->figure().panels[0].measured.grid, (Grid{7, 7}));
        view.resize(900, 640);
        view.show();
        // The same offset lies at the same distance from the middle in both.
        const QPointF a =
            canvas->placeOf(0, FieldKind::Analytic, {3, 2}) - canvas->placeOf(0, FieldKind::Analytic, {0, 0});
        const QPointF m =
            canvas->placeOf(0, FieldKind::Measured, {3, 2}) - canvas->placeOf(0, FieldKind::Measured, {0, 0});
        QVERIFY(a.x() > 5 && a.y() > 3);
        QCOMPARE(a, m);
    }
    void theRangeIsKeptOverStepsAndByTheLockOverHeads() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.select(sample.head(4, 2));
        const int run = sample.addRun();
        for (int step = 0; step < 8; ++step) sample.addStep(run, sampleFields(step, 8));
        const double high = view.highMeasured();
        double largest = 0;
        for (int step = 0; step < 8; ++step)
            for (float v : sampleFields(step, 8).heads[18].mean) largest = std::max(largest, double(v));
        QCOMPARE(high, largest);
        for (int step : {0, 3, 7}) {
            sample.runs.setStep(step);
            QCOMPARE(view.highMeasured(), high);
        }
        view.setFixedRange(true);
        const double held = view.highMeasured();
        QVERIFY(std::abs(held - high) < 1e-3);
        sample.selection.select(sample.head(0, 1));
        QCOMPARE(view.highMeasured(), held);
        view.setFixedRange(false);
        QVERIFY(view.highMeasured() != held);
    }
    void dataContentComesFromTheMeasurement() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.select(sample.head(4, 2));
        view.setContentKind(FieldsView::Content::Data);
        QVERIFY(view.drawnAnalytic(sample.head(4, 2)).empty());
        QVERIFY(coloursShown(view) > 5);
        sample.models.setCalibration(sample.model, sampleCalibration());
        const HeadCalibration data = sampleCalibration().curves[18];
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)), evaluateKernel(data.kernel, {7, 7}));
        // Without a generation the field measured over the images stands beside it.
        QCOMPARE(view.drawnMeasured(sample.head(4, 2)),
                 std::vector<double>(data.field.mean.begin(), data.field.mean.end()));
        view.setAnalytic(FieldsView::Analytic::Sensitivity);
        QCOMPARE(view.drawnAnalytic(sample.head(4, 2)), evaluateSensitivity(data.sensitivity, {7, 7}));
    }
    void differenceOfTwoHeads() {
        OpenedSample sample;
        sample.addStep(sample.addRun(), sampleFields(0, 1));
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.selectAll({sample.head(3, 1), sample.head(4, 2)});
        const std::vector<double> a = view.drawnAnalytic(sample.head(3, 1)), b = view.drawnAnalytic(sample.head(4, 2));
        const std::vector<double> fieldA = view.drawnMeasured(sample.head(3, 1));
        const std::vector<double> fieldB = view.drawnMeasured(sample.head(4, 2));
        view.setDifference(true);
        QVERIFY(view.showsDifference());
        const std::vector<double> drawn = view.drawnAnalytic(sample.head(3, 1));
        for (std::size_t i = 0; i < drawn.size(); ++i) QCOMPARE(drawn[i], a[i] - b[i]);
        const std::vector<double> field = view.drawnMeasured(sample.head(3, 1));
        for (std::size_t i = 0; i < field.size(); ++i) QCOMPARE(field[i], fieldA[i] - fieldB[i]);
        QVERIFY(view.drawnAnalytic(sample.head(4, 2)).empty());  // one panel
        QVERIFY(view.numbers(',').contains(QStringLiteral("L3.H1 \u2212 L4.H2")));
        QVERIFY(view.numbers(',').startsWith("model,head,picture,step,kind,row_offset_tokens,column_offset_tokens,"));
        QVERIFY(view.numbers(',').contains(",\"sneaker, seed 9\",1,\"mean per pair\","));
        QVERIFY(coloursShown(view) > 50);
        sample.selection.select(sample.head(4, 2));
        QVERIFY(!view.showsDifference());
    }
    void everyPanelIsPainted() {
        OpenedSample sample;
        const int run = sample.addRun();
        for (int step = 0; step < 2; ++step) sample.addStep(run, sampleFields(step, 2));
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.selectAll({sample.head(0, 0), sample.head(2, 3), sample.head(4, 2)});
        view.setScale(FieldsView::Scale::Log);
        QVERIFY(coloursShown(view) > 100);
        QVERIFY(view.drawnAnalytic(sample.head(2, 3)).empty());  // marked
    }
    void hoverReadsAllHeads() {
        OpenedSample sample;
        FieldsView view(sample.models, sample.selection, sample.runs);
        sample.selection.selectAll({sample.head(3, 1), sample.head(4, 2)});
        view.resize(900, 640);
        view.show();
        QSignalSpy hovered(&view, &View::hovered);
        QTest::mouseMove(view.canvas(), QPoint(60, 90));
        QVERIFY(!hovered.isEmpty());
        const QString text = hovered.last().first().toString();
        QVERIFY2(text.contains("L3.H1") && text.contains("L4.H2") && text.contains("offset"), qPrintable(text));
    }
    /// A drag of the grid slider repaints six heads at 31 x 31; bench has the figure, here only three times the bound.
    void dragIsQuick() {
        OpenedSample sample;
        sample.addStep(sample.addRun(), sampleFields(0, 1));
        FieldsView view(sample.models, sample.selection, sample.runs);
        std::vector<HeadRef> heads;
        for (int i = 0; i < 6; ++i) heads.push_back(sample.head(3 + i / 4, i % 4));
        sample.selection.selectAll(heads);
        view.resize(900, 700);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        std::vector<double> times;
        for (int i = 0; i < 21; ++i) {
            QElapsedTimer timer;
            timer.start();
            view.gridSlider()->setValue(i % 2 == 0 ? 31 : 30);
            view.canvas()->repaint();
            times.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
        }
        std::sort(times.begin(), times.end());
        qInfo("drag: median %.2f ms, largest %.2f ms", times[10], times.back());
        QVERIFY2(times[10] <= 48, "a drag takes more than three frames");
    }
};

QTEST_MAIN(FieldsViewTest)
#include "fields_view_test.moc"
