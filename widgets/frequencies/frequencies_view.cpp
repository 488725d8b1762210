// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frequencies/frequencies_view.h"

#include <qcustomplot.h>

#include <QComboBox>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "widgets/frame/key_line.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/tool_row.h"
#include "widgets/state/command_lines.h"

namespace ropescope {
namespace {

// The words below the plot get two lines, and one more for every so many pixels that the view is higher than the least.
constexpr int kLeastHeight = 280, kHeightPerLine = 60, kLines = 2;

double omegaOf(const FrequencyEnergy& energy, std::size_t plane, std::size_t planes) {
    const std::size_t axes = planes == 0 ? 0 : energy.frequency.size() / planes;
    double squares = 0;
    for (std::size_t a = 0; a < axes; ++a) squares += std::pow(energy.frequency[plane * axes + a], 2);
    return std::sqrt(squares);
}

/// Wavelength and share of the planes of one axis, by rising wavelength; planes that never turn are left out.
std::vector<QPointF> curve(const HeadReport& report, const std::vector<double>& shares, int axis) {
    std::vector<QPointF> points;
    const std::size_t planes = report.planeAxis.size();
    for (std::size_t p = 0; p < std::min(planes, shares.size()); ++p) {
        const double omega = omegaOf(report.energy, p, planes);
        if (omega <= 0 || static_cast<int>(report.planeAxis[p]) != axis) continue;
        points.emplace_back(2 * std::numbers::pi / omega, shares[p]);
    }
    std::sort(points.begin(), points.end(), [](QPointF a, QPointF b) { return a.x() < b.x(); });
    return points;
}

/// Energy of the planes that never turn.
double stillEnergy(const HeadReport& report, const std::vector<double>& shares) {
    const std::size_t planes = report.planeAxis.size();
    double sum = 0;
    for (std::size_t p = 0; p < std::min(planes, shares.size()); ++p) {
        if (!(omegaOf(report.energy, p, planes) > 0)) sum += shares[p];
    }
    return sum;
}

QString percent(double share) {
    return QStringLiteral("%1 %").arg(100 * share, 0, 'f', share > 0 && share < 0.1 ? 1 : 0);
}

}  // namespace

FrequenciesView::FrequenciesView(OpenModels& models, Selection& selection, QWidget* parent)
    : CurveView(models, selection, tr("Frequencies"), parent),
      m_energy(new QComboBox(this)),
      m_about(new QLabel(this)),
      m_summary(new QLabel(this)) {
    setEmptyText(tr("Over which wavelengths the selected heads spread their energy, row by row and column by column, "
                    "beside what the same weights do with plain rotary positions. Select a head."),
                 tr("Open a model ..."));
    setHelp(tr(
        "Every point is one plane; its wavelength is the number of tokens after which it has turned once. Energy: the "
        "root of the power of the plane's queries times that of its keys, as a share of all planes. Shift: "
        "1-Wasserstein distance over ln |\u03c9| between this energy and that of the grey outline. Still planes never "
        "turn and carry content alone."));
    m_energy->addItem(tr("with the head's weights"));
    m_energy->addItem(tr("map only"));
    m_energy->addItem(tr("from data"));
    m_energy->setToolTip(
        tr("Share of a plane's logit energy. With weights: projections and map together, of the head; the default.\n"
           "Map only: for white content, of the map; under the inverse convention an excess is obliqueness, not "
           "reallocation.\nFrom data: second moments of the queries and keys of images, of the head; "
           "needs a measurement."));
    controls().addGroup(tr("Energy"), {m_energy});
    controls().addWidget(newMeasureButton());
    m_summary->setWordWrap(true);
    m_summary->setTextFormat(Qt::PlainText);
    body().addWidget(m_summary);
    m_about->setForegroundRole(QPalette::PlaceholderText);
    controls().addWidget(m_about);
    connect(m_energy, &QComboBox::currentIndexChanged, this, &FrequenciesView::refresh);
    connect(&m_models, &OpenModels::calibrationChanged, this, &FrequenciesView::refresh);
    restyle();
}

void FrequenciesView::setEnergy(Energy energy) {
    m_energy->setCurrentIndex(static_cast<int>(energy));
}

FrequenciesView::Energy FrequenciesView::chosen() const {
    return static_cast<Energy>(m_energy->currentIndex());
}

const std::vector<double>* FrequenciesView::shares(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || !report->problem.empty()) return nullptr;
    if (chosen() == Energy::Weights) return &report->energy.weights;
    if (chosen() == Energy::Map) return &report->energy.map;
    const HeadCalibration* data = m_models.calibration(head);
    return data == nullptr || !data->problem.empty() ? nullptr : &data->energy;
}

