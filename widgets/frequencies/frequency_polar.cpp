// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frequencies/frequency_polar.h"

#include <qcustomplot.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ropescope {
namespace {

constexpr double kLargestPoint = 16;  ///< pixels, of the plane with the most energy
constexpr double kSmallestPoint = 3;

double length(QPointF omega) {
    return std::hypot(omega.x(), omega.y());
}

void bind(QCPItemPosition& position, QCPAxisRect& panel, double x, double y) {
    position.setAxes(panel.axis(QCPAxis::atBottom), panel.axis(QCPAxis::atLeft));
    position.setAxisRect(&panel);
    position.setCoords(x, y);
}

}  // namespace

QPointF FrequencyPolar::place(QPointF omega) const {
    const double size = length(omega);
    return omega / size * std::max(0.0, std::log(size / m_slowest));
}

std::pair<int, int> FrequencyPolar::nearest(QPointF at, double reach) const {
    std::pair<int, int> best{-1, -1};
    for (std::size_t h = 0; h < m_heads.size(); ++h) {
        for (std::size_t i = 0; i < m_heads[h].omega.size(); ++i) {
            const double distance = length(place(m_heads[h].omega[i]) - at);
            if (distance >= reach) continue;
            reach = distance;
            best = {static_cast<int>(h), static_cast<int>(i)};
        }
    }
    return best;
}

void FrequencyPolar::addRing(QCustomPlot& plot, QCPAxisRect& panel, double wavelength, const QString& words,
                             bool marked, const Looks& looks) {
    const double radius = std::log(2 * std::numbers::pi / wavelength / m_slowest);
    if (!(radius > 0)) return;
    auto* ring = new QCPItemEllipse(&plot);
    ring->setClipAxisRect(&panel);
    bind(*ring->topLeft, panel, -radius, radius);
    bind(*ring->bottomRight, panel, radius, -radius);
    ring->setPen(marked ? QPen(looks.reference, 1, Qt::DashLine) : QPen(looks.grid, 1));
    ring->setLayer(QStringLiteral("grid"));
    auto* label = new QCPItemText(&plot);
    label->setClipAxisRect(&panel);
    // The grid's name stands below, where it meets no other.
    const double side = radius * std::numbers::sqrt2 / 2;
    bind(*label->position, panel, side, marked ? -side : side);
    label->setPositionAlignment(Qt::AlignLeft | (marked ? Qt::AlignTop : Qt::AlignBottom));
    label->setText(words);
    label->setFont(looks.font);
    label->setColor(looks.muted);
    m_names.emplace_back(label);
}

void FrequencyPolar::fit(QCPAxisRect& panel) const {
    QCPAxis* x = panel.axis(QCPAxis::atBottom);
    QCPAxis* y = panel.axis(QCPAxis::atLeft);
    // One unit is as long to the right as it is upwards.
    const double ratio = static_cast<double>(std::max(1, panel.width())) / std::max(1, panel.height());
    x->setRange(-m_reach * std::max(1.0, ratio), m_reach * std::max(1.0, ratio));
    y->setRange(-m_reach / std::min(1.0, ratio), m_reach / std::min(1.0, ratio));
    std::vector<QRectF> taken;
    for (const QPointer<QCPItemText>& name : m_names) {
        if (name == nullptr) continue;
        const QSizeF size = QFontMetricsF(name->font()).size(0, name->text());
        const QPointF at = name->position->pixelPosition();
        const bool below = name->positionAlignment() & Qt::AlignTop;
        const QRectF place(QPointF(at.x(), below ? at.y() : at.y() - size.height()), size);
        const bool free =
            std::none_of(taken.begin(), taken.end(), [&](const QRectF& r) { return r.intersects(place); });
        name->setVisible(free && QRectF(panel.rect()).contains(place));
        if (name->visible()) taken.push_back(place);
    }
}

void FrequencyPolar::fill(QCustomPlot& plot, QCPAxisRect& panel, const std::vector<PolarHead>& heads, int side,
                          const Looks& looks) {
    m_heads = heads;
    m_names.clear();
    double slow = INFINITY, fast = 0, most = 1e-12;
    for (const PolarHead& head : heads) {
        for (QPointF omega : head.omega) {
            slow = std::min(slow, length(omega));
            fast = std::max(fast, length(omega));
        }
        for (double share : head.share) most = std::max(most, share);
    }
    if (!(slow <= fast)) return;
    m_slowest = slow / 1.5;
    m_reach = std::log(fast / m_slowest) * 1.12;
    for (QCPAxis* axis : {panel.axis(QCPAxis::atBottom), panel.axis(QCPAxis::atLeft)}) {
        axis->setTicks(false);
        axis->grid()->setVisible(false);
    }
    if (side > 0) addRing(plot, panel, side, QObject::tr("grid, %1 tokens").arg(side), true, looks);
    for (double wavelength : {3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 10000.0}) {
        if (2 * std::numbers::pi / wavelength > fast * 1.1) continue;
        addRing(plot, panel, wavelength, QObject::tr("%1 tokens").arg(wavelength), false, looks);
    }
    for (const PolarHead& head : heads) {
        for (std::size_t i = 0; i < head.omega.size(); ++i) {
            QCPGraph* graph = plot.addGraph(panel.axis(QCPAxis::atBottom), panel.axis(QCPAxis::atLeft));
            const QPointF at = place(head.omega[i]);
            graph->addData(at.x(), at.y());
            graph->setLineStyle(QCPGraph::lsNone);
            QColor fill = headColour(head.colour);
            fill.setAlpha(150);
            const double size = std::max(kSmallestPoint, kLargestPoint * std::sqrt(head.share[i] / most));
            graph->setScatterStyle(
                QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(headColour(head.colour), 1), fill, size));
        }
    }
}

}  // namespace ropescope
