// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/spectrum/spectrum_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <algorithm>
#include <cmath>

#include "widgets/frame/key_line.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/tool_row.h"

namespace ropescope {
namespace {

constexpr int kBand = 30;   // opacity of all heads' band, and of their middle half on top of it
constexpr int kGroup = 46;  // opacity of values that cannot be told apart

QVector<double> indices(std::size_t count) {
    QVector<double> x(static_cast<qsizetype>(count));
    for (qsizetype i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
    return x;
}

QVector<double> vectorOf(const std::vector<double>& values) {
    return {values.begin(), values.end()};
}

}  // namespace

SpectrumView::SpectrumView(OpenModels& models, Selection& selection, QWidget* parent)
    : CurveView(models, selection, tr("Spectrum"), parent),
      m_values(new QComboBox(this)),
      m_log(new QCheckBox(tr("Log"), this)) {
    setEmptyText(tr("Singular values of the selected heads' maps, over their index: 1 everywhere is plain rotary "
                    "positions up to a rotation. Select a head in the Atlas or in the model tree."),
                 tr("Open a model ..."));
    m_values->addItem(tr("gauge-fixed"), static_cast<int>(Values::GaugeFixed));
    m_values->addItem(tr("as stored \u25c7"), static_cast<int>(Values::Stored));
    m_values->setToolTip(
        tr("Gauge-fixed: planes rescaled so that equal models show equal values, largest first.\n"
           "As stored: the file's own order; under the inverse convention not identifiable (\u25c7)."));
    auto* about = new QLabel(tr("of the map"), this);
    about->setForegroundRole(QPalette::PlaceholderText);
    controls().addGroup(tr("Singular values"), {m_values});
    controls().addWidget(m_log);
    controls().addWidget(about);
    setTitle(*plot().xAxis, tr("Index"));
    plot().setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    connect(&plot(), &QCustomPlot::mouseDoubleClick, this, &SpectrumView::refresh);
    connect(m_values, &QComboBox::currentIndexChanged, this, &SpectrumView::refresh);
    connect(m_log, &QCheckBox::toggled, this, &SpectrumView::refresh);
    connect(&m_models, &OpenModels::atlasChanged, this, &SpectrumView::refresh);
    restyle();
}

void SpectrumView::setValues(Values values) {
    m_values->setCurrentIndex(static_cast<int>(values));
}

void SpectrumView::setLog(bool on) {
    m_log->setChecked(on);
}

const std::vector<double>& SpectrumView::chosen(const HeadReport& report) const {
    return m_values->currentIndex() == 0 ? report.spectrum.gaugeFixed : report.spectrum.stored;
}

void SpectrumView::refresh() {
    if (keepsOldContent()) return;
    plot().clearPlottables();
    plot().clearItems();
    m_drawn.clear();
    m_low.clear();
    m_high.clear();
    m_groups = 0;
    addBand();
    for (HeadRef head : m_selection.shown()) addHead(head);
    showEmpty(m_drawn.empty());
    const Looks looks = looksOf(palette(), font());
    auto* identity = new QCPItemStraightLine(&plot());
    identity->point1->setCoords(0, 1);
    identity->point2->setCoords(1, 1);
    identity->setPen(QPen(looks.reference, 1, Qt::DashLine));
    identity->setLayer(QStringLiteral("grid"));

    const bool log = m_log->isChecked();
    plot().yAxis->setScaleType(log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    plot().yAxis->setTicker(log ? QSharedPointer<QCPAxisTicker>(new QCPAxisTickerLog)
                                : QSharedPointer<QCPAxisTicker>(new QCPAxisTicker));
    plot().yAxis->setNumberFormat(QStringLiteral("g"));
    plot().yAxis->setNumberPrecision(4);
    setTitle(*plot().yAxis,
             m_values->currentIndex() == 0 ? tr("Singular value, gauge-fixed") : tr("Singular value, as stored \u25c7"),
             {tr("Value")});
    double low = 1, high = 1, last = 1;
    const auto widen = [&](const std::vector<double>& values) {
        for (double value : values) {
            if (!(value > 0)) continue;
            low = std::min(low, value);
            high = std::max(high, value);
        }
        last = std::max(last, static_cast<double>(values.size()) - 1);
    };
    widen(m_low);
    widen(m_high);
    for (const auto& [head, values] : m_drawn) widen(values);
    const double room = std::max(0.02, 0.06 * (high - low));
    plot().yAxis->setRange(log ? low / 1.1 : low - room, log ? high * 1.1 : high + room);
    plot().xAxis->setRange(-0.5, last + 0.5);
    showKey();
    replot();
}

/// All heads of the current model, index by index: from the smallest to the largest, darker the middle half.
void SpectrumView::addBand() {
    const OpenModel* model = m_models.find(m_selection.current().model);
    if (model == nullptr || !model->atlas || m_values->currentIndex() != 0) return;
    const AtlasReport& atlas = *model->atlas;
    const std::size_t size = atlas.headDim;
    if (size == 0 || atlas.singularValues.size() % size != 0) return;
    std::vector<double> lower, upper;
    for (std::size_t i = 0; i < size; ++i) {
        std::vector<double> column;
        for (std::size_t k = i; k < atlas.singularValues.size(); k += size) {
            if (std::isfinite(atlas.singularValues[k])) column.push_back(atlas.singularValues[k]);
        }
        if (column.empty()) return;
        std::sort(column.begin(), column.end());
        m_low.push_back(column.front());
        m_high.push_back(column.back());
        lower.push_back(column[column.size() / 4]);
        upper.push_back(column[column.size() * 3 / 4]);
    }
    fillBetween(m_low, m_high);
    fillBetween(lower, upper);
}

void SpectrumView::fillBetween(const std::vector<double>& low, const std::vector<double>& high) {
    QColor fill = looksOf(palette(), font()).muted;
    fill.setAlpha(kBand);
    QCPGraph* bottom = plot().addGraph();
    bottom->setData(indices(low.size()), vectorOf(low), true);
    bottom->setPen(Qt::NoPen);
    QCPGraph* top = plot().addGraph();
    top->setData(indices(high.size()), vectorOf(high), true);
    top->setPen(Qt::NoPen);
    top->setBrush(fill);
    top->setChannelFillGraph(bottom);
}

void SpectrumView::addHead(HeadRef head) {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || !report->problem.empty()) return;
    const std::vector<double>& values = chosen(*report);
    m_drawn[head] = values;
    const int colour = m_selection.colourIndex(head);
    if (m_values->currentIndex() == 0 && head == m_selection.current()) {
        QColor band = looksOf(palette(), font()).muted;
        band.setAlpha(kGroup);
        for (std::size_t i = 0; i < report->spectrum.groupStart.size(); ++i) {
            auto* group = new QCPItemRect(&plot());
            group->topLeft->setTypeY(QCPItemPosition::ptAxisRectRatio);
            group->bottomRight->setTypeY(QCPItemPosition::ptAxisRectRatio);
            group->topLeft->setCoords(report->spectrum.groupStart[i] - 0.5, 0);
            group->bottomRight->setCoords(report->spectrum.groupEnd[i] - 0.5, 1);
            group->setPen(Qt::NoPen);
            group->setBrush(band);
            group->setLayer(QStringLiteral("background"));
            ++m_groups;
        }
    }
    QCPGraph* graph = plot().addGraph();
    graph->setData(indices(values.size()), vectorOf(values), true);
    graph->setPen(headPen(colour, head == m_selection.current() ? 2.2 : 1.5));
    graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, headColour(colour), headColour(colour), 4));
    graph->setName(m_models.headName(head) + (report->identity ? tr(" (identity)") : QString()));
}

