// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractListModel>
#include <QThreadPool>
#include <utility>
#include <vector>

#include "widgets/gallery/gallery_picture.h"

namespace ropescope {

/// Pictures of this session and those kept in a folder, newest first, each once. Of kept ones only the names are listed
/// at first; their recipes follow from the background.
class PictureList : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { RowRole = Qt::UserRole, SearchRole };  ///< RowRole: the row here, seen through a proxy
    explicit PictureList(QObject* parent = nullptr);
    ~PictureList() override;

    void setFolder(const QString& folder);  ///< lists it anew; pictures of the session stay
    int add(GalleryPicture picture);        ///< in its place by time; returns its key
    void putBack(int key, GalleryPicture picture);
    /// Of the oldest picture of the session with this recipe and seed that has no file yet; false: there is none.
    bool setFile(const GeneratedImage& image, const QString& file);
    GalleryPicture take(int row);                ///< removes it
    void removeFiles(const QStringList& files);  ///< those that are gone from the folder
    void know(int row);                          ///< reads its recipe now

    [[nodiscard]] const GalleryPicture& at(int row) const { return m_rows[row].picture; }
    [[nodiscard]] int keyOf(int row) const { return m_rows[row].key; }
    [[nodiscard]] int rowOf(int key) const;     ///< -1: not there
    void setRun(int row, int run);              ///< a kept picture is one of this session's runs from now on
    [[nodiscard]] int rowOfRun(int run) const;  ///< of the first image of the run; -1: not there
    [[nodiscard]] bool isReading() const { return m_reading > 0; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;
    /// A picture dragged out carries its pixels and, as text, its recipe.
    [[nodiscard]] QMimeData* mimeData(const QModelIndexList& indexes) const override;

signals:
    void recipesRead();

private:
    struct Row {
        int key = 0;
        GalleryPicture picture;
    };
    static bool isNewer(const Row& a, const Row& b);
    using Batch = std::vector<Row>;
    void readInBackground();
    void takeRecipes(Batch batch, int listing);

    std::vector<Row> m_rows;
    int m_nextKey = 0;
    int m_listing = 0;  ///< counts folders, so that batches of an earlier one are dropped
    int m_reading = 0;  ///< batches on their way
    QThreadPool m_pool;
};

}  // namespace ropescope
