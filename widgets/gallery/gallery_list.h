// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QListView>

namespace ropescope {

class GalleryThumbnails;
class PictureList;

/// Thumbnails in rows, the current one framed. Says what the user picks, not what becomes current by other means.
class GalleryList : public QListView {
    Q_OBJECT
public:
    GalleryList(const PictureList& pictures, GalleryThumbnails& thumbnails, QWidget* parent);

    void setWords(const QString& words);  ///< what is said while the list is empty

signals:
    void picked(const QModelIndex& index);  ///< by mouse, arrow keys or Return
    void deletePressed(const QModelIndex& index);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    /// One picture is framed whatever key is held: the window shows it.
    [[nodiscard]] QItemSelectionModel::SelectionFlags selectionCommand(const QModelIndex& index,
                                                                       const QEvent* event) const override;

private:
    QString m_words;
};

}  // namespace ropescope
