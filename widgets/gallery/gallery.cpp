// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery/gallery.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDropEvent>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QSortFilterProxyModel>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "widgets/gallery/gallery_list.h"
#include "widgets/gallery/gallery_thumbnails.h"
#include "widgets/gallery/picture_list.h"
#include "widgets/state/image.h"

namespace ropescope {
namespace {

constexpr qsizetype kLongestSubject = 60;  // characters in a sentence about a picture

/// Pictures that hold every word of the search.
class SearchedPictures : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

    void setWords(const QStringList& words) {
        m_words = words;
        invalidateFilter();
    }
    [[nodiscard]] bool searches() const { return !m_words.isEmpty(); }

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override {
        if (m_words.isEmpty()) return true;
        const QString text = sourceModel()->index(row, 0, parent).data(PictureList::SearchRole).toString();
        return std::ranges::all_of(m_words,
                                   [&text](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
    }

private:
    QStringList m_words;
};

QString named(const GalleryPicture& picture) {
    const QString subject = subjectOf(picture).simplified();
    const QString cut = subject.size() > kLongestSubject ? subject.left(kLongestSubject - 1) + QChar(0x2026) : subject;
    return QObject::tr("%1, seed %2").arg(cut).arg(picture.image.seed);
}

}  // namespace

Gallery::Gallery(QWidget* parent)
    : QWidget(parent),
      m_pictures(new PictureList(this)),
      m_shown(new SearchedPictures(this)),
      m_thumbnails(new GalleryThumbnails(this)),
      m_bar(new QWidget(this)),
      m_search(new QLineEdit(m_bar)),
      m_count(new QLabel(m_bar)),
      m_list(new GalleryList(*m_pictures, *m_thumbnails, this)) {
    m_shown->setSourceModel(m_pictures);
    m_list->setModel(m_shown);
    m_list->setAccessibleName(tr("Gallery"));
    m_search->setPlaceholderText(tr("Search prompt, class, model"));
    m_search->setToolTip(tr("Every word must be in the prompt, the class, the model's name or the seed"));
    m_search->setClearButtonEnabled(true);
    auto* bar = new QHBoxLayout(m_bar);
    bar->setContentsMargins(0, 0, 0, 0);
    bar->setSpacing(8);
    bar->addWidget(m_search, 1);
    bar->addWidget(m_count);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_bar);
    layout->addWidget(m_list, 1);
    setFocusProxy(m_list);
    connectSignals();
    showCount();
}

void Gallery::connectSignals() {
    connect(m_search, &QLineEdit::textChanged, this, &Gallery::filter);
    connect(m_list, &GalleryList::picked, this, [this](const QModelIndex& index) { choose(rowOf(index)); });
    connect(m_list, &GalleryList::deletePressed, this, [this](const QModelIndex& index) { remove(rowOf(index)); });
    connect(m_list, &QListView::doubleClicked, this, [this](const QModelIndex& index) { restore(rowOf(index)); });
    connect(m_list, &QListView::customContextMenuRequested, this, &Gallery::openMenu);
    connect(m_pictures, &PictureList::recipesRead, this, &Gallery::showCount);
}

void Gallery::setFolder(const QString& folder) {
    m_pictures->setFolder(folder);
    showCurrent();
    showCount();
}

void Gallery::addPicture(GalleryPicture picture) {
    picture.known = true;
    if (!picture.made.isValid()) picture.made = QDateTime::currentDateTime();
    nameFromRecipe(picture);
    m_current = m_pictures->add(std::move(picture));
    showCurrent();
    showCount();
}

void Gallery::addResult(int run, const GenerateRequest& request, const GenerateResult& result) {
    for (const GeneratedImage& image : result.images) {
        GalleryPicture picture;
        picture.run = run;
        picture.image = image;
        picture.request = request;
        picture.request.seed = image.seed;
        picture.request.labels = {image.label};
        picture.request.batch = 1;
        addPicture(std::move(picture));
    }
    setCurrentRun(run);
}

void Gallery::setFile(const GeneratedImage& image, const QString& file) {
    if (!QFileInfo::exists(file) || m_pictures->setFile(image, file)) return;
    for (Removed& removed : m_removed) {
        const GeneratedImage& own = removed.picture.image;
        if (!removed.picture.file.isEmpty() || own.seed != image.seed || own.recipe != image.recipe) continue;
        removed.picture.file = file;
        removed.file = takeAway(file);
        return;
    }
}

void Gallery::forget(const QStringList& files) {
    m_pictures->removeFiles(files);
    showCurrent();
    showCount();
}

void Gallery::setRun(int row, int run) {
    m_pictures->setRun(row, run);
}

void Gallery::setCurrentRun(int run) {
    const int row = m_pictures->rowOfRun(run);
    m_current = row < 0 ? -1 : m_pictures->keyOf(row);
    showCurrent();
}

void Gallery::remove(int row) {
    m_pictures->know(row);  // while there is a file to read
    const TrashedFile trashed = takeAway(m_pictures->at(row).file);
    if (!trashed.problem.isEmpty())
        return emit notice(tr("%1 cannot be deleted: %2").arg(trashed.file, trashed.problem));
    const int key = m_pictures->keyOf(row);
    const QModelIndex shown = shownIndex(row);
    m_thumbnails->forget(key);
    m_removed.push_back({key, m_pictures->take(row), trashed});
    showCount();
    QString text = tr("Deleted %1").arg(named(m_removed.back().picture));
    if (!trashed.file.isEmpty() && trashed.inTrash.isEmpty())
        text += tr("; there is no trash here, it can come back until the window closes");
    emit deleted(text);
    if (m_current != key) return showCurrent();
    // The neighbour in what is shown takes its place.
    m_current = -1;
    const int left = m_shown->rowCount();
    if (!shown.isValid() || left == 0) return showCurrent();
    choose(rowOf(m_shown->index(std::min(shown.row(), left - 1), 0)));
}

void Gallery::undoDelete() {
    if (m_removed.empty()) return;
    if (!bringBack(m_removed.back().file))
        return emit notice(tr("%1 cannot be brought back from the trash").arg(m_removed.back().file.file));
    Removed back = std::move(m_removed.back());
    m_removed.pop_back();
    m_pictures->putBack(back.key, std::move(back.picture));
    showCount();
    choose(m_pictures->rowOf(back.key));
}

int Gallery::count() const {
    return m_pictures->rowCount();
}

int Gallery::currentRow() const {
    return m_pictures->rowOf(m_current);
}

const GalleryPicture& Gallery::picture(int row) {
    m_pictures->know(row);
    return m_pictures->at(row);
}

GeneratedImage Gallery::image(int row) {
    GeneratedImage image = picture(row).image;
    if (!image.pixels.shape.empty()) return image;
    const QImage read = imageOf(m_pictures->at(row));
    if (read.isNull())
        emit notice(tr("%1 is gone or cannot be read").arg(m_pictures->at(row).file));
    else
        image.pixels = pixelsOf(read);
    return image;
}

bool Gallery::startedDrag(const QDropEvent& event) const {
    return event.source() == m_list;
}

void Gallery::filter(const QString& text) {
    static_cast<SearchedPictures*>(m_shown)->setWords(text.split(QLatin1Char(' '), Qt::SkipEmptyParts));
    showCurrent();
    showCount();
}

void Gallery::showCurrent() {
    const QModelIndex index = shownIndex(m_pictures->rowOf(m_current));
    if (!index.isValid()) m_list->selectionModel()->clear();
    m_list->setCurrentIndex(index);
    if (index.isValid()) m_list->scrollTo(index);
}

QString Gallery::countText() const {
    const int all = count();
    if (m_search->text().trimmed().isEmpty()) return all == 1 ? tr("1 picture") : tr("%L1 pictures").arg(all);
    const QString text = tr("%L1 of %L2").arg(m_shown->rowCount()).arg(all);
    return m_pictures->isReading() ? tr("%1 so far").arg(text) : text;
}

QString Gallery::emptyText() const {
    if (count() == 0) return tr("Finished pictures collect here; each keeps the settings that make it again");
    return m_pictures->isReading() ? tr("Searching ...")
                                   : tr("Nothing found for \"%1\"").arg(m_search->text().trimmed());
}

void Gallery::showCount() {
    m_bar->setVisible(count() > 0);
    m_count->setText(countText());
    m_list->setWords(emptyText());
}

void Gallery::choose(int row) {
    m_pictures->know(row);
    m_current = m_pictures->keyOf(row);
    showCurrent();
    emit chosen(row);
}

/// Default settings would pass for the picture's own.
void Gallery::restore(int row) {
    const GalleryPicture& wanted = picture(row);
    if (!wanted.problem.isEmpty()) return emit notice(tr("No settings to restore: %1").arg(wanted.problem));
    emit restoreRequested(row);
}

int Gallery::rowOf(const QModelIndex& shown) const {
    return m_shown->mapToSource(shown).row();
}

QModelIndex Gallery::shownIndex(int row) const {
    return row < 0 ? QModelIndex() : m_shown->mapFromSource(m_pictures->index(row));
}

void Gallery::openMenu(QPoint position) {
    const QModelIndex index = m_list->indexAt(position);
    if (!index.isValid()) return;
    // Pictures may be added or deleted while the menu is open.
    const QPersistentModelIndex at = index;
    QMenu menu(this);
    const GalleryPicture& own = picture(rowOf(at));
    menu.addSection(QObject::tr("%1, seed %2").arg(subjectOf(own).left(40)).arg(own.image.seed));
    const auto entry = [&](const QString& text, auto act) {
        return menu.addAction(text, this, [this, at, act] {
            if (at.isValid()) act(rowOf(at));
        });
    };
    entry(tr("Restore these settings"), [this](int row) { restore(row); });
    entry(tr("Save PNG with recipe ..."), [this](int row) { emit saveRequested(row); });
    entry(tr("Send to Attention"), [this](int row) { emit attentionRequested(row); });
    menu.addSeparator();
    entry(tr("Copy picture"), [this](int row) { QApplication::clipboard()->setImage(imageOf(image(row).pixels)); });
    entry(tr("Copy recipe"),
          [this](int row) { QApplication::clipboard()->setText(QString::fromStdString(picture(row).image.recipe)); });
    menu.addSeparator();
    entry(tr("Delete"), [this](int row) { remove(row); })->setShortcut(Qt::Key_Delete);
    menu.exec(m_list->viewport()->mapToGlobal(position));
}

}  // namespace ropescope
