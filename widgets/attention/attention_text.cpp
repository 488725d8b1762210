// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention/attention_text.h"

#include <QObject>
#include <QStringList>
#include <algorithm>
#include <map>
#include <set>

#include "core/data/command_line.h"

namespace ropescope {

QString wordText(const AttentionReport& report, int number) {
    for (const EncodedText& part : report.tokens.parts) {
        const int own = number - part.first;
        if (part.first < 0 || own < 0 || own >= part.length) continue;
        if (own < static_cast<int>(part.pieces.size())) {
            QString piece = QString::fromStdString(part.pieces[own]);
            return piece.replace(QStringLiteral("</w>"), QString());
        }
        return QObject::tr("padding %1").arg(own);
    }
    return QObject::tr("token %1").arg(number);
}

std::vector<int> drawnWords(const AttentionReport& report) {
    std::set<int> drawn;
    for (const EncodedText& part : report.tokens.parts)
        for (int i = 0; part.first >= 0 && i < part.used; ++i) drawn.insert(part.first + i);
    for (int i = 0; report.tokens.parts.empty() && i < static_cast<int>(report.looks.text.size()); ++i) drawn.insert(i);
    return {drawn.begin(), drawn.end()};
}

std::vector<std::pair<int, QString>> encoderGroups(const AttentionReport& report, const std::vector<int>& numbers) {
    std::map<int, QStringList> names;  // by the number of their first token
    for (const EncodedText& part : report.tokens.parts)
        if (part.first >= 0 && part.length > 0) names[part.first].append(QString::fromStdString(part.encoder));
    std::vector<std::pair<int, QString>> groups;
    for (int i = 0; i < static_cast<int>(numbers.size()); ++i)
        if (const auto found = names.find(numbers[i]); found != names.end())
            groups.emplace_back(i, found->second.join(QStringLiteral(" + ")));
    return groups;
}

QString chosenText(const AttentionRequest& request, const AttentionReport& report) {
    QStringList parts;
    const std::vector<int>& patches = request.patches;
    if (patches.size() == 1)
        parts.append(QObject::tr("the patch in row %1, column %2")
                         .arg(patches.front() / report.grid.cols)
                         .arg(patches.front() % report.grid.cols));
    if (patches.size() > 1) parts.append(QObject::tr("%1 patches").arg(patches.size()));
    for (const int word : request.words)
        if (parts.size() < 4) parts.append(QLatin1Char('"') + wordText(report, word) + QLatin1Char('"'));
    return parts.isEmpty() ? QObject::tr("all patches") : parts.join(QStringLiteral(", "));
}

double paddingShare(const AttentionReport& report, const std::vector<float>& text) {
    const std::vector<int> drawn = drawnWords(report);
    double share = 0;
    for (int i = 0; i < static_cast<int>(text.size()); ++i)
        if (!std::binary_search(drawn.begin(), drawn.end(), i)) share += text[i];
    return share;
}

QString attentionCommand(const QString& command, const AttentionRequest& request, Grid grid) {
    QString line = command;
    if (!request.image.empty()) {
        line = QString::fromStdString("ropescope attention " + shellWord(request.run.model.path) +
                                      modelOptions(request.run.model) + " --image " + shellWord(request.image));
    } else if (command.isEmpty()) {
        return {};
    }
    line.replace(QStringLiteral("ropescope generate "), QStringLiteral("ropescope attention "));
    line.replace(QStringLiteral(" --out IMAGE.png"), QString());
    line += QStringLiteral(" --head %1").arg(QString::fromStdString(request.head.name()));
    if (request.image.empty()) line += QStringLiteral(" --step %1").arg(request.step + 1);
    QStringList patches, words;
    for (const int patch : request.patches)
        patches.append(QStringLiteral("%1:%2").arg(patch / grid.cols).arg(patch % grid.cols));
    for (const int word : request.words) words.append(QString::number(word));
    if (!patches.isEmpty()) line += QStringLiteral(" --patches ") + patches.join(QLatin1Char(','));
    if (!words.isEmpty()) line += QStringLiteral(" --words ") + words.join(QLatin1Char(','));
    return line + QStringLiteral(" --out attention.safetensors");
}

}  // namespace ropescope
