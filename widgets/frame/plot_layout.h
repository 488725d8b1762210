// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>
#include <functional>

class QCPAxis;
class QCustomPlot;
class QWidget;

namespace ropescope {

/// Gives every panel its place without drawing: ranges and labels that depend on the panel's shape can then be set.
void layOut(QCustomPlot& plot);

/// What an axis is called, and what where it is too short for that, longest first.
void setTitle(QCPAxis& axis, const QString& title, const QStringList& shorter = {});
/// Fits the axes with a title to the present size of the plot: titles are broken into two lines, shortened or left out,
/// never cut; ticks are thinned out until their labels stand apart.
void fitAxes(QCustomPlot& plot);

/// Calls `left` whenever the mouse leaves the widget: plots tell of moves alone.
void onLeave(QWidget& widget, std::function<void()> left);

}  // namespace ropescope
