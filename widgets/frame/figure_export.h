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
/// SVG cannot embed fonts: text as outlines looks the same everywhere, text as text can be searched and edited.
enum class SvgText { Text, Outlines };
[[nodiscard]] QByteArray paintSvg(QSize size, const QString& title, SvgText text, const FigurePainter& paint);
[[nodiscard]] QByteArray paintPdf(QSize size, const QString& title, const FigurePainter& paint);

}  // namespace ropescope