void SpectrumView::showKey() {
    const auto band = [](int alpha) {
        return [alpha](QPainter& painter, const QRectF& place, const Looks& looks) {
            QColor fill = looks.muted;
            fill.setAlpha(alpha);
            painter.fillRect(place, fill);
        };
    };
    std::vector<KeyEntry> entries;
    if (const OpenModel* model = m_models.find(m_selection.current().model); model != nullptr && !m_low.empty()) {
        entries.push_back({band(kBand), tr("all heads of %1").arg(model->name())});
        entries.push_back({band(2 * kBand), tr("their middle half")});
    }
    if (m_groups > 0) {
        const auto upright = [](QPainter& painter, const QRectF& place, const Looks& looks) {
            QColor fill = looks.muted;
            fill.setAlpha(2 * kGroup);
            painter.fillRect(QRectF(place.center().x() - 3, place.top(), 6, place.height()), fill);
        };
        entries.push_back(
            {upright, tr("values of %1 too close to tell apart").arg(m_models.headName(m_selection.current()))});
    }
    const auto dashes = [](QPainter& painter, const QRectF& place, const Looks& looks) {
        painter.setPen(QPen(looks.reference, 1, Qt::DashLine));
        painter.drawLine(QPointF(place.left(), place.center().y()), QPointF(place.right(), place.center().y()));
    };
    entries.push_back({dashes, tr("plain RoPE")});
    key().setEntries(std::move(entries));
}

QString SpectrumView::readOut(QPoint position) const {
    const int index = static_cast<int>(std::lround(plot().xAxis->pixelToCoord(position.x())));
    QStringList parts;
    for (const auto& [head, values] : m_drawn) {
        if (index < 0 || index >= static_cast<int>(values.size())) continue;
        parts << m_models.headName(head) + QLatin1Char(' ') + shortNumber(values[index]);
    }
    return parts.isEmpty() ? QString() : tr("index %1: ").arg(index) + parts.join(QStringLiteral(", "));
}

std::vector<double> SpectrumView::drawnValues(HeadRef head) const {
    const auto found = m_drawn.find(head);
    return found == m_drawn.end() ? std::vector<double>{} : found->second;
}

std::vector<double> SpectrumView::bandLow() const {
    return m_low;
}

std::vector<double> SpectrumView::bandHigh() const {
    return m_high;
}

int SpectrumView::drawnGroups() const {
    return m_groups;
}

void SpectrumView::writeNumbers(NumberTable& table) const {
    table.label(QStringLiteral("index"));
    std::size_t rows = 0;
    for (const auto& [head, values] : m_drawn) {
        table.label(m_models.headName(head));
        rows = std::max(rows, values.size());
    }
    table.endRow();
    for (std::size_t i = 0; i < rows; ++i) {
        table.label(static_cast<int>(i));
        for (const auto& [head, values] : m_drawn) i < values.size() ? table.number(values[i]) : table.blank();
        table.endRow();
    }
}

void SpectrumView::restyle() {
    stylePlot(plot(), looksOf(palette(), font()));
    refresh();
}

}  // namespace ropescope
