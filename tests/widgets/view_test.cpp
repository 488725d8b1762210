// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/view.h"

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
#include "widgets/atlas_view.h"
#include "widgets/fields_view.h"
#include "widgets/frequencies_view.h"
#include "widgets/planes_view.h"
#include "widgets/spectrum_view.h"

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
        m_views.push_back(std::make_unique<FieldsView>(models, selection));
        for (const auto& view : m_views) view->resize(760, 480);
    }
    void cleanup() { m_views.clear(); }

    void everyViewExports() {
        for (const auto& view : m_views) {
            QVERIFY(coloursOf(view->figureImage(1)) > 20);
            QVERIFY(view->figure(FigureFormat::Png).startsWith("\x89PNG"));
            QVERIFY(view->figure(FigureFormat::Pdf).startsWith("%PDF"));
            const QByteArray svg = view->figure(FigureFormat::Svg);
            QVERIFY(!svg.contains("<text"));  // outlines: no font is needed to show it
            QSvgRenderer renderer(svg);
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
    void exportIsAskedForWithAName() {
        QSignalSpy asked(m_views[1].get(), &View::exportRequested);
        m_views[1]->requestExport(FigureFormat::Csv);
        QCOMPARE(asked.count(), 1);
        QCOMPARE(asked.first().at(0).toByteArray(), m_views[1]->numbers(',').toUtf8());
        QCOMPARE(asked.first().at(1).toString(), QStringLiteral("spectrum.csv"));
    }
    void copies() {
        m_views[2]->copyNumbers();
        QCOMPARE(QApplication::clipboard()->text(), m_views[2]->numbers('\t'));
        m_views[2]->copyFigure();
        QVERIFY(!QApplication::clipboard()->image().isNull());
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
