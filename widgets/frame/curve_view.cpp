// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/curve_view.h"

#include <qcustomplot.h>

#include <QScrollArea>
#include <QScrollBar>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/frame/head_chips.h"
#include "widgets/frame/key_line.h"
#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kMargin = 8;
constexpr int kLegendPart = 4;  // of the view's height, for the heads' legend
constexpr int kLeastLegend = 48;
constexpr int kLeastPlot = 240;  // on paper

}  // namespace

CurveView::CurveView(OpenModels& models, Selection& selection, const QString& title, QWidget* parent)
    : View(models, selection, title, parent),
      m_chips(new HeadChips(models, selection, HeadChips::Which::Shown, this)),
      m_legend(new QScrollArea(this)),
      m_plot(new QCustomPlot(this)),
      m_key(new KeyLine(this)) {
    auto* content = new QWidget(this);
    m_body = new QVBoxLayout(content);
    m_body->setContentsMargins(0, 0, 0, 0);
    m_body->setSpacing(8);
    m_legend->setWidget(m_chips);
    m_legend->setWidgetResizable(true);
    m_legend->setFrameShape(QFrame::NoFrame);
    m_legend->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_legend->viewport()->setAutoFillBackground(false);
    m_chips->setAutoFillBackground(false);
    m_body->addWidget(m_legend);
    m_plot->setObjectName(QStringLiteral("plot"));
    m_body->addWidget(m_plot, 1);
    m_body->addWidget(m_key);
    setContent(content);
    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
        const QString text = readOut(event->pos());
        m_plot->setToolTip(text);
        emit hovered(text);
    });
    connect(m_plot, &QCustomPlot::beforeReplot, this, [this] { fit(); });
    connect(m_chips, &HeadChips::hovered, this, &CurveView::hovered);
    const auto nothing = [this] {
        m_plot->setToolTip({});
        emit hovered({});
    };
    onLeave(*m_plot, nothing);
    onLeave(*m_chips, nothing);
    connect(&m_models, &OpenModels::modelsChanged, this, nothing);
    const auto again = [this] {
        fitChips();
        refresh();
    };
    connect(&m_selection, &Selection::changed, this, again);
    connect(&m_models, &OpenModels::headChanged, this, again);
    connect(&m_models, &OpenModels::modelsChanged, this, again);
}

/// As high as the chips are, and at most a part of the view; then they scroll.
void CurveView::fitChips() {
    const int wanted = m_chips->heightForWidth(std::max(1, width() - 2 * kMargin));
    const int most = std::max(kLeastLegend, height() / kLegendPart);
    const int scrolled =
        m_chips->heightForWidth(std::max(1, width() - 2 * kMargin - m_legend->verticalScrollBar()->sizeHint().width()));
    m_chips->setMinimumHeight(wanted <= most ? 0 : scrolled);
    m_legend->setFixedHeight(std::min(wanted, most));
}

void CurveView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    fitChips();
}

void CurveView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    fitChips();
}

void CurveView::replot() {
    if (isVisible()) m_plot->replot(QCustomPlot::rpQueuedReplot);
}

void CurveView::fit() const {
    fitAxes(*m_plot);
}

/// On paper nothing scrolls: the whole legend stands above a plot that can be read.
QSize CurveView::figureSize() const {
    const QSize size = View::figureSize();
    const int words =
        m_chips->heightForWidth(size.width() - 2 * kMargin) + m_key->heightForWidth(size.width() - 2 * kMargin);
    return size.expandedTo(QSize(0, words + kLeastPlot));
}

void CurveView::drawFigure(QCPPainter& painter, QSize size) const {
    const qreal used = m_chips->draw(painter, QRectF(8, 8, size.width() - 16, 0), paperLooks(font())) + 16;
    const int below = m_key->heightForWidth(size.width() - 16) + 8;
    painter.save();
    painter.translate(0, used);
    drawOnPaper(*m_plot, painter, QSize(size.width(), size.height() - static_cast<int>(used) - below),
                looksOf(palette(), font()), [this] { fit(); });
    painter.restore();
    m_key->draw(painter, QRectF(8, size.height() - below, size.width() - 16, 0), paperLooks(font()));
}

}  // namespace ropescope
