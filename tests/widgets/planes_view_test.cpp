// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/planes/planes_view.h"

#include <QApplication>
#include <QSignalSpy>
#include <QTest>
#include <algorithm>
#include <cmath>

#include "tests/widgets/opened_sample.h"
#include "widgets/planes/planes_canvas.h"

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
    void matricesFillTheirPlace() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        auto* canvas = static_cast<PlanesCanvas*>(view.canvas());
        view.show();
        for (const std::vector<HeadRef>& heads :
             {std::vector<HeadRef>{sample.head(4, 2)}, std::vector<HeadRef>{sample.head(4, 2), sample.head(5, 0)}}) {
            sample.selection.selectAll(heads);
            for (const QSize size : {QSize(400, 420), QSize(700, 800), QSize(1200, 560)}) {
                view.resize(size);
                QApplication::processEvents();
                QRectF all;
                for (const QRectF& matrix : canvas->matrices()) {
                    QCOMPARE(std::fmod(matrix.width(), 16), 0.0);  // whole pixels a cell
                    QVERIFY(QRectF(canvas->rect()).contains(matrix));
                    all = all.united(matrix.adjusted(-20, -20, 60, 20));  // title, strips, names of blocks
                }
                const double across = all.width() / canvas->width(), down = all.height() / canvas->height();
                QVERIFY2(std::max(across, down) > 0.8, qPrintable(QString("%1 %2").arg(across).arg(down)));
            }
        }
    }
    void manyMatricesAreScrolledRatherThanTiny() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        std::vector<HeadRef> all;
        for (int i = 0; i < 24; ++i) all.push_back(sample.head(i / 4, i % 4));
        sample.selection.selectAll(all);
        view.resize(340, 300);
        view.show();
        QApplication::processEvents();
        const auto matrices = static_cast<PlanesCanvas*>(view.canvas())->matrices();
        for (std::size_t i = 0; i < matrices.size(); ++i) {
            QVERIFY(matrices[i].width() >= 16);
            QVERIFY(QRectF(view.canvas()->rect()).contains(matrices[i]));
            for (std::size_t j = 0; j < i; ++j) QVERIFY(!matrices[i].intersects(matrices[j]));
        }
    }
    void coloursMayReachToTheLargestOverlap() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        const auto& canvas = *static_cast<PlanesCanvas*>(view.canvas());
        sample.selection.select(sample.head(4, 2));
        QCOMPARE(canvas.highestOverlap(), 1.0);
        view.setRange(PlanesView::Range::Data);
        const std::vector<double> drawn = view.drawnOverlap(sample.head(4, 2));
        QCOMPARE(canvas.highestOverlap(), *std::max_element(drawn.begin(), drawn.end()));
    }
    void titlesNameTheHeadFirst() {
        OpenedSample sample;
        PlanesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        ModelRef other;
        other.path = "second";
        sample.models.add(other, sampleCard("second"));
        view.resize(760, 480);
        const auto& panel = static_cast<PlanesCanvas*>(view.canvas())->panels().front();
        QCOMPARE(panel.titles.front(), QString("L4.H2 of sample"));
        QCOMPARE(panel.titles.back(), QString("L4.H2 A"));  // the letter is never lost
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
