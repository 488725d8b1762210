// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QClipboard>
#include <QDropEvent>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <QUrl>

#include "tests/widgets/opened_sample.h"
#include "widgets/classify/classify_view.h"
#include "widgets/frame/elided_label.h"
#include "widgets/frame/head_chips.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/plot_style.h"
#include "widgets/heads/head_panel.h"
#include "widgets/measure/measure_bar.h"

using namespace ropescope;

class PanelsTest : public QObject {
    Q_OBJECT
private slots:
    void headPanelShowsEveryNumber() {
        OpenedSample sample;
        HeadPanel panel(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        QCOMPARE(panel.title(), QStringLiteral("L4.H2"));
        for (const HeadNumber& number : sampleAtlas().numbers) {
            QCOMPARE(panel.drawnText(QString::fromStdString(number.key)), numberText(number.values[18], number.unit));
        }
        sample.selection.select(sample.head(2, 3));
        QCOMPARE(panel.drawnText(QStringLiteral("condition")), QStringLiteral("not known"));
        QTest::mouseClick(panel.pinButton(), Qt::LeftButton);
        QVERIFY(sample.selection.isPinned(sample.head(2, 3)));
        QVERIFY(coloursShown(panel) > 10);
    }
    void headPanelKeepsItsTitleApartFromThePin() {
        OpenedSample sample;
        const QString name = QStringLiteral("a-very-long-name-of-a-model-that-does-not-fit-anywhere-step-000400");
        const int other = sample.models.add({}, sampleCard(name.toStdString()));
        sample.selection.select({other, {5, 3}});
        HeadPanel panel(sample.models, sample.selection);
        panel.resize(240, 600);
        panel.show();
        QCOMPARE(panel.width(), 240);
        QVERIFY(panel.title().contains("L5.H3"));
        const QPushButton* pin = panel.pinButton();
        int labels = 0;
        for (const auto* label : panel.findChildren<ElidedLabel*>()) {
            if (!label->isVisible()) continue;
            ++labels;
            QVERIFY(!label->geometry().intersects(pin->geometry()));
            QVERIFY(label->fontMetrics().horizontalAdvance(label->text()) <= label->width());
            if (label->said() != name) QCOMPARE(label->text(), QStringLiteral("L5.H3"));
            if (label->said() != name) continue;
            QVERIFY(label->text().startsWith("a-very") && label->text().endsWith("400"));  // the middle gives way
            QVERIFY(label->toolTip().contains(name));
        }
        QCOMPARE(labels, 2);
        const int width = pin->width();
        sample.selection.togglePin(sample.selection.current());
        QCoreApplication::processEvents();
        QCOMPARE(pin->text(), QStringLiteral("Pinned"));
        QCOMPARE(pin->width(), width);
    }
    void headPanelShowsMeasuredNumbersWithTheirError() {
        OpenedSample sample;
        HeadPanel panel(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        QVERIFY(panel.drawnText(QStringLiteral("data_mean_distance")).isEmpty());
        sample.models.setCalibration(sample.model, sampleCalibration());
        QCOMPARE(panel.drawnText(QStringLiteral("data_mean_distance")), QStringLiteral("3.80 \u00b1 0.07 tokens"));
        QCOMPARE(panel.drawnText(QStringLiteral("data_offset_share")), QStringLiteral("0.460 \u00b1 0.010"));
        const std::size_t count = sampleAtlas().numbers.size() + 2;
        QCOMPARE(sample.models.find(sample.model)->atlas->numbers.size(), count);
        sample.models.setCalibration(sample.model, sampleCalibration());  // measured again: no second row
        QCOMPARE(sample.models.find(sample.model)->atlas->numbers.size(), count);
    }
    void measureBarRunsAndCancels() {
        MeasureBar bar;
        QVERIFY(bar.isHidden());
        bar.offer(QStringLiteral("sample"), true);
        CalibrateRequest settings;
        settings.images = 5;
        settings.steps = 3;
        settings.guidance = 1.5;
        bar.setSettings(settings);
        CalibrateRequest got;
        connect(&bar, &MeasureBar::measureRequested, this, [&](const CalibrateRequest& request) { got = request; });
        QTest::mouseClick(bar.startButton(), Qt::LeftButton);
        QCOMPARE(got.images, 5);
        QCOMPARE(got.steps, 3);
        QCOMPARE(got.guidance, 1.5);
        QSignalSpy cancelled(&bar, &MeasureBar::cancelRequested);
        bar.showProgress(QStringLiteral("image 2 of 5"), 0.4);
        QVERIFY(bar.isRunning() && bar.messages().showsProgress());
        emit bar.messages().cancelRequested();
        QCOMPARE(cancelled.count(), 1);
        bar.finish({});
        QVERIFY(!bar.isRunning() && bar.isHidden());
        bar.offer(QStringLiteral("classifier"), false);  // it makes no images: a folder of pictures takes their place
        QVERIFY(!bar.startButton()->isEnabled());
        bar.setFolder(QStringLiteral("/pictures"));
        QTest::mouseClick(bar.startButton(), Qt::LeftButton);
        QCOMPARE(got.folder, std::string("/pictures"));
    }
    void chipsSayTheState() {
        OpenedSample sample;
        HeadChips chips(sample.models, sample.selection, HeadChips::Which::Shown);
        QCOMPARE(chips.text(sample.head(0, 0)), QStringLiteral("L0.H0 identity"));
        QCOMPARE(chips.text(sample.head(2, 3)), QStringLiteral("L2.H3 marked"));
        QCOMPARE(chips.text(sample.head(4, 2)), QStringLiteral("L4.H2"));
        HeadReport plain = sampleHead({0, 0});
        plain.hasMap = false;  // nothing that could have moved
        sample.models.putHead(sample.model, plain);
        QCOMPARE(chips.text(sample.head(0, 0)), QStringLiteral("L0.H0"));
    }
    void chipsCountTheHeadsThatAreNotDrawn() {
        OpenedSample sample;
        HeadChips chips(sample.models, sample.selection, HeadChips::Which::Shown);
        std::vector<HeadRef> all;
        for (int i = 0; i < 24; ++i) all.push_back(sample.head(i / 4, i % 4));
        sample.selection.selectAll(all);
        const int height = chips.heightForWidth(120);
        const int other = sample.models.add({}, sampleCard("second"));
        for (int i = 0; i < 24; ++i) all.push_back({other, {i / 4, i % 4}});
        sample.models.remove(other);  // their names are as short as before
        sample.selection.selectAll(all);
        QVERIFY(chips.heightForWidth(120) > height);  // a line of its own, not over its neighbours
    }
    void classifyViewShowsTheBestClasses() {
        OpenedSample sample;
        ModelCard card = sampleCard("vit");
        card.objective = "classify";
        ClassifyView view(sample.models, sample.selection);
        view.setModel(sample.models.add({}, card));
        ClassifyRequest asked;
        connect(&view, &ClassifyView::classifyRequested, this, [&](const ClassifyRequest& r) { asked = r; });
        QVERIFY(!view.classifyButton()->isEnabled());  // no image yet
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile("/tmp/cat.png")});
        QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&view, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&view, &drop);
        QCOMPARE(asked.image, std::string("/tmp/cat.png"));
        ClassifyResult result;
        result.top = {{3, "Dress", 0.8, 4.0}, {0, "T-shirt/top", 0.15, 2.3}};
        result.input = samplePicture(1);
        result.grid = {7, 7};
        HeadAttention head;
        head.field.id = {1, 2};
        head.classShare = 0.25;
        result.heads = {head};
        view.start();
        QCOMPARE(view.classifyButton()->text(), QString("Cancel"));
        view.finish(result);
        QCOMPARE(view.classifyButton()->text(), QString("Classify"));
        QVERIFY(view.headText().isEmpty());
        sample.selection.select({view.model(), {1, 2}});
        QVERIFY2(view.headText().contains("25.0 %"), qPrintable(view.headText()));
        QVERIFY(!view.shownImage().isNull());
        QVERIFY(coloursShown(view) > 30);
        const int vit = view.model();
        view.setModel(sample.models.add({}, card));  // of another model nothing is said
        QVERIFY(!view.result() && view.shownImage().isNull());
        view.setModel(vit);
        QCOMPARE(view.result()->top.front().label, std::string("Dress"));
        view.fail({ErrorKind::Refused, "EX-03", "/tmp/cat.png", "not an image", {}, {}, {}});
        QVERIFY(view.messages().showsError());
    }
    void whatCannotRunIsNotOffered() {
        OpenedSample sample;
        ModelCard card = sampleCard("broken");
        card.architecture = "vit", card.objective = "classify";
        card.problemCode = "CF-03";
        card.problem = "[CF-03] " + card.path + ": the configuration disagrees.";
        const int broken = sample.models.add({}, card);
        ClassifyView view(sample.models, sample.selection);
        QSignalSpy asked(&view, &ClassifyView::classifyRequested);
        view.setModel(broken);
        view.setImage(QStringLiteral("/tmp/cat.png"));
        QCOMPARE(asked.count(), 0);
        QVERIFY(!view.classifyButton()->isEnabled());
        QCOMPARE(view.classifyButton()->toolTip(),
                 QStringLiteral("broken cannot be run: the configuration disagrees."));
        HeadPanel panel(sample.models, sample.selection);
        sample.selection.select({broken, {0, 0}});
        QVERIFY(!panel.measureButton()->isEnabled());
        sample.selection.select(sample.head(0, 0));
        QVERIFY(panel.measureButton()->isEnabled());
        view.setModel(sample.model);
        QVERIFY(view.classifyButton()->isEnabled());
    }
    void problemsAreSaidWithoutCodeAndPath() {
        ModelCard card;
        card.path = "/m/a: b.pt";
        card.problemCode = "TC-07";
        card.problem = "[TC-07] /m/a: b.pt > head.weight: wrong rank (found 3, expected 2).";
        QCOMPARE(problemOf(card), QStringLiteral("head.weight: wrong rank (found 3, expected 2)."));
        card.problem = "[TC-07] /m/a: b.pt: no model.";
        QCOMPARE(problemOf(card), QStringLiteral("no model."));
        card.problem = "something else";
        QCOMPARE(problemOf(card), QStringLiteral("something else"));
    }
    void messageBarTellsAndCopies() {
        MessageBar bar;
        QVERIFY(bar.isHidden());
        bar.showProgress(QStringLiteral("reading"), 0.5, 3);
        QVERIFY(bar.showsProgress());
        QVERIFY(bar.text().contains("3.0 s left"));
        const Error error{ErrorKind::Refused, "ST-12", "a.safetensors", "the tensor ends past the file", "", "",
                          "Download it again"};
        bar.showError(error);
        QVERIFY(bar.showsError());
        QCOMPARE(bar.text(), QString::fromStdString(error.message()));
        for (QToolButton* button : bar.findChildren<QToolButton*>()) {
            if (button->text() == QStringLiteral("Copy details")) button->click();
        }
        QCOMPARE(QApplication::clipboard()->text(), QString::fromStdString(error.message()));
        bar.clear();
        QVERIFY(bar.isHidden());
    }
    void numbersReadWell() {
        QCOMPARE(shortNumber(0.1234), QStringLiteral("0.123"));
        QCOMPARE(shortNumber(12.345), QStringLiteral("12.3"));
        QCOMPARE(shortNumber(1234.2), QStringLiteral("1234"));
        QCOMPARE(shortNumber(100), QStringLiteral("100"));
        QCOMPARE(shortNumber(2.5e-7), QStringLiteral("2.5e-07"));
        QCOMPARE(numberText(2.4, "tokens"), QStringLiteral("2.4 tokens"));
        QCOMPARE(numberText(12.34, "degrees"), QStringLiteral("12.3\u00b0"));
    }
};

QTEST_MAIN(PanelsTest)
#include "panels_test.moc"
