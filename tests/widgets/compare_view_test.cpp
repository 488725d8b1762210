// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/compare/compare_view.h"

#include <QApplication>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <algorithm>
#include <cmath>

#include "core/data/command_line.h"
#include "tests/widgets/opened_sample.h"
#include "widgets/compare/compare_matrix.h"
#include "widgets/compare/head_map.h"
#include "widgets/frame/key_line.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/two_parts.h"

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

    static bool says(const CompareView& view, const QString& words) {
        for (const QLabel* label : view.findChildren<QLabel*>())
            if (label->text().contains(words)) return true;
        return false;
    }

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
    void theCurrentHeadIsNamedOnACrowdedMap() {
        HeadMap map;
        HeadMapFigure figure;
        for (int i = 0; i < 25; ++i) {  // nearer to each other than a name is wide
            figure.places.emplace_back(i % 5, i / 5);
            figure.names.push_back(QStringLiteral("L%1.H%2").arg(i / 5).arg(i % 5));
            figure.colours.push_back(0);
            figure.models.push_back(0);
        }
        figure.places.emplace_back(40, 40);
        figure.names.push_back("far");
        figure.colours.push_back(-1);
        figure.models.push_back(0);
        figure.current = 12;  // in the middle of the crowd
        map.resize(400, 400);
        map.setFigure(figure);
        map.show();
        QTRY_VERIFY(!map.names().isEmpty());
        map.grab();
        QCOMPARE(map.names().first(), QString("L2.H2"));
        QVERIFY(map.names().size() < 25);
        Answered a;
        a.sample.selection.selectAll({a.sample.head(1, 1), a.sample.head(4, 2)});
        QCOMPARE(a.view.map()->figure().names[a.view.map()->figure().current], QString("L4.H2"));
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
        QCOMPARE(a.view.matrix()->figure().names[25], QStringLiteral("L0.H1 B"));
        QCOMPARE(a.view.findChild<KeyLine*>()->words(), (QStringList{"A sample", "B second"}));
        QCOMPARE(a.view.drawnValue(a.sample.head(1, 0), {second, {1, 0}}), 1.0);
        a.sample.models.remove(second);
        QVERIFY(a.view.matrix()->figure().size() != 48 || a.view.isShowingEmpty());
        QVERIFY(a.view.findChild<KeyLine*>()->words().isEmpty());
    }
    void planesOfTwoStatesAreOverlaid() {
        Answered a;
        a.view.setMetric(CompareView::Metric::PlaneOverlap);
        QCOMPARE(a.requests.size(), std::size_t(1));  // one model alone: said, not asked
        QVERIFY(a.view.isShowingEmpty());
        QVERIFY(says(a.view, "two checkpoints"));
        QVERIFY(a.view.commandLine().isEmpty());
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
    void commandLineIsThatOfTheDrawnFigure() {
        Answered a;
        const std::string path = a.sample.models.find(a.sample.model)->ref.path;
        QCOMPARE(a.view.commandLine(), QString::fromStdString("ropescope compare " + shellWord(path) +
                                                              " --metric kernel --content weights --json"));
        a.view.setMetric(CompareView::Metric::FieldData);
        QVERIFY(a.view.commandLine().isEmpty());  // not measured yet
        QTest::mouseClick(a.view.measureButton(), Qt::LeftButton);
        QVERIFY(a.view.commandLine().contains(" --metric field --images 16 --seed 0 --steps 20 --guidance 2"));
        ModelRef other;
        other.path = "other file.pt";
        a.sample.models.add(other, sampleCard("second"));
        a.view.setMetric(CompareView::Metric::PlaneOverlap);
        QVERIFY(a.view.commandLine().endsWith(" 'other file.pt' --metric plane --json"));
        a.view.setHeads(-1);
        a.sample.selection.selectAll({a.sample.head(1, 1), a.sample.head(4, 2)});
        a.view.setMetric(CompareView::Metric::KernelWeights);
        a.view.setHeads(-1);
        QCOMPARE(a.view.matrix()->figure().size(), 2);
        QVERIFY(a.view.commandLine().isEmpty());  // the command compares all heads
    }
    void coloursMayFollowTheData() {
        Answered a;
        QCOMPARE(a.view.matrix()->figure().low, -1.0);
        QCOMPARE(a.view.matrix()->figure().high, 1.0);
        a.view.setRange(CompareView::Range::Data);
        // The diagonal is 1 everywhere; the most alike two others are heads 0 and 1 of one layer.
        QCOMPARE(a.view.matrix()->figure().high, 1 - 0.25 * 0.3);
        QCOMPARE(a.view.matrix()->figure().low, -a.view.matrix()->figure().high);
    }
    void whatIsSaidBelongsToWhatIsDrawn() {
        Answered a;
        QVERIFY(says(a.view, "of the head"));
        a.view.setMetric(CompareView::Metric::FieldData);  // not measured: the old figure is dimmed
        QVERIFY(!says(a.view, "of the head"));
        a.view.setMetric(CompareView::Metric::KernelWeights);
        QVERIFY(says(a.view, "of the head"));
        QSignalSpy hovered(&a.view, &View::hovered);
        a.sample.models.remove(a.sample.model);
        QVERIFY(a.view.isShowingEmpty());
        QVERIFY(!says(a.view, "of the head"));
        QVERIFY(!hovered.isEmpty() && hovered.last().first().toString().isEmpty());
    }
    void mapAndMatrixShareTheirPlace() {
        Answered a;
        for (const QSize size : {QSize(1200, 600), QSize(700, 1000)}) {
            a.view.resize(size);
            QApplication::processEvents();
            QVERIFY(a.view.matrix()->isVisible() && a.view.map()->isVisible());
            const bool wide = size.width() > size.height();
            QCOMPARE(a.view.map()->x() > a.view.matrix()->x(), wide);
            QCOMPARE(a.view.map()->y() > a.view.matrix()->y(), !wide);
        }
        a.view.resize(360, 320);
        QApplication::processEvents();
        QVERIFY(a.view.matrix()->isVisible() && a.view.map()->isHidden());
        auto* turn = a.view.findChild<TwoParts*>()->turnButton();
        QVERIFY(!turn->isHidden());
        turn->setChecked(true);
        QVERIFY(a.view.matrix()->isHidden() && a.view.map()->isVisible());
    }
    void twoHeadsFillTheirPlace() {
        Answered a;
        a.sample.selection.selectAll({a.sample.head(1, 1), a.sample.head(4, 2)});
        a.view.setHeads(-1);
        QApplication::processEvents();
        const QRectF all = a.view.matrix()->cell(0, 0).united(a.view.matrix()->cell(1, 1));
        QVERIFY(QRectF(a.view.matrix()->rect()).contains(all));
        // Beside it and above it stand names, below it the legend.
        QVERIFY(std::max((all.width() + 70) / a.view.matrix()->width(),
                         (all.height() + 100) / a.view.matrix()->height()) > 0.8);
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
