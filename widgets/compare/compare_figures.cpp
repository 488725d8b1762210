// SPDX-License-Identifier: GPL-3.0-or-later
// What Compare draws of a report.
#include <algorithm>
#include <cmath>

#include "widgets/compare/compare_matrix.h"
#include "widgets/compare/compare_view.h"
#include "widgets/compare/head_map.h"
#include "widgets/frame/two_parts.h"

namespace ropescope {
namespace {

QString titleOf(const CompareReport& report) {
    const QString title = QString::fromStdString(report.title);
    return report.unit.empty() ? title : QStringLiteral("%1 (%2)").arg(title, QString::fromStdString(report.unit));
}

QString axisTitle(int axis, const std::vector<double>& shares) {
    const QString title = QObject::tr("Coordinate %1").arg(axis + 1);
    if (axis >= static_cast<int>(shares.size()) || !std::isfinite(shares[axis])) return title;
    return QObject::tr("%1 (%2 % of variance)").arg(title).arg(100 * shares[axis], 0, 'f', 0);
}

}  // namespace

void CompareView::setRange(CompareFigure& figure) const {
    const bool whole = m_range->currentIndex() == static_cast<int>(Range::Whole);
    const std::size_t columns = static_cast<std::size_t>(figure.columnCount());
    double low = INFINITY, high = -INFINITY;
    for (std::size_t i = 0; i < figure.values.size(); ++i) {
        const bool diagonal = figure.columns.empty() && i / columns == i % columns;
        if (!std::isfinite(figure.values[i]) || (diagonal && m_report->similarity)) continue;
        low = std::min(low, figure.values[i]);
        high = std::max(high, figure.values[i]);
    }
    const bool distance = !m_report->similarity && !isOverlap();
    if (distance) {
        figure.low = 0, figure.high = std::max(high, 1e-9);
    } else if (whole || !(low < high)) {
        figure.low = isOverlap() ? 0 : -1, figure.high = 1;
    } else if (low < 0) {
        figure.high = std::max(-low, high), figure.low = -figure.high;
    } else {
        figure.low = low, figure.high = high;
    }
    figure.map = figure.low < 0 ? ColourMap::Diverging : ColourMap::Viridis;
}

void CompareView::drawMatrix() {
    CompareFigure figure;
    figure.values = m_report->matrix;
    figure.title = titleOf(*m_report);
    const int first = m_heads.front().model;
    if (m_models.all().size() > 1 && m_heads.back().model == first)
        figure.title += tr(" of %1").arg(m_models.find(first)->name());
    for (std::size_t i = 0; i < m_heads.size(); ++i) {
        figure.names.push_back(shortName(static_cast<int>(i)));
        figure.colours.push_back(m_selection.colourIndex(m_heads[i]));
        if (i == 0 || m_heads[i].model != m_heads[i - 1].model) figure.blockStart.push_back(static_cast<int>(i));
    }
    setRange(figure);  // asks how many names there are
    m_matrix->setFigure(std::move(figure));
}

/// The same head in two states, plane by plane.
void CompareView::drawOverlaps() {
    CompareFigure figure;
    const std::size_t heads = m_heads.size() / 2, planes = m_report->perPlane.size() / heads;
    figure.values = m_report->perPlane;
    figure.title = tr("Overlap of a query plane with itself in the other state (share)");
    for (std::size_t i = 0; i < heads; ++i) {
        figure.names.push_back(QString::fromStdString(m_heads[i].id.name()));
        figure.colours.push_back(m_selection.colourIndex(m_heads[i]));
    }
    for (std::size_t p = 0; p < planes; ++p) figure.columns.push_back(tr("plane %1").arg(p));
    setRange(figure);
    m_matrix->setFigure(std::move(figure));
}

QString CompareView::shortName(int index) const {
    const QString name = QString::fromStdString(m_heads[index].id.name());
    if (m_heads.front().model == m_heads.back().model) return name;
    return m_models.shortHeadName(m_heads[index]);
}

void CompareView::drawMap() {
    HeadMapFigure figure;
    const bool placed = m_report->embedding.size() == 2 * m_heads.size();
    m_parts->setSecondUsed(placed);
    if (!placed) return m_map->setFigure({});
    for (std::size_t i = 0; i < m_heads.size(); ++i) {
        figure.places.emplace_back(m_report->embedding[2 * i], m_report->embedding[2 * i + 1]);
        figure.names.push_back(shortName(static_cast<int>(i)));
        figure.colours.push_back(m_selection.colourIndex(m_heads[i]));
        figure.models.push_back(m_report->models[i]);
    }
    figure.current = indexOf(m_selection.current());
    figure.titleX = axisTitle(0, m_report->axisShare);
    figure.titleY = axisTitle(1, m_report->axisShare);
    m_map->setFigure(std::move(figure));
}

}  // namespace ropescope