/// Map only has a flat ladder as its reference: every plane the same share.
std::vector<double> FrequenciesView::referenceShares(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    if (shares(head) == nullptr) return {};
    if (chosen() == Energy::Weights) return report->energy.reference;
    if (chosen() == Energy::Data) return m_models.calibration(head)->reference;
    const std::size_t planes = report->planeAxis.size();
    return std::vector<double>(planes, 1.0 / static_cast<double>(std::max<std::size_t>(1, planes)));
}

std::vector<QPointF> FrequenciesView::drawnEnergy(HeadRef head, int axis) const {
    const std::vector<double>* energy = shares(head);
    return energy == nullptr ? std::vector<QPointF>{} : curve(*m_models.head(head), *energy, axis);
}

std::vector<QPointF> FrequenciesView::drawnReference(HeadRef head, int axis) const {
    const std::vector<double> reference = referenceShares(head);
    return reference.empty() ? std::vector<QPointF>{} : curve(*m_models.head(head), reference, axis);
}

std::vector<double> FrequenciesView::drawnError(HeadRef head, int axis) const {
    std::vector<double> errors;
    if (chosen() != Energy::Data || shares(head) == nullptr) return errors;
    for (QPointF point : curve(*m_models.head(head), m_models.calibration(head)->energyError, axis)) {
        errors.push_back(point.y());
    }
    return errors;
}

std::vector<QPointF> FrequenciesView::drawnVectors(HeadRef head) const {
    std::vector<QPointF> vectors;
    const HeadReport* report = m_models.head(head);
    if (shares(head) == nullptr || report->energy.frequency.size() != 2 * report->planeAxis.size()) return vectors;
    for (std::size_t p = 0; p < report->planeAxis.size(); ++p) {
        const QPointF omega(report->energy.frequency[2 * p + 1], report->energy.frequency[2 * p]);
        if (static_cast<int>(report->planeAxis[p]) == kMixedAxis && !omega.isNull()) vectors.push_back(omega);
    }
    return vectors;
}

double FrequenciesView::drawnStill(HeadRef head) const {
    const std::vector<double>* energy = shares(head);
    return energy == nullptr ? 0 : stillEnergy(*m_models.head(head), *energy);
}

bool FrequenciesView::isFlattened(HeadRef head) const {
    const OpenModel* model = m_models.find(head.model);
    return model != nullptr && model->card.axes == 1;
}

QString FrequenciesView::missingReason(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || (shares(head) != nullptr && !shares(head)->empty())) return {};  // on its way, or drawn
    if (!report->problem.empty()) return QString::fromStdString(report->problem);
    return chosen() == Energy::Data
               ? tr("not measured yet")
               : tr("norms of queries and keys stand before the map, so weights alone say nothing");
}

QString FrequenciesView::axisName(int axis) const {
    if (axis == kMixedAxis) return tr("mixed axes");
    if (isFlattened(m_selection.current())) return tr("the flattened index");
    return axis == 0 ? tr("rows") : axis == 1 ? tr("columns") : tr("axis %1").arg(axis);
}

