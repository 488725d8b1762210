// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QFont>
#include <QImage>
#include <QPen>
#include <QRectF>
#include <QSize>
#include <QString>
#include <QStringList>
#include <functional>
#include <vector>

#include "core/data/atlas.h"
#include "core/data/colour.h"
#include "core/data/head_report.h"

class QCPPainter;
class QCustomPlot;
class QPainter;
class QPalette;

namespace ropescope {

/// The few colours of a figure, taken from the palette on screen and fixed on paper.
struct Looks {
    QColor base;       ///< ground of the figure
    QColor text;       ///< axis titles and labels
    QColor muted;      ///< tick labels, notes
    QColor grid;       ///< faint lines
    QColor reference;  ///< what is compared with: identity line, B = I outline
    QColor accent;
    QFont font;
};
[[nodiscard]] Looks looksOf(const QPalette& palette, const QFont& font);
[[nodiscard]] Looks paperLooks(const QFont& font);

/// Of what is wrong, as text and as a stripe; readable on light and dark ground.
[[nodiscard]] QColor warningColour();

// A head's colour and line style by Selection::colourIndex: styles change when colours repeat.
[[nodiscard]] QColor headColour(int index);
[[nodiscard]] QPen headPen(int index, qreal width = 1.5);

[[nodiscard]] QColor mapColour(ColourMap map, double share);
/// A [rows, columns] picture, one pixel a value; NaN is transparent. `low` < `high`.
[[nodiscard]] QImage mapImage(const std::vector<double>& values, int rows, int columns, ColourMap map, double low,
                              double high);
/// Draws one sharp rectangle per pixel of `cells`. Scales by hand on screen: QPainter's own scaling hands the work to
/// pooled threads and then waits for them, which costs a frame when all cores are busy generating.
void drawCells(QPainter& painter, const QRectF& place, const QImage& cells);
/// Fills a rectangle with the hatching that marks a head whose numbers are not valid.
void drawHatched(QPainter& painter, const QRectF& place, const Looks& looks);
/// A sentence in the middle of a place on a clean ground; `shortly` where the place is too small for it, nothing where
/// it is too small for that as well (the whole message then shows on hover).
void drawWords(QPainter& painter, const QRectF& place, const QString& sentence, const QString& shortly,
               const Looks& looks);
/// The text with its spaces made to line breaks where a line would be wider than `width` pixels; a single word may be.
/// What stands between four spaces is kept together where it can.
[[nodiscard]] QString wrapped(const QString& text, const QFont& font, int width);
/// Horizontal colour bar with both ends and the title written beside it, e.g. "Energy (share)", or above it in as many
/// lines as it needs; smaller where the place is lower than legendHeight().
void drawLegend(QPainter& painter, const QRectF& place, ColourMap map, double low, double high, const QString& title,
                const Looks& looks);
[[nodiscard]] qreal legendHeight(double low, double high, const QString& title, const QFont& font, qreal width);

/// "2.4 tokens", "0.27", "12.3\u00b0"; "not known" for NaN.
[[nodiscard]] QString numberText(double value, const std::string& unit);
[[nodiscard]] QString shortNumber(double value);
/// As many decimals as the larger end of a range needs for three digits, so that numbers side by side line up.
[[nodiscard]] QString rangeNumber(double value, double low, double high);
/// "Mean distance (tokens)".
[[nodiscard]] QString titleWithUnit(const HeadNumber& number);
/// "of the map" or "of the head", with the gauge mark where the number is not invariant.
[[nodiscard]] QString marksText(const HeadNumber& number);
/// Definition, label and what the mark means, for tooltips.
[[nodiscard]] QString definitionText(const HeadNumber& number);

/// A tool tip that shows the text as it is, also where it looks like markup.
[[nodiscard]] QString plainTip(const QString& text);

/// Names of Extrapolation by value, and what they do.
[[nodiscard]] QStringList extrapolationNames();
[[nodiscard]] QString extrapolationTip();

/// Ground, axes, faint grid and fonts of every axis rect of the plot.
void stylePlot(QCustomPlot& plot, const Looks& looks);
/// Draws the plot in paper looks, then puts the looks of the screen back; `fit` suits it to its size each time.
void drawOnPaper(QCustomPlot& plot, QCPPainter& painter, QSize size, const Looks& screen,
                 const std::function<void()>& fit);

}  // namespace ropescope
