// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/model_tree.h"

#include <QApplication>
#include <QClipboard>
#include <QDropEvent>
#include <QElapsedTimer>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QTextBrowser>
#include <QToolButton>
#include <QTreeWidget>
#include <QUrl>
#include <algorithm>

#include "tests/widgets/opened_sample.h"
#include "widgets/frame/plot_style.h"
#include "widgets/models/model_card_panel.h"
#include "widgets/models/model_card_text.h"
#include "widgets/models/tree_parts.h"

using namespace ropescope;

class ModelTreeTest : public QObject {
    Q_OBJECT

    static QColor middleOf(const QIcon& icon, QIcon::Mode mode) {
        const QImage image = icon.pixmap(16, 16, mode).toImage();
        return image.pixelColor(image.width() / 2, image.height() / 2);
    }
    static bool has(const QIcon& icon, QIcon::Mode mode, const QColor& colour) {
        const QImage image = icon.pixmap(16, 16, mode).toImage();
        for (int y = 0; y < image.height(); ++y) {
            for (int x = 0; x < image.width(); ++x) {
                if (image.pixelColor(x, y) == colour) return true;
            }
        }
        return false;
    }

private slots:
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
    void aLayersRowStandsForItsHeads() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        QTreeWidgetItem* layer = tree.tree()->topLevelItem(0)->child(3);
        tree.tree()->setCurrentItem(layer);
        QCOMPARE(sample.selection.heads().size(), 4u);
        QVERIFY(layer->isSelected() && layer->child(2)->isSelected());
        QVERIFY(!tree.tree()->topLevelItem(0)->child(2)->child(0)->isSelected());
        sample.selection.select(sample.head(3, 1));
        QVERIFY(!layer->isSelected() && layer->child(1)->isSelected() && !layer->child(2)->isSelected());
    }
    void dotsOfHeadsAreSeenOnChosenRows() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        sample.selection.select(sample.head(1, 1));
        const QTreeWidgetItem* row = tree.tree()->topLevelItem(0)->child(1)->child(1);
        for (const QIcon::Mode mode : {QIcon::Normal, QIcon::Selected})
            QCOMPARE(middleOf(row->icon(0), mode), headColour(0));
        QVERIFY(has(row->icon(0), QIcon::Selected, Qt::white));
        QVERIFY(!has(row->icon(0), QIcon::Normal, Qt::white));
        sample.selection.select(sample.head(2, 1));
        QCOMPARE(middleOf(row->icon(0), QIcon::Normal).alpha(), 0);
    }
    void namesGiveWayInTheirMiddle() {
        OpenModels models;
        Selection selection;
        ModelCard card = sampleCard("fashion-harope-a-very-long-name-of-a-run-step-000400");
        const int model = models.add({}, card);
        models.setAtlas(model, sampleAtlas());
        ModelTree tree(models, selection);
        tree.resize(240, 480);
        tree.show();
        struct Delegate : RoomyDelegate {
            using RoomyDelegate::initStyleOption;
        };
        QStyleOptionViewItem option;
        const QModelIndex index = tree.tree()->model()->index(0, 0);
        option.rect = tree.tree()->visualRect(index);
        option.font = tree.tree()->font();
        option.decorationSize = {16, 16};
        Delegate().initStyleOption(&option, index);
        QVERIFY2(option.text.startsWith("fash") && option.text.endsWith("400  (1 marked)"), qPrintable(option.text));
        QVERIFY(option.text.contains(QChar(0x2026)));
        QVERIFY(QFontMetrics(option.font).horizontalAdvance(option.text) < option.rect.width());
        QCOMPARE(tree.tree()->horizontalScrollBar()->maximum(), 0);
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
        const QTreeWidgetItem* row = tree.tree()->topLevelItem(0);
        QVERIFY(row->toolTip(0).contains("rounding, 0.003, bound 0.001"));
        const QImage dot = row->icon(0).pixmap(16, 16).toImage();
        QCOMPARE(dot.pixelColor(dot.width() / 2, dot.height() / 2), QColor(0xe6, 0x9f, 0x00));
        const QString text = tree.card().text();
        for (const char* part : {"sample: rounding", "Check: rounding", "Relative positions: ok, 2e-07, bound 1e-05",
                                 "at L4.H1", "Largest entry."})
            QVERIFY2(text.contains(part), part);
        report.rows[1].state = report.overall = LampState::Green;
        sample.models.setCheck(sample.model, report);
        QCOMPARE(tree.lampText(sample.model), QStringLiteral("check: all ok"));
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
        QCOMPARE(top->childCount(), 0);  // rows are models, layers and heads
        QCOMPARE(tree.tree()->topLevelItem(0)->childCount(), 6);
        QCOMPARE(tree.tree()->topLevelItem(0)->child(0)->childCount(), 4);
        tree.setModel(strange);
        const QString text = tree.card().text();
        const QStringList parts{"strange: cannot be computed with",
                                "no known <b>architecture</b>.",
                                "2 tensors not understood\na\nb",
                                "1 tensor left out\nc",
                                "2 assumptions\ntheta: 100\nactivation: GELU",
                                "Weights: copy ema of 2",
                                "File: models/strange.safetensors",
                                "grid 7 x 7 from the metadata"};
        for (const QString& part : parts) QVERIFY2(text.contains(part), qPrintable(part + " in " + text));
        QVERIFY(tree.lampText(strange).isEmpty());  // nothing is checked
        QSignalSpy told(&tree, &ModelTree::problemActivated), chosen(&tree, &ModelTree::weightsRequested);
        emit tree.card().body().anchorClicked(QUrl(kProblemLink));
        QCOMPARE(told.count(), 1);
        QCOMPARE(told.first().first().toInt(), strange);
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
    void theCardFollowsRowsAndHeads() {
        OpenedSample sample;
        sample.selection.select(sample.head(1, 1));
        ModelTree tree(sample.models, sample.selection);
        QCOMPARE(tree.card().model(), sample.model);
        const int other = sample.models.add({}, sampleCard("second"));
        QCOMPARE(tree.card().model(), other);  // what was opened last
        sample.selection.select(sample.head(2, 1));
        QCOMPARE(tree.card().model(), sample.model);
        QSignalSpy activated(&tree, &ModelTree::modelActivated);
        emit tree.tree()->itemClicked(tree.tree()->topLevelItem(1), 0);
        QCOMPARE(tree.card().model(), other);
        QCOMPARE(activated.first().first().toInt(), other);
        sample.models.setAtlas(other, sampleAtlas());
        sample.selection.togglePin(sample.head(2, 1));  // the same current head: the card stays
        QCOMPARE(tree.card().model(), other);
        QVERIFY(tree.card().text().contains("1 marked head\nL2.H3"));
        tree.tree()->topLevelItem(0)->setExpanded(false);
        sample.models.remove(other);
        QCOMPARE(tree.card().model(), sample.model);
        QVERIFY(!tree.tree()->topLevelItem(0)->isExpanded());  // as the user has left it
        sample.models.remove(sample.model);
        QVERIFY(tree.card().isHidden());
    }
    void theCardFoldsCopiesAndNeverScrollsSideways() {
        OpenModels models;
        Selection selection;
        ModelCard card = sampleCard("long");
        card.path = "/" + std::string(300, 'x') + ".pt";
        models.add({}, card);
        ModelTree tree(models, selection);
        tree.resize(240, 640);
        tree.show();
        QTextBrowser& body = tree.card().body();
        QVERIFY(body.document()->idealWidth() <= body.viewport()->width());
        QCOMPARE(body.horizontalScrollBar()->maximum(), 0);
        const double share = static_cast<double>(tree.card().height()) / (tree.card().height() + tree.tree()->height());
        QVERIFY2(share > 0.3 && share < 0.4, qPrintable(QString::number(share)));
        const int height = tree.card().height();
        tree.card().findChild<QToolButton*>()->click();
        QCOMPARE(QApplication::clipboard()->text(), tree.card().text());
        const auto clickTitle = [&] { QTest::mouseClick(tree.card().childAt(30, 8), Qt::LeftButton); };
        clickTitle();
        QCoreApplication::processEvents();
        QVERIFY(tree.card().isFolded());
        QVERIFY(tree.card().height() < 60);
        clickTitle();
        QCoreApplication::processEvents();
        QVERIFY(!tree.card().isFolded());
        QCOMPARE(tree.card().height(), height);
    }
    void filesThatAreBeingOpenedAreShown() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        tree.setOpening({"first.pt", "second.pt"});
        QCOMPARE(tree.tree()->topLevelItemCount(), 3);
        QTreeWidgetItem* row = tree.tree()->topLevelItem(1);
        QCOMPARE(row->text(0), QStringLiteral("opening first.pt ..."));
        QVERIFY(!row->flags().testFlag(Qt::ItemIsSelectable));
        QSignalSpy activated(&tree, &ModelTree::modelActivated);
        emit tree.tree()->itemClicked(row, 0);
        QCOMPARE(activated.count(), 0);
        sample.models.add({}, sampleCard("first"));
        QCOMPARE(tree.tree()->topLevelItem(1)->text(0), QStringLiteral("first"));  // models stand above
        tree.setOpening({"second.pt"});
        QCOMPARE(tree.tree()->topLevelItemCount(), 3);
        tree.setOpening({});
        QCOMPARE(tree.tree()->topLevelItemCount(), 2);
    }
    void threeLargeModelsStayQuick() {
        OpenModels models;
        Selection selection;
        ModelCard card = sampleCard("large");
        card.layers = 57, card.heads = 24;
        ModelTree tree(models, selection);
        tree.resize(260, 800);
        tree.show();
        QElapsedTimer timer;
        timer.start();
        std::vector<int> keys;
        for (int i = 0; i < 3; ++i) keys.push_back(models.add({}, card));
        QCoreApplication::processEvents();
        qInfo("three models opened: %lld ms", timer.elapsed());
        QVERIFY(timer.restart() < 2000);
        for (int i = 0; i < 100; ++i) selection.select({keys[i % 3], {i % 57, i % 24}});
        qInfo("a selection: %.2f ms", static_cast<double>(timer.elapsed()) / 100);
        QVERIFY(timer.restart() < 2000);
        std::vector<HeadRef> all;
        for (int i = 0; i < 57 * 24; ++i) all.push_back({keys[1], {i / 24, i % 24}});
        selection.selectAll(all);
        qInfo("a whole model selected: %lld ms", timer.elapsed());
        QVERIFY(timer.elapsed() < 2000);
        QCOMPARE(tree.tree()->selectedItems().size(), qsizetype(57 * 24));
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
};

QTEST_MAIN(ModelTreeTest)
#include "model_tree_test.moc"
