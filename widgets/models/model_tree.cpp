// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/model_tree.h"

#include <QDragEnterEvent>
#include <QHeaderView>
#include <QItemSelection>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QSplitter>
#include <QTreeWidget>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "widgets/frame/lamp.h"
#include "widgets/frame/plot_style.h"
#include "widgets/models/model_card_panel.h"
#include "widgets/models/tree_parts.h"
#include "widgets/state/change_text.h"

namespace ropescope {
namespace {

enum Role { kModel = Qt::UserRole, kLayer, kHead };  // -1 where a row stands for more than that

HeadRef refOf(const QTreeWidgetItem& item) {
    return {item.data(0, kModel).toInt(), {item.data(0, kLayer).toInt(), item.data(0, kHead).toInt()}};
}

/// Its row stands for all its heads.
bool isLayer(const QTreeWidgetItem& item) {
    const HeadRef ref = refOf(item);
    return ref.id.layer >= 0 && ref.id.head < 0 && item.childCount() > 0;
}

QTreeWidgetItem* newItem(QTreeWidgetItem* parent, const QString& text, int model, int layer, int head) {
    auto* item = new QTreeWidgetItem(parent, {text});
    item->setData(0, kModel, model);
    item->setData(0, kLayer, layer);
    item->setData(0, kHead, head);
    return item;
}

/// "1 unknown tensor", "3 unknown tensors".
QString counted(std::size_t count, const QString& one, const QString& many) {
    return QObject::tr("%1 %2").arg(count).arg(count == 1 ? one : many);
}

QString modelTip(const OpenModel& model) {
    QStringList lines{model.name(), QString::fromStdString(model.card.path), QString()};
    const QString lamp = lampText(model);
    lines.back() = lamp.isEmpty() ? stateWords(model) : lamp;
    if (!model.runs()) lines << problemOf(model.card);
    if (model.ref.changesHeads())
        lines << QObject::tr("%1; the check is of the heads as stored").arg(changedHeadsText(model));
    if (!model.check) return lines.join(QLatin1Char('\n'));
    for (const SelfCheckRow& row : model.check->rows) lines << rowText(row);
    return lines.join(QLatin1Char('\n'));
}

}  // namespace

ModelTree::ModelTree(OpenModels& models, Selection& selection, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_tree(new QTreeWidget(this)),
      m_card(new ModelCardPanel(models, this)),
      m_splitter(new QSplitter(Qt::Vertical, this)),
      m_dropZone(new DropZone(tr("Drop a model here, or open one ..."), this)) {
    m_tree->setHeaderHidden(true);
    m_tree->setItemDelegate(new RoomyDelegate(m_tree));
    m_tree->setUniformRowHeights(true);
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_tree->setFrameShape(QFrame::NoFrame);
    m_tree->setContextMenuPolicy(Qt::CustomContextMenu);
    m_tree->setAccessibleName(tr("Open models"));
    m_splitter->addWidget(m_tree);
    m_splitter->addWidget(m_card);
    m_splitter->setStretchFactor(0, 65);
    m_splitter->setStretchFactor(1, 35);
    m_splitter->setChildrenCollapsible(false);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_splitter, 1);
    layout->addWidget(m_dropZone);
    setAcceptDrops(true);
    connectSignals();
    followModels();
    followSelection();
}

void ModelTree::connectSignals() {
    connect(m_dropZone, &QPushButton::clicked, this, &ModelTree::openRequested);
    connect(m_tree, &QTreeWidget::itemSelectionChanged, this, &ModelTree::takeSelection);
    connect(m_tree, &QTreeWidget::customContextMenuRequested, this, &ModelTree::openMenu);
    connect(m_tree, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
        if (item != nullptr && !m_following) setModel(refOf(*item).model);
    });
    connect(m_tree, &QTreeWidget::itemClicked, this, [this](QTreeWidgetItem* item) {
        const HeadRef row = refOf(*item);
        if (row.model < 0) return;
        setModel(row.model);
        if (row.id.layer < 0) emit modelActivated(row.model);
    });
    connect(m_card, &ModelCardPanel::problemActivated, this, &ModelTree::problemActivated);
    connect(m_card, &ModelCardPanel::folded, this, &ModelTree::foldCard);
    connect(&m_models, &OpenModels::modelsChanged, this, &ModelTree::followModels);
    connect(&m_models, &OpenModels::openingChanged, this, [this] { setOpening(m_models.opening()); });
    connect(&m_models, &OpenModels::atlasChanged, this, &ModelTree::showMarks);
    connect(&m_models, &OpenModels::checkChanged, this, &ModelTree::showLamp);
    connect(&m_models, &OpenModels::changesChanged, this, &ModelTree::showChanges);
    connect(&m_selection, &Selection::changed, this, &ModelTree::followSelection);
}

