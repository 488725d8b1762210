// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QStringList>
#include <functional>

class QWidget;

namespace ropescope {

class MainWindow;

/// A picture in which nearly all pixels have one colour shows nothing.
[[nodiscard]] bool isBlank(const QImage& image);

/// `ropescope --pictures FOLDER`: drives the window through its views, a generation and two models side by side, and
/// writes a picture of each. Returns 0, or 1 when something did not come, was blank, or could not be written; what it
/// was is said on stderr.
class Pictures {
public:
    Pictures(MainWindow& window, const QString& folder);
    [[nodiscard]] int take();

private:
    bool waitFor(const char* what, int milliseconds, const std::function<bool()>& condition);
    void settle(int milliseconds);
    void save(QWidget& widget, const QString& name);
    void selectFour();
    void askAttention();
    void chooseTensor();
    void takeViews();
    void takeGeneration();
    void takeComparison();
    void takeMeasurement();

    MainWindow& m_window;
    QString m_folder;
    QStringList m_failures;
};

}  // namespace ropescope
