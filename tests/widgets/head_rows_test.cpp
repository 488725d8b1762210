// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/heads/head_rows.h"

#include <QTest>
#include <algorithm>
#include <cmath>

#include "tests/widgets/opened_sample.h"
#include "widgets/heads/undefined_reason.h"

using namespace ropescope;

class HeadRowsTest : public QObject {
    Q_OBJECT

    static QStringList titles(const HeadRows& rows) {
        QStringList all;
        for (const HeadGroup& group : rows.groups) all << group.title;
        return all;
    }
    static const HeadRow* find(const std::vector<HeadRow>& rows, const QString& key) {
        const auto found = std::find_if(rows.begin(), rows.end(), [&](const HeadRow& row) { return row.key == key; });
        return found == rows.end() ? nullptr : &*found;
    }
    static const HeadRow* find(const HeadRows& rows, const QString& key) {
        for (const HeadGroup& group : rows.groups) {
            if (const HeadRow* row = find(group.rows, key)) return row;
        }
        return nullptr;
    }
    static HeadNumber unknown(const std::string& key, About about) {
        return {key, key, "", "A number.", about, true, std::nan(""), std::vector<double>(24, std::nan(""))};
    }
    /// A model whose one number has no value, with a report that shows why.
    static QString reason(const std::string& key, const HeadReport& report) {
        OpenedSample sample;
        AtlasReport atlas = sampleAtlas();
        atlas.numbers.push_back(unknown(key, About::Map));
        sample.models.setAtlas(sample.model, atlas);
        sample.models.putHead(sample.model, report);
        return undefinedReason(sample.models, {sample.model, report.id}, key);
    }

private slots:
    void columnsAreTheShownHeads() {
        OpenedSample sample;
        sample.selection.togglePin(sample.head(5, 1));
        sample.selection.selectAll({sample.head(4, 2), sample.head(2, 3)});
        const HeadRows rows = headRows(sample.models, sample.selection);
        QCOMPARE(rows.columns.size(), 3u);
        QCOMPARE(rows.columns[0].head, sample.head(5, 1));
        QVERIFY(rows.columns[0].pinned && !rows.columns[0].current);
        QVERIFY(rows.columns[2].current && rows.columns[2].isMarked());
        QVERIFY(rows.columns[0].model.isEmpty());  // one model is open
        QCOMPARE(find(rows, "condition")->cells[2], QString("marked"));
        const int other = sample.models.add({}, sampleCard("second"));
        sample.selection.add({other, {0, 0}});
        QCOMPARE(headRows(sample.models, sample.selection).columns[3].model, QString("second"));
    }
    void rowsStandInGroupsWithUnitsAndMarks() {
        OpenedSample sample;
        sample.selection.select(sample.head(4, 2));
        QCOMPARE(titles(headRows(sample.models, sample.selection)), (QStringList{"Of the map", "Of the head"}));
        CalibrationReport data = sampleCalibration();
        MeasuredNumber shift = data.numbers[0];
        shift.key = "data_wasserstein", shift.about = About::Map;
        data.numbers.push_back(shift);
        sample.models.setCalibration(sample.model, data);
        const HeadRows rows = headRows(sample.models, sample.selection);
        QCOMPARE(titles(rows),
                 (QStringList{"Of the map", "Of the head", "Measured (of the map)", "Measured (of the head)"}));
        QCOMPARE(find(rows, "data_mean_distance")->name, QString("Mean attention distance (tokens)"));
        QCOMPARE(find(rows, "data_mean_distance")->cells, QStringList{QString::fromUtf8("3.80 ± 0.07")});
        QVERIFY(find(rows, "largest_stored")->name.endsWith(QChar(0x25c7)));
        QVERIFY(!find(rows, "condition")->name.contains(QChar(0x25c7)));
        const QString tip = numberTip(sample.models, "data_mean_distance", sample.head(4, 2));
        for (const char* part : {"weighted by attention", "standard error", "16 generated images", "Of the head"})
            QVERIFY2(tip.contains(part), part);
        QVERIFY(numberTip(sample.models, "condition", sample.head(4, 2)).contains("Plain rotary positions: 1"));
        QVERIFY(numberTip(sample.models, "condition", sample.head(2, 3)).contains("not finite"));
    }
    void rowsWithoutAValueAreApart() {
        OpenedSample sample;
        AtlasReport atlas = sampleAtlas();
        atlas.numbers.push_back(unknown("wasserstein", About::Map));
        atlas.numbers.push_back(unknown("odd", About::Head));
        sample.models.setAtlas(sample.model, atlas);
        HeadReport report = sampleHead({4, 2});
        report.kernelWeights.a.clear();
        sample.models.putHead(sample.model, report);
        sample.selection.select(sample.head(4, 2));
        const HeadRows rows = headRows(sample.models, sample.selection);
        QCOMPARE(rows.undefined.size(), 2u);
        QVERIFY(find(rows, "wasserstein") == nullptr);
        QCOMPARE(rows.reasons,
                 (QStringList{"1 because norms stand between the weights and queries and keys: measure data",
                              "1 for this model"}));
        sample.models.setCalibration(sample.model, sampleCalibration());
        sample.selection.select(sample.head(2, 3));  // all of a marked head
        const HeadRows marked = headRows(sample.models, sample.selection);
        QVERIFY(marked.groups.empty());
        QCOMPARE(marked.reasons, QStringList{"because the head is marked"});
        sample.selection.add(sample.head(4, 2));  // one head with a value is enough
        const HeadRows mixed = headRows(sample.models, sample.selection);
        QVERIFY(find(mixed, "condition") != nullptr);
        QCOMPARE(mixed.reasons.size(), qsizetype(2));  // of the sound head alone
    }
    void reasonsFollowFromTheResults() {
        HeadReport still = sampleHead({1, 1});
        std::fill(still.energy.frequency.begin(), still.energy.frequency.end(), 0.0);
        HeadReport normed = sampleHead({1, 1});
        normed.kernelWeights.a.clear();
        HeadReport mixed = sampleHead({1, 1});
        mixed.query.axisMixing.clear();
        HeadReport line = mixed;
        line.kernelWhite.axes = 1;
        const QString turns = "because nothing turns in this model", plain = "for this model";
        QCOMPARE(reason("wasserstein", still), turns);
        QCOMPARE(reason("max_principal_angle_k", still), turns);
        QCOMPARE(reason("odd", still), plain);
        OpenedSample sample;
        const int later = sample.models.add({}, sampleCard("later"));
        AtlasReport atlas = sampleAtlas();
        atlas.numbers.push_back(unknown("wasserstein", About::Map));
        sample.models.setAtlas(later, atlas);  // without reports nothing is said about the cause
        QVERIFY(undefinedReason(sample.models, {later, {1, 1}}, "wasserstein").contains("still being read"));
        QVERIFY(reason("row_share", normed).contains("norms stand between"));
        QVERIFY(reason("row_share", mixed).contains("several axes at once"));
        QVERIFY(reason("cross_axis_mixing", line).contains("single axis"));
        QCOMPARE(reason("cross_axis_mixing", sampleHead({1, 1})), plain);
    }
    void reasonsOfWhatOtherModelsHave() {
        OpenedSample sample;
        const HeadRef head = sample.head(1, 1);
        QVERIFY(undefinedReason(sample.models, head, "image_to_text").contains("no text"));
        QVERIFY(undefinedReason(sample.models, head, "data_mean_distance").contains("measure data"));
        CalibrationReport some = sampleCalibration();
        std::erase_if(some.curves, [](const HeadCalibration& curves) { return curves.id == HeadId{1, 1}; });
        sample.models.setCalibration(sample.model, some);
        QVERIFY(undefinedReason(sample.models, head, "data_mean_distance").contains("among those measured"));
        ModelCard flux = sampleCard("flux");
        flux.architecture = "flux";
        const int text = sample.models.add({}, flux);
        QVERIFY(undefinedReason(sample.models, {text, {0, 0}}, "condition").contains("no numbers yet"));
        AtlasReport atlas = sampleAtlas();
        std::fill(atlas.singularValues.begin(), atlas.singularValues.end(), std::nan(""));
        sample.models.setAtlas(text, atlas);
        QVERIFY(undefinedReason(sample.models, {text, {0, 0}}, "condition").contains("still being read"));
        QVERIFY(undefinedReason(sample.models, {text, {0, 0}}, "image_to_text").contains("without recording"));
    }
};

QTEST_APPLESS_MAIN(HeadRowsTest)
#include "head_rows_test.moc"
