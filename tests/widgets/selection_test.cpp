// SPDX-License-Identifier: GPL-3.0-or-later
#include <QSignalSpy>
#include <QTest>
#include <set>

#include "core/data/colour.h"
#include "tests/widgets/opened_sample.h"

using namespace ropescope;

namespace {

const HeadRef kA{0, {0, 0}}, kB{0, {0, 1}}, kC{0, {1, 0}}, kOther{1, {0, 0}};

}  // namespace

class SelectionTest : public QObject {
    Q_OBJECT
private slots:
    void keepsOrderAndCurrent() {
        Selection selection;
        QSignalSpy changed(&selection, &Selection::changed);
        selection.selectAll({kB, kA, kB});
        QCOMPARE(selection.heads(), (std::vector<HeadRef>{kB, kA}));
        QCOMPARE(selection.current(), kB);
        selection.toggle(kB);
        QCOMPARE(selection.heads(), (std::vector<HeadRef>{kA}));
        QCOMPARE(selection.current(), kA);
        selection.add(kC);
        QCOMPARE(selection.current(), kC);
        QCOMPARE(changed.count(), 3);
    }
    void coloursStayWhileShown() {
        Selection selection;
        selection.selectAll({kA, kB, kC});
        QCOMPARE(selection.colourIndex(kC), 2);
        selection.selectAll({kC});
        QCOMPARE(selection.colourIndex(kC), 2);
        QCOMPARE(selection.colourIndex(kA), -1);
        selection.add(kB);  // the lowest free colour
        QCOMPARE(selection.colourIndex(kB), 0);
    }
    void pinnedHeadsComeFirstAndStay() {
        Selection selection;
        selection.select(kB);
        selection.togglePin(kB);
        selection.select(kA);
        QCOMPARE(selection.shown(), (std::vector<HeadRef>{kB, kA}));
        selection.clear();
        QCOMPARE(selection.shown(), (std::vector<HeadRef>{kB}));
        selection.togglePin(kB);
        QVERIFY(selection.shown().empty());
    }
    void showsNoMoreThanCanBeTold() {
        Selection selection;
        std::vector<HeadRef> many;
        for (int i = 0; i < 40; ++i) many.push_back({0, {i / 8, i % 8}});
        selection.togglePin(kOther);
        selection.selectAll(many);
        QCOMPARE(selection.heads().size(), std::size_t(40));
        QCOMPARE(selection.shown().size(), std::size_t(24));
        QCOMPARE(selection.shown().front(), kOther);
        QCOMPARE(selection.shown().back(), many.back());  // the current head is always among them
        QCOMPARE(selection.colourIndex(many[30]), -1);
    }
    void closedModelIsForgotten() {
        Selection selection;
        selection.selectAll({kA, kOther});
        selection.togglePin(kOther);
        selection.removeModel(1);
        QCOMPARE(selection.shown(), (std::vector<HeadRef>{kA}));
        QCOMPARE(selection.current(), kA);
        Selection pinned;
        pinned.togglePin(kA);
        pinned.select(kOther);
        pinned.removeModel(1);
        QCOMPARE(pinned.current(), kA);  // it is still drawn everywhere
    }
    void namesSayTheModelWhenSeveralAreOpen() {
        OpenedSample sample;
        QCOMPARE(sample.models.headName(sample.head(4, 2)), QStringLiteral("L4.H2"));
        const int second = sample.models.add({}, sampleCard("second"));
        QCOMPARE(sample.models.headName({second, {4, 2}}), QStringLiteral("L4.H2 of second"));
        QCOMPARE(sample.models.missing({sample.head(0, 1), {second, {0, 1}}}),
                 (std::vector<HeadRef>{{second, {0, 1}}}));
        sample.models.remove(second);
        QCOMPARE(sample.models.headName(sample.head(4, 2)), QStringLiteral("L4.H2"));
    }
    void coloursAreNotSharedWhileSomeAreFree() {
        Selection selection;
        std::vector<HeadRef> many;
        for (int i = 0; i < 24; ++i) many.push_back({0, {i / 4, i % 4}});
        selection.selectAll(many);
        const std::vector<HeadRef> few(many.begin() + 5, many.begin() + 5 + kCategoricalColours);
        selection.selectAll(few);
        std::set<int> colours;
        for (HeadRef head : few) colours.insert(selection.colourIndex(head));
        QCOMPARE(static_cast<int>(colours.size()), kCategoricalColours);
        QCOMPARE(*colours.rbegin(), kCategoricalColours - 1);
        QCOMPARE(selection.colourIndex(many[5]), 5);  // it had one of its own before
    }
};

QTEST_MAIN(SelectionTest)
#include "selection_test.moc"
