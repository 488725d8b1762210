// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "widgets/frame/view.h"

class QCustomPlot;
class QScrollArea;
class QVBoxLayout;

namespace ropescope {

class HeadChips;
class KeyLine;

/// A view whose figure is one plot of curves with the heads' legend above it and the key of everything else below: what
/// is drawn, what the mouse reads and what goes to paper follow one pattern.
class CurveView : public View {
    Q_OBJECT
public:
    CurveView(OpenModels& models, Selection& selection, const QString& title, QWidget* parent);

protected:
    [[nodiscard]] QCustomPlot& plot() { return *m_plot; }
    [[nodiscard]] const QCustomPlot& plot() const { return *m_plot; }
    [[nodiscard]] QVBoxLayout& body() { return *m_body; }  ///< legend, plot, key, and what a view adds below
    [[nodiscard]] KeyLine& key() { return *m_key; }
    /// Everything anew; called whenever heads, models or measurements change.
    virtual void refresh() = 0;
    /// What is under the mouse, at a pixel of the plot; empty when there is nothing.
    [[nodiscard]] virtual QString readOut(QPoint position) const = 0;
    void replot();  ///< a hidden plot is drawn when it is shown
    /// Suits titles, ticks and labels to the plot's present size; called before every drawing.
    virtual void fit() const;
    void drawFigure(QCPPainter& painter, QSize size) const override;
    [[nodiscard]] QSize figureSize() const override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void fitChips();

    HeadChips* m_chips;
    QScrollArea* m_legend;  ///< of more chips than leave room for the plot
    QCustomPlot* m_plot;
    KeyLine* m_key;
    QVBoxLayout* m_body;
};

}  // namespace ropescope
