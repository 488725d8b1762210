// SPDX-License-Identifier: GPL-3.0-or-later
// What every view has around its figure: the row of controls, messages, the mark of the active one, tables of numbers.
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include "tests/widgets/opened_sample.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/tool_row.h"
#include "widgets/spectrum/spectrum_view.h"

using namespace ropescope;

class FrameTest : public QObject {
    Q_OBJECT
private slots:
    void tablesQuoteNamesAndCountNumbers() {
        NumberTable csv(',');
        csv.label("head").label("value").endRow();
        csv.label("L0.H1 of a \"b\", c").number(0.25).endRow();
        csv.label(-3).number(1e-12).blank().endRow();
        QCOMPARE(csv.text(), QString("head,value\n\"L0.H1 of a \"\"b\"\", c\",0.25\n-3,1e-12,\n"));
        QCOMPARE(csv.numbers(), 2);
        NumberTable tsv('\t');
        tsv.label("L0.H1 of a, b").label("x\ty").endRow();
        QCOMPARE(tsv.text(), QString("L0.H1 of a, b\t\"x\ty\"\n"));
    }
    void controlsStayInOneRowWithTheirLabels() {
        QWidget window;
        auto* row = new ToolRow(&window);
        QList<QComboBox*> boxes;
        for (int i = 0; i < 5; ++i) {
            auto* box = new QComboBox(&window);
            box->addItem(QString("choice number %1").arg(i));
            boxes.append(box);
            row->addGroup(QString("Label %1").arg(i), {box});
        }
        const auto resized = [&](int width) {
            window.resize(width, 60);
            row->setGeometry(0, 0, width, row->sizeHint().height());
            QApplication::processEvents();
        };
        window.show();
        resized(2000);
        for (const QComboBox* box : boxes) QVERIFY(box->isVisible());
        QVERIFY(row->moreButton()->isHidden());
        resized(420);
        QVERIFY(boxes[0]->isVisible());
        QVERIFY(!boxes[4]->isVisible());
        QVERIFY(row->moreButton()->isVisible());
        for (QLabel* label : row->findChildren<QLabel*>())
            QCOMPARE(label->isVisible(), label->buddy()->isVisible());  // never one without the other
        int bottom = 0;
        for (const QComboBox* box : boxes)
            if (box->isVisible()) bottom = std::max(bottom, box->mapTo(&window, QPoint(0, box->height())).y());
        QVERIFY(bottom <= row->height());
        QTest::mouseClick(row->moreButton(), Qt::LeftButton);  // the rest opens below
        QVERIFY(boxes[4]->isVisible());
        QVERIFY(boxes[0]->isVisible());
        boxes[4]->window()->close();
        QTRY_VERIFY(!boxes[4]->isVisible());
        resized(2000);
        QVERIFY(boxes[4]->isVisible());
    }
    void hiddenControlsTakeNoRoom() {
        QWidget window;
        auto* row = new ToolRow(&window);
        auto *first = new QPushButton("first", &window), *second = new QPushButton("second", &window);
        row->addGroup({}, {first});
        row->addGroup("Second", {second});
        first->hide();
        window.show();
        row->setGeometry(0, 0, 600, 40);
        QTRY_COMPARE(second->mapTo(&window, QPoint(0, 0)).x() < 120, true);
        const int before = second->mapTo(&window, QPoint(0, 0)).x();
        first->show();
        QTRY_VERIFY(second->mapTo(&window, QPoint(0, 0)).x() > before + 20);
    }
    /// Fault: message bars pushed tabs and figures down.
    void messagesLieOverAndNothingMoves() {
        OpenedSample s;
        SpectrumView view(s.models, s.selection);
        s.selection.select(s.head(1, 1));
        view.resize(600, 400);
        view.show();
        QApplication::processEvents();
        const auto places = [&] {
            QList<QRect> all;
            for (const QWidget* child : view.findChildren<QWidget*>())
                if (child != &view.messages() && !view.messages().isAncestorOf(child)) all << child->geometry();
            return all;
        };
        const QList<QRect> before = places();
        view.messages().showError({ErrorKind::Refused, "X", "p", "something is wrong", "", "", "Do this"});
        QApplication::processEvents();
        QVERIFY(view.messages().isVisible());
        QCOMPARE(places(), before);
        view.messages().clear();
        QCOMPARE(places(), before);
    }
    void messagesGoWithWhatTheyBelongTo() {
        MessageBar bar;
        bar.showError("of a model", "", ofModel(3));
        bar.setCurrentModel(3);
        QVERIFY(bar.showsError());
        bar.setCurrentModel(4);
        QVERIFY(!bar.showsError());
        bar.showError("the engine has ended", "", causedBy("engine"));
        bar.setCurrentModel(5);
        bar.clearCause("opening");
        QVERIFY(bar.showsError());
        bar.clearCause("engine");
        QVERIFY(!bar.showsError());
        int ran = 0;
        bar.showNote("restored", withAction("Undo", [&] { ++ran; }));
        QVERIFY(!bar.actionButton()->isHidden());
        bar.actionButton()->click();
        QCOMPARE(ran, 1);
        QCOMPARE(bar.text(), QString());
    }
    void copyingSaysWhat() {
        OpenedSample s;
        SpectrumView view(s.models, s.selection);
        s.selection.selectAll({s.head(1, 1), s.head(2, 0)});
        QSignalSpy copied(&view, &View::copied);
        view.copyNumbers();
        const QString what = copied.last().first().toString();
        QVERIFY2(what.startsWith("Spectrum, 2 heads, ") && what.endsWith(" numbers"), qPrintable(what));
        NumberTable table('\t');
        const auto numbers = view.numbers('\t').split('\n').mid(1).join('\t').split('\t', Qt::SkipEmptyParts).size();
        QVERIFY(what.section(' ', -2, -2).toInt() > 0);
        QVERIFY(numbers >= what.section(' ', -2, -2).toInt());
        QCOMPARE(QApplication::clipboard()->text(), view.numbers('\t'));
        view.copyFigure();
        QVERIFY(!QApplication::clipboard()->image().isNull());
        QVERIFY(copied.last().first().toString().contains("as a picture"));
    }
    void theActiveViewWearsALine() {
        OpenedSample s;
        SpectrumView view(s.models, s.selection);
        view.resize(300, 200);
        const QRgb accent = view.palette().color(QPalette::Highlight).rgb();
        QVERIFY(view.grab().toImage().pixel(150, 1) != accent);
        view.setActive(true);
        QCOMPARE(view.grab().toImage().pixel(150, 1), accent);
        view.setActive(false);
        QVERIFY(view.grab().toImage().pixel(150, 1) != accent);
    }
    void textInSvgIsTextOrOutlines() {
        OpenedSample s;
        SpectrumView view(s.models, s.selection);
        s.selection.select(s.head(1, 1));
        const QByteArray text = view.figure(FigureFormat::Svg), outlines = view.figure(FigureFormat::SvgOutlines);
        QVERIFY(text.contains("<text"));
        QVERIFY(text.contains("Index"));
        QVERIFY(!outlines.contains("<text"));
        QVERIFY(outlines.contains("<path"));
    }
    void emptyViewsSayWhatIsBeingOpened() {
        OpenModels models;
        Selection selection;
        SpectrumView view(models, selection);
        const auto says = [&](const QString& words) {
            for (const QLabel* label : view.findChildren<QLabel*>())
                if (label->text().contains(words)) return true;
            return false;
        };
        QVERIFY(says("Singular values"));
        models.setOpening({"a.safetensors"});
        QVERIFY(says("Opening a.safetensors"));
        models.setOpening({});
        QVERIFY(!says("Opening"));
    }
};

QTEST_MAIN(FrameTest)
#include "frame_test.moc"
