// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QWidget>
#include <functional>
#include <vector>

#include "widgets/frame/plot_style.h"

namespace ropescope {

/// A sample as the figure draws it, and what it means.
struct KeyEntry {
    std::function<void(QPainter&, const QRectF&, const Looks&)> sample;  ///< empty: words alone
    QString words;
};

/// What the bands, lines and shapes of a figure mean: small, in one line that wraps. Without entries it takes no room.
/// Checked by tests/widgets/curve_views_test.cpp.
class KeyLine : public QWidget {
    Q_OBJECT
public:
    explicit KeyLine(QWidget* parent = nullptr);

    void setEntries(std::vector<KeyEntry> entries);
    [[nodiscard]] QStringList words() const;
    /// Draws into the width of `place` and returns the height that was used.
    qreal draw(QPainter& painter, const QRectF& place, const Looks& looks) const;
    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    struct Placed {
        QRectF sample;
        QRectF words;
        QString text;  ///< broken into lines
    };
    [[nodiscard]] std::vector<Placed> placesIn(const QRectF& place, const QFont& font) const;

    std::vector<KeyEntry> m_entries;
};

/// The font of what explains a figure: a little smaller than the figure's own.
[[nodiscard]] QFont keyFont(QFont font);

}  // namespace ropescope
