// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPolygonF>
#include <QRectF>
#include <QString>
#include <vector>

class QWidget;

namespace ropescope::test {

/// One text as it is painted. All places are those of the window.
struct SeenText {
    QString text;
    QRectF ink;                      ///< around its glyphs
    QPolygonF outline;               ///< of its glyphs, turned with them
    QRectF clip;                     ///< where it may paint: the painter's clip and its widget's part of the window
    double covered = 0;              ///< share of the ink below later opaque widgets, [0,1]
    const QWidget* owner = nullptr;  ///< painted it
};

/// Every text the window paints, in the order of painting, whatever paints it: widgets are rendered one by one into a
/// paint device that keeps texts only. What lies wholly outside its clip or below other widgets is not seen.
[[nodiscard]] std::vector<SeenText> seenTexts(QWidget& window);

}  // namespace ropescope::test
