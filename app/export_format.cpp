// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/export_format.h"

#include <QFileInfo>
#include <algorithm>

namespace ropescope {
namespace {

struct Row {
    FigureFormat format;
    const char* ending;
    const char* filter;
};
constexpr Row kRows[] = {{FigureFormat::Svg, "svg", "SVG, text as text (*.svg)"},
                         {FigureFormat::SvgOutlines, "svg", "SVG, text as outlines (*.svg)"},
                         {FigureFormat::Pdf, "pdf", "PDF (*.pdf)"},
                         {FigureFormat::Png, "png", "PNG at twice the size (*.png)"},
                         {FigureFormat::Csv, "csv", "Numbers, comma-separated (*.csv)"}};

const Row& rowOf(FigureFormat format) {
    return kRows[static_cast<std::size_t>(std::ranges::find(kRows, format, &Row::format) - kRows)];
}

}  // namespace

QStringList exportFilters() {
    QStringList all;
    for (const Row& row : kRows) all << row.filter;
    return all;
}

QString filterOf(FigureFormat format) {
    return rowOf(format).filter;
}

QString endingOf(FigureFormat format) {
    return rowOf(format).ending;
}

std::optional<FigureFormat> formatOf(const QString& path, const QString& filter) {
    const QString ending = QFileInfo(path).suffix().toLower();
    std::optional<FigureFormat> byEnding;
    for (const Row& row : kRows) {
        const bool fits = ending.isEmpty() || ending == row.ending;
        if (fits && filter == row.filter) return row.format;
        if (ending == row.ending && !byEnding) byEnding = row.format;
    }
    return byEnding;
}

}  // namespace ropescope
