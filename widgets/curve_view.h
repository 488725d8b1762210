// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "widgets/view.h"

class QCustomPlot;
class QVBoxLayout;

namespace ropescope {

class HeadChips;

/// A view whose figure is one plot of curves with the heads' legend above it: what is drawn, what the mouse reads and
/// what goes to paper follow one pattern.
class CurveView : public View {
    Q_OBJECT
public:
    CurveView(OpenModels& models, Selection& selection, const QString& title, QWidget* parent);

protected:
    [[nodiscard]] QCustomPlot& plot() { return *m_plot; }
    [[nodiscard]] const QCustomPlot& plot() const { return *m_plot; }
    [[nodiscard]] QVBoxLayout& body() { return *m_body; }  ///< legend, plot, and what a view adds below
    /// Everything anew; called whenever heads, models or measurements change.
    virtual void refresh() = 0;
    /// What is under the mouse, at a pixel of the plot; empty when there is nothing.
    [[nodiscard]] virtual QString readOut(QPoint position) const = 0;
    void replot();  ///< a hidden plot is drawn when it is shown
    void drawFigure(QCPPainter& painter, QSize size) const override;

private:
    HeadChips* m_chips;
    QCustomPlot* m_plot;
    QVBoxLayout* m_body;
};

}  // namespace ropescope
