// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPoint>
#include <QRectF>

#include "widgets/fields/fields_canvas.h"

class QPainter;

namespace ropescope {

enum class ProfileDirection { AlongColumns, AlongRows };  ///< the offset that runs along the horizontal axis

/// One small line plot: the values of every head along a line through the crosshair, on the scale of the panels.
void drawProfile(QPainter& painter, const QRectF& place, const FieldsFigure& figure, FieldKind kind,
                 ProfileDirection direction, QPoint crosshair, const Looks& looks);

}  // namespace ropescope
