// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>

namespace ropescope {

/// Bars over the lower edge of another widget, one above the other: they come and go, and nothing below them moves.
class OverlayStack : public QWidget {
    Q_OBJECT
public:
    explicit OverlayStack(QWidget* below);

    void add(QWidget* bar);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void place();

    QWidget* m_below;
    QTimer m_pause;
};

}  // namespace ropescope
