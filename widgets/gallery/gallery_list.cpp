// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery/gallery_list.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QStyledItemDelegate>

#include "widgets/frame/plot_style.h"
#include "widgets/gallery/gallery_thumbnails.h"
#include "widgets/gallery/picture_list.h"

namespace ropescope {
namespace {

constexpr int kThumbnail = 64;
constexpr int kCell = kThumbnail + 6;  // two rows fit into the lowest gallery
constexpr int kFrame = 2;

/// The picture as it is, with a frame when it is current. A style sheet would keep the palette from changing.
class PictureDelegate : public QStyledItemDelegate {
public:
    PictureDelegate(const PictureList& pictures, GalleryThumbnails& thumbnails, QObject* parent)
        : QStyledItemDelegate(parent), m_pictures(pictures), m_thumbnails(thumbnails) {}

    QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override { return {kCell, kCell}; }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const QRect cell(option.rect.topLeft(), QSize(kCell, kCell));
        paintPicture(*painter, cell, looksOf(option.palette, option.font), index.data(PictureList::RowRole).toInt());
        if ((option.state & QStyle::State_Selected) == 0) return;
        // The ring of the ground sets the frame off from the picture.
        const auto ring = [&](int inset, const QColor& colour) {
            const qreal at = inset + kFrame / 2.0;
            painter->setPen(QPen(colour, kFrame, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
            painter->drawRect(QRectF(cell).adjusted(at, at, -at, -at));
        };
        ring(kFrame, option.palette.color(QPalette::Base));
        ring(0, option.palette.color(QPalette::Active, QPalette::Highlight));
    }

private:
    void paintPicture(QPainter& painter, const QRect& cell, const Looks& looks, int row) const {
        const qreal ratio = painter.device()->devicePixelRatioF();
        const int side = static_cast<int>(kThumbnail * ratio);
        const QPixmap* made = m_thumbnails.find(m_pictures.keyOf(row), m_pictures.at(row), side);
        const QRect place = cell.adjusted(3, 3, -3, -3);
        if (made != nullptr && !made->isNull()) {
            const QSizeF size = QSizeF(made->size()) / ratio;
            const QPointF corner(place.x() + (place.width() - size.width()) / 2,
                                 place.y() + (place.height() - size.height()) / 2);
            return painter.drawPixmap(QRectF(corner, size).toAlignedRect(), *made);
        }
        painter.fillRect(place.adjusted(4, 4, -4, -4), looks.grid);
        if (made == nullptr) return;  // on its way
        painter.setPen(looks.muted);
        painter.drawText(place, Qt::AlignCenter | Qt::TextWordWrap, tr("no picture"));
    }

    const PictureList& m_pictures;
    GalleryThumbnails& m_thumbnails;
};

}  // namespace

GalleryList::GalleryList(const PictureList& pictures, GalleryThumbnails& thumbnails, QWidget* parent)
    : QListView(parent) {
    setFlow(QListView::LeftToRight);
    setWrapping(true);
    setResizeMode(QListView::Adjust);
    setMovement(QListView::Static);
    setUniformItemSizes(true);
    setGridSize(QSize(kCell, kCell));
    setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setSelectionMode(QAbstractItemView::SingleSelection);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setDragEnabled(true);
    setDragDropMode(QAbstractItemView::DragOnly);
    setFrameShape(QFrame::NoFrame);
    setItemDelegate(new PictureDelegate(pictures, thumbnails, this));
    setContextMenuPolicy(Qt::CustomContextMenu);
    connect(&thumbnails, &GalleryThumbnails::arrived, viewport(), qOverload<>(&QWidget::update));
}

void GalleryList::setWords(const QString& words) {
    m_words = words;
    viewport()->update();
}

void GalleryList::paintEvent(QPaintEvent* event) {
    QListView::paintEvent(event);
    if (model() == nullptr || model()->rowCount() > 0) return;
    QPainter painter(viewport());
    painter.setPen(palette().color(QPalette::PlaceholderText));
    painter.drawText(viewport()->rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap, m_words);
}

void GalleryList::mousePressEvent(QMouseEvent* event) {
    // Neither the menu nor a click beside the pictures takes the frame from the current one.
    const QModelIndex index = indexAt(event->position().toPoint());
    if (event->button() != Qt::LeftButton || !index.isValid()) return;
    QListView::mousePressEvent(event);
    emit picked(index);
}

QItemSelectionModel::SelectionFlags GalleryList::selectionCommand(const QModelIndex& index, const QEvent*) const {
    return index.isValid() ? QItemSelectionModel::ClearAndSelect : QItemSelectionModel::NoUpdate;
}

void GalleryList::keyPressEvent(QKeyEvent* event) {
    const QModelIndex before = currentIndex();
    if (event->key() == Qt::Key_Delete && before.isValid()) return emit deletePressed(before);
    const bool enters = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (enters && before.isValid()) return emit picked(before);
    QListView::keyPressEvent(event);
    if (currentIndex().isValid() && currentIndex() != before) emit picked(currentIndex());
}

}  // namespace ropescope
