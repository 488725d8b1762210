// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of heads: what they do to what is known of a model, and where they are seen.
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QTreeWidget>

#include "tests/widgets/opened_sample.h"
#include "widgets/classify/classify_view.h"
#include "widgets/generate/changes_line.h"
#include "widgets/models/model_card_text.h"
#include "widgets/models/model_tree.h"
#include "widgets/models/tree_parts.h"
#include "widgets/state/change_text.h"
#include "widgets/state/kept_settings.h"

using namespace ropescope;

class ChangedHeadsTest : public QObject {
    Q_OBJECT

    static HeadChange dial(int layer, int head, double tau) {
        HeadChange change;
        change.layer = layer, change.head = head, change.amount = tau;
        return change;
    }
    static std::vector<HeadChange> some() {
        HeadChange off = dial(2, 2, 0.5);
        off.on = false;
        HeadChange silent = dial(1, -1, 1);
        silent.kind = ChangeKind::OutputOff;
        return {dial(3, 1, 0), off, silent};
    }

private slots:
    void wordsNameHeadsAndChanges() {
        OpenedSample sample;
        QCOMPARE(changedHeadsText(*sample.models.find(sample.model)), QString());
        sample.models.setChanges(sample.model, some());
        QCOMPARE(changedHeadsText(*sample.models.find(sample.model)),
                 QString("5 heads changed (tau=0 on L3.H1, output-off on L1)"));
        QCOMPARE(changesText(some(), 1), QString("tau=0 on L3.H1, 1 more"));
        const OpenModel& model = *sample.models.find(sample.model);
        QCOMPARE(otherHeadsText(model, some()), QString());
        QCOMPARE(otherHeadsText(model, {}), QString("made with the heads as stored"));
        QCOMPARE(otherHeadsText(model, {dial(0, 0, 0.5)}), QString("made with tau=0.5 on L0.H0"));
        sample.models.setChanges(sample.model, {dial(0, 0, 0.5)});
        QCOMPARE(changedHeadsText(*sample.models.find(sample.model)), QString("1 head changed (tau=0.5 on L0.H0)"));
        HeadChange off = dial(0, 0, 0.5);
        off.on = false;
        sample.models.setChanges(sample.model, {off});
        QCOMPARE(changedHeadsText(*sample.models.find(sample.model)), QString());
    }

    void whatWasComputedGoesAndTheCheckStays() {
        OpenedSample sample;
        sample.models.setCheck(sample.model, {{}, LampState::Green});
        sample.models.setCalibration(sample.model, {}, "line");
        QSignalSpy changed(&sample.models, &OpenModels::changesChanged);
        sample.models.setChanges(sample.model, some(), {"sample", 6, 4, 16, "harope", "same"});
        const OpenModel& model = *sample.models.find(sample.model);
        QCOMPARE(changed.size(), qsizetype(1));
        QVERIFY(!model.atlas && model.heads.empty() && !model.calibration && model.calibrationLine.isEmpty());
        QVERIFY(model.check.has_value());
        QVERIFY(model.ref.changes == some());
        QCOMPARE(model.ref.madeFor.name, std::string("sample"));
        QVERIFY(settled(untouchedSettings(), model).model.changes == some());
        sample.models.setChanges(sample.model, some());  // the same: nothing goes
        QCOMPARE(changed.size(), qsizetype(1));
        sample.models.setChanges(sample.model, {});
        QVERIFY(model.ref == ModelRef{});
    }

    void theLineIsThereWhileHeadsAreChanged() {
        OpenedSample sample;
        ChangesLine line(sample.models);
        line.setModel(sample.model);
        QVERIFY(line.isHidden());
        sample.models.setChanges(sample.model, {dial(3, 1, 0)});
        QVERIFY(!line.isHidden());
        QCOMPARE(line.text(), QString("1 head changed (tau=0 on L3.H1), sample"));
        QSignalSpy asked(&line, &ChangesLine::asStoredRequested);
        line.asStoredButton()->click();
        QCOMPARE(asked.size(), qsizetype(1));
        QCOMPARE(asked[0][0].toInt(), sample.model);
        line.setModel(-1);
        QVERIFY(line.isHidden());
    }

    void treeAndCardMarkTheModel() {
        OpenedSample sample;
        ModelTree tree(sample.models, sample.selection);
        const QTreeWidgetItem* row = tree.tree()->topLevelItem(0);
        const auto marked = [&] {
            return tree.tree()->findItems("L2.H3  marked", Qt::MatchExactly | Qt::MatchRecursive).size();
        };
        QCOMPARE(row->data(0, kTailRole).toString(), QString("  (1 marked)"));
        sample.models.setChanges(sample.model, some());
        QCOMPARE(row->data(0, kTailRole).toString(), QString("  changed"));
        QVERIFY(row->toolTip(0).contains("5 heads changed"));
        QCOMPARE(marked(), qsizetype(0));  // numbers of these heads have not come yet
        QVERIFY(modelCardHtml(*sample.models.find(sample.model), Qt::gray).contains("output-off on L1"));
        sample.models.setAtlas(sample.model, sampleAtlas());
        QCOMPARE(row->data(0, kTailRole).toString(), QString("  changed  (1 marked)"));
        QCOMPARE(marked(), qsizetype(1));
        sample.models.setChanges(sample.model, {});
        QCOMPARE(row->data(0, kTailRole).toString(), QString());
        QVERIFY(!modelCardHtml(*sample.models.find(sample.model), Qt::gray).contains("Changed heads"));
    }

    void aPictureIsClassifiedAnew() {
        OpenModels models;
        Selection selection;
        ModelCard card = sampleCard("vit");
        card.architecture = "vit", card.objective = "classify";
        const int model = models.add({}, card);
        ClassifyView view(models, selection);
        QSignalSpy asked(&view, &ClassifyView::classifyRequested);
        view.setModel(model);
        view.setImage("/p/cat.png");
        view.start();
        view.finish({});
        QCOMPARE(asked.size(), qsizetype(1));
        models.setChanges(model, some());
        QVERIFY(!view.result());
        QCOMPARE(asked.size(), qsizetype(2));
        QVERIFY(asked[1][0].value<ClassifyRequest>().model.changes == some());
    }
};

QTEST_MAIN(ChangedHeadsTest)
#include "changed_heads_test.moc"
