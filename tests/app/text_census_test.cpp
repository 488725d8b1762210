// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/text_census.h"

#include <qcustomplot.h>

#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QSpinBox>
#include <QTabWidget>
#include <QTest>
#include <QTreeWidget>
#include <functional>

#include "tests/app/text_faults.h"

namespace ropescope::test {
namespace {

/// Paints what it is told to.
class Canvas : public QWidget {
public:
    Canvas(QWidget* parent, std::function<void(QPainter&)> paint) : QWidget(parent), m_paint(std::move(paint)) {}

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        m_paint(painter);
    }

private:
    std::function<void(QPainter&)> m_paint;
};

/// Shows the window at its size and lets it lay itself out.
void show(QWidget& window, QSize size) {
    window.resize(size);
    window.show();
    QVERIFY(QTest::qWaitForWindowExposed(&window));
}

QStringList faultsOf(QWidget& window) {
    QStringList words;
    for (const FaultyText& fault : faultyTexts(window)) words << describe(fault);
    return words;
}

int count(QWidget& window, TextFault kind, const QString& part) {
    return static_cast<int>(std::ranges::count_if(
        faultyTexts(window), [&](const FaultyText& f) { return f.kind == kind && f.text.contains(part); }));
}

QRectF placeOf(QWidget& window, const QString& text) {
    for (const SeenText& seen : seenTexts(window)) {
        if (seen.text == text) return seen.ink;
    }
    return {};
}

}  // namespace

