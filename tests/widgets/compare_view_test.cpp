// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/compare_view.h"

#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "tests/widgets/opened_sample.h"
#include "widgets/compare_matrix.h"
#include "widgets/head_map.h"
#include "widgets/message_bar.h"

using namespace ropescope;

class CompareViewTest : public QObject {
    Q_OBJECT

    /// A visible view that is answered at once.
    struct Answered {
        OpenedSample sample;
        CompareView view{sample.models, sample.selection};
        std::vector<CompareRequest> requests;

        Answered() {
            QObject::connect(&view, &CompareView::compareRequested, &view, [this](const CompareRequest& request) {
                requests.push_back(request);
                view.take(request, sampleComparison(request));
            });
            view.resize(1000, 640);
            view.show();
        }
    };

private slots:
    void modelsWithoutHeadsAreNotCompared() {
        Answered a;
        ModelCard card = sampleCard("strange");
        card.architecture.clear();
        card.layers = card.heads = 0;
        ModelRef other;
        other.path = "strange.pt";
        a.sample.models.add(other, card);
        QCOMPARE(a.view.request().models.size(), std::size_t(1));
        a.view.setHeads(-2);  // "all of both models" is not offered
        QCOMPARE(a.view.request().models.size(), std::size_t(1));
        QVERIFY(!a.view.isShowingEmpty());
    }
    void weightsAreComparedByThemselves() {
        Answered a;
        QCOMPARE(a.requests.size(), std::size_t(1));
        QVERIFY(a.requests[0].metric == CompareMetric::KernelCorrelation);
        QVERIFY(!a.requests[0].needsData());
        QVERIFY(a.requests[0].heads.empty());  // all heads of the one model
        QVERIFY(!a.view.isShowingEmpty());
        QCOMPARE(a.view.drawnValue(a.sample.head(1, 0), a.sample.head(3, 2)), 1 - 0.25 * 2.6);
        QVERIFY(std::isnan(a.view.drawnValue(a.sample.head(1, 0), a.sample.head(2, 3))));  // marked
        QCOMPARE(a.view.drawnPlace(a.sample.head(3, 2)), QPointF(0.4 * 3 - 1, 0.6));
        QVERIFY(coloursOf(a.view.grab().toImage()) > 100);
        a.view.setMetric(CompareView::Metric::FrequencyWeights);
        QCOMPARE(a.requests.size(), std::size_t(2));
        QVERIFY(a.requests[1].metric == CompareMetric::FrequencyWasserstein);
    }
    void dataWaitsForTheButton() {
        Answered a;
        a.view.setMetric(CompareView::Metric::FieldData);
        QCOMPARE(a.requests.size(), std::size_t(1));
        QVERIFY(a.view.measureButton()->isVisible());
        QTest::mouseClick(a.view.measureButton(), Qt::LeftButton);
        QCOMPARE(a.requests.size(), std::size_t(2));
        QVERIFY(a.requests[1].metric == CompareMetric::FieldCorrelation && a.requests[1].needsData());
        QVERIFY(!a.view.measureButton()->isVisible());  // what is chosen is drawn
    }
    void shownHeadsFollowTheSelection() {
        Answered a;
        a.sample.selection.selectAll({a.sample.head(1, 1), a.sample.head(4, 2)});
        a.view.setHeads(-1);
        QCOMPARE(a.requests.back().heads, (std::vector<HeadId>{{1, 1}, {4, 2}}));
        QCOMPARE(a.view.matrix()->figure().size(), 2);
        a.sample.selection.add(a.sample.head(5, 0));
        QCOMPARE(a.view.matrix()->figure().size(), 3);
        const std::size_t asked = a.requests.size();
        a.sample.selection.select(a.sample.head(5, 0));  // alone: the old figure stays
        QCOMPARE(a.requests.size(), asked);
        QCOMPARE(a.view.matrix()->figure().size(), 3);
    }
    void hoverNamesThePairAndClickSelectsIt() {
        Answered a;
        QVERIFY(QTest::qWaitForWindowExposed(&a.view));
        QCoreApplication::processEvents();  // the splitter gives the matrix its place
        QSignalSpy hovered(&a.view, &View::hovered);
        const QPoint at = a.view.matrix()->cell(4, 14).center().toPoint();  // L1.H0 with L3.H2
        QTest::mouseMove(a.view.matrix(), at);
        QVERIFY(!hovered.isEmpty());
        const QString text = hovered.last().first().toString();
        for (const char* part : {"L1.H0", "L3.H2", "Kernel correlation", "0.35"}) {
            QVERIFY2(text.contains(QLatin1String(part)), qPrintable(text));
        }
        QTest::mouseClick(a.view.matrix(), Qt::LeftButton, {}, at);
        QCOMPARE(a.sample.selection.heads(), (std::vector<HeadRef>{a.sample.head(3, 2), a.sample.head(1, 0)}));
        QCOMPARE(a.view.matrix()->figure().colours[4], a.sample.selection.colourIndex(a.sample.head(1, 0)));
    }
    void mapSaysItsShareOfVariance() {
        Answered a;
        QVERIFY(a.view.map()->figure().titleX.contains(QStringLiteral("62 % of variance")));
        QVERIFY(a.view.map()->figure().titleY.contains(QStringLiteral("21 % of variance")));
        QVERIFY(a.view.numbers(',').startsWith(QStringLiteral("head,L0.H0,")));
        QVERIFY(coloursOf(a.view.figureImage(1)) > 50);
    }
    void twoModelsAreKeptApart() {
        Answered a;
        ModelRef other;
        other.path = "second";
        const int second = a.sample.models.add(other, sampleCard("second"));
        a.view.setHeads(-2);
        QCOMPARE(a.requests.back().models.size(), std::size_t(2));
        QCOMPARE(a.view.matrix()->figure().size(), 48);
        QCOMPARE(a.view.matrix()->figure().blockStart, (std::vector<int>{0, 24}));
        QCOMPARE(a.view.matrix()->figure().names[25], QStringLiteral("B L0.H1"));  // the note says which one B is
        QCOMPARE(a.view.drawnValue(a.sample.head(1, 0), {second, {1, 0}}), 1.0);
        a.sample.models.remove(second);
        QVERIFY(a.view.matrix()->figure().size() != 48 || a.view.isShowingEmpty());
    }
    void planesOfTwoStatesAreOverlaid() {
        Answered a;
        a.view.setMetric(CompareView::Metric::PlaneOverlap);
        QCOMPARE(a.requests.size(), std::size_t(1));  // one model alone: said, not asked
        QVERIFY(a.view.messages().text().contains(QStringLiteral("two checkpoints")));
        ModelRef other;
        other.path = "second";
        a.sample.models.add(other, sampleCard("second"));
        a.view.setHeads(-2);
        QVERIFY(a.requests.back().metric == CompareMetric::PlaneOverlap);
        QCOMPARE(a.view.matrix()->figure().size(), 24);
        QCOMPARE(a.view.matrix()->figure().columnCount(), 8);
        QCOMPARE(a.view.matrix()->figure().values[3 * 8 + 2], 1 - 0.004 * 6);
        QVERIFY(a.view.map()->isHidden());
        QVERIFY(a.view.pairText(3, 2).contains(QStringLiteral("plane 2: overlap 0.976")));
        QCOMPARE(a.view.numbers(',').count(QLatin1Char('\n')), qsizetype(25));
        QVERIFY(a.view.grab().toImage().width() > 0);
    }
    void errorsStayInTheView() {
        OpenedSample sample;
        CompareView view(sample.models, sample.selection);
        QVERIFY(view.isShowingEmpty());
        view.fail({ErrorKind::Refused, "ST-05", "a.safetensors", "refused", {}, {}, {}});
        QVERIFY(view.messages().showsError());
    }
};

QTEST_MAIN(CompareViewTest)
#include "compare_view_test.moc"
