// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/heads/head_table.h"

#include <QApplication>
#include <QClipboard>
#include <QElapsedTimer>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <algorithm>

#include "tests/widgets/opened_sample.h"
#include "widgets/heads/head_panel.h"

using namespace ropescope;

class HeadTableTest : public QObject {
    Q_OBJECT

    static HeadRows rowsOf(int columns, int count) {
        HeadRows rows;
        for (int i = 0; i < columns; ++i) rows.columns.push_back({{0, {i / 4, i % 4}}, {}, i, i == 1, i == 0, {}});
        HeadGroup group{"Of the head", {}};
        for (int i = 0; i < count; ++i) {
            HeadRow row{QString("key%1").arg(i), QString("Attention on class and text tokens %1 (share)").arg(i), {}};
            for (int c = 0; c < columns; ++c) row.cells << QString::fromUtf8("12.97 ± 0.04");
            group.rows.push_back(row);
        }
        rows.groups.push_back(group);
        return rows;
    }

private slots:
    void namesAreNeverCut() {
        const QFontMetrics metrics(QApplication::font());
        const QString name = "Mean principal angle, queries (degrees)";
        QCOMPARE(inLines(name, 10000, metrics), QStringList{name});
        const int half = metrics.horizontalAdvance(name) * 6 / 10;
        QCOMPARE(inLines(name, half, metrics).size(), qsizetype(2));
        const QStringList lines = inLines(name, half * 6 / 10, metrics);
        QVERIFY(lines.size() > 2);
        QCOMPARE(lines.join(' '), name);
        QCOMPARE(inLines("Unbreakable", 3, metrics), QStringList{"Unbreakable"});
        HeadTable table({});
        table.show();
        table.setRows(rowsOf(6, 3));
        for (const int width : {224, 300, 900}) {
            table.resize(width, 300);
            for (const HeadRow& row : table.rows().groups[0].rows) {
                for (const QString& line : inLines(row.name, table.nameWidth() - 12, metrics))
                    QVERIFY(metrics.horizontalAdvance(line) <= table.nameWidth() - 12);
            }
        }
    }
    void columnsScrollAndNamesStay() {
        HeadTable table({});
        table.resize(260, 200);
        table.setRows(rowsOf(24, 10));
        table.show();
        QVERIFY(table.horizontalScrollBar()->maximum() > 0);
        const auto names = [&] { return table.viewport()->grab(QRect(0, 40, table.nameWidth(), 80)).toImage(); };
        const QImage before = names();
        QVERIFY(coloursOf(before) > 3);
        table.horizontalScrollBar()->setValue(3);
        QCOMPARE(names(), before);
        for (const int width : {200, 240}) {  // a whole column is in sight, however narrow
            table.resize(width, 200);
            QVERIFY(table.viewport()->width() - table.nameWidth() >
                    QFontMetrics(table.font()).horizontalAdvance("12.97 ± 0.04"));
        }
        table.setRows(rowsOf(1, 10));
        table.resize(900, 200);
        QCOMPARE(table.horizontalScrollBar()->maximum(), 0);
    }
    void namesUseWhatShortValuesLeave() {
        HeadTable table({});
        table.resize(220, 400);
        table.show();
        HeadRows rows = rowsOf(1, 2);
        rows.undefined.push_back({"u", "Undefined", {"-"}});
        table.setRows(rows);
        const int before = table.headingOfUndefined().top();
        rows.groups[0].rows[0].cells = {"1"};  // the other row keeps the column as wide as it was
        table.setRows(rows);
        QVERIFY(table.headingOfUndefined().top() < before);
    }
    void theCurrentHeadComesIntoSight() {
        HeadTable table({});
        table.resize(300, 300);
        table.show();
        HeadRows rows = rowsOf(24, 3);
        table.setRows(rows);
        const int before = table.horizontalScrollBar()->value();
        rows.columns[1].current = false, rows.columns[20].current = true;
        table.setRows(rows);
        const int first = table.horizontalScrollBar()->value();
        QVERIFY(first > before && first <= 20);
        table.horizontalScrollBar()->setValue(2);
        table.setRows(rows);  // the same head: the user looks elsewhere
        QCOMPARE(table.horizontalScrollBar()->value(), 2);
        table.horizontalScrollBar()->setValue(20);
        rows.columns[20].current = false, rows.columns[4].current = true;
        table.setRows(rows);
        QCOMPARE(table.horizontalScrollBar()->value(), 4);
    }
    void theTableIsCopied() {
        HeadTable table({});
        HeadRows rows = rowsOf(2, 1);
        rows.columns[1].model = "fashion";
        rows.undefined.push_back({"u", "Undefined", {"-", "-"}});
        table.setRows(rows);
        const QString text = QString::fromUtf8(
            "Number\tL0.H0\tL0.H1 of fashion\nAttention on class and text tokens 0 (share)\t12.97 ± 0.04\t12.97 ± "
            "0.04\nUndefined\t-\t-\n");
        QCOMPARE(table.asTsv(), text);
        QKeyEvent asked(QEvent::ShortcutOverride, Qt::Key_C, Qt::ControlModifier);
        asked.ignore();
        QApplication::sendEvent(&table, &asked);
        QVERIFY(asked.isAccepted());  // not the window's command
        QTest::keyClick(&table, Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QApplication::clipboard()->text(), text);
    }
    void rowsWithoutAValueUnfold() {
        HeadTable table({});
        table.resize(260, 400);
        HeadRows rows = rowsOf(1, 2);
        QVERIFY(table.headingOfUndefined().isEmpty());
        table.setRows(rows);
        QVERIFY(table.headingOfUndefined().isEmpty());
        rows.undefined.push_back({"u", "Undefined", {"-"}});
        rows.reasons = {"because nothing turns in this model"};
        table.setRows(rows);
        table.show();
        QVERIFY(!table.isUnfolded());
        QTest::mouseClick(table.viewport(), Qt::LeftButton, {}, table.headingOfUndefined().center());
        QVERIFY(table.isUnfolded());
        table.setRows(rows);
        QVERIFY(table.isUnfolded());  // stays as the user has left it
        QTest::mouseClick(table.viewport(), Qt::LeftButton, {}, table.headingOfUndefined().center());
        QVERIFY(!table.isUnfolded());
    }
    void aClickOnAColumnChoosesItsHead() {
        OpenedSample sample;
        HeadPanel panel(sample.models, sample.selection);
        sample.selection.selectAll({sample.head(1, 1), sample.head(4, 2)});
        panel.resize(500, 600);
        panel.show();
        HeadTable& table = panel.table();
        QSignalSpy chosen(&table, &HeadTable::headChosen);
        const int right = table.viewport()->width() - 8;
        QTest::mouseClick(table.viewport(), Qt::LeftButton, {}, QPoint(right, 6));
        QCOMPARE(sample.selection.current(), sample.head(4, 2));
        QTest::mouseClick(table.viewport(), Qt::LeftButton, {}, QPoint(right - 80, 6));
        QCOMPARE(sample.selection.current(), sample.head(1, 1));
        QCOMPARE(chosen.count(), 2);
        QTest::mouseClick(table.viewport(), Qt::LeftButton, {}, QPoint(right, 100));  // a number chooses nothing
        QCOMPARE(chosen.count(), 2);
    }
    void twentyFourHeadsAreShownAtOnce() {
        OpenedSample sample;
        AtlasReport atlas = sampleAtlas();
        while (atlas.numbers.size() < 40) {
            atlas.numbers.push_back(atlas.numbers[atlas.numbers.size() % 6]);
            atlas.numbers.back().key += std::to_string(atlas.numbers.size());
        }
        sample.models.setAtlas(sample.model, atlas);
        sample.models.setCalibration(sample.model, sampleCalibration());
        std::vector<HeadRef> all;
        for (int i = 0; i < 24; ++i) all.push_back(sample.head(i / 4, i % 4));
        sample.selection.selectAll(all);
        HeadTable table({});
        table.resize(300, 600);
        table.show();
        qint64 best = 1'000'000'000;
        for (int i = 0; i < 20; ++i) {
            QElapsedTimer timer;
            timer.start();
            table.setRows(headRows(sample.models, sample.selection));
            best = std::min(best, timer.nsecsElapsed());
        }
        QCOMPARE(table.rows().columns.size(), 24u);
        qInfo("24 heads x 42 numbers: %.2f ms", static_cast<double>(best) / 1e6);
        QVERIFY2(best < 20'000'000, "an optimised build takes less than 5 ms");  // sanitizers are slower
    }
};

QTEST_MAIN(HeadTableTest)
#include "head_table_test.moc"
