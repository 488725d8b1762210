// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QClipboard>
#include <QDropEvent>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <QTreeWidget>
#include <QUrl>

#include "tests/widgets/opened_sample.h"
#include "widgets/classify_view.h"
#include "widgets/head_chips.h"
#include "widgets/head_panel.h"
#include "widgets/measure_bar.h"
#include "widgets/message_bar.h"
#include "widgets/model_tree.h"
#include "widgets/plot_style.h"

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
    void headPanelShowsMeasuredNumbersWithTheirError() {
        OpenedSample sample;
        HeadPanel panel(sample.models, sample.selection);
        sample.selection.select(sample.head(4, 2));
        QVERIFY(panel.drawnText(QStringLiteral("data_mean_distance")).isEmpty());
        sample.models.setCalibration(sample.model, sampleCalibration());
        QCOMPARE(panel.drawnText(QStringLiteral("data_mean_distance")),
                 QStringLiteral("3.8 tokens \u00b1 0.07 tokens"));
        QCOMPARE(panel.drawnText(QStringLiteral("data_offset_share")), QStringLiteral("0.46 \u00b1 0.01"));
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
    }
    void treeAndSelectionFollowEachOther() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        sample.selection.selectAll({sample.head(1, 1), sample.head(4, 2)});
        QStringList chosen;
        for (QTreeWidgetItem* item : tree.tree()->selectedItems()) chosen << item->text(0);
        chosen.sort();
        QCOMPARE(chosen, (QStringList{"L1.H1", "L4.H2"}));
        const auto items = tree.tree()->findItems("L3.H0", Qt::MatchExactly | Qt::MatchRecursive);
        QCOMPARE(items.size(), qsizetype(1));
        tree.tree()->setCurrentItem(items.first());
        QCOMPARE(sample.selection.heads(), (std::vector<HeadRef>{sample.head(3, 0)}));
        QCOMPARE(tree.tree()->findItems("L2.H3  marked", Qt::MatchExactly | Qt::MatchRecursive).size(), qsizetype(1));
    }
    void lampShowsTheWorstRowInColourAndWords() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        QVERIFY(tree.lampText(sample.model).contains("running"));
        SelfCheckReport report;
        report.rows = {{"relative", "Relative positions", LampState::Green, 2e-7, 1e-5, "largest at L0.H0", "Logits."},
                       {"inverse", "M M^-1 = I", LampState::Amber, 3e-3, 1e-3, "at L4.H1", "Largest entry."}};
        report.overall = LampState::Amber;
        sample.models.setCheck(sample.model, report);
        QCOMPARE(tree.lampText(sample.model), QStringLiteral("check: rounding"));
        QTreeWidgetItem* lamp = tree.tree()->topLevelItem(0)->child(0);
        QCOMPARE(lamp->childCount(), 2);
        QVERIFY(lamp->toolTip(0).contains("bound 0.001") && lamp->toolTip(0).contains("L4.H1"));
        QVERIFY(lamp->child(0)->toolTip(0).contains("Logits."));
        const QImage dot = lamp->icon(0).pixmap(16, 16).toImage();
        QCOMPARE(dot.pixelColor(dot.width() / 2, dot.height() / 2), QColor(0xe6, 0x9f, 0x00));
        const std::vector<HeadRef> before = sample.selection.heads();
        emit tree.tree()->itemClicked(lamp, 0);  // a click opens its rows and selects nothing
        QVERIFY(lamp->isExpanded());
        QCOMPARE(sample.selection.heads(), before);
        report.rows[1].state = report.overall = LampState::Green;
        sample.models.setCheck(sample.model, report);
        QCOMPARE(tree.lampText(sample.model), QStringLiteral("check: all ok"));
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
        view.finish(result);
        QVERIFY(view.headText().isEmpty());
        sample.selection.select({view.model(), {1, 2}});
        QVERIFY2(view.headText().contains("25.0 %"), qPrintable(view.headText()));
        QVERIFY(!view.shownImage().isNull());
        QVERIFY(coloursShown(view) > 30);
        view.fail({ErrorKind::Refused, "EX-03", "/tmp/cat.png", "not an image", {}, {}, {}});
        QVERIFY(view.messages().showsError());
    }
    void treeSaysWhatAFileLeavesOpen() {
        OpenedSample sample;
        ModelCard card = sampleCard("strange");
        card.architecture.clear();
        card.layers = card.heads = 0;
        card.problemCode = "unknown-model";
        card.problem = "[unknown-model] " + card.path + ": no known <b>architecture</b>.";
        card.unused = {"a", "b"};
        card.waived = {"c"};
        card.assumed = {"theta: 100", "activation: GELU"};
        card.copies = {"model", "ema"};
        card.copy = "ema";
        ModelRef ref;
        ref.path = card.path;
        const int strange = sample.models.add(ref, card);
        ModelTree tree(sample.models, sample.selection);
        QTreeWidgetItem* top = tree.tree()->topLevelItem(1);
        QCOMPARE(top->childCount(), 4 + static_cast<int>(card.notes.size()));
        QTreeWidgetItem* problem = top->child(0);
        QCOMPARE(problem->text(0), QStringLiteral("no known <b>architecture</b>."));
        QVERIFY(problem->toolTip(0).contains("&lt;b&gt;"));  // shown as it is
        QCOMPARE(problem->foreground(0).color(), warningColour());
        QCOMPARE(top->child(1)->text(0), QStringLiteral("2 tensors not understood"));
        QCOMPARE(top->child(1)->toolTip(0), QStringLiteral("a\nb"));
        QCOMPARE(top->child(2)->text(0), QStringLiteral("1 tensor left out"));
        QTreeWidgetItem* assumed = top->child(3);
        QCOMPARE(assumed->text(0), QStringLiteral("2 assumptions"));
        QCOMPARE(assumed->childCount(), 2);
        QVERIFY(!assumed->isExpanded());
        emit tree.tree()->itemClicked(assumed, 0);
        QVERIFY(assumed->isExpanded());
        QVERIFY(tree.lampText(strange).isEmpty());  // nothing is checked
        QSignalSpy told(&tree, &ModelTree::problemActivated), chosen(&tree, &ModelTree::weightsRequested);
        emit tree.tree()->itemClicked(problem, 0);
        QCOMPARE(told.count(), 1);
        QMenu menu;
        tree.fillMenu(menu, {strange, {-1, -1}});
        QMenu* weights = menu.actions().first()->menu();
        QCOMPARE(weights->title(), QStringLiteral("Weights"));
        QVERIFY(!weights->actions()[0]->isChecked() && weights->actions()[1]->isChecked());
        weights->actions()[0]->trigger();
        QCOMPARE(chosen.first().at(1).toString(), QStringLiteral("model"));
        QMenu plain;
        tree.fillMenu(plain, {sample.model, {-1, -1}});
        QCOMPARE(plain.actions().last()->text(), QStringLiteral("Close model"));
        QVERIFY(coloursShown(tree) > 10);
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
    void treeTakesDroppedFiles() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        QSignalSpy dropped(&tree, &ModelTree::filesDropped);
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile("/tmp/a.safetensors"), QUrl("https://example.org/b")});
        QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&tree, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent event(QPointF(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&tree, &event);
        QCOMPARE(dropped.count(), 1);
        QCOMPARE(dropped.first().first().toStringList(), QStringList{"/tmp/a.safetensors"});
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
