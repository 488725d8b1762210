// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPersistentModelIndex>
#include <QWidget>
#include <vector>

#include "widgets/gallery/gallery_picture.h"
#include "widgets/gallery/gallery_trash.h"

class QDropEvent;
class QLabel;
class QLineEdit;
class QSortFilterProxyModel;

namespace ropescope {

class GalleryList;
class GalleryThumbnails;
class PictureList;

/// The pictures made so far, of this session and kept ones, newest first, with a search. Rows count all pictures,
/// whatever the search shows. Checked by tests/widgets/gallery_test.cpp.
class Gallery : public QWidget {
    Q_OBJECT
public:
    explicit Gallery(QWidget* parent = nullptr);

    void setFolder(const QString& folder);    ///< of kept pictures; lists it anew
    void addPicture(GalleryPicture picture);  ///< becomes the newest and the current one; says nothing
    /// The images of a run, each with a request of its own; the first is the one that fields and attention are of.
    void addResult(int run, const GenerateRequest& request, const GenerateResult& result);
    void setRun(int row, int run);  ///< the run that a picture made before has become
    void setCurrentRun(int run);    ///< frames the first image of that run; none with -1
    void remove(int row);           ///< its file goes to the trash; undoDelete() brings both back
    void undoDelete();              ///< the latest of those that are left

    [[nodiscard]] int count() const;
    [[nodiscard]] int currentRow() const;  ///< -1: none
    [[nodiscard]] const GalleryPicture& picture(int row);
    /// With pixels, which may have to be read from the file; without when that is gone, which a notice says.
    [[nodiscard]] GeneratedImage image(int row);
    [[nodiscard]] bool canUndoDelete() const { return !m_removed.empty(); }
    [[nodiscard]] bool startedDrag(const QDropEvent& event) const;
    [[nodiscard]] QLineEdit* search() const { return m_search; }
    [[nodiscard]] GalleryList* list() const { return m_list; }
    [[nodiscard]] QString countText() const;
    [[nodiscard]] QString emptyText() const;  ///< what the list says when it shows nothing

public slots:
    /// The file that keeps a picture of this session. One that was deleted meanwhile goes the same way.
    void setFile(const ropescope::GeneratedImage& image, const QString& file);
    void forget(const QStringList& files);  ///< files that are gone, and their pictures

signals:
    void chosen(int row);  ///< by click, arrow keys or Return
    void restoreRequested(int row);
    void saveRequested(int row);
    void attentionRequested(int row);
    void deleted(const QString& text);  ///< what was; the way back is undoDelete()
    void notice(const QString& text);   ///< what did not go as asked

private:
    struct Removed {
        int key = 0;
        GalleryPicture picture;
        TrashedFile file;
    };
    void connectSignals();
    void openMenu(QPoint position);
    void filter(const QString& text);
    void showCurrent();  ///< frames the current picture where the search shows it
    void showCount();
    void choose(int row);
    void restore(int row);
    [[nodiscard]] int rowOf(const QModelIndex& shown) const;
    [[nodiscard]] QModelIndex shownIndex(int row) const;

    PictureList* m_pictures;
    QSortFilterProxyModel* m_shown;
    GalleryThumbnails* m_thumbnails;
    QWidget* m_bar;
    QLineEdit* m_search;
    QLabel* m_count;
    GalleryList* m_list;
    int m_current = -1;  ///< key of a picture
    std::vector<Removed> m_removed;
};

}  // namespace ropescope
