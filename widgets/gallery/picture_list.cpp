// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery/picture_list.h"

#include <QDir>
#include <QFileInfo>
#include <QMimeData>
#include <QSet>
#include <algorithm>
#include <unordered_map>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr std::size_t kBatch = 100;  // recipes read between two messages to the window

QString absolute(const QString& file) {
    return QDir::cleanPath(QFileInfo(file).absoluteFilePath());
}

}  // namespace

/// Of one moment the later one: keys go up within a batch and, by name, within a folder.
bool PictureList::isNewer(const Row& a, const Row& b) {
    return a.picture.made != b.picture.made ? a.picture.made > b.picture.made : a.key > b.key;
}

PictureList::PictureList(QObject* parent) : QAbstractListModel(parent) {
    m_pool.setMaxThreadCount(1);
}

PictureList::~PictureList() {
    m_pool.clear();
    m_pool.waitForDone();
}

void PictureList::setFolder(const QString& folder) {
    m_pool.clear();
    m_reading = 0;
    ++m_listing;
    const QDir directory(folder);
    QSet<QString> files;
    const QStringList names =
        folder.isEmpty() ? QStringList() : directory.entryList({QStringLiteral("*.png")}, QDir::Files, QDir::Name);
    for (const QString& name : names) files.insert(absolute(directory.filePath(name)));
    beginResetModel();
    std::erase_if(m_rows, [&files](const Row& row) {
        const GalleryPicture& p = row.picture;
        return p.run < 0 && !p.file.isEmpty() && !files.contains(p.file);
    });
    for (const Row& row : m_rows) files.remove(row.picture.file);
    for (const QString& name : names) {
        const QString file = absolute(directory.filePath(name));
        if (files.contains(file)) m_rows.push_back({m_nextKey++, keptPicture(file)});
    }
    std::ranges::stable_sort(m_rows, isNewer);
    endResetModel();
    readInBackground();
}

void PictureList::readInBackground() {
    Batch batch;
    const auto send = [this, &batch] {
        if (batch.empty()) return;
        ++m_reading;
        m_pool.start([this, listing = m_listing, batch = std::exchange(batch, {})]() mutable {
            for (Row& row : batch) readRecipe(row.picture);
            QMetaObject::invokeMethod(
                this, [this, listing, batch = std::move(batch)]() mutable { takeRecipes(std::move(batch), listing); },
                Qt::QueuedConnection);
        });
    };
    for (const Row& row : m_rows) {
        if (row.picture.known) continue;
        batch.push_back(row);
        if (batch.size() == kBatch) send();
    }
    send();
}

void PictureList::takeRecipes(Batch batch, int listing) {
    if (listing != m_listing) return;
    --m_reading;
    std::unordered_map<int, GalleryPicture*> read;
    for (Row& row : batch) read[row.key] = &row.picture;
    int first = rowCount(), last = -1;
    for (int row = 0; row < rowCount(); ++row) {
        const auto found = read.find(m_rows[row].key);
        if (found == read.end() || at(row).known) continue;
        m_rows[row].picture = std::move(*found->second);
        first = std::min(first, row), last = row;
    }
    if (last >= 0) emit dataChanged(index(first), index(last), {SearchRole, Qt::ToolTipRole});
    emit recipesRead();
}

void PictureList::know(int row) {
    if (at(row).known) return;
    readRecipe(m_rows[row].picture);
    emit dataChanged(index(row), index(row), {SearchRole, Qt::ToolTipRole});
}

int PictureList::add(GalleryPicture picture) {
    putBack(m_nextKey, std::move(picture));
    return m_nextKey++;
}

void PictureList::putBack(int key, GalleryPicture picture) {
    Row row{key, std::move(picture)};
    const auto place = std::ranges::find_if(m_rows, [&row](const Row& other) { return isNewer(row, other); });
    const auto at = static_cast<int>(place - m_rows.begin());
    beginInsertRows({}, at, at);
    m_rows.insert(place, std::move(row));
    endInsertRows();
}

bool PictureList::setFile(const GeneratedImage& image, const QString& file) {
    const auto waits = [&image](const Row& row) {
        const GalleryPicture& p = row.picture;
        return p.file.isEmpty() && p.image.seed == image.seed && p.image.recipe == image.recipe;
    };
    const auto found = std::find_if(m_rows.rbegin(), m_rows.rend(), waits);
    if (found == m_rows.rend()) return false;
    const int key = found->key;
    removeFiles({file});  // the folder may have been listed meanwhile
    const int row = rowOf(key);
    m_rows[row].picture.file = absolute(file);
    m_rows[row].picture.image.pixels = {};  // the file has them
    emit dataChanged(index(row), index(row), {Qt::ToolTipRole});
    return true;
}

GalleryPicture PictureList::take(int row) {
    beginRemoveRows({}, row, row);
    GalleryPicture picture = std::move(m_rows[row].picture);
    m_rows.erase(m_rows.begin() + row);
    endRemoveRows();
    return picture;
}

void PictureList::removeFiles(const QStringList& files) {
    for (const QString& file : files) {
        const auto found =
            std::ranges::find_if(m_rows, [path = absolute(file)](const Row& row) { return row.picture.file == path; });
        if (found != m_rows.end()) take(static_cast<int>(found - m_rows.begin()));
    }
}

int PictureList::rowOf(int key) const {
    const auto found = std::ranges::find(m_rows, key, &Row::key);
    return found == m_rows.end() ? -1 : static_cast<int>(found - m_rows.begin());
}

void PictureList::setRun(int row, int run) {
    m_rows[row].picture.run = run;
}

int PictureList::rowOfRun(int run) const {
    const auto found =
        std::find_if(m_rows.rbegin(), m_rows.rend(), [run](const Row& r) { return r.picture.run == run; });
    return run < 0 || found == m_rows.rend() ? -1 : static_cast<int>(m_rows.rend() - found) - 1;
}

int PictureList::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

QVariant PictureList::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const GalleryPicture& picture = at(index.row());
    switch (role) {
        case RowRole:
            return index.row();
        case SearchRole:
            return searchTextOf(picture);
        case Qt::DisplayRole:
            return picture.known && picture.problem.isEmpty() ? subjectOf(picture) : QFileInfo(picture.file).fileName();
        case Qt::ToolTipRole:
            return plainTip(tipOf(picture));
        default:
            return {};
    }
}

Qt::ItemFlags PictureList::flags(const QModelIndex& index) const {
    return QAbstractListModel::flags(index) | Qt::ItemIsDragEnabled;
}

QMimeData* PictureList::mimeData(const QModelIndexList& indexes) const {
    if (indexes.isEmpty()) return nullptr;
    const GalleryPicture& picture = at(indexes.first().row());
    auto* data = new QMimeData;
    data->setImageData(imageOf(picture));
    data->setText(QString::fromStdString(picture.image.recipe));
    return data;
}

}  // namespace ropescope
