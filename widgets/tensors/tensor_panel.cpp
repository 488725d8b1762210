// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/tensors/tensor_panel.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

struct Row {
    const char* name;
    const char* definition;
};
constexpr Row kRows[] = {
    {"Smallest", "Of the finite values"}, {"Largest", "Of the finite values"},
    {"Mean", "Of the finite values"},     {"Norm", "Root of the sum of squares of the finite values"},
    {"Values", "How many there are"},     {"Not finite", "NaN and infinities; a sound weight has none"}};

/// Names hold no spaces; lines may break after these signs.
QString broken(QString name) {
    for (const char* sign : {".", "_", "/"}) name.replace(QLatin1String(sign), QLatin1String(sign) + QChar(0x200b));
    return name;
}

QString exact(double value) {
    return QString::number(value, 'g', 6);
}

QStringList textsOf(const TensorStatistics& s) {
    const bool any = s.count > s.nonFinite;
    const auto finite = [any](double value) { return any ? exact(value) : QStringLiteral("\u2013"); };
    return {finite(s.min),
            finite(s.max),
            finite(s.mean),
            finite(s.norm),
            QString::number(s.count),
            QString::number(s.nonFinite)};
}

}  // namespace

TensorPanel::TensorPanel(QWidget* parent)
    : QWidget(parent),
      m_title(new QLabel(this)),
      m_words(new QLabel(this)),
      m_values(new QWidget(this)),
      m_row(new QBoxLayout(QBoxLayout::TopToBottom, m_values)),
      m_log(new QCheckBox(tr("Log"), this)),
      m_plot(new QCustomPlot(this)) {
    QFont bold = font();
    bold.setBold(true);
    m_title->setFont(bold);
    m_title->setWordWrap(true);
    m_title->setTextFormat(Qt::PlainText);
    m_title->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Minimum);
    m_words->setWordWrap(true);
    m_words->setTextFormat(Qt::PlainText);
    m_words->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    m_words->setForegroundRole(QPalette::PlaceholderText);
    auto* numbers = new QGridLayout;
    numbers->setHorizontalSpacing(12);
    numbers->setVerticalSpacing(2);
    numbers->setColumnStretch(1, 1);
    for (int i = 0; i < static_cast<int>(std::size(kRows)); ++i) {
        auto* name = new QLabel(tr(kRows[i].name), m_values);
        name->setForegroundRole(QPalette::PlaceholderText);
        auto* value = new QLabel(m_values);
        value->setTextInteractionFlags(Qt::TextSelectableByMouse);
        for (QLabel* label : {name, value}) label->setToolTip(tr(kRows[i].definition));
        numbers->addWidget(name, i, 0);
        numbers->addWidget(value, i, 1);
        m_cells << value;
    }
    m_log->setToolTip(tr("Numbers of values on a logarithmic axis, so that few large ones are seen"));
    numbers->addWidget(m_log, static_cast<int>(std::size(kRows)), 0, 1, 2);
    numbers->setRowStretch(static_cast<int>(std::size(kRows)) + 1, 1);
    m_row->setContentsMargins(0, 0, 0, 0);
    m_row->setSpacing(8);
    m_row->addLayout(numbers);
    m_row->addWidget(m_plot, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 0, 0, 0);
    column->setSpacing(8);
    column->addWidget(m_title);
    column->addWidget(m_words, 1);
    column->addWidget(m_values, 1);
    setMinimumSize(220, 160);
    buildPlot();
    showWords({}, {});
}

void TensorPanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    m_row->setDirection(width() > height() ? QBoxLayout::LeftToRight : QBoxLayout::TopToBottom);
}

void TensorPanel::buildPlot() {
    setTitle(*m_plot->xAxis, tr("Value"));
    setTitle(*m_plot->yAxis, tr("Count"));
    connect(m_plot, &QCustomPlot::beforeReplot, this, [this] { fitAxes(*m_plot); });
    onLeave(*m_plot, [this] {
        m_plot->setToolTip({});
        emit hovered({});
    });
    connect(m_log, &QCheckBox::toggled, this, &TensorPanel::fillPlot);
    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
        const QString text = readOut(m_plot->xAxis->pixelToCoord(event->pos().x()));
        m_plot->setToolTip(text);
        emit hovered(text);
    });
}

void TensorPanel::showWords(const QString& title, const QString& words) {
    m_statistics = {};
    setName(title);
    m_words->setText(words);
    m_words->show();
    m_values->hide();
}

void TensorPanel::setName(const QString& name) {
    m_name = name;
    m_title->setText(broken(name));
    m_title->setToolTip(plainTip(name));
}

