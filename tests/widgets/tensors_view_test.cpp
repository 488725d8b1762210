// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/tensors/tensors_view.h"

#include <QApplication>
#include <QClipboard>
#include <QElapsedTimer>
#include <QHeaderView>
#include <QLabel>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>

#include "tests/widgets/opened_sample.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/plot_style.h"
#include "widgets/tensors/tensor_list.h"
#include "widgets/tensors/tensor_panel.h"

using namespace ropescope;

namespace {

TensorsReport listOf(int blocks) {
    TensorsReport report;
    for (int i = 0; i < blocks; ++i) {
        const std::string block = "blocks." + std::to_string(i) + ".";
        report.rows.push_back({block + "attn.qkv.weight", "F32", {2304, 768}, 2304 * 768 * 4, "used"});
        report.rows.push_back({block + "attn.proj.bias", "BF16", {768}, 768 * 2, "used"});
        report.rows.push_back({block + "gate", "F32", {}, 4, "not understood"});
        report.rows.push_back({block + "counter", "I64", {1}, 8, "not used: a counter, of training"});
    }
    return report;
}

TensorsReport valuesOf(const std::string& name) {
    TensorsReport report;
    report.statistics = {name, 1000, 2, -0.5, 1.5, 0.25, 12.5, std::vector<std::int64_t>(64, 10)};
    report.statistics.bins[32] = 368;
    return report;
}

}  // namespace

