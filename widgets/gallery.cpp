// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery.h"

#include <QApplication>
#include <QClipboard>
#include <QMenu>
#include <QMimeData>
#include <QPainter>
#include <QStyledItemDelegate>

#include "widgets/plot_style.h"
#include "widgets/preview_image.h"

namespace ropescope {
namespace {

constexpr int kThumbnail = 64;

/// The picture as it is, with a frame when it is selected. A style sheet would keep the palette from changing.
class PictureDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override {
        return {kThumbnail + 8, kThumbnail + 8};
    }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const auto icon = index.data(Qt::DecorationRole).value<QIcon>();
        icon.paint(painter, option.rect.adjusted(4, 4, -4, -4));
        if ((option.state & QStyle::State_Selected) == 0) return;
        painter->setPen(QPen(option.palette.color(QPalette::Highlight), 2));
        painter->drawRect(option.rect.adjusted(1, 1, -1, -1));
    }
};

}  // namespace

Gallery::Gallery(QWidget* parent) : QListWidget(parent) {
    setViewMode(QListView::IconMode);
    setFlow(QListView::LeftToRight);
    setWrapping(true);
    setResizeMode(QListView::Adjust);
    setMovement(QListView::Static);
    setIconSize(QSize(kThumbnail, kThumbnail));
    setSpacing(4);
    setUniformItemSizes(true);
    setDragEnabled(true);
    setDragDropMode(QAbstractItemView::DragOnly);
    setFrameShape(QFrame::NoFrame);
    setGridSize(QSize(kThumbnail + 12, kThumbnail + 12));
    setItemDelegate(new PictureDelegate(this));
    setContextMenuPolicy(Qt::CustomContextMenu);
    setAccessibleName(tr("Gallery"));
    connect(this, &QListWidget::currentRowChanged, this, [this](int row) {
        if (row >= 0) emit shown(row);
    });
    connect(this, &QListWidget::itemClicked, this, [this](QListWidgetItem* item) { emit shown(row(item)); });
    connect(this, &QListWidget::itemDoubleClicked, this,
            [this](QListWidgetItem* item) { emit restoreRequested(row(item)); });
    connect(this, &QListWidget::customContextMenuRequested, this, &Gallery::openMenu);
}

void Gallery::addResult(const GenerateRequest& request, const GenerateResult& result) {
    for (const GeneratedImage& image : result.images) {
        GenerateRequest own = request;
        own.seed = image.seed;
        own.labels = {image.label};
        own.batch = 1;
        m_entries.push_back({own, image});
        const QPixmap picture = QPixmap::fromImage(enlarged(imageOf(image.pixels), kThumbnail));
        QIcon icon(picture);
        auto* item = new QListWidgetItem(icon, {});
        const QString subject = request.text.prompt.empty() ? tr("class %1").arg(image.label)
                                                            : QString::fromStdString(request.text.prompt).left(200);
        item->setToolTip(plainTip(tr("%1\nseed %2, %3 steps, guidance %4\nDouble-click restores these settings")
                                      .arg(subject)
                                      .arg(image.seed)
                                      .arg(request.steps)
                                      .arg(request.guidance)));
        insertItem(0, item);
    }
    // The first of a batch is the one that fields and attention are of.
    if (!result.images.empty()) setCurrentRow(static_cast<int>(result.images.size()) - 1);
}

QMimeData* Gallery::mimeData(const QList<QListWidgetItem*>& items) const {
    if (items.isEmpty()) return nullptr;
    const GeneratedImage& image = entry(row(items.first())).image;
    auto* data = new QMimeData;
    data->setImageData(imageOf(image.pixels));
    data->setText(QString::fromStdString(image.recipe));
    return data;
}

void Gallery::paintEvent(QPaintEvent* event) {
    QListWidget::paintEvent(event);
    if (count() > 0) return;
    QPainter painter(viewport());
    painter.setPen(palette().color(QPalette::PlaceholderText));
    painter.drawText(viewport()->rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap,
                     tr("Finished pictures collect here; each keeps the settings that make it again"));
}

void Gallery::openMenu(QPoint position) {
    QListWidgetItem* item = itemAt(position);
    if (item == nullptr) return;
    const int at = row(item);
    QMenu menu(this);
    menu.addAction(tr("Restore these settings"), this, [this, at] { emit restoreRequested(at); });
    menu.addAction(tr("Save PNG with recipe ..."), this, [this, at] { emit saveRequested(at); });
    menu.addSeparator();
    menu.addAction(tr("Copy picture"), this,
                   [this, at] { QApplication::clipboard()->setImage(imageOf(entry(at).image.pixels)); });
    menu.addAction(tr("Copy recipe"), this,
                   [this, at] { QApplication::clipboard()->setText(QString::fromStdString(entry(at).image.recipe)); });
    menu.exec(viewport()->mapToGlobal(position));
}

}  // namespace ropescope
