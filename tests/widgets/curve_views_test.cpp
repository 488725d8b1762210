// SPDX-License-Identifier: GPL-3.0-or-later
#include <QLabel>
#include <QTest>
#include <cmath>
#include <numbers>

#include "tests/widgets/opened_sample.h"
#include "widgets/frequencies_view.h"
#include "widgets/spectrum_view.h"

using namespace ropescope;

class CurveViewsTest : public QObject {
    Q_OBJECT
private slots:
    void spectrumHoldsTheReport() {
        OpenedSample sample;
        SpectrumView view(sample.models, sample.selection);
        QVERIFY(view.isShowingEmpty());
        sample.selection.selectAll({sample.head(3, 1), sample.head(5, 0)});
        QVERIFY(!view.isShowingEmpty());
        QCOMPARE(view.drawnValues(sample.head(3, 1)), sampleHead({3, 1}).spectrum.gaugeFixed);
        view.setValues(SpectrumView::Values::Stored);
        QCOMPARE(view.drawnValues(sample.head(5, 0)), sampleHead({5, 0}).spectrum.stored);
        QVERIFY(view.drawnValues(sample.head(0, 1)).empty());  // not selected
        view.setLog(true);
        QVERIFY(coloursShown(view) > 20);
    }
    void spectrumMarksBandsAndGroups() {
        OpenedSample sample;
        SpectrumView view(sample.models, sample.selection);
        sample.selection.select(sample.head(0, 0));
        QCOMPARE(view.drawnGroups(), 1);  // all values of the untrained head are equal
        QCOMPARE(view.bandLow().size(), std::size_t(32));
        double largest = 0;
        for (int layer = 0; layer < 6; ++layer) {
            for (int head = 0; head < 4; ++head) {
                const HeadReport report = sampleHead({layer, head});
                if (report.problem.empty()) largest = std::max(largest, report.spectrum.gaugeFixed[0]);
            }
        }
        QCOMPARE(view.bandHigh()[0], largest);
        sample.selection.select(sample.head(3, 1));
        QCOMPARE(view.drawnGroups(), 0);
        sample.selection.select(sample.head(2, 3));  // marked: no curve
        QVERIFY(view.drawnValues(sample.head(2, 3)).empty());
    }
    void spectrumKeepsOldCurvesWhileWaiting() {
        OpenModels models;
        Selection selection;
        const int model = models.add({}, sampleCard("sample"));
        SpectrumView view(models, selection);
        models.putHead(model, sampleHead({1, 1}));
        selection.select({model, {1, 1}});
        selection.select({model, {4, 0}});
        QVERIFY(!view.drawnValues({model, {1, 1}}).empty());  // dimmed, until the new one arrives
        models.putHead(model, sampleHead({4, 0}));
        QVERIFY(view.drawnValues({model, {1, 1}}).empty());
        QCOMPARE(view.drawnValues({model, {4, 0}}), sampleHead({4, 0}).spectrum.gaugeFixed);
    }
    void frequenciesSplitByAxis() {
        OpenedSample sample;
        FrequenciesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        const HeadReport report = sampleHead({4, 2});
        for (const int axis : {0, 1}) {
            const std::vector<QPointF> drawn = view.drawnEnergy(sample.head(4, 2), axis);
            const std::vector<QPointF> reference = view.drawnReference(sample.head(4, 2), axis);
            QCOMPARE(drawn.size(), std::size_t(8));
            for (int k = 0; k < 8; ++k) {
                const int plane = 8 * axis + k;  // frequencies fall along the planes: wavelengths rise
                QCOMPARE(drawn[k].x(), 2 * std::numbers::pi / report.energy.frequency[2 * plane + axis]);
                QCOMPARE(drawn[k].y(), report.energy.weights[plane]);
                QCOMPARE(reference[k].y(), report.energy.reference[plane]);
            }
        }
        view.setEnergy(FrequenciesView::Energy::Map);
        QCOMPARE(view.drawnEnergy(sample.head(4, 2), 0)[3].y(), report.energy.map[3]);
        QCOMPARE(view.drawnReference(sample.head(4, 2), 0)[3].y(), 1.0 / 16);
        QVERIFY(coloursShown(view) > 20);
    }
    void dataHasErrorsAndItsOwnReference() {
        OpenedSample sample;
        FrequenciesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        view.setEnergy(FrequenciesView::Energy::Data);
        QVERIFY(view.drawnEnergy(sample.head(4, 2), 0).empty());  // not measured yet
        sample.models.setCalibration(sample.model, sampleCalibration());
        const HeadReport report = sampleHead({4, 2});
        QCOMPARE(view.drawnEnergy(sample.head(4, 2), 0)[3].y(), report.energy.reference[3]);
        QCOMPARE(view.drawnReference(sample.head(4, 2), 1)[3].y(), report.energy.map[11]);
        QCOMPARE(view.drawnError(sample.head(4, 2), 0), std::vector<double>(8, 0.004));
        QVERIFY(coloursShown(view) > 20);
        view.setEnergy(FrequenciesView::Energy::Weights);
        QVERIFY(view.drawnError(sample.head(4, 2), 0).empty());
    }
    void mixedPlanesBecomeVectorsAndStillOnesBars() {
        OpenedSample sample;
        HeadReport mixed = sampleHead({1, 1});
        for (int p = 0; p < 16; ++p) {
            mixed.planeAxis[p] = -1;
            mixed.energy.frequency[2 * p] = p < 4 ? 0 : 0.1 * p;  // rows; the first four planes never turn
            mixed.energy.frequency[2 * p + 1] = p < 4 ? 0 : 2.0 - 0.1 * p;
        }
        sample.models.putHead(sample.model, mixed);
        FrequenciesView view(sample.models, sample.selection);
        view.resize(900, 600);
        view.show();
        sample.selection.select(sample.head(1, 1));
        const std::vector<QPointF> vectors = view.drawnVectors(sample.head(1, 1));
        QCOMPARE(vectors.size(), std::size_t(12));
        QCOMPARE(vectors[0], QPointF(2.0 - 0.4, 0.4));  // x along columns, y along rows
        double still = 0;
        for (int p = 0; p < 4; ++p) still += mixed.energy.weights[p];
        QCOMPARE(view.drawnStill(sample.head(1, 1)), still);
        QVERIFY(coloursShown(view) > 20);
        sample.selection.select(sample.head(4, 2));
        QVERIFY(view.drawnVectors(sample.head(4, 2)).empty());
        QCOMPARE(view.drawnStill(sample.head(4, 2)), 0.0);
    }
    void markedHeadsDrawNothing() {
        OpenedSample sample;
        FrequenciesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(2, 3));
        QVERIFY(view.drawnEnergy(sample.head(2, 3), 0).empty());
        QVERIFY(view.isShowingEmpty());
        bool said = false;
        for (const QLabel* label : view.findChildren<QLabel*>()) said |= label->text().contains("not finite");
        QVERIFY(said);
    }
};

QTEST_MAIN(CurveViewsTest)
#include "curve_views_test.moc"
