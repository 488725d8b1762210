// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/planes/planes_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QScrollArea>
#include <QScrollBar>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "widgets/frame/number_table.h"
#include "widgets/frame/tool_row.h"
#include "widgets/planes/planes_canvas.h"

namespace ropescope {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

int axisOf(const HeadReport& report, int plane) {
    return static_cast<int>(report.planeAxis[plane]);
}

double omegaOf(const HeadReport& report, int plane) {
    const std::size_t axes = report.energy.frequency.size() / std::max<std::size_t>(1, report.planeAxis.size());
    double squares = 0;
    for (std::size_t a = 0; a < axes; ++a) squares += std::pow(report.energy.frequency[plane * axes + a], 2);
    return std::sqrt(squares);
}

QString axisName(int axis) {
    switch (axis) {
        case -1:
            return QObject::tr("no axis");
        case 0:
            return QObject::tr("rows");
        case 1:
            return QObject::tr("columns");
        default:
            return QObject::tr("axis %1").arg(axis);
    }
}

/// By axis, then from fast to slow; planes of no single axis last.
std::vector<int> orderOf(const HeadReport& report) {
    std::vector<int> order(report.planeAxis.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        const int axisA = axisOf(report, a), axisB = axisOf(report, b);
        if (axisA != axisB) return axisB < 0 || (axisA >= 0 && axisA < axisB);
        return omegaOf(report, a) > omegaOf(report, b);
    });
    return order;
}

QString planeText(const HeadReport& report, int plane) {
    const double omega = omegaOf(report, plane);
    const QString turn = omega > 0 ? QObject::tr("%1 rad/token, wavelength %2 tokens")
                                         .arg(shortNumber(omega), shortNumber(2 * std::numbers::pi / omega))
                                   : QObject::tr("never turns");
    return QObject::tr("plane %1 (%2, %3)").arg(plane).arg(axisName(axisOf(report, plane)), turn);
}

bool canSubtract(const std::vector<PlanesPanel>& panels) {
    return panels.size() == 2 && panels[0].problem.isEmpty() && panels[1].problem.isEmpty() &&
           panels[0].planes == panels[1].planes;
}

/// The first panel minus the second, position by position in drawn order.
PlanesPanel subtracted(PlanesPanel a, const PlanesPanel& b) {
    const auto minus = [](std::vector<double>& x, const std::vector<double>& y) {
        for (std::size_t i = 0; i < x.size(); ++i) x[i] -= y[i];
    };
    minus(a.overlap, b.overlap);
    minus(a.angle1, b.angle1);
    minus(a.angle2, b.angle2);
    minus(a.logGain, b.logGain);
    for (qsizetype i = 0; i < a.titles.size(); ++i)
        a.titles[i] = QObject::tr("%1 \u2212 %2").arg(a.titles[i], b.titles[i]);
    a.difference = true;
    return a;
}

}  // namespace

PlanesView::PlanesView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Planes"), parent),
      m_side(new QComboBox(this)),
      m_range(new QComboBox(this)),
      m_difference(new QCheckBox(tr("Difference"), this)),
      m_canvas(new PlanesCanvas(this)),
      m_scroll(new QScrollArea(this)) {
    setEmptyText(
        tr("How each rotary plane of the selected heads lies over the canonical planes: the identity for plain "
           "rotary positions, cells outside the outlined blocks where rows and columns mix. Select a head."),
        tr("Open a model ..."));
    m_side->addItem(tr("query, canonical planes"));
    m_side->addItem(tr("key, canonical planes"));
    m_side->addItem(tr("query, key planes"));
    m_side->setToolTip(
        tr("Overlap 1/2 ||Q^T E||^2 of plane subspaces, between 0 and 1; rows sum to 1.\n"
           "Query, key: 1 under the same-map convention, below 1 shows obliqueness."));
    auto* about = new QLabel(tr("of the map"), this);
    about->setForegroundRole(QPalette::PlaceholderText);
    controls().addGroup(tr("Overlap of"), {m_side});
    m_range->addItems({tr("0 to 1"), tr("0 to max")});
    m_range->setToolTip(
        tr("Range of the colours: all that an overlap (0 to 1) and an angle (0 to 90 degrees) can be, or up to the\n"
           "largest one that is drawn. Differences are always drawn around zero."));
    controls().addGroup(tr("Range"), {m_range});
    m_difference->setToolTip(
        tr("The first head minus the second, plane by plane in drawn order; for two shown heads of equal size"));
    controls().addWidget(m_difference);
    controls().addWidget(about);
    m_scroll->setWidget(m_canvas);
    m_scroll->setWidgetResizable(true);
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setContent(m_scroll);
    connect(m_side, &QComboBox::currentIndexChanged, this, &PlanesView::refresh);
    connect(m_range, &QComboBox::currentIndexChanged, this,
            [this](int range) { m_canvas->setRange(static_cast<PlanesCanvas::Range>(range)); });
    connect(m_difference, &QCheckBox::toggled, this, &PlanesView::refresh);
    connect(&m_selection, &Selection::changed, this, &PlanesView::refresh);
    connect(&m_models, &OpenModels::headChanged, this, &PlanesView::refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        emit View::hovered({});
        refresh();
    });
    connect(m_canvas, &PlanesCanvas::hovered, this, [this](int panel, int row, int column) {
        const QString text = panel < 0           ? QString()
                             : showsDifference() ? differenceText(row, column)
                                                 : cellText(m_canvas->panels()[panel].head, row, column);
        m_canvas->setToolTip(text);
        emit View::hovered(text);
    });
    refresh();
}