std::vector<int> FrequenciesView::axesShown() const {
    std::vector<int> axes;
    for (HeadRef head : m_selection.shown()) {
        const HeadReport* report = m_models.head(head);
        if (report == nullptr || !report->problem.empty()) continue;
        for (std::size_t p = 0; p < report->planeAxis.size(); ++p) {
            const int axis = static_cast<int>(report->planeAxis[p]);
            if (omegaOf(report->energy, p, report->planeAxis.size()) > 0) axes.push_back(axis);
        }
    }
    std::sort(axes.begin(), axes.end());
    axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
    return axes;
}

void FrequenciesView::refresh() {
    if (keepsOldContent()) return;
    const std::vector<int> axes = axesShown();
    buildPanels(axes);
    showEmpty(axes.empty() && m_still == nullptr);
    double shortest = INFINITY, longest = 0, highest = 0;
    const auto widen = [&](const std::vector<QPointF>& points) {
        for (QPointF point : points) {
            shortest = std::min(shortest, point.x());
            longest = std::max(longest, point.x());
            highest = std::max(highest, point.y());
        }
    };
    for (int axis : axes) {
        if (axis == kMixedAxis) continue;
        addReference(axis);
        widen(drawnReference(m_selection.current(), axis));
        for (HeadRef head : m_selection.shown()) {
            widen(drawnEnergy(head, axis));
            addHead(head, axis);
        }
    }
    for (const auto& [axis, panel] : m_panels) {
        if (axis == kMixedAxis) continue;
        if (longest > 0) panel->axis(QCPAxis::atBottom)->setRange(shortest / 1.3, longest * 1.3);
        panel->axis(QCPAxis::atLeft)->setRange(0, highest > 0 ? 1.1 * highest : 1);
        addGridMark(axis, panel);
    }
    fillPolar();
    fillStill();
    m_about->setText(chosen() == Energy::Map ? tr("of the map") : tr("of the head"));
    showKey();
    showSummary();
    const OpenModel* model = m_models.find(m_selection.current().model);
    setCommandLine(model == nullptr           ? QString()
                   : chosen() == Energy::Data ? model->calibrationLine
                                              : inspectLine(*model));
    replot();
}

QStringList FrequenciesView::summary(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || !report->problem.empty()) return {};
    const FrequencyEnergy& energy = report->energy;
    if (chosen() == Energy::Data) {
        if (shares(head) == nullptr) return {tr("not measured yet: \"Measure data ...\"")};
        const OpenModel* model = m_models.find(head.model);
        return {tr("measured on %1").arg(QString::fromStdString(model->calibration->source)),
                tr("still %1").arg(percent(drawnStill(head)))};
    }
    if (chosen() == Energy::Map)
        return {
            tr("shift from a flat ladder %1 (1-Wasserstein over ln |\u03c9|)").arg(shortNumber(energy.wassersteinMap))};
    QStringList parts{
        tr("shift from no map (B = I) %1 (1-Wasserstein over ln |\u03c9|)").arg(shortNumber(energy.wasserstein)),
        tr("mean ln |\u03c9| %1 \u00b1 %2").arg(shortNumber(energy.meanLogOmega), shortNumber(energy.stdLogOmega))};
    for (std::size_t a = 0; a < energy.axisShare.size(); ++a)
        parts << axisName(static_cast<int>(a)) + QLatin1Char(' ') + percent(energy.axisShare[a]);
    parts << tr("still %1").arg(percent(energy.stillShare))
          << tr("longer than 4 \u00d7 grid %1").arg(percent(energy.longWaveShare));
    return parts;
}

