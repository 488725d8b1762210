// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/fields/field_profiles.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

const OffsetMap& mapOf(const FieldsPanel& panel, FieldKind kind) {
    return kind == FieldKind::Measured ? panel.measured : panel.analytic;
}

/// Largest offset over all panels along the direction.
int reachOf(const FieldsFigure& figure, FieldKind kind, ProfileDirection direction) {
    int reach = 0;
    for (const FieldsPanel& panel : figure.panels) {
        const OffsetMap& map = mapOf(panel, kind);
        if (map.values.empty()) continue;
        reach = std::max(reach, direction == ProfileDirection::AlongColumns ? map.grid.cols - 1 : map.grid.rows - 1);
    }
    return reach;
}

void drawFrame(QPainter& painter, const QRectF& plot, int reach, double low, double high, const FieldScale& scale,
               const Looks& looks) {
    const QFontMetricsF metrics(painter.font());
    painter.setPen(QPen(looks.grid, 1));
    painter.drawLine(QPointF(plot.center().x(), plot.top()), QPointF(plot.center().x(), plot.bottom()));
    if (low < 0 && high > 0) {
        const qreal zero = plot.bottom() + low / (high - low) * plot.height();
        painter.drawLine(QPointF(plot.left(), zero), QPointF(plot.right(), zero));
    }
    painter.setPen(QPen(looks.reference, 1));
    painter.drawLine(plot.bottomLeft(), plot.bottomRight());
    painter.drawLine(plot.topLeft(), plot.bottomLeft());
    painter.setPen(looks.muted);
    const qreal y = plot.bottom() + 2;
    const QString ends[] = {QString::number(-reach), QStringLiteral("0"), QString::number(reach)};
    const bool roomy = plot.width() > 3 * metrics.horizontalAdvance(ends[0]);
    for (int i = 0; i < 3; i += roomy ? 1 : 2) {
        const qreal x = plot.left() + i * plot.width() / 2;
        painter.drawText(QRectF(x - 24, y, 48, metrics.height()), Qt::AlignHCenter | Qt::AlignTop, ends[i]);
    }
    const QRectF labels(plot.left() - 60, 0, 56, metrics.height());
    painter.drawText(labels.translated(0, plot.top() - 2), Qt::AlignRight | Qt::AlignTop, shortNumber(scale.high));
    painter.drawText(labels.translated(0, plot.bottom() - metrics.height() + 2), Qt::AlignRight | Qt::AlignBottom,
                     shortNumber(scale.low));
}

}  // namespace

void drawProfile(QPainter& painter, const QRectF& place, const FieldsFigure& figure, FieldKind kind,
                 ProfileDirection direction, QPoint crosshair, const Looks& looks) {
    const int reach = reachOf(figure, kind, direction);
    if (reach == 0) return;
    const FieldScale& scale = kind == FieldKind::Measured ? figure.measured : figure.analytic;
    const double low = scale.drawn(scale.low), high = scale.drawn(scale.high);
    painter.save();
    QFont small = looks.font;
    small.setPointSizeF(std::max(7.0, looks.font.pointSizeF() * 0.85));
    painter.setFont(small);
    const QFontMetricsF metrics(small);
    const qreal margin = 8 + std::max(metrics.horizontalAdvance(shortNumber(scale.low)),
                                      metrics.horizontalAdvance(shortNumber(scale.high)));
    const QRectF plot = place.adjusted(margin + 4, metrics.height() + 4, -8, -metrics.height() - 4);
    const bool columns = direction == ProfileDirection::AlongColumns;
    const QStringList titles = columns ? QStringList{QObject::tr("column offset (tokens), row %1").arg(crosshair.y()),
                                                     QObject::tr("columns (tokens)"), QObject::tr("columns")}
                                       : QStringList{QObject::tr("row offset (tokens), column %1").arg(crosshair.x()),
                                                     QObject::tr("rows (tokens)"), QObject::tr("rows")};
    const auto title = std::ranges::find_if(
        titles, [&](const QString& text) { return metrics.horizontalAdvance(text) <= place.width() - 8; });
    painter.setPen(looks.text);
    if (title != titles.end())
        painter.drawText(QRectF(place.left(), place.top(), place.width() - 8, metrics.height()), Qt::AlignRight,
                         *title);
    drawFrame(painter, plot, reach, low, high, scale, looks);
    painter.setClipRect(plot.adjusted(-1, -2, 1, 2));
    for (const FieldsPanel& panel : figure.panels) {
        const OffsetMap& map = mapOf(panel, kind);
        QPolygonF line;
        for (int offset = -reach; offset <= reach; ++offset) {
            const int row = columns ? crosshair.y() : offset, col = columns ? offset : crosshair.x();
            if (!map.holds(row, col)) continue;
            const double share = (scale.drawn(map.at(row, col)) - low) / (high - low);
            line << QPointF(plot.left() + (offset + reach) * plot.width() / (2.0 * reach),
                            plot.bottom() - share * plot.height());
        }
        painter.setPen(headPen(panel.colour));
        painter.drawPolyline(line);
    }
    painter.restore();
}

}  // namespace ropescope