void PlanesView::setSide(Side side) {
    m_side->setCurrentIndex(static_cast<int>(side));
}

void PlanesView::setDifference(bool on) {
    m_difference->setChecked(on);
}

void PlanesView::setRange(Range range) {
    m_range->setCurrentIndex(static_cast<int>(range));
}

bool PlanesView::showsDifference() const {
    return !m_canvas->panels().empty() && m_canvas->panels().front().difference;
}

void PlanesView::refresh() {
    if (keepsOldContent()) return;
    std::vector<PlanesPanel> panels;
    for (HeadRef head : m_selection.shown()) {
        if (const HeadReport* report = m_models.head(head)) panels.push_back(panelOf(head, *report));
    }
    showEmpty(panels.empty());
    const bool able = canSubtract(panels);
    m_difference->setEnabled(able);
    if (able && m_difference->isChecked()) panels = {subtracted(panels[0], panels[1])};
    m_canvas->setPanels(std::move(panels), m_models.modelLetters(m_selection.shown()));
    m_range->setEnabled(!showsDifference());
    fitCanvas();
}

void PlanesView::fitCanvas() {
    m_canvas->setMinimumHeight(m_canvas->leastHeight(width() - 16 - m_scroll->verticalScrollBar()->sizeHint().width()));
}

void PlanesView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    fitCanvas();
}

QSize PlanesView::figureSize() const {
    return View::figureSize().expandedTo(QSize(0, m_canvas->minimumHeight()));
}

PlanesPanel PlanesView::panelOf(HeadRef head, const HeadReport& report) const {
    PlanesPanel panel;
    panel.head = head;
    const QString after = report.identity ? tr("  identity") : QString();
    panel.titles = {m_models.headName(head) + after, m_models.shortHeadName(head) + after,
                    m_models.shortHeadName(head)};
    panel.problem = QString::fromStdString(report.problem);
    panel.colour = m_selection.colourIndex(head);
    panel.planes = static_cast<int>(report.planeAxis.size());
    if (!report.problem.empty()) return panel;
    const auto side = static_cast<Side>(m_side->currentIndex());
    const PlaneAlignment& alignment = side == Side::Key ? report.key : report.query;
    const std::vector<int> order = orderOf(report);
    const int planes = panel.planes;
    panel.overlap.assign(static_cast<std::size_t>(planes) * planes, kUnknown);
    for (int row = 0; row < planes; ++row) {
        const int p = order[row];
        for (int column = 0; column < planes && side != Side::QueryKey; ++column) {
            panel.overlap[row * planes + column] = alignment.overlap[p * planes + order[column]];
        }
        if (side == Side::QueryKey) panel.overlap[row * planes + row] = report.queryKeyOverlap[p];
        panel.angle1.push_back(alignment.principalAngles[2 * p]);
        panel.angle2.push_back(alignment.principalAngles[2 * p + 1]);
        panel.logGain.push_back(std::log(alignment.gain[p]));
        if (row == 0 || axisOf(report, p) != axisOf(report, order[row - 1])) {
            panel.blockStart.push_back(row);
            panel.blockName.push_back(axisName(axisOf(report, p)));
            panel.shortBlockName.push_back(axisOf(report, p) == 1 ? tr("cols") : panel.blockName.back());
        }
    }
    return panel;
}

