// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/planes_view.h"

#include <QSignalSpy>
#include <QTest>

#include "tests/widgets/opened_sample.h"

using namespace ropescope;

class PlanesViewTest : public QObject {
    Q_OBJECT
private slots:
    void holdsTheOverlap() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        sample.selection.selectAll({sample.head(4, 2), sample.head(5, 0)});
        // The sample's planes are already ordered by axis and falling frequency.
        QCOMPARE(view.drawnOverlap(sample.head(4, 2)), sampleHead({4, 2}).query.overlap);
        view.setSide(PlanesView::Side::Key);
        QCOMPARE(view.drawnOverlap(sample.head(5, 0)), sampleHead({5, 0}).key.overlap);
        view.setSide(PlanesView::Side::QueryKey);
        const std::vector<double> diagonal = view.drawnOverlap(sample.head(5, 0));
        QCOMPARE(diagonal[17], 1.0);
        QVERIFY(std::isnan(diagonal[1]));
        QVERIFY(coloursShown(view) > 20);
    }
    void ordersByAxisThenFrequency() {
        OpenedSample sample;
        HeadReport mixed = sampleHead({1, 1});
        for (int p = 0; p < 16; ++p) {  // interleaved axes, slow planes first
            mixed.planeAxis[p] = p % 2;
            mixed.energy.frequency[2 * p] = p % 2 == 0 ? 0.1 * (p + 1) : 0;
            mixed.energy.frequency[2 * p + 1] = p % 2 == 1 ? 0.1 * (p + 1) : 0;
        }
        sample.models.putHead(sample.model, mixed);
        PlanesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(1, 1));
        const std::vector<int> expected = {14, 12, 10, 8, 6, 4, 2, 0, 15, 13, 11, 9, 7, 5, 3, 1};
        QCOMPARE(view.drawnOrder(sample.head(1, 1)), expected);
        QCOMPARE(view.drawnOverlap(sample.head(1, 1))[16 + 2], mixed.query.overlap[12 * 16 + 10]);
    }
    void hoverNamesBothPlanes() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        const QString text = view.cellText(sample.head(4, 2), 1, 9);
        for (const char* part : {"L4.H2", "plane 1 (rows", "plane 9 (columns", "rad/token", "wavelength", "overlap"}) {
            QVERIFY2(text.contains(QLatin1String(part)), qPrintable(text));
        }
        view.resize(760, 480);
        view.show();
        QSignalSpy hovered(&view, &View::hovered);
        QTest::mouseMove(view.canvas(), view.canvas()->rect().center() / 2);
        QVERIFY(!hovered.isEmpty());
    }
    void differenceOfTwoHeads() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        sample.selection.selectAll({sample.head(4, 2), sample.head(5, 0)});
        view.setDifference(true);
        QVERIFY(view.showsDifference());
        const std::vector<double> a = sampleHead({4, 2}).query.overlap, b = sampleHead({5, 0}).query.overlap;
        const std::vector<double> drawn = view.drawnOverlap(sample.head(4, 2));
        for (std::size_t i = 0; i < drawn.size(); ++i) QCOMPARE(drawn[i], a[i] - b[i]);
        QVERIFY(view.drawnOverlap(sample.head(5, 0)).empty());  // one panel
        QVERIFY(coloursShown(view) > 20);
        sample.selection.selectAll({sample.head(4, 2), sample.head(5, 0), sample.head(1, 1)});
        QVERIFY(!view.showsDifference());
        QCOMPARE(view.drawnOverlap(sample.head(5, 0)), b);
        sample.selection.selectAll({sample.head(4, 2), sample.head(2, 3)});  // marked: nothing to subtract
        QVERIFY(!view.showsDifference());
    }
    void markedHeadSaysWhy() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(2, 3));
        QVERIFY(!view.isShowingEmpty());
        QVERIFY(view.drawnOverlap(sample.head(2, 3)).empty());
        QVERIFY(view.cellText(sample.head(2, 3), 0, 0).contains("not finite"));
    }
};

QTEST_MAIN(PlanesViewTest)
#include "planes_view_test.moc"
