// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/curve_view.h"

#include <qcustomplot.h>

#include <QVBoxLayout>

#include "widgets/head_chips.h"
#include "widgets/plot_style.h"

namespace ropescope {

CurveView::CurveView(OpenModels& models, Selection& selection, const QString& title, QWidget* parent)
    : View(models, selection, title, parent),
      m_chips(new HeadChips(models, selection, HeadChips::Which::Shown, this)),
      m_plot(new QCustomPlot(this)) {
    auto* content = new QWidget(this);
    m_body = new QVBoxLayout(content);
    m_body->setContentsMargins(0, 0, 0, 0);
    m_body->setSpacing(8);
    m_body->addWidget(m_chips);
    m_body->addWidget(m_plot, 1);
    setContent(content);
    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
        const QString text = readOut(event->pos());
        m_plot->setToolTip(text);
        emit hovered(text);
    });
    const auto again = [this] { refresh(); };
    connect(&m_selection, &Selection::changed, this, again);
    connect(&m_models, &OpenModels::headChanged, this, again);
    connect(&m_models, &OpenModels::modelsChanged, this, again);
}

void CurveView::replot() {
    if (isVisible()) m_plot->replot(QCustomPlot::rpQueuedReplot);
}

void CurveView::drawFigure(QCPPainter& painter, QSize size) const {
    const qreal used = m_chips->draw(painter, QRectF(8, 8, size.width() - 16, 0), paperLooks(font())) + 16;
    painter.save();
    painter.translate(0, used);
    drawOnPaper(*m_plot, painter, QSize(size.width(), size.height() - static_cast<int>(used)),
                looksOf(palette(), font()));
    painter.restore();
}

}  // namespace ropescope
