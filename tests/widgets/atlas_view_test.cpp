// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/atlas/atlas_view.h"

#include <QComboBox>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "core/data/colour.h"
#include "tests/widgets/opened_sample.h"
#include "widgets/atlas/atlas_grid.h"
#include "widgets/atlas/scatter_plot.h"

using namespace ropescope;

class AtlasViewTest : public QObject {
    Q_OBJECT
private slots:
    void saysWhenAModelHasNoSuchNumber() {
        OpenedSample s;
        AtlasView view(s.models, s.selection);
        s.selection.select(s.head(0, 0));
        AtlasReport atlas = *s.models.find(s.model)->atlas;
        for (HeadNumber& number : atlas.numbers) std::fill(number.values.begin(), number.values.end(), std::nan(""));
        s.models.setAtlas(s.model, atlas);
        view.resize(600, 400);
        QVERIFY(view.findChild<AtlasGrid*>()->figure().nothing.contains("has no such number"));
        QVERIFY(view.findChild<ScatterPlot*>()->points().empty());
        QVERIFY(coloursShown(view) > 3);
    }
    void init() {
        m_sample = std::make_unique<OpenedSample>();
        m_view = std::make_unique<AtlasView>(m_sample->models, m_sample->selection);
        m_view->resize(1000, 640);
        m_view->show();
    }
    void cleanup() { m_view.reset(); }

