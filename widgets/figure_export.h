// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QImage>
#include <QSize>
#include <QString>
#include <functional>

class QCPPainter;

namespace ropescope {

using FigurePainter = std::function<void(QCPPainter&, QSize)>;

/// The figure on white, `scale` device pixels per logical pixel.
[[nodiscard]] QImage paintImage(QSize size, qreal scale, const FigurePainter& paint);
[[nodiscard]] QByteArray paintPng(QSize size, const FigurePainter& paint);  ///< at twice the logical size
/// SVG cannot embed fonts, so text becomes outlines: the figure looks the same everywhere.
[[nodiscard]] QByteArray paintSvg(QSize size, const QString& title, const FigurePainter& paint);
[[nodiscard]] QByteArray paintPdf(QSize size, const QString& title, const FigurePainter& paint);

}  // namespace ropescope
