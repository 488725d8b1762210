// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/classify/class_bars.h"

#include <QPainter>
#include <algorithm>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr qreal kWidestName = 240;
constexpr qreal kTallestRow = 36;

}  // namespace

ClassBars::ClassBars(QWidget* parent) : QWidget(parent) {
    setMinimumSize(200, 5 * fontMetrics().height() + 16);
    setAccessibleName(tr("Best classes"));
    setToolTip(tr("Softmax over all classes; the bars end at 1"));
}

void ClassBars::setScores(std::vector<ClassScore> scores) {
    m_scores = std::move(scores);
    update();
}

void ClassBars::setHint(const QString& text) {
    m_hint = text;
    update();
}

QSize ClassBars::sizeHint() const {
    return {480, 5 * 2 * fontMetrics().height() + 16};
}

void ClassBars::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Looks looks = looksOf(palette(), font());
    painter.fillRect(rect(), looks.base);
    if (m_scores.empty()) {
        painter.setPen(looks.muted);
        painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap,
                         m_hint.isEmpty()
                             ? tr("The best classes of a picture appear here, and the fields of its heads in Fields")
                             : m_hint);
        return;
    }
    const QFontMetricsF metrics(looks.font);
    qreal names = 0;
    for (const ClassScore& score : m_scores) {
        names = std::max(names, metrics.horizontalAdvance(QString::fromStdString(score.label)));
    }
    names = std::min({names, kWidestName, width() * 0.4});
    const qreal numbers = metrics.horizontalAdvance(QStringLiteral("100.0 %")) + 8;
    const qreal row = std::min(kTallestRow, (height() - 16.0) / static_cast<double>(m_scores.size()));
    const QRectF bars(8 + names + 12, 8, std::max(24.0, width() - 16 - names - 12 - numbers - 8), row);
    for (std::size_t i = 0; i < m_scores.size(); ++i) {
        const QRectF place = bars.translated(0, static_cast<double>(i) * row);
        const qreal thick = std::min(row - 4, 18.0);
        const QRectF whole(place.left(), place.center().y() - thick / 2, place.width(), thick);
        painter.setPen(i == 0 ? looks.text : looks.muted);
        painter.drawText(QRectF(8, place.top(), names, row), Qt::AlignRight | Qt::AlignVCenter,
                         metrics.elidedText(QString::fromStdString(m_scores[i].label), Qt::ElideRight, names));
        painter.fillRect(whole, looks.grid);
        painter.fillRect(QRectF(whole.topLeft(), QSizeF(whole.width() * m_scores[i].probability, thick)),
                         i == 0 ? looks.accent : looks.reference);
        painter.drawText(QRectF(whole.right() + 8, place.top(), numbers, row), Qt::AlignLeft | Qt::AlignVCenter,
                         tr("%1 %").arg(100 * m_scores[i].probability, 0, 'f', 1));
    }
}

}  // namespace ropescope