    void drawsTheChosenNumber() {
        const AtlasReport atlas = sampleAtlas();
        QCOMPARE(m_view->number(), QStringLiteral("cross_axis_mixing"));
        for (const HeadNumber& number : atlas.numbers) {
            m_view->setNumber(QString::fromStdString(number.key));
            for (int i = 0; i < 24; ++i) {
                const double drawn = m_view->drawnValue({i / 4, i % 4});
                if (std::isnan(number.values[i])) {
                    QVERIFY(std::isnan(drawn));
                } else {
                    QCOMPARE(drawn, number.values[i]);
                }
            }
        }
    }
    void pixelsHoldTheColours() {
        const QImage picture = m_view->grid()->grab().toImage();
        for (const HeadId id : {HeadId{0, 0}, HeadId{5, 1}, HeadId{3, 2}}) {
            const QRect cell = m_view->cellRect(id);
            QCOMPARE(picture.pixelColor(cell.left() + 6, cell.top() + 6), m_view->drawnColour(id));
        }
        // The smallest and the largest value take the ends of the map.
        const Rgb low = colourAt(ColourMap::Viridis, 0), high = colourAt(ColourMap::Viridis, 1);
        QCOMPARE(m_view->drawnColour({0, 0}), QColor(low.red, low.green, low.blue));
        const auto mixing = sampleAtlas().numbers[0].values;
        int best = 0;
        for (int i = 0; i < 24; ++i) {
            if (mixing[i] > mixing[best]) best = i;
        }
        QCOMPARE(m_view->drawnColour({best / 4, best % 4}), QColor(high.red, high.green, high.blue));
        QVERIFY(!m_view->drawnColour({2, 3}).isValid());  // marked
    }
    void meansLeaveMarkedHeadsOut() {
        const std::vector<double> values = sampleAtlas().numbers[0].values;
        QCOMPARE(m_view->layerMeans()[2], (values[8] + values[9] + values[10]) / 3);
        QCOMPARE(m_view->layerMeans()[1], (values[4] + values[5] + values[6] + values[7]) / 4);
        double sum = 0;
        for (int layer = 0; layer < 6; ++layer) sum += values[4 * layer + 1];
        QCOMPARE(m_view->headMeans()[1], sum / 6);
    }
    void scatterHoldsEverySoundHead() {
        m_view->setScatter(QStringLiteral("condition"), QStringLiteral("rope_distance"));
        const AtlasReport atlas = sampleAtlas();
        std::vector<QPointF> expected;
        for (int i = 0; i < 24; ++i) {
            if (i != 11) expected.emplace_back(atlas.numbers[1].values[i], atlas.numbers[4].values[i]);
        }
        QCOMPARE(m_view->scatterPoints(), expected);
    }
    void mouseSelects() {
        const Selection& selection = m_sample->selection;
        QTest::mouseClick(m_view->grid(), Qt::LeftButton, {}, m_view->cellRect({1, 2}).center());
        QCOMPARE(selection.heads(), (std::vector<HeadRef>{m_sample->head(1, 2)}));
        QTest::mouseClick(m_view->grid(), Qt::LeftButton, Qt::ControlModifier, m_view->cellRect({3, 0}).center());
        QCOMPARE(selection.heads(), (std::vector<HeadRef>{m_sample->head(1, 2), m_sample->head(3, 0)}));
        QTest::mouseClick(m_view->grid(), Qt::LeftButton, {}, m_view->cellRect({0, 0}).center());
        QTest::mouseClick(m_view->grid(), Qt::LeftButton, Qt::ShiftModifier, m_view->cellRect({1, 1}).center());
        QCOMPARE(selection.heads().size(), std::size_t(4));
        QCOMPARE(selection.current(), m_sample->head(1, 1));
    }
    void dragBrushes() {
        QWidget* grid = m_view->grid();
        const QPoint from = m_view->cellRect({2, 1}).center(), to = m_view->cellRect({3, 2}).center();
        QTest::mousePress(grid, Qt::LeftButton, {}, from);
        QMouseEvent move(QEvent::MouseMove, to, grid->mapToGlobal(to), Qt::NoButton, Qt::LeftButton, {});
        QApplication::sendEvent(grid, &move);
        QTest::mouseRelease(grid, Qt::LeftButton, {}, to);
        QCOMPARE(m_sample->selection.heads().size(), std::size_t(4));
    }
    void arrowsMoveAndShiftExtends() {
        Selection& selection = m_sample->selection;
        selection.select(m_sample->head(0, 0));
        QTest::keyClick(m_view->grid(), Qt::Key_Down);
        QCOMPARE(selection.current(), m_sample->head(1, 0));
        QTest::keyClick(m_view->grid(), Qt::Key_Right, Qt::ShiftModifier);
        QCOMPARE(selection.heads(), (std::vector<HeadRef>{m_sample->head(1, 0), m_sample->head(1, 1)}));
        QTest::keyClick(m_view->grid(), Qt::Key_Up);
        QTest::keyClick(m_view->grid(), Qt::Key_Up);  // stops at the edge
        QCOMPARE(selection.current(), m_sample->head(0, 1));
    }
    void sortingMovesCellsAndKeysFollowTheHeads() {
        m_view->setSort(AtlasView::Sort::Both);
        const auto byLayer = m_view->layerMeans(), byHead = m_view->headMeans();
        // A larger mean lies higher and further left; the values stay with their heads.
        for (int a = 0; a < 6; ++a) {
            for (int b = 0; b < 6; ++b) {
                if (byLayer[a] > byLayer[b]) QVERIFY(m_view->cellRect({a, 0}).top() < m_view->cellRect({b, 0}).top());
            }
        }
        for (int a = 0; a < 4; ++a) {
            for (int b = 0; b < 4; ++b) {
                if (byHead[a] > byHead[b]) QVERIFY(m_view->cellRect({0, a}).left() < m_view->cellRect({0, b}).left());
            }
        }
        QCOMPARE(m_view->drawnValue({4, 1}), sampleAtlas().numbers[0].values[17]);
        QTest::mouseClick(m_view->grid(), Qt::LeftButton, {}, m_view->cellRect({0, 0}).center());
        QCOMPARE(m_sample->selection.current(), m_sample->head(0, 0));
        QTest::keyClick(m_view->grid(), Qt::Key_Up);  // the layer that is drawn above, not layer -1
        const HeadRef above = m_sample->selection.current();
        QVERIFY(above.id.layer != 0);
        QCOMPARE(above.id.head, 0);
        const int gap = m_view->cellRect({0, 0}).top() - m_view->cellRect(above.id).bottom();
        QVERIFY2(gap >= 0 && gap <= 4, "the row right above");
        const QImage picture = m_view->grid()->grab().toImage();
        const QRect cell = m_view->cellRect({3, 2});
        QCOMPARE(picture.pixelColor(cell.left() + 6, cell.top() + 6), m_view->drawnColour({3, 2}));
    }
    void hoverNamesHeadAndValue() {
        QSignalSpy hovered(m_view.get(), &View::hovered);
        QTest::mouseMove(m_view->grid(), m_view->cellRect({4, 2}).center());
        QVERIFY(!hovered.isEmpty());
        const QString text = hovered.last().first().toString();
        QVERIFY2(text.contains("L4.H2") && text.contains("Cross-axis mixing"), qPrintable(text));
        QTest::mouseMove(m_view->grid(), m_view->cellRect({2, 3}).center());
        QVERIFY(hovered.last().first().toString().contains("not finite"));
    }
    void differenceOfTwoModelsIsCentred() {
        const int second = m_sample->models.add({}, sampleCard("second"));
        AtlasReport other = sampleAtlas();
        for (HeadNumber& number : other.numbers) {
            for (double& value : number.values) value *= 2;
        }
        m_sample->models.setAtlas(second, other);
        const auto combos = m_view->findChildren<QComboBox*>();
        for (QComboBox* combo : combos) {
            if (const int index = combo->findText(QStringLiteral("minus second")); index >= 0)
                combo->setCurrentIndex(index);
        }
        QCOMPARE(m_view->drawnValue({4, 1}), -sampleAtlas().numbers[0].values[17]);
        const Rgb middle = colourAt(ColourMap::Diverging, 0.5);
        QCOMPARE(m_view->drawnColour({0, 0}), QColor(middle.red, middle.green, middle.blue));  // 0 - 0
    }
    void scatterChoicesShowTheirWholeText() {
        auto* scatter = m_view->findChild<ScatterPlot*>();
        for (QComboBox* choice : {scatter->xChoice(), scatter->yChoice()}) {
            for (int i = 0; i < choice->count(); ++i)
                QVERIFY(choice->sizeHint().width() > choice->fontMetrics().horizontalAdvance(choice->itemText(i)));
        }
    }
    void scatterGivesWayWhereThereIsNoRoom() {
        auto* scatter = m_view->findChild<ScatterPlot*>();
        QVERIFY(scatter->isVisible() && m_view->grid()->isVisible());
        m_view->resize(360, 300);
        QApplication::processEvents();
        QVERIFY(scatter->isHidden() && m_view->grid()->isVisible());
        for (int layer = 0; layer < 6; ++layer) QVERIFY(m_view->grid()->rect().contains(m_view->cellRect({layer, 3})));
    }
    void hoverEndsWithTheModel() {
        QSignalSpy hovered(m_view.get(), &View::hovered);
        QTest::mouseMove(m_view->grid(), m_view->cellRect({4, 2}).center());
        QVERIFY(!hovered.last().first().toString().isEmpty());
        m_sample->models.remove(m_sample->model);
        QVERIFY(hovered.last().first().toString().isEmpty());
    }
    void emptyWithoutModel() {
        OpenModels none;
        Selection selection;
        AtlasView view(none, selection);
        QVERIFY(view.isShowingEmpty());
        QVERIFY(!m_view->isShowingEmpty());
        QVERIFY(coloursShown(*m_view) > 100);
    }

private:
    std::unique_ptr<OpenedSample> m_sample;
    std::unique_ptr<AtlasView> m_view;
};

QTEST_MAIN(AtlasViewTest)
#include "atlas_view_test.moc"
