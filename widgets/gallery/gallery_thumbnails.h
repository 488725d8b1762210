// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCache>
#include <QObject>
#include <QPixmap>
#include <QSet>
#include <QThreadPool>
#include <list>

#include "widgets/gallery/gallery_picture.h"

namespace ropescope {

/// Small pictures by key, made in the background when they are first asked for; the latest asked come first, and only
/// so many are kept.
class GalleryThumbnails : public QObject {
    Q_OBJECT
public:
    explicit GalleryThumbnails(QObject* parent = nullptr);
    ~GalleryThumbnails() override;

    /// nullptr until it is there; null when the picture cannot be read. `side` in device pixels.
    [[nodiscard]] const QPixmap* find(int key, const GalleryPicture& picture, int side);
    void forget(int key) { m_made.remove(key); }

signals:
    void arrived();

private:
    struct Wanted {
        int key = 0;
        GalleryPicture picture;
    };
    void next();
    void take(int key, int side, const QImage& image);

    QCache<int, QPixmap> m_made;
    std::list<Wanted> m_wanted;  ///< latest first
    QSet<int> m_asked;           ///< keys of m_wanted and of those that are being made
    int m_side = 0;
    int m_running = 0;
    QThreadPool m_pool;
};

}  // namespace ropescope