class TensorsViewTest : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_sample = std::make_unique<OpenedSample>();
        m_view = std::make_unique<TensorsView>(m_sample->models, m_sample->selection);
        m_asked.clear();
        connect(m_view.get(), &TensorsView::tensorsRequested, this,
                [this](const TensorsRequest& r) { m_asked.push_back(r); });
        m_view->resize(900, 480);
    }
    void cleanup() { m_view.reset(); }

    void itAsksForWhatIsSeen() {
        QVERIFY(m_view->isShowingEmpty());
        m_view->setModel(m_sample->model);
        QTest::qWait(20);
        QVERIFY(m_asked.empty());
        open();
        QCOMPARE(m_asked.size(), 1u);
        QVERIFY(m_asked[0].tensor.empty());
        QCOMPARE(m_view->list().rowCount(), 40);
        QVERIFY(!m_view->isShowingEmpty());
        QVERIFY(coloursShown(*m_view) > 20);
        m_view->setModel(-1);
        QVERIFY(m_view->isShowingEmpty());
        QCOMPARE(m_view->list().rowCount(), 0);
    }
    void aRowAsksForItsValues() {
        open();
        m_view->table()->setCurrentIndex(m_view->list().index(1, 0));
        m_view->table()->setCurrentIndex(m_view->list().index(2, 0));  // keys held down: the last one alone
        QTRY_COMPARE(m_asked.size(), 2u);
        QCOMPARE(m_asked[1].tensor, std::string("blocks.0.gate"));
        m_view->take(m_asked[1], valuesOf("blocks.0.gate"));
        const TensorPanel& panel = m_view->panel();
        QCOMPARE(panel.text("Smallest"), QString("-0.5"));
        QCOMPARE(panel.text("Largest"), QString("1.5"));
        QCOMPARE(panel.text("Mean"), QString("0.25"));
        QCOMPARE(panel.text("Norm"), QString("12.5"));
        QCOMPARE(panel.text("Values"), QString("1000"));
        QCOMPARE(panel.text("Not finite"), QString("2"));
        QCOMPARE(panel.readOut(0.51), QString("0.5 to 0.531: 368 values"));
        QVERIFY(panel.readOut(2).isEmpty());
        QVERIFY(coloursShown(*m_view) > 20);
        for (const auto format : {FigureFormat::Png, FigureFormat::Svg, FigureFormat::Pdf})
            QVERIFY(m_view->figure(format).size() > 2000);
        QVERIFY(coloursOf(m_view->figureImage(1)) > 20);
    }
    void answersToOtherQuestionsAreDropped() {
        open();
        m_view->choose("blocks.0.gate");
        QTRY_COMPARE(m_asked.size(), 2u);
        m_view->choose("blocks.1.gate");
        QTRY_COMPARE(m_asked.size(), 3u);
        m_view->take(m_asked[1], valuesOf("blocks.0.gate"));
        QVERIFY(m_view->panel().shown().name.empty());
        m_view->take(m_asked[2], valuesOf("blocks.1.gate"));
        QCOMPARE(m_view->panel().shown().name, std::string("blocks.1.gate"));
        ModelRef other;
        other.path = "other.pt";
        m_view->setModel(m_sample->models.add(other, sampleCard("other")));
        QTRY_COMPARE(m_asked.size(), 4u);
        m_view->take(m_asked[2], valuesOf("blocks.1.gate"));
        m_view->take(m_asked[0], listOf(1));
        QCOMPARE(m_view->list().rowCount(), 40);  // still the old ones, dimmed
        m_view->fail(m_asked[0], {});
        QVERIFY(!m_view->messages().showsError());
        m_view->take(m_asked[3], listOf(2));
        QCOMPARE(m_view->list().rowCount(), 8);
        QVERIFY(m_view->panel().shown().name.empty());
    }
    void countsBelongToTheListedModel() {
        open();
        const auto says = [this](const QString& words) {
            for (const QLabel* label : m_view->findChildren<QLabel*>())
                if (label->text().contains(words)) return true;
            return false;
        };
        QVERIFY(says("sample  \u00b7  40 tensors"));
        ModelRef other;
        other.path = "other.pt";
        const int second = m_sample->models.add(other, sampleCard("other"));
        m_view->setModel(second);
        QTRY_COMPARE(m_asked.size(), 2u);
        m_view->setFilter("gate");
        QVERIFY(says("sample  \u00b7  10 of 40 tensors"));  // still the rows of the first one
        m_view->take(m_asked[1], listOf(2));
        QVERIFY(says("other  \u00b7  2 of 8 tensors"));
        QCOMPARE(m_view->contents(FigureFormat::Csv), QString("Tensors, 2 tensors, 2 numbers"));
        m_sample->models.remove(second);
        QVERIFY(!says("tensors"));
    }
    void noCellIsCut() {
        open();
        const TensorList& list = m_view->list();
        for (const int width : {360, 900, 1600}) {
            m_view->resize(width, 480);
            QApplication::processEvents();
            for (int column = 0; column < TensorList::Columns; ++column) {
                for (int row = 0; row < list.rowCount(); ++row) {
                    const QString text = list.data(list.index(row, column), Qt::DisplayRole).toString();
                    QVERIFY(m_view->fontMetrics().horizontalAdvance(text) + 6 <= m_view->table()->columnWidth(column));
                }
            }
        }
    }
    void whatCannotBeReadIsSaid() {
        open();
        m_view->choose("blocks.0.gate");
        QTRY_COMPARE(m_asked.size(), 2u);
        m_view->fail(m_asked[1], {.code = "ST-12", .reason = "the tensor ends past the file"});
        QVERIFY(!m_view->messages().showsError());
        QVERIFY(m_view->panel().shown().name.empty());
        TensorsReport empty;
        empty.statistics.name = "blocks.0.gate";
        empty.statistics.count = empty.statistics.nonFinite = 4;
        m_view->take(m_asked[1], empty);  // no finite value: nothing to draw
        QCOMPARE(m_view->panel().text("Smallest"), QString("\u2013"));
        QVERIFY(coloursShown(*m_view) > 20);
        ModelRef other;
        other.path = "other.pt";
        m_view->setModel(m_sample->models.add(other, sampleCard("other")));
        QTRY_COMPARE(m_asked.size(), 3u);
        m_view->fail(m_asked[2], {.code = "FO-02", .reason = "the file is gone"});
        QVERIFY(m_view->messages().text().contains("the file is gone"));
        QCOMPARE(m_view->list().rowCount(), 0);
    }
    void rowsAreFilteredSortedAndMarked() {
        open();
        const TensorList& list = m_view->list();
        m_view->choose("blocks.3.attn.qkv.weight");
        m_view->setFilter("qkv f32");
        QCOMPARE(list.rowCount(), 10);
        QCOMPARE(m_view->table()->currentIndex().row(), 3);  // what was chosen stays so
        m_view->setFilter("NOT understood");
        QCOMPARE(list.rowCount(), 10);
        QCOMPARE(list.data(list.index(0, TensorList::Name), Qt::ForegroundRole).value<QColor>(), warningColour());
        QCOMPARE(list.data(list.index(0, TensorList::ShapeColumn), Qt::DisplayRole).toString(), QString("one number"));
        m_view->setFilter("");
        QVERIFY(!list.data(list.index(0, TensorList::Name), Qt::ForegroundRole).isValid());
        QCOMPARE(list.data(list.index(0, TensorList::ShapeColumn), Qt::DisplayRole).toString(),
                 QString("2304 \u00d7 768"));
        QCOMPARE(list.data(list.index(0, TensorList::Size), Qt::DisplayRole).toString(), QString("7.08 MB"));
        m_view->table()->sortByColumn(TensorList::Size, Qt::AscendingOrder);
        QCOMPARE(list.at(0).bytes, 4u);
        m_view->table()->sortByColumn(TensorList::Size, Qt::DescendingOrder);
        QCOMPARE(list.at(0).name, std::string("blocks.0.attn.qkv.weight"));
        m_view->table()->sortByColumn(-1, Qt::AscendingOrder);
        QCOMPARE(list.at(2).name, std::string("blocks.0.gate"));
    }
    void rowsAreCopiedAsATable() {
        open();
        m_view->setFilter("blocks.0.");
        m_view->copyNumbers();
        const QStringList lines = QApplication::clipboard()->text().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 5);
        QCOMPARE(lines[0], QString("name\ttype\tshape\tbytes\tuse"));
        QCOMPARE(lines[1], QString("blocks.0.attn.qkv.weight\tF32\t2304x768\t7077888\tused"));
        QVERIFY(m_view->numbers(',').contains("\"not used: a counter, of training\""));
    }
    void manyRowsOpenAtOnceAndScroll() {
        open();
        m_view->show();
        QElapsedTimer timer;
        timer.start();
        m_view->take(m_asked[0], listOf(5000));
        m_view->grab();
        const qint64 opened = timer.restart();
        QCOMPARE(m_view->list().rowCount(), 20000);
        QScrollBar* bar = m_view->table()->verticalScrollBar();
        constexpr int kFrames = 20;
        for (int i = 1; i <= kFrames; ++i) {
            bar->setValue(bar->maximum() * i / kFrames);
            m_view->table()->viewport()->grab();
        }
        const qint64 frame = timer.restart() / kFrames;
        m_view->setFilter("blocks.4999.");
        const qint64 filtered = timer.elapsed();
        qInfo("opened in %lld ms, a frame of scrolling %lld ms, filtered in %lld ms", opened, frame, filtered);
        QVERIFY2(opened < 100, qPrintable(QString::number(opened)));
        QVERIFY2(frame < 16, qPrintable(QString::number(frame)));
        QVERIFY2(filtered < 100, qPrintable(QString::number(filtered)));
        QCOMPARE(m_view->list().rowCount(), 4);
    }

private:
    void open() {
        m_view->setModel(m_sample->model);
        m_view->show();
        QTRY_COMPARE(m_asked.size(), 1u);
        m_view->take(m_asked[0], listOf(10));
    }

    std::unique_ptr<OpenedSample> m_sample;
    std::unique_ptr<TensorsView> m_view;
    std::vector<TensorsRequest> m_asked;
};

QTEST_MAIN(TensorsViewTest)
#include "tensors_view_test.moc"
