// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/data/tensors_report.h"

class QCheckBox;
class QCPPainter;
class QCustomPlot;
class QBoxLayout;
class QLabel;

namespace ropescope {

/// What the values of one tensor are like: smallest, largest, mean, norm, how many are no numbers, and a histogram.
class TensorPanel : public QWidget {
    Q_OBJECT
public:
    explicit TensorPanel(QWidget* parent = nullptr);

    void showWords(const QString& title, const QString& words);  ///< in the place of values
    void showValues(const TensorStatistics& statistics);
    [[nodiscard]] const TensorStatistics& shown() const { return m_statistics; }  ///< without a name: none
    [[nodiscard]] QString text(const QString& key) const;                         ///< what stands beside "Mean"
    [[nodiscard]] QString readOut(double value) const;  ///< how many values lie in that bin; empty outside
    void setLog(bool on);
    void draw(QCPPainter& painter, QSize size) const;
    void restyle();

protected:
    void resizeEvent(QResizeEvent* event) override;

signals:
    void hovered(const QString& text);

private:
    void buildPlot();
    void fillPlot();
    void setName(const QString& name);
    [[nodiscard]] double binWidth() const;

    TensorStatistics m_statistics;
    QString m_name;
    QLabel* m_title;  ///< m_name with places to break it
    QLabel* m_words;
    QWidget* m_values;
    QBoxLayout* m_row;       ///< numbers and plot: above each other, or side by side where there is little height
    QList<QLabel*> m_cells;  ///< in the order of the rows
    QCheckBox* m_log;
    QCustomPlot* m_plot;
};

}  // namespace ropescope
