// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QIcon>
#include <QPushButton>
#include <QStyledItemDelegate>

namespace ropescope {

inline constexpr int kTailRole = Qt::UserRole + 16;  ///< what a row says after its name, never elided

/// Rows with room to breathe; a name that does not fit gives way in its middle, as the tails of names differ. A style
/// sheet would do the first, but then the tree no longer follows the palette.
class RoomyDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override;
};

/// A round dot for a row; on a highlighted row it has a white outline, so that a blue one does not vanish. A colour
/// that is not valid: no dot.
[[nodiscard]] QIcon dotIcon(const QColor& colour);

/// A button that looks like a place to drop something on; pressed while something is held over the tree.
class DropZone : public QPushButton {
public:
    using QPushButton::QPushButton;

    [[nodiscard]] QSize sizeHint() const override { return {120, 64}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {80, 64}; }

protected:
    void paintEvent(QPaintEvent* event) override;
};

}  // namespace ropescope