/// Rows of models that are gone go, those of new ones come; the others stay as the user has opened them.
void ModelTree::followModels() {
    m_following = true;
    for (int i = m_tree->topLevelItemCount() - 1; i >= 0; --i) {
        const int model = refOf(*m_tree->topLevelItem(i)).model;
        if (model >= 0 && m_models.find(model) == nullptr) delete m_tree->takeTopLevelItem(i);
    }
    int newest = -1;
    for (const auto& [key, model] : m_models.all()) {
        if (modelItem(key) != nullptr) continue;
        addModel(key, model);
        newest = key;
    }
    m_following = false;
    showSelection();
    if (newest >= 0)
        setModel(newest);
    else if (m_models.find(m_card->model()) == nullptr)
        setModel(m_models.all().empty() ? -1 : m_models.all().begin()->first);
}

void ModelTree::setModel(int model) {
    m_card->setModel(model);
    m_card->setVisible(m_models.find(model) != nullptr);
}

void ModelTree::setOpening(const QStringList& fileNames) {
    for (int i = m_tree->topLevelItemCount() - 1; i >= 0; --i) {
        if (refOf(*m_tree->topLevelItem(i)).model < 0) delete m_tree->takeTopLevelItem(i);
    }
    for (const QString& name : fileNames) {
        QTreeWidgetItem* row = newItem(nullptr, tr("opening %1 ...").arg(name), -1, -1, -1);
        row->setFlags(Qt::NoItemFlags);
        row->setToolTip(0, plainTip(row->text(0)));
        m_tree->addTopLevelItem(row);
    }
}

void ModelTree::addModel(int key, const OpenModel& model) {
    auto* top = newItem(nullptr, model.name(), key, -1, -1);
    QFont bold = font();
    bold.setBold(true);
    top->setFont(0, bold);
    const QIcon none = dotIcon({});  // names of heads begin at the same place, with a dot and without
    QList<QTreeWidgetItem*> layers;
    for (int layer = 0; layer < model.card.layers; ++layer) {
        QTreeWidgetItem* row = newItem(nullptr, tr("layer %1").arg(layer), key, layer, -1);
        for (int head = 0; head < model.card.heads; ++head)
            newItem(row, QString::fromStdString(HeadId{layer, head}.name()), key, layer, head)->setIcon(0, none);
        layers << row;
    }
    top->addChildren(layers);
    int place = 0;  // before the files that are being opened
    while (place < m_tree->topLevelItemCount() && refOf(*m_tree->topLevelItem(place)).model >= 0) ++place;
    m_tree->insertTopLevelItem(place, top);
    top->setExpanded(true);
    showMarks(key);
    showLamp(key);
}

QTreeWidgetItem* ModelTree::modelItem(int model) const {
    for (int i = 0; i < m_tree->topLevelItemCount(); ++i) {
        QTreeWidgetItem* item = m_tree->topLevelItem(i);
        if (refOf(*item).model == model) return item;
    }
    return nullptr;
}

QTreeWidgetItem* ModelTree::headItem(HeadRef head) const {
    const QTreeWidgetItem* top = modelItem(head.model);
    const QTreeWidgetItem* layer = top == nullptr ? nullptr : top->child(head.id.layer);
    return layer == nullptr ? nullptr : layer->child(head.id.head);
}

QString ModelTree::lampText(int model) const {
    const OpenModel* open = m_models.find(model);
    return open == nullptr ? QString() : ropescope::lampText(*open);
}

