// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPushButton>
#include <QStyledItemDelegate>

class QTreeView;

namespace ropescope {

inline constexpr int kWrappedRole = Qt::UserRole + 16;  ///< true: the row's text may take several lines

/// Rows with room to breathe. A style sheet would do it too, but then the tree no longer follows the palette.
class RoomyDelegate : public QStyledItemDelegate {
public:
    explicit RoomyDelegate(QTreeView* tree);
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override;

private:
    [[nodiscard]] int room() const;

    QTreeView* m_tree;
};

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
