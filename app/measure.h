// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QJsonObject>
#include <QObject>
#include <vector>

namespace ropescope {

class MainWindow;

/// `ropescope --measure FILE.json`: drives the window through what has a time limit, writes the times as JSON and
/// quits. Keys, milliseconds: `window_shown` (process start to the first painted window), `first_heads` (process start
/// to the first painted heads), `another_head` (median over heads not seen before: selection to painted), `drag_p95`
/// and `drag_p95_generating` (95th percentile: mouse event on the slider to the finished paint of 6 heads' kernels on
/// 31 x 31 tokens). What could not be measured is null.
class Measure : public QObject {
    Q_OBJECT
public:
    Measure(MainWindow& window, const QString& file);

    /// Milliseconds since this process was started, by the kernel's clock.
    [[nodiscard]] static double sinceStart();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void onFieldsPainted();
    void nextHead();
    void prepareDrag();
    void startDrag(bool generating);
    void dragOnce();
    void finish();

    enum class Phase { FirstHeads, OtherHeads, Settle, Drag, DragGenerating, Done };
    MainWindow& m_window;
    QString m_file;
    QJsonObject m_times;
    Phase m_phase = Phase::FirstHeads;
    QElapsedTimer m_timer;
    std::vector<double> m_samples;
    std::vector<double> m_replies;
    int m_head = 0;
    int m_drags = 0;
};

}  // namespace ropescope
