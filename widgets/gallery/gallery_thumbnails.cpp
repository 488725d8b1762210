// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery/gallery_thumbnails.h"

#include <utility>

#include "widgets/state/image.h"

namespace ropescope {
namespace {

constexpr int kThreads = 2;    // the other cores are for the engine
constexpr int kKept = 1000;    // thumbnails; 64 pixels of side take 16 kB each
constexpr int kWaiting = 100;  // more than a screen of them was scrolled past

}  // namespace

GalleryThumbnails::GalleryThumbnails(QObject* parent) : QObject(parent), m_made(kKept) {
    m_pool.setMaxThreadCount(kThreads);
}

GalleryThumbnails::~GalleryThumbnails() {
    m_pool.waitForDone();
}

const QPixmap* GalleryThumbnails::find(int key, const GalleryPicture& picture, int side) {
    if (std::exchange(m_side, side) != side) m_made.clear();
    if (const QPixmap* made = m_made.object(key)) return made;
    if (m_asked.contains(key)) return nullptr;
    m_asked.insert(key);
    // Only what the picture is made of: the rest would be copied for nothing.
    Wanted wanted{key, {}};
    wanted.picture.file = picture.file;
    wanted.picture.image.pixels = picture.image.pixels;
    m_wanted.push_front(std::move(wanted));
    if (m_wanted.size() > kWaiting) {
        m_asked.remove(m_wanted.back().key);
        m_wanted.pop_back();
    }
    next();
    return nullptr;
}

void GalleryThumbnails::next() {
    while (m_running < kThreads && !m_wanted.empty()) {
        Wanted wanted = std::move(m_wanted.front());
        m_wanted.pop_front();
        ++m_running;
        m_pool.start([this, wanted = std::move(wanted), side = m_side] {
            const QImage image = enlarged(imageOf(wanted.picture), side);
            QMetaObject::invokeMethod(
                this, [this, key = wanted.key, side, image] { take(key, side, image); }, Qt::QueuedConnection);
        });
    }
}

void GalleryThumbnails::take(int key, int side, const QImage& image) {
    --m_running;
    m_asked.remove(key);
    if (side == m_side) m_made.insert(key, new QPixmap(QPixmap::fromImage(image)));
    next();
    emit arrived();
}

}  // namespace ropescope