/// One dot for the model, the worst of its checks.
void ModelTree::showLamp(int model) {
    const OpenModel* open = m_models.find(model);
    QTreeWidgetItem* top = modelItem(model);
    if (open == nullptr || top == nullptr) return;
    top->setIcon(0, dotIcon(lampColour(lampOf(*open))));
    top->setToolTip(0, plainTip(modelTip(*open)));
}

/// Says how many heads are sound, and marks the others in words.
void ModelTree::showMarks(int model) {
    const OpenModel* open = m_models.find(model);
    QTreeWidgetItem* top = modelItem(model);
    if (open == nullptr || top == nullptr) return;
    const QString changed = open->ref.changesHeads() ? tr("  changed") : QString();
    top->setData(0, kTailRole, changed);
    if (!open->atlas || open->atlas->heads < 1) return;
    int marked = 0;
    for (std::size_t i = 0; i < open->atlas->problems.size(); ++i) {
        const std::string& problem = open->atlas->problems[i];
        const int heads = open->atlas->heads, at = static_cast<int>(i);
        QTreeWidgetItem* row = problem.empty() ? nullptr : headItem({model, {at / heads, at % heads}});
        if (row == nullptr) continue;
        ++marked;
        row->setText(0, QString::fromStdString(refOf(*row).id.name()) + tr("  marked"));
        row->setToolTip(0, plainTip(QString::fromStdString(problem)));
        row->parent()->setText(0, tr("layer %1  (marked)").arg(at / heads));
    }
    if (marked > 0) top->setData(0, kTailRole, changed + tr("  (%1 marked)").arg(marked));
}

/// Other changes may leave other heads sound: marks go until their numbers have come.
void ModelTree::showChanges(int model) {
    QTreeWidgetItem* top = modelItem(model);
    for (int i = 0; top != nullptr && i < top->childCount(); ++i) {
        QTreeWidgetItem* layer = top->child(i);
        layer->setText(0, tr("layer %1").arg(i));
        for (int head = 0; head < layer->childCount(); ++head) {
            layer->child(head)->setText(0, QString::fromStdString(HeadId{i, head}.name()));
            layer->child(head)->setToolTip(0, {});
        }
    }
    showMarks(model);
    showLamp(model);
}

/// Heads of one layer that follow each other make one range: ranges are what a selection of thousands costs.
QItemSelection ModelTree::rowsOf(std::vector<HeadRef> heads) const {
    std::sort(heads.begin(), heads.end());
    QItemSelection rows;
    for (std::size_t i = 0; i < heads.size();) {
        std::size_t end = i + 1;
        while (end < heads.size() && heads[end].model == heads[i].model && heads[end].id.layer == heads[i].id.layer &&
               heads[end].id.head == heads[end - 1].id.head + 1)
            ++end;
        const QTreeWidgetItem* first = headItem(heads[i]);
        const QTreeWidgetItem* last = headItem(heads[end - 1]);
        if (first != nullptr && last != nullptr)
            rows.append(QItemSelectionRange(m_tree->indexFromItem(first), m_tree->indexFromItem(last)));
        i = end;
    }
    return rows;
}

void ModelTree::followSelection() {
    showSelection();
    const HeadRef current = m_selection.current();
    if (std::exchange(m_current, current) == current || m_models.find(current.model) == nullptr) return;
    setModel(current.model);
    if (QTreeWidgetItem* row = headItem(current)) {
        row->parent()->setExpanded(true);
        m_tree->scrollToItem(row);
    }
}

void ModelTree::showSelection() {
    showColours();
    if (m_following) return;
    m_following = true;
    QItemSelection rows = rowsOf(m_selection.heads());
    for (const QTreeWidgetItem* item : m_tree->selectedItems()) {
        const bool whole = isLayer(*item) && m_selection.contains(refOf(*item->child(0))) &&
                           m_selection.contains(refOf(*item->child(item->childCount() - 1)));
        if (whole) rows.append(QItemSelectionRange(m_tree->indexFromItem(item)));
    }
    m_tree->selectionModel()->select(rows, QItemSelectionModel::ClearAndSelect);
    m_following = false;
}