std::vector<double> PlanesView::drawnOverlap(HeadRef head) const {
    for (const PlanesPanel& panel : m_canvas->panels()) {
        if (panel.head == head) return panel.overlap;
    }
    return {};
}

std::vector<int> PlanesView::drawnOrder(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    return report == nullptr ? std::vector<int>{} : orderOf(*report);
}

QString PlanesView::cellText(HeadRef head, int row, int column) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr) return {};
    const QString name = m_models.headName(head) + QStringLiteral("  ");
    if (!report->problem.empty()) return name + QString::fromStdString(report->problem);
    const std::vector<int> order = orderOf(*report);
    const int planes = static_cast<int>(order.size());
    if (row < 0 || row >= planes) return {};
    const auto side = static_cast<Side>(m_side->currentIndex());
    const PlaneAlignment& alignment = side == Side::Key ? report->key : report->query;
    const int p = order[row];
    if (column >= planes || side == Side::QueryKey) {
        const QString strips =
            tr("principal angles %1\u00b0 and %2\u00b0, gain %3")
                .arg(shortNumber(alignment.principalAngles[2 * p]), shortNumber(alignment.principalAngles[2 * p + 1]),
                     shortNumber(alignment.gain[p]));
        const QString overlap = side == Side::QueryKey
                                    ? tr("query-to-key overlap %1, ").arg(shortNumber(report->queryKeyOverlap[p]))
                                    : QString();
        return name + planeText(*report, p) + QStringLiteral(": ") + overlap + strips;
    }
    const int j = order[std::max(0, column)];
    return name + planeText(*report, p) + QStringLiteral("  \u2192  ") + tr("canonical ") + planeText(*report, j) +
           tr(": overlap %1").arg(shortNumber(alignment.overlap[p * planes + j]));
}

QString PlanesView::differenceText(int row, int column) const {
    const PlanesPanel& panel = m_canvas->panels().front();
    const HeadReport* report = m_models.head(panel.head);
    if (report == nullptr || row < 0 || row >= panel.planes) return {};
    const std::vector<int> order = orderOf(*report);
    const QString name = panel.titles.front() + QStringLiteral("  ") + planeText(*report, order[row]);
    if (column >= panel.planes) {
        return name + tr(": principal angles %1\u00b0 and %2\u00b0, ln gain %3 (differences)")
                          .arg(shortNumber(panel.angle1[row]), shortNumber(panel.angle2[row]),
                               shortNumber(panel.logGain[row]));
    }
    const int j = std::max(0, column);
    return name + QStringLiteral("  \u2192  ") + planeText(*report, order[j]) +
           tr(": difference of overlap %1").arg(shortNumber(panel.overlap[row * panel.planes + j]));
}

QWidget* PlanesView::canvas() const {
    return m_canvas;
}

void PlanesView::writeNumbers(NumberTable& table) const {
    for (const char* title : {"head", "plane", "angle1", "angle2", "gain", "overlap_with_planes_in_the_same_order"})
        table.label(QLatin1String(title));
    table.endRow();
    for (const PlanesPanel& panel : m_canvas->panels()) {
        if (!panel.problem.isEmpty()) continue;
        const std::vector<int> order = drawnOrder(panel.head);
        for (int row = 0; row < panel.planes; ++row) {
            table.label(panel.difference ? panel.titles.front() : m_models.headName(panel.head)).label(order[row]);
            // A difference of logarithms is the ratio of the gains.
            table.number(panel.angle1[row]).number(panel.angle2[row]).number(std::exp(panel.logGain[row]));
            for (int column = 0; column < panel.planes; ++column)
                table.number(panel.overlap[row * panel.planes + column]);
            table.endRow();
        }
    }
}

void PlanesView::drawFigure(QCPPainter& painter, QSize size) const {
    m_canvas->draw(painter, QRectF(QPointF(0, 0), QSizeF(size)), paperLooks(font()));
}

}  // namespace ropescope
