// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRect>
#include <QSplitter>
#include <functional>

class QPushButton;

namespace ropescope {

/// Two parts of one figure that share their place by its shape: side by side or one above the other, whichever leaves
/// the first one larger; where there is no room for both, one of them, and a button turns to the other.
/// Checked by tests/widgets/compare_view_test.cpp.
class TwoParts : public QSplitter {
    Q_OBJECT
public:
    /// How much of its place, to the right or downwards, the first part can use.
    using Extent = std::function<int(QSize place, Qt::Orientation along)>;

    TwoParts(QWidget* first, QWidget* second, const QString& turnTo, QWidget* parent);

    void setLeast(QSize first, QSize second);  ///< below it a part is of no use
    void setExtent(Extent extent);
    void setSecondUsed(bool used);  ///< false: there is nothing to show in it
    /// Shown only where one part has to make room for the other; checked: the second one is seen.
    [[nodiscard]] QPushButton* turnButton() const { return m_turn; }
    /// Where the parts lie on paper; empty: left out.
    [[nodiscard]] std::pair<QRect, QRect> partsIn(QSize size) const;
    void arrange();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    [[nodiscard]] bool hasRoom(QSize size, Qt::Orientation along) const;
    [[nodiscard]] Qt::Orientation directionIn(QSize size) const;
    [[nodiscard]] int firstIn(QSize size, Qt::Orientation along) const;

    QSize m_leastFirst{160, 120}, m_leastSecond{160, 120};
    Extent m_extent;
    bool m_used = true;
    bool m_moved = false;  ///< by the user, who knows better
    QPushButton* m_turn;
};

}  // namespace ropescope
