// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/preview_image.h"

#include <QPainter>
#include <algorithm>

#include "widgets/frame/plot_style.h"
#include "widgets/state/image.h"

namespace ropescope {

PreviewImage::PreviewImage(QWidget* parent) : QWidget(parent) {
    setMinimumSize(96, 96);
}

void PreviewImage::setImage(const QImage& image) {
    m_image = image;
    update();
}

void PreviewImage::setCaption(const QString& caption) {
    m_caption = caption;
    update();
}

void PreviewImage::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Looks looks = looksOf(palette(), font());
    painter.fillRect(rect(), looks.base);
    painter.setPen(QPen(looks.grid, 1));
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
    if (m_image.isNull()) {
        painter.setPen(looks.muted);
        painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, m_caption);
        return;
    }
    // In device pixels, so that every pixel of the picture covers the same whole number of them.
    const qreal ratio = devicePixelRatioF();
    QImage shown = enlarged(m_image, static_cast<int>(std::min(width() - 8, height() - 8) * ratio));
    shown.setDevicePixelRatio(ratio);
    const QSizeF size = QSizeF(shown.size()) / ratio;
    painter.drawImage(QPointF((width() - size.width()) / 2, (height() - size.height()) / 2), shown);
}

}  // namespace ropescope
