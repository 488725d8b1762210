// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/view.h"

#include <QApplication>
#include <QClipboard>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QSignalSpy>
#include <QSvgRenderer>
#include <QTest>
#include <memory>

#include "tests/widgets/opened_sample.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/number_table.h"
#include "widgets/frequencies/frequencies_view.h"
#include "widgets/planes/planes_view.h"
#include "widgets/spectrum/spectrum_view.h"

using namespace ropescope;

class ViewTest : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_sample = std::make_unique<OpenedSample>();
        OpenModels& models = m_sample->models;
        Selection& selection = m_sample->selection;
        selection.selectAll({m_sample->head(3, 1), m_sample->head(4, 2)});
        m_views.clear();
        m_views.push_back(std::make_unique<AtlasView>(models, selection));
        m_views.push_back(std::make_unique<SpectrumView>(models, selection));
        m_views.push_back(std::make_unique<PlanesView>(models, selection));
        m_views.push_back(std::make_unique<FrequenciesView>(models, selection));
        m_views.push_back(std::make_unique<FieldsView>(models, selection, m_sample->runs));
        for (const auto& view : m_views) view->resize(760, 480);
    }
    void cleanup() { m_views.clear(); }

    void everyViewExports() {
        for (const auto& view : m_views) {
            QVERIFY(coloursOf(view->figureImage(1)) > 20);
            QVERIFY(view->figure(FigureFormat::Png).startsWith("\x89PNG"));
            QVERIFY(view->figure(FigureFormat::Pdf).startsWith("%PDF"));
            const QByteArray svg = view->figure(FigureFormat::Svg);
            QVERIFY(svg.contains("<text"));
            const QByteArray outlines = view->figure(FigureFormat::SvgOutlines);
            QVERIFY(!outlines.contains("<text"));  // no font is needed to show it
            QSvgRenderer renderer(outlines);
            QVERIFY(renderer.isValid());
            QImage drawn(760, 480, QImage::Format_RGB32);
            drawn.fill(Qt::white);
            QPainter painter(&drawn);
            renderer.render(&painter);
            painter.end();
            QVERIFY(coloursOf(drawn) > 20);
        }
    }
    void numbersAreATable() {
        for (const auto& view : m_views) {
            const QStringList lines = view->numbers('\t').trimmed().split('\n');
            QVERIFY(lines.size() > 8);
            for (const QString& line : lines) QVERIFY(line.contains('\t'));
        }
        QVERIFY(m_views[1]->numbers(',').startsWith("index,L3.H1,L4.H2\n0,"));
    }
    void exportIsAskedForWithAFormat() {
        QSignalSpy asked(m_views[1].get(), &View::exportRequested);
        m_views[1]->requestExport(FigureFormat::Csv);
        QCOMPARE(asked.count(), 1);
        QCOMPARE(asked.first().at(0).value<FigureFormat>(), FigureFormat::Csv);
        QCOMPARE(m_views[1]->figure(FigureFormat::Csv), m_views[1]->numbers(',').toUtf8());
    }
    void copies() {
        QSignalSpy copied(m_views[1].get(), &View::copied);
        m_views[1]->copyNumbers();
        QCOMPARE(copied.last().first().toString(), QStringLiteral("Spectrum, 2 heads, 64 numbers"));
        QCOMPARE(m_views[0]->contents(FigureFormat::Csv),
                 QStringLiteral("Atlas, sample, 24 heads, %1 numbers").arg(24 * sampleAtlas().numbers.size()));
        m_views[2]->copyNumbers();
        QCOMPARE(QApplication::clipboard()->text(), m_views[2]->numbers('\t'));
        m_views[2]->copyFigure();
        QVERIFY(!QApplication::clipboard()->image().isNull());
    }
    void numbersAreCountedAndRowsAreOfOneLength() {
        NumberTable table(',');
        QCOMPARE(table.label("a b").number(0.5).label(3).blank().text(), QString("\"a b\",0.5,3,"));
        QCOMPARE(table.numbers(), 1);
        for (const auto& view : m_views) {
            const QStringList rows = view->numbers('\t').split('\n', Qt::SkipEmptyParts);
            const auto cells = rows.last().count('\t');
            for (const QString& row : rows.mid(1)) QCOMPARE(row.count('\t'), cells);
        }
    }
    void namesAreQuotedWhereTheyHoldSpaces() {
        ModelRef other;
        other.path = "second";
        m_sample->models.add(other, sampleCard("second, \"best\""));
        const QString lines = m_views[1]->numbers(',');
        QVERIFY2(lines.startsWith("index,\"L3.H1 of sample\",\"L4.H2 of sample\"\n0,"), qPrintable(lines.left(60)));
        m_sample->models.putHead(1, sampleHead({1, 1}));
        m_sample->selection.select({1, {1, 1}});
        QVERIFY(m_views[1]->numbers(',').startsWith("index,\"L1.H1 of second, \"\"best\"\"\"\n0,"));
    }
    void anEmptyViewSaysWhyAModelHasNoHeads() {
        OpenModels models;
        Selection selection;
        SpectrumView view(models, selection);
        const auto says = [&view](const QString& words) {
            for (const QLabel* label : view.findChildren<QLabel*>())
                if (label->text().contains(words)) return true;
            return false;
        };
        ModelCard card = sampleCard("strange");
        card.layers = card.heads = 0;
        card.problem = "no known architecture.";
        models.add({}, card);
        QVERIFY(says("No heads of strange can be shown: no known architecture."));
        models.remove(0);
        card.problem.clear();
        models.add({}, card);
        QVERIFY(says("strange has no attention heads."));
        ModelRef other;
        other.path = "other.pt";
        models.add(other, sampleCard("other"));
        QVERIFY(says("Select a head"));
    }
    void emptyViewOffersTheAction() {
        OpenModels none;
        Selection selection;
        SpectrumView view(none, selection);
        QVERIFY(view.isShowingEmpty());
        view.resize(760, 480);
        view.show();
        QSignalSpy asked(&view, &View::emptyActionRequested);
        for (QPushButton* button : view.findChildren<QPushButton*>()) {
            if (button->isVisible()) button->click();
        }
        QCOMPARE(asked.count(), 1);
    }

private:
    std::unique_ptr<OpenedSample> m_sample;
    std::vector<std::unique_ptr<View>> m_views;
};

QTEST_MAIN(ViewTest)
#include "view_test.moc"