/// As much of it as a small part of the view holds; the whole of it as its tool tip.
void FrequenciesView::showSummary() {
    const HeadRef head = m_selection.current();
    QStringList parts = summary(head);
    const qsizetype all = parts.size();
    const auto textOf = [&] {
        const QString words =
            m_models.headName(head) + QStringLiteral(":  ") + parts.join(QStringLiteral("  \u00b7  "));
        return parts.size() < all ? words + QStringLiteral("  \u00b7 \u2026") : words;
    };
    m_summary->setToolTip(parts.isEmpty() ? QString() : plainTip(textOf()));
    key().setToolTip(m_summary->toolTip());
    const int lines = height() < kLeastHeight ? 0 : kLines + (height() - kLeastHeight) / kHeightPerLine;
    const QRect room(0, 0, std::max(80, width() - 24), lines * fontMetrics().lineSpacing());
    const auto fits = [&] {
        return fontMetrics().boundingRect(room, Qt::TextWordWrap, textOf()).height() <= room.height();
    };
    while (!parts.isEmpty() && !fits()) parts.removeLast();
    m_summary->setText(parts.isEmpty() ? QString() : textOf());
    m_summary->setVisible(!parts.isEmpty());
}

void FrequenciesView::resizeEvent(QResizeEvent* event) {
    CurveView::resizeEvent(event);
    showSummary();
}

QString FrequenciesView::readOut(QPoint position) const {
    for (const auto& [axis, panel] : m_panels) {
        if (!panel->rect().contains(position)) continue;
        const double x = panel->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
        if (axis == kMixedAxis) {
            const double y = panel->axis(QCPAxis::atLeft)->pixelToCoord(position.y());
            const double reach = 12 * panel->axis(QCPAxis::atBottom)->range().size() / std::max(1, panel->width());
            const auto [head, point] = m_polar.nearest({x, y}, reach);
            if (head < 0) return {};
            const QPointF omega = drawnVectors(m_polarHeads[head])[point];
            const double size = std::hypot(omega.x(), omega.y());
            return tr("%1  wavelength %2 tokens, frequency %3 along columns, %4 along rows (rad/token)")
                .arg(m_models.headName(m_polarHeads[head]), shortNumber(2 * std::numbers::pi / size),
                     shortNumber(omega.x()), shortNumber(omega.y()));
        }
        QStringList parts;
        double nearest = 0;
        for (HeadRef head : m_selection.shown()) {
            const std::vector<QPointF> points = drawnEnergy(head, axis);
            if (points.empty()) continue;
            const auto distance = [&](QPointF p) { return std::abs(std::log(p.x() / x)); };
            const auto point = std::min_element(points.begin(), points.end(),
                                                [&](QPointF a, QPointF b) { return distance(a) < distance(b); });
            nearest = point->x();
            const std::vector<double> errors = drawnError(head, axis);
            parts << m_models.headName(head) + QLatin1Char(' ') + shortNumber(point->y());
            if (!errors.empty()) parts.back() += tr(" \u00b1 %1").arg(shortNumber(errors[point - points.begin()]));
        }
        if (parts.isEmpty()) return {};
        return tr("wavelength %1 tokens along %2: ").arg(shortNumber(nearest), axisName(axis)) +
               parts.join(QStringLiteral(", "));
    }
    if (m_still == nullptr || !m_still->rect().contains(position)) return {};
    QStringList parts;
    for (HeadRef head : m_selection.shown()) {
        if (shares(head) != nullptr) parts << m_models.headName(head) + QLatin1Char(' ') + percent(drawnStill(head));
    }
    return tr("energy on planes that never turn: ") + parts.join(QStringLiteral(", "));
}

void FrequenciesView::writeNumbers(NumberTable& table) const {
    for (const char* title : {"head", "axis", "wavelength_tokens", "energy_share", "reference_share"})
        table.label(QLatin1String(title));
    table.endRow();
    for (HeadRef head : m_selection.shown()) {
        for (int axis : axesShown()) {
            const std::vector<QPointF> energy = drawnEnergy(head, axis), reference = drawnReference(head, axis);
            for (std::size_t i = 0; i < energy.size(); ++i) {
                table.label(m_models.headName(head)).label(axisName(axis));
                table.number(energy[i].x()).number(energy[i].y());
                i < reference.size() ? table.number(reference[i].y()) : table.blank();
                table.endRow();
            }
        }
    }
}

void FrequenciesView::restyle() {
    refresh();
}

}  // namespace ropescope
