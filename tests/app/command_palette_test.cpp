// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/command_palette.h"

#include <QAction>
#include <QLineEdit>
#include <QListWidget>
#include <QMenu>
#include <QPushButton>
#include <QScrollBar>
#include <QTest>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "app/key_sheet.h"

namespace ropescope {

class CommandPaletteTest : public QObject {
    Q_OBJECT

    /// A window with two controls and the palette over them.
    struct Desk {
        QWidget window;
        QPushButton* first = new QPushButton("first", &window);
        QPushButton* second = new QPushButton("second", &window);
        CommandPalette palette{&window};
        QStringList ran;

        Desk() {
            auto* layout = new QVBoxLayout(&window);
            layout->addWidget(first);
            layout->addWidget(second);
            window.resize(640, 480);
            window.show();
            window.activateWindow();
            second->setFocus();
        }
        void open() {
            palette.open({{"Export figure...", "command", "Ctrl+E", [this] { ran << "export"; }},
                          {"Spectrum", "view", {}, [this] { first->setFocus(), ran << "spectrum"; }},
                          {"L4.H2 of a", "head", {}, [this] { ran << "head"; }}});
        }
    };

private slots:
    void wordsThatStartWordsComeFirst() {
        const std::vector<PaletteEntry> entries = {
            {"Unpin all", "command", {}, {}}, {"Pin the head", "command", "P", {}}, {"L4.H2", "head", {}, {}}};
        QCOMPARE(matching(entries, "pin"), (std::vector<int>{1, 0}));
        QCOMPARE(matching(entries, "4.2"), (std::vector<int>{2}));
        QCOMPARE(matching(entries, "all pin"), (std::vector<int>{0}));
        QVERIFY(matching(entries, "zebra").empty());
    }
    void theKeyboardComesBack() {
        Desk desk;
        QVERIFY(QTest::qWaitForWindowActive(&desk.window));
        desk.open();
        QCOMPARE(desk.window.focusWidget(), desk.palette.field());
        QTest::keyClick(desk.palette.field(), Qt::Key_Escape);
        QVERIFY(!desk.palette.isVisible());
        QCOMPARE(desk.window.focusWidget(), desk.second);
        desk.open();
        desk.palette.field()->setText("export");
        QTest::keyClick(desk.palette.field(), Qt::Key_Return);
        QCOMPARE(desk.ran, QStringList{"export"});
        QCOMPARE(desk.window.focusWidget(), desk.second);
        desk.open();
        desk.palette.field()->setText("spectrum");
        QTest::keyClick(desk.palette.field(), Qt::Key_Return);
        QCOMPARE(desk.window.focusWidget(), desk.first);  // what was run took it there
        desk.open();
        desk.second->setFocus();  // the user goes elsewhere
        QVERIFY(!desk.palette.isVisible());
        QCOMPARE(desk.window.focusWidget(), desk.second);
    }
    void nothingFoundIsSaid() {
        Desk desk;
        desk.open();
        desk.palette.field()->setText("xyz");
        QListWidget& list = *desk.palette.list();
        QCOMPARE(list.count(), 1);
        QCOMPARE(list.item(0)->text(), QString("Nothing found for \"xyz\""));
        QVERIFY(!list.item(0)->flags().testFlag(Qt::ItemIsSelectable));
        for (const Qt::Key key : {Qt::Key_Down, Qt::Key_Up, Qt::Key_Return}) QTest::keyClick(desk.palette.field(), key);
        QTest::mouseClick(list.viewport(), Qt::LeftButton, {}, list.visualItemRect(list.item(0)).center());
        QVERIFY(desk.palette.isVisible());
        QVERIFY(desk.ran.isEmpty());
        desk.palette.field()->setText("4.2");
        QTest::keyClick(desk.palette.field(), Qt::Key_Return);
        QCOMPARE(desk.ran, QStringList{"head"});
    }
    void theSheetHasSectionsAndNeverScrollsSideways() {
        QWidget window;
        QMenu file("&File"), heads("&Heads"), generate("&Generate"), view("&View");
        QMenu& layouts = *view.addMenu("&Layout");
        QList<QAction*> actions;
        const auto add = [&](QMenu& menu, const QString& text, const QString& keys) {
            actions << menu.addAction(text);
            actions.back()->setShortcut(QKeySequence(keys));
        };
        add(heads, "&Pin the head", "P");
        add(file, "&Quit with a very long explanation that does not fit into one line of the sheet", "Ctrl+Q");
        add(layouts, "Compare", "F2");
        add(generate, "&New seed", "R");
        add(file, "Has no key", "");
        auto* sheet = new KeySheet(actions, &window, {"Spectrum", "Shows <b>singular values</b>."});
        const QString text = sheet->page().toPlainText();
        const QStringList titles{"Spectrum",     "Shows <b>", "Window",  "Quit with", "Heads",
                                 "Pin the head", "Views",     "Compare", "Pictures",  "New seed"};
        qsizetype at = -1;
        for (const QString& title : titles) {
            QVERIFY2(text.indexOf(title, at + 1) > at, qPrintable(title));
            at = text.indexOf(title, at + 1);
        }
        QVERIFY(!text.contains("Has no key"));
        sheet->resize(240, 300);
        sheet->show();
        QCOMPARE(sheet->page().horizontalScrollBar()->maximum(), 0);
        QVERIFY(sheet->page().document()->idealWidth() <= sheet->page().viewport()->width());
        QVERIFY(!KeySheet(actions, nullptr).page().toPlainText().contains("Spectrum"));
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::CommandPaletteTest)
#include "command_palette_test.moc"
