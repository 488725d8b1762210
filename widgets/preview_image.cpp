// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/preview_image.h"

#include <QPainter>
#include <algorithm>

#include "widgets/plot_style.h"

namespace ropescope {

QImage imageOf(const Array& pixels) {
    if (pixels.dtype != DType::U8 || pixels.shape.size() != 3 || pixels.shape[2] != 3) return {};
    const auto height = static_cast<int>(pixels.shape[0]), width = static_cast<int>(pixels.shape[1]);
    if (height == 0 || width == 0) return {};
    const QImage view(reinterpret_cast<const uchar*>(pixels.bytes.data()), width, height, 3 * width,
                      QImage::Format_RGB888);
    return view.convertToFormat(QImage::Format_RGB32);
}

QImage enlarged(const QImage& image, int side) {
    if (image.isNull()) return {};
    const int longest = std::max(image.width(), image.height());
    if (longest > side) return image.scaled(side, side, Qt::KeepAspectRatio, Qt::SmoothTransformation);
    return image.scaled(image.size() * (side / longest), Qt::KeepAspectRatio, Qt::FastTransformation);
}

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
