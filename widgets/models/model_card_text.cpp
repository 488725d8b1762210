// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/model_card_text.h"

#include <QStringList>

#include "widgets/frame/lamp.h"
#include "widgets/frame/plot_style.h"
#include "widgets/state/change_text.h"

namespace ropescope {
namespace {

constexpr int kMostNames = 40;

QString plain(const QString& text) {
    return text.toHtmlEscaped().replace(QLatin1Char('\n'), QStringLiteral("<br>"));
}
QString plain(const std::string& text) {
    return plain(QString::fromStdString(text));
}

QString coloured(const QString& html, const QColor& colour) {
    return QStringLiteral("<span style=\"color:%1\">%2</span>").arg(colour.name(), html);
}

QString section(const QString& title, const QStringList& lines) {
    if (lines.isEmpty()) return {};
    QString html = QStringLiteral("<p style=\"margin:8px 0 2px 0\"><b>%1</b></p>").arg(title.toHtmlEscaped());
    for (const QString& line : lines) html += QStringLiteral("<p style=\"margin:0 0 2px 0\">%1</p>").arg(line);
    return html;
}

/// "1 tensor not understood", "3 assumptions".
QString counted(std::size_t count, const QString& one, const QString& many) {
    return QStringLiteral("%1 %2").arg(count).arg(count == 1 ? one : many);
}

QStringList listed(const std::vector<std::string>& names) {
    QStringList lines;
    for (const std::string& name : names) {
        if (lines.size() < kMostNames) lines << plain(name);
    }
    const auto more = static_cast<int>(names.size()) - kMostNames;
    if (more > 0) lines << QObject::tr("and %1 more").arg(more);
    return lines;
}

QString conventionText(Convention convention) {
    switch (convention) {
        case Convention::Same:
            return QObject::tr("same map on queries and keys");
        case Convention::Inverse:
            return QObject::tr("map on queries, inverse transpose on keys");
        case Convention::Unknown:
            return QObject::tr("the file does not say");
        case Convention::None:
            break;
    }
    return {};
}

QString problemSection(const ModelCard& card) {
    if (card.problem.empty()) return {};
    const QString link = QStringLiteral("<a href=\"%1\" style=\"color:%2\">%3</a>");
    return section(QObject::tr("Cannot be computed with"),
                   {link.arg(QLatin1String(kProblemLink), warningColour().name(), plain(problemOf(card)))});
}

QString checkSection(const OpenModel& model, const QColor& muted) {
    if (!model.runs() || !model.hasHeads()) return {};
    const QString title = QObject::tr("Check: %1").arg(stateWords(model));
    if (!model.check) return section(title, {QObject::tr("compares what the file holds with what it should compute")});
    QStringList lines;
    for (const SelfCheckRow& row : model.check->rows) {
        lines << coloured(QStringLiteral("\u25cf "), lampColour(row.state)) + plain(rowText(row));
        QStringList more;
        for (const std::string& words : {row.text, row.definition})
            if (!words.empty()) more << plain(words);
        if (!more.isEmpty()) lines << coloured(more.join(QStringLiteral("<br>")), muted);
    }
    return section(title, lines);
}

QString changesSection(const OpenModel& model) {
    if (!model.ref.changesHeads()) return {};
    return section(QObject::tr("Changed heads"),
                   {plain(changesText(model.ref.changes, kMostNames)),
                    QObject::tr("All numbers of heads and all pictures are of these; the check is of the heads as "
                                "stored.")});
}

QString marksSection(const OpenModel& model) {
    if (!model.atlas) return {};
    std::vector<std::string> marked;
    for (std::size_t i = 0; i < model.atlas->problems.size(); ++i) {
        if (model.atlas->problems[i].empty()) continue;
        const HeadId id{static_cast<int>(i) / model.atlas->heads, static_cast<int>(i) % model.atlas->heads};
        marked.push_back(id.name() + ": " + model.atlas->problems[i]);
    }
    return section(counted(marked.size(), QObject::tr("marked head"), QObject::tr("marked heads")), listed(marked));
}

QString modelSection(const ModelCard& card) {
    QStringList lines;
    const auto add = [&lines](const QString& name, const QString& value) {
        if (!value.isEmpty()) lines << QStringLiteral("%1: %2").arg(plain(name), plain(value));
    };
    const QString unknown = QObject::tr("not known");
    add(QObject::tr("Architecture"), card.architecture.empty() ? unknown : QString::fromStdString(card.architecture));
    add(QObject::tr("Encoding"), QString::fromStdString(card.encoding));
    add(QObject::tr("Convention"), conventionText(card.convention));
    add(QObject::tr("Parameters"),
        QObject::tr("%1 million").arg(shortNumber(static_cast<double>(card.parameters) / 1e6)));
    if (card.heads > 0)
        add(QObject::tr("Heads"),
            QObject::tr("%1 layers of %2, head dimension %3").arg(card.layers).arg(card.heads).arg(card.headDim));
    if (card.grid.tokens() > 0)
        add(QObject::tr("Grid"),
            QStringLiteral("%1 \u00d7 %2").arg(card.grid.rows).arg(card.grid.cols) +
                (card.gridSource.empty() ? QString() : QStringLiteral(", ") + QString::fromStdString(card.gridSource)));
    if (!card.copy.empty())
        add(QObject::tr("Weights"),
            QObject::tr("copy %1 of %2").arg(QString::fromStdString(card.copy)).arg(card.copies.size()));
    add(QObject::tr("Format"), QString::fromStdString(card.format));
    add(QObject::tr("File"), QString::fromStdString(card.path));
    return section(QObject::tr("Model"), lines);
}

}  // namespace

QString modelCardHtml(const OpenModel& model, const QColor& muted) {
    const ModelCard& card = model.card;
    const QString tensor = QObject::tr("tensor"), tensors = QObject::tr("tensors");
    return problemSection(card) +
           section(QObject::tr("%1 not understood").arg(counted(card.unused.size(), tensor, tensors)),
                   listed(card.unused)) +
           changesSection(model) + checkSection(model, muted) + marksSection(model) +
           section(QObject::tr("%1 left out").arg(counted(card.waived.size(), tensor, tensors)), listed(card.waived)) +
           section(counted(card.assumed.size(), QObject::tr("assumption"), QObject::tr("assumptions")),
                   listed(card.assumed)) +
           section(QObject::tr("Configuration and tensors disagree; the tensors are believed"),
                   listed(card.conflicts)) +
           modelSection(card) + section(QObject::tr("Notes"), listed(card.notes));
}

}  // namespace ropescope