void ModelTree::showColours() {
    const std::vector<HeadRef> shown = m_selection.shown();
    for (HeadRef head : std::exchange(m_coloured, shown)) {
        QTreeWidgetItem* row = headItem(head);
        if (row != nullptr && m_selection.colourIndex(head) < 0) row->setIcon(0, dotIcon({}));
    }
    for (HeadRef head : shown) {
        if (QTreeWidgetItem* row = headItem(head)) row->setIcon(0, dotIcon(headColour(m_selection.colourIndex(head))));
    }
}

void ModelTree::takeSelection() {
    if (m_following) return;
    std::vector<HeadRef> heads;
    for (QTreeWidgetItem* item : m_tree->selectedItems()) {
        const HeadRef ref = refOf(*item);
        if (ref.id.layer >= 0 && ref.id.head >= 0) heads.push_back(ref);
        for (int i = 0; isLayer(*item) && i < item->childCount(); ++i) heads.push_back(refOf(*item->child(i)));
    }
    if (!heads.empty()) m_selection.selectAll(heads);
}

void ModelTree::foldCard(bool folded) {
    const QList<int> sizes = m_splitter->sizes();
    if (folded) {
        m_openHeight = sizes[1];
    } else if (m_openHeight > 0) {
        const int all = sizes[0] + sizes[1];
        m_splitter->setSizes({all - m_openHeight, m_openHeight});
    }
}

void ModelTree::openMenu(QPoint position) {
    const QTreeWidgetItem* item = m_tree->itemAt(position);
    if (item == nullptr || refOf(*item).model < 0) return;
    QMenu menu(this);
    fillMenu(menu, refOf(*item));
    menu.exec(m_tree->viewport()->mapToGlobal(position));
}

void ModelTree::fillMenu(QMenu& menu, HeadRef ref) {
    const OpenModel* open = m_models.find(ref.model);
    if (ref.id.layer >= 0 && ref.id.head >= 0) {
        menu.addAction(m_selection.isPinned(ref) ? tr("Unpin") : tr("Pin"), this,
                       [this, ref] { m_selection.togglePin(ref); });
        menu.addSeparator();
    } else if (ref.id.layer < 0 && open != nullptr) {
        fillModelMenu(menu, ref.model, *open);
    }
    menu.addAction(tr("Close model"), this, [this, ref] { emit closeRequested(ref.model); });
}

void ModelTree::fillModelMenu(QMenu& menu, int key, const OpenModel& model) {
    const ModelCard& card = model.card;
    if (card.copies.size() > 1) {
        QMenu* weights = menu.addMenu(tr("Weights"));
        for (const std::string& name : card.copies) {
            const QString copy = QString::fromStdString(name);
            QAction* action = weights->addAction(QString(copy).replace(QLatin1Char('&'), QStringLiteral("&&")), this,
                                                 [this, key, copy] { emit weightsRequested(key, copy); });
            action->setCheckable(true);
            action->setChecked(name == card.copy);
        }
    }
    if (!card.unused.empty())
        menu.addAction(
            tr("Compute without %1").arg(counted(card.unused.size(), tr("unknown tensor"), tr("unknown tensors"))),
            this, [this, key] { emit waiveRequested(key); });
    if (!(withoutAnswers(model.ref) == model.ref))
        menu.addAction(tr("Ask again what the file does not say"), this, [this, key] { emit answersForgotten(key); });
    menu.addSeparator();
}

void ModelTree::setWaiting(bool waiting) {
    m_dropZone->setDown(waiting);
}

void ModelTree::dragEnterEvent(QDragEnterEvent* event) {
    if (!event->mimeData()->hasUrls()) return;
    event->acceptProposedAction();
    setWaiting(true);
}

void ModelTree::dragLeaveEvent(QDragLeaveEvent*) {
    setWaiting(false);
}

void ModelTree::dropEvent(QDropEvent* event) {
    setWaiting(false);
    QStringList paths;
    for (const QUrl& url : event->mimeData()->urls()) {
        if (url.isLocalFile()) paths << url.toLocalFile();
    }
    if (!paths.isEmpty()) emit filesDropped(paths);
    event->acceptProposedAction();
}

}  // namespace ropescope