class TextCensusTest : public QObject {
    Q_OBJECT

private slots:
    void aCleanFormHasNoFaults() {
        QWidget window;
        auto* form = new QFormLayout(&window);
        auto* choice = new QComboBox;
        choice->addItems({"cross-axis mixing", "condition"});
        auto* spin = new QSpinBox;
        spin->setRange(0, 100'000);
        spin->setValue(100'000);
        auto* tabs = new QTabWidget;
        tabs->addTab(new QLabel("Reading L0.H0 ..."), "Atlas");
        auto* tree = new QTreeWidget;
        tree->setHeaderLabels({"Name"});
        new QTreeWidgetItem(tree, {"layer 0"});
        auto* plot = new QCustomPlot;
        plot->setMinimumHeight(160);
        plot->xAxis->setLabel("wavelength in tokens");
        plot->yAxis->setLabel("share");
        form->addRow("Number", choice);
        form->addRow("Seed", spin);
        form->addRow(tabs);
        form->addRow(tree);
        form->addRow(plot);
        form->addRow(new QPushButton("&Generate"));
        show(window, {640, 700});
        QCOMPARE(faultsOf(window), QStringList());
        QStringList texts;
        for (const SeenText& seen : seenTexts(window)) texts << seen.text;
        for (const char* text : {"Number", "cross-axis mixing", "100000", "Atlas", "Reading L0.H0 ...", "Name",
                                 "layer 0", "wavelength in tokens", "share", "enerate"}) {
            QVERIFY2(texts.filter(text).size() == 1, text);
        }
    }

    void placesAreThoseOfTheInk() {
        QWidget window;
        Canvas canvas(&window, [](QPainter& painter) { painter.drawText(QPointF(10, 40), "HHH"); });
        canvas.setGeometry(100, 50, 200, 100);
        show(window, {400, 200});
        const QRectF ink = placeOf(window, "HHH");
        QVERIFY(std::abs(ink.bottom() - 90) <= 1);
        QVERIFY(ink.left() >= 109 && ink.left() <= 113);
        // The same as what is dark in a picture of it.
        const QImage image = window.grab().toImage().convertToFormat(QImage::Format_Grayscale8);
        const qreal scale = image.devicePixelRatio();
        QRect dark;
        for (int y = 0; y < image.height(); ++y) {
            for (int x = 0; x < image.width(); ++x) {
                if (qGray(image.pixel(x, y)) < 100) dark |= QRect(x, y, 1, 1);
            }
        }
        QVERIFY(std::abs(dark.left() / scale - ink.left()) <= 1.5);
        QVERIFY(std::abs((dark.bottom() + 1) / scale - ink.bottom()) <= 1.5);
    }

    void aCutLabelIsFound() {
        QWidget window;
        QLabel label("mean attention distance in tokens", &window);
        label.setGeometry(10, 10, 60, 20);
        show(window, {400, 100});
        QCOMPARE(count(window, TextFault::Cut, "mean attention"), 1);
        label.setGeometry(10, 10, 300, 20);
        QCOMPARE(faultsOf(window), QStringList());
        label.setGeometry(10, 10, 0, 20);
        QCOMPARE(count(window, TextFault::Cut, "mean attention"), 1);
        label.setGeometry(10, 10, 300, 6);
        QCOMPARE(count(window, TextFault::Cut, "mean attention"), 1);
    }

    void aLabelOverTheWindowsEdgeIsFound() {
        QWidget window;
        QLabel label("mean attention distance in tokens", &window);
        label.setGeometry(300, 10, 300, 20);
        show(window, {400, 100});
        QCOMPARE(count(window, TextFault::OutsideWindow, "mean attention"), 1);
    }

    void anElidedTextIsFound() {
        QWidget window;
        QTreeWidget tree(&window);
        tree.setHeaderHidden(true);
        tree.setGeometry(0, 0, 120, 90);
        new QTreeWidgetItem(&tree, {"a name that is much too long for the tree"});
        show(window, {400, 100});
        QCOMPARE(count(window, TextFault::Elided, "a name"), 1);
    }

    void textsOverTextsAreFound() {
        QWidget window;
        Canvas canvas(&window, [](QPainter& painter) {
            painter.drawText(QPointF(10, 40), "mean of columns");
            painter.drawText(QPointF(60, 44), "0.123");
            painter.drawText(QPointF(10, 80), "shadow");
            painter.drawText(QPointF(11, 81), "shadow");
        });
        canvas.resize(200, 100);
        show(window, {200, 100});
        QCOMPARE(count(window, TextFault::Overlapping, "0.123"), 1);
        QCOMPARE(faultyTexts(window).size(), 1u);
    }

    void textsOfTwoWidgetsOverlap() {
        QWidget window;
        QLabel below("head L4.H2 of fashion-harope", &window), above("pinned", &window);
        below.setGeometry(10, 10, 300, 20);
        above.setGeometry(60, 10, 100, 20);
        show(window, {400, 100});
        QCOMPARE(count(window, TextFault::Overlapping, "pinned"), 1);
    }

    void aNarrowChoiceIsFound() {
        QWidget window;
        QComboBox choice(&window);
        choice.addItem("cross-axis mixing of the query map");
        choice.setGeometry(10, 10, 90, 28);
        show(window, {400, 100});
        QCOMPARE(count(window, TextFault::Cut, "cross-axis") + count(window, TextFault::Elided, "cross-axis"), 1);
    }

    void aNarrowSpinBoxIsFoundAndALongLineIsNot() {
        QWidget window;
        QLineEdit line("/a/long/path/to/some/file/that/does/not/fit.safetensors", &window);
        line.setGeometry(10, 10, 100, 28);
        QSpinBox spin(&window);
        spin.setRange(0, 1'000'000'000);
        spin.setValue(1'000'000'000);
        spin.setGeometry(10, 50, 60, 28);
        show(window, {400, 100});
        QCOMPARE(faultyTexts(window).size(), 1u);
        QCOMPARE(count(window, TextFault::Cut, "1000000000"), 1);
    }

    void turnedTextsAreJudgedAsTurned() {
        QWidget window;
        Canvas canvas(&window, [](QPainter& painter) {
            for (int x : {40, 60}) {
                painter.save();
                painter.translate(x, 150);
                painter.rotate(-45);
                painter.drawText(QPointF(0, 0), QString("column %1").arg(x));
                painter.restore();
            }
            painter.translate(180, 60);
            painter.rotate(-90);
            painter.drawText(QPointF(0, 0), "an axis title that is too long");
        });
        canvas.resize(200, 200);
        show(window, {200, 200});
        QCOMPARE(faultyTexts(window).size(), 1u);
        QCOMPARE(count(window, TextFault::Cut, "axis title"), 1);
        const QRectF ink = placeOf(window, "an axis title that is too long");
        QVERIFY(ink.height() > ink.width());
    }

    void aPlotsTitleIsFound() {
        QWidget window;
        QCustomPlot plot(&window);
        plot.setGeometry(20, 10, 160, 120);
        plot.xAxis->setLabel("wavelength in tokens, on a logarithmic scale, of all planes");
        show(window, {400, 160});
        plot.replot();
        QCOMPARE(count(window, TextFault::Cut, "wavelength"), 1);
        plot.setGeometry(20, 10, 370, 120);
        plot.xAxis->setLabel("wavelength");
        plot.replot();
        QCOMPARE(faultsOf(window), QStringList());
        QVERIFY(placeOf(window, "wavelength").left() > 20);
    }

    void whatCanBeScrolledToIsNoFault() {
        QWidget window;
        QScrollArea area(&window);
        area.setGeometry(0, 0, 200, 100);
        QLabel content("first\nsecond\nthird\nfourth\nfifth\nsixth\nseventh\neighth\nninth\ntenth");
        area.setWidget(&content);
        show(window, {200, 100});
        QVERIFY(faultsOf(window).isEmpty());
        area.setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
        bool found = false;
        for (int height = 60; height < 80; ++height) {
            area.resize(200, height);
            found |= !faultsOf(window).isEmpty();
        }
        QVERIFY(found);
        area.takeWidget();
    }

    void whatLiesBelowIsNotSeen() {
        QWidget window;
        QLabel below("below", &window);
        below.setGeometry(10, 10, 100, 20);
        QWidget cover(&window);
        cover.setGeometry(0, 0, 200, 40);
        show(window, {200, 100});
        QVERIFY(!placeOf(window, "below").isNull());
        cover.setAutoFillBackground(true);
        QVERIFY(placeOf(window, "below").isNull());
        QCOMPARE(faultsOf(window), QStringList());
        cover.setGeometry(25, 0, 100, 40);
        QCOMPARE(count(window, TextFault::Covered, "below"), 1);
    }

    void whatIsHiddenIsNotSeen() {
        QWidget window;
        QTabWidget tabs(&window);
        tabs.addTab(new QLabel("in front"), "One");
        tabs.addTab(new QLabel("behind"), "Two");
        tabs.resize(300, 100);
        show(window, {300, 100});
        QVERIFY(!placeOf(window, "in front").isNull());
        QVERIFY(placeOf(window, "behind").isNull());
    }
};

}  // namespace ropescope::test

QTEST_MAIN(ropescope::test::TextCensusTest)
#include "text_census_test.moc"