void TensorPanel::showValues(const TensorStatistics& statistics) {
    m_statistics = statistics;
    setName(QString::fromStdString(statistics.name));
    const QStringList texts = textsOf(statistics);
    for (int i = 0; i < texts.size(); ++i) m_cells[i]->setText(texts[i]);
    QPalette marked = palette();
    if (statistics.nonFinite > 0) marked.setColor(QPalette::WindowText, warningColour());
    m_cells.back()->setPalette(marked);
    m_words->hide();
    m_values->show();
    fillPlot();
}

QString TensorPanel::text(const QString& key) const {
    for (int i = 0; i < m_cells.size(); ++i) {
        if (key == QLatin1String(kRows[i].name)) return m_cells[i]->text();
    }
    return {};
}

void TensorPanel::setLog(bool on) {
    m_log->setChecked(on);
}

/// All values alike: one bar of some width.
double TensorPanel::binWidth() const {
    const double span = m_statistics.max - m_statistics.min;
    const double size = std::max(std::abs(m_statistics.max), 1e-12);
    return span > 0 ? span / static_cast<double>(m_statistics.bins.size()) : size / 64;
}

void TensorPanel::fillPlot() {
    m_plot->clearPlottables();
    const std::vector<std::int64_t>& bins = m_statistics.bins;
    m_plot->setVisible(!bins.empty());
    m_log->setVisible(!bins.empty());
    if (bins.empty()) return;
    const Looks looks = looksOf(palette(), font());
    const double width = binWidth();
    QVector<double> places, counts;
    for (std::size_t i = 0; i < bins.size(); ++i) {
        places << m_statistics.min + (static_cast<double>(i) + 0.5) * width;
        counts << static_cast<double>(bins[i]);
    }
    auto* bars = new QCPBars(m_plot->xAxis, m_plot->yAxis);
    bars->setData(places, counts, true);
    bars->setWidth(width);
    bars->setPen(Qt::NoPen);
    bars->setAntialiased(false);  // neighbours without seams
    QColor fill = looks.accent;
    fill.setAlpha(170);
    bars->setBrush(fill);
    const bool log = m_log->isChecked();
    m_plot->yAxis->setScaleType(log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    const QSharedPointer<QCPAxisTickerFixed> whole(new QCPAxisTickerFixed);
    whole->setScaleStrategy(QCPAxisTickerFixed::ssMultiples);
    whole->setTickCount(4);
    m_plot->yAxis->setTicker(log ? QSharedPointer<QCPAxisTicker>(new QCPAxisTickerLog)
                                 : whole.staticCast<QCPAxisTicker>());
    for (QCPAxis* axis : {m_plot->xAxis, m_plot->yAxis}) axis->setNumberFormat(QStringLiteral("g"));
    m_plot->xAxis->setNumberPrecision(3);
    const double most = *std::max_element(counts.begin(), counts.end());
    m_plot->yAxis->setRange(log ? 0.7 : 0, log ? most * 1.5 : most * 1.06);
    const double room = 0.02 * width * static_cast<double>(bins.size());
    m_plot->xAxis->setRange(places.front() - width / 2 - room, places.back() + width / 2 + room);
    if (isVisible()) m_plot->replot(QCustomPlot::rpQueuedReplot);
}

QString TensorPanel::readOut(double value) const {
    const auto bins = static_cast<int>(m_statistics.bins.size());
    if (bins == 0) return {};
    const double width = binWidth();
    const int bin = static_cast<int>(std::floor((value - m_statistics.min) / width));
    if (bin < 0 || bin >= bins) return {};
    const double low = m_statistics.min + bin * width;
    return tr("%1 to %2: %3 values").arg(shortNumber(low), shortNumber(low + width)).arg(m_statistics.bins[bin]);
}

void TensorPanel::draw(QCPPainter& painter, QSize size) const {
    const Looks looks = paperLooks(font());
    QStringList words = {broken(m_name)};
    if (m_statistics.name.empty()) {
        words << m_words->text();
    } else {
        const QStringList texts = textsOf(m_statistics);
        for (int i = 0; i < texts.size(); ++i) words << tr("%1  %2").arg(tr(kRows[i].name), texts[i]);
    }
    painter.setPen(looks.text);
    painter.setFont(looks.font);
    qreal y = 8;
    for (const QString& text : words) {
        const QRectF place(8, y, size.width() - 16, size.height());
        painter.drawText(place, Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, text);
        y += QFontMetricsF(looks.font).boundingRect(place, Qt::AlignLeft | Qt::TextWordWrap, text).height();
    }
    if (m_statistics.bins.empty()) return;
    painter.save();
    painter.translate(0, y + 8);
    drawOnPaper(*m_plot, painter, QSize(size.width(), size.height() - static_cast<int>(y) - 8),
                looksOf(palette(), font()), [this] { fitAxes(*m_plot); });
    painter.restore();
}

void TensorPanel::restyle() {
    stylePlot(*m_plot, looksOf(palette(), font()));
    if (!m_statistics.name.empty()) showValues(m_statistics);
}

}  // namespace ropescope
