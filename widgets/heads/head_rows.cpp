// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/heads/head_rows.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "widgets/frame/plot_style.h"
#include "widgets/frame/rounded.h"
#include "widgets/heads/undefined_reason.h"

namespace ropescope {
namespace {

enum Group { kOfMap, kOfHead, kMeasuredOfMap, kMeasuredOfHead, kGroups };

QString groupTitle(int group) {
    switch (group) {
        case kOfMap:
            return QObject::tr("Of the map");
        case kOfHead:
            return QObject::tr("Of the head");
        case kMeasuredOfMap:
            return QObject::tr("Measured (of the map)");
        default:
            return QObject::tr("Measured (of the head)");
    }
}

/// What is needed of one column's model to fill its cells: looked up once, not for every cell.
struct HeadSource {
    const OpenModel* model = nullptr;
    std::size_t index = 0;
    std::map<std::string_view, const HeadNumber*> numbers;
    std::map<std::string_view, const MeasuredNumber*> measured;
};

HeadSource sourceOf(const OpenModels& models, HeadRef head) {
    HeadSource source;
    source.model = models.find(head.model);
    if (source.model == nullptr || !source.model->atlas) return source;
    const AtlasReport& atlas = *source.model->atlas;
    if (head.id.layer >= atlas.layers || head.id.head >= atlas.heads) return source;
    source.index = static_cast<std::size_t>(head.id.layer) * atlas.heads + head.id.head;
    for (const HeadNumber& number : atlas.numbers) source.numbers[number.key] = &number;
    if (!source.model->calibration) return source;
    for (const MeasuredNumber& number : source.model->calibration->numbers) {
        if (source.index < number.error.size()) source.measured[number.key] = &number;
    }
    return source;
}

const HeadNumber* numberOf(const HeadSource& source, std::string_view key) {
    const auto found = source.numbers.find(key);
    return found == source.numbers.end() ? nullptr : found->second;
}

double errorOf(const HeadSource& source, std::string_view key) {
    const auto found = source.measured.find(key);
    return found == source.measured.end() ? std::nan("") : found->second->error[source.index];
}

bool isMarked(const HeadSource& source) {
    return !source.numbers.empty() && !source.model->atlas->problems[source.index].empty();
}

QString problemText(const HeadSource& source) {
    return QString::fromStdString(source.model->atlas->problems[source.index]);
}

bool isDefined(const HeadSource& source, std::string_view key) {
    const HeadNumber* number = numberOf(source, key);
    return number != nullptr && !std::isnan(number->values[source.index]);
}

QString cellText(const HeadSource& source, std::string_view key) {
    if (isMarked(source)) return QObject::tr("marked");
    const HeadNumber* number = numberOf(source, key);
    return number == nullptr ? shortNumber(std::nan("")) : rounded(number->values[source.index], errorOf(source, key));
}

Group groupOf(const HeadSource& source, const HeadNumber& number) {
    const std::vector<HeadNumber>& shares = source.model->shares;
    const bool ofRun =
        std::any_of(shares.begin(), shares.end(), [&](const HeadNumber& share) { return share.key == number.key; });
    const bool measured = ofRun || source.measured.contains(number.key);
    if (number.about == About::Map) return measured ? kMeasuredOfMap : kOfMap;
    return measured ? kMeasuredOfHead : kOfHead;
}

QString rowName(const HeadNumber& number) {
    return number.invariant ? titleWithUnit(number) : titleWithUnit(number) + QStringLiteral(" \u25c7");
}

std::vector<HeadColumn> columnsOf(const OpenModels& models, const Selection& selection) {
    std::vector<HeadColumn> columns;
    for (HeadRef head : selection.shown()) {
        const OpenModel* model = models.find(head.model);
        if (model == nullptr) continue;
        columns.push_back({head, models.all().size() > 1 ? model->name() : QString(), selection.colourIndex(head),
                           head == selection.current(), selection.isPinned(head), QString()});
    }
    return columns;
}

QStringList reasonsOf(const OpenModels& models, const HeadRows& rows) {
    std::vector<std::pair<QString, int>> counts;
    const auto marked = [](const HeadColumn& column) { return column.isMarked(); };
    const bool allMarked = std::all_of(rows.columns.begin(), rows.columns.end(), marked);
    for (const HeadRow& row : rows.undefined) {
        std::set<QString> own;
        for (const HeadColumn& column : rows.columns) {
            if (allMarked || !column.isMarked())
                own.insert(undefinedReason(models, column.head, row.key.toStdString()));
        }
        for (const QString& reason : own) {
            const auto found = std::find_if(counts.begin(), counts.end(), [&](auto& c) { return c.first == reason; });
            found == counts.end() ? void(counts.emplace_back(reason, 1)) : void(++found->second);
        }
    }
    QStringList reasons;
    for (const auto& [reason, count] : counts)
        reasons << (counts.size() == 1 ? reason : QObject::tr("%1 %2").arg(count).arg(reason));
    return reasons;
}

/// The number as some column's model has it, the current head's first: titles and definitions are the same in all.
const HeadSource* describing(const std::vector<HeadSource>& sources, std::string_view key) {
    for (const HeadSource& source : sources) {
        if (numberOf(source, key) != nullptr) return &source;
    }
    return nullptr;
}

}  // namespace

HeadRows headRows(const OpenModels& models, const Selection& selection) {
    HeadRows rows{columnsOf(models, selection), {}, {}, {}};
    std::vector<HeadSource> sources;
    for (HeadColumn& column : rows.columns) {
        sources.push_back(sourceOf(models, column.head));
        if (isMarked(sources.back())) column.problem = problemText(sources.back());
    }
    std::vector<HeadGroup> groups(kGroups);
    std::set<std::string_view> seen;
    for (const HeadSource& source : sources) {
        if (source.numbers.empty()) continue;
        for (const HeadNumber& number : source.model->atlas->numbers) {
            if (!seen.insert(number.key).second) continue;
            HeadRow row{QString::fromStdString(number.key), rowName(number), {}};
            for (const HeadSource& own : sources) row.cells << cellText(own, number.key);
            const bool defined = std::any_of(sources.begin(), sources.end(),
                                             [&](const HeadSource& own) { return isDefined(own, number.key); });
            (defined ? groups[groupOf(source, number)].rows : rows.undefined).push_back(std::move(row));
        }
    }
    for (int i = 0; i < kGroups; ++i) {
        groups[i].title = groupTitle(i);
        if (!groups[i].rows.empty()) rows.groups.push_back(std::move(groups[i]));
    }
    rows.reasons = reasonsOf(models, rows);
    return rows;
}

QString numberTip(const OpenModels& models, const QString& key, HeadRef head) {
    const std::string name = key.toStdString();
    std::vector<HeadSource> sources{sourceOf(models, head)};
    for (const auto& [model, open] : models.all()) sources.push_back(sourceOf(models, {model, {0, 0}}));
    const HeadSource* described = describing(sources, name);
    if (described == nullptr) return {};
    const HeadSource& own = sources.front();
    const HeadNumber& number = *numberOf(*described, name);
    QString tip = titleWithUnit(number) + QLatin1Char('\n') + definitionText(number);
    if (std::isfinite(number.neutral))
        tip += QObject::tr("\nPlain rotary positions: %1").arg(numberText(number.neutral, number.unit));
    if (own.measured.contains(name)) {
        tip += QObject::tr("\nMeasured on %1.").arg(QString::fromStdString(own.model->calibration->source));
        if (std::isfinite(errorOf(own, name))) tip += QObject::tr("\n\u00b1: standard error of the mean over images.");
    }
    const QString headName = models.headName(head);
    if (isMarked(own))
        tip += QStringLiteral("\n\n%1: %2").arg(headName, problemText(own));
    else if (!isDefined(own, name))
        tip += QObject::tr("\n\n%1: not defined %2.").arg(headName, undefinedReason(models, head, name));
    return tip;
}

QString numberWithUnit(const OpenModels& models, const QString& key, HeadRef head) {
    const std::string name = key.toStdString();
    const HeadSource source = sourceOf(models, head);
    const HeadNumber* number = numberOf(source, name);
    if (number == nullptr) return {};
    const double value = number->values[source.index], error = errorOf(source, name);
    if (std::isnan(value) || !std::isfinite(error)) return numberText(value, number->unit);
    const QString unit = QString::fromStdString(number->unit);
    if (unit == QStringLiteral("degrees")) return rounded(value, error) + QStringLiteral("\u00b0");
    if (unit.isEmpty() || unit == QStringLiteral("share")) return rounded(value, error);
    return rounded(value, error) + QLatin1Char(' ') + unit;
}

}  // namespace ropescope
