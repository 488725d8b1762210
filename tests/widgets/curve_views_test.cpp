// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <numbers>

#include "tests/widgets/opened_sample.h"
#include "widgets/frame/key_line.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frequencies/frequencies_view.h"
#include "widgets/spectrum/spectrum_view.h"

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
    void bandsAreExplained() {
        OpenedSample sample;
        SpectrumView view(sample.models, sample.selection);
        const KeyLine& key = *view.findChild<KeyLine*>();
        sample.selection.select(sample.head(3, 1));
        QCOMPARE(key.words(), (QStringList{"all heads of sample", "their middle half", "plain RoPE"}));
        QVERIFY(key.heightForWidth(60) > 2 * key.heightForWidth(600));  // wraps, drops nothing
        sample.selection.select(sample.head(0, 0));
        QVERIFY(key.words().contains("values of L0.H0 too close to tell apart"));
        view.setValues(SpectrumView::Values::Stored);
        QCOMPARE(key.words(), QStringList{"plain RoPE"});
        view.resize(760, 480);
        const QByteArray paper = view.figure(FigureFormat::Svg);
        QVERIFY(paper.contains("plain RoPE"));
    }
    void paperHoldsTheWholeLegend() {
        OpenedSample sample;
        SpectrumView view(sample.models, sample.selection);
        std::vector<HeadRef> all;
        for (int i = 0; i < 24; ++i) all.push_back(sample.head(i / 4, i % 4));
        sample.selection.selectAll({sample.head(3, 1)});
        view.resize(340, 300);
        const int one = view.figureImage(1).height();
        sample.selection.selectAll(all);
        QVERIFY(view.figureImage(1).height() >= one + 3 * view.fontMetrics().height());
    }
    void wrappedTextKeepsEveryWord() {
        const QString text = "Wavelength along the flattened index (tokens)";
        const QFont font;
        const QFontMetrics metrics(font);
        for (int width = 10; width < 500; width += 7) {
            const QStringList lines = wrapped(text, font, width).split('\n');
            QCOMPARE(lines.join(' '), text);
            for (const QString& line : lines) QVERIFY(metrics.horizontalAdvance(line) <= width || !line.contains(' '));
        }
        QCOMPARE(wrapped(text, font, 5000), text);
        const int wide = metrics.horizontalAdvance("B second one") + 2;
        QCOMPARE(wrapped("A first    B second one", font, wide), QString("A first\nB second one"));
    }
    void legendsTakeTheLinesTheyNeed() {
        const QFont font;
        const QString title = "Logit variance explained by offset (share)";
        QVERIFY(legendHeight(0, 1, title, font, 800) < 1.5 * QFontMetrics(font).height());
        QVERIFY(legendHeight(0, 1, title, font, 150) > 2.5 * QFontMetrics(font).height());
    }
    void nothingStaysSaidWhenTheMouseLeaves() {
        OpenedSample sample;
        SpectrumView view(sample.models, sample.selection);
        sample.selection.select(sample.head(3, 1));
        view.resize(760, 480);
        view.show();
        QSignalSpy hovered(&view, &View::hovered);
        QWidget* plot = view.findChild<QWidget*>("plot");
        QVERIFY(plot != nullptr);
        QTest::mouseMove(plot, plot->rect().center());
        QTRY_VERIFY(!hovered.isEmpty());
        QVERIFY(!hovered.last().first().toString().isEmpty());
        QEvent leave(QEvent::Leave);
        QApplication::sendEvent(plot, &leave);
        QVERIFY(hovered.last().first().toString().isEmpty());
        QTest::mouseMove(plot, plot->rect().center() + QPoint(20, 0));
        QTRY_VERIFY(!hovered.last().first().toString().isEmpty());
        sample.models.remove(sample.model);
        QVERIFY(hovered.last().first().toString().isEmpty());
    }
    void wordsBelowKeepToTheirPart() {
        OpenedSample sample;
        FrequenciesView view(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        const auto summary = [&view] {
            for (const QLabel* label : view.findChildren<QLabel*>())
                if (label->text().startsWith("L4.H2:")) return label;
            return static_cast<const QLabel*>(nullptr);
        };
        view.resize(1200, 900);
        view.show();
        QTRY_VERIFY(summary() != nullptr && summary()->text().contains("longer than 4"));
        const QString all = summary()->text();
        view.resize(360, 300);
        QTRY_VERIFY(summary()->text() != all);
        QVERIFY(summary()->text().endsWith(QChar(0x2026)));  // what has no room is not left out in silence
        QVERIFY(all.startsWith(summary()->text().chopped(4)));
        QVERIFY(summary()->toolTip().contains("longer than 4"));
        QVERIFY(summary()->text().contains("shift from no map (B = I)"));
    }
    void aHeadWithoutACurveIsExplained() {
        OpenedSample sample;
        FrequenciesView view(sample.models, sample.selection);
        HeadReport normed = sampleHead({4, 2});
        normed.energy.weights.clear();
        sample.models.putHead(sample.model, normed);
        sample.selection.selectAll({sample.head(3, 1), sample.head(4, 2)});
        const auto words = [&view] { return view.findChild<KeyLine*>()->words().join('\n'); };
        QVERIFY2(words().contains("L4.H2 is not drawn: norms"), qPrintable(words()));
        QVERIFY(!words().contains("L3.H1 is not drawn"));
        view.setEnergy(FrequenciesView::Energy::Data);
        QVERIFY(words().contains("L3.H1 is not drawn: not measured yet"));
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
