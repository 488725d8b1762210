// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/model_tree.h"

#include <QDragEnterEvent>
#include <QMenu>
#include <QMimeData>
#include <QPainter>
#include <QPushButton>
#include <QTreeWidget>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "widgets/plot_style.h"
#include "widgets/tree_parts.h"

namespace ropescope {
namespace {

enum Role { kModel = Qt::UserRole, kLayer, kHead };  // -1 where a row stands for more than that

// In kLayer: rows of the model's check, rows that open and close, rows that say why it does not run.
constexpr int kLamp = -2, kFold = -3, kProblem = -4;
constexpr std::size_t kMostNames = 40;  // in a tool tip

HeadRef refOf(const QTreeWidgetItem& item) {
    return {item.data(0, kModel).toInt(), {item.data(0, kLayer).toInt(), item.data(0, kHead).toInt()}};
}

QTreeWidgetItem* newItem(QTreeWidgetItem* parent, const QString& text, int model, int layer, int head) {
    auto* item = new QTreeWidgetItem(parent, {text});
    item->setData(0, kModel, model);
    item->setData(0, kLayer, layer);
    item->setData(0, kHead, head);
    return item;
}

QIcon colourIcon(int colour) {
    QPixmap pixmap(16, 16);
    pixmap.fill(Qt::transparent);
    if (colour >= 0) {
        QPainter painter(&pixmap);
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setPen(Qt::NoPen);
        painter.setBrush(headColour(colour));
        painter.drawEllipse(4, 4, 8, 8);
    }
    return QIcon(pixmap);
}

/// Okabe-Ito colours; the words beside it say the same.
QIcon lampIcon(LampState state) {
    static const QColor kColours[] = {QColor(0x99, 0x99, 0x99), QColor(0x00, 0x9e, 0x73), QColor(0xe6, 0x9f, 0x00),
                                      QColor(0xd5, 0x2a, 0x00)};
    QPixmap pixmap(16, 16);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(QColor(0, 0, 0, 90), 1));
    painter.setBrush(kColours[static_cast<int>(state)]);
    painter.drawEllipse(QRectF(3.5, 3.5, 9, 9));
    return QIcon(pixmap);
}

QString lampWords(LampState state) {
    static const QString kWords[] = {QObject::tr("nothing to compare with"), QObject::tr("ok"), QObject::tr("rounding"),
                                     QObject::tr("wrong")};
    return kWords[static_cast<int>(state)];
}

QString rowText(const SelfCheckRow& row) {
    const QString title = QString::fromStdString(row.title);
    if (row.state == LampState::None || std::isnan(row.value)) return title + QStringLiteral(": \u2013");
    return QObject::tr("%1: %2 (%3)").arg(title, lampWords(row.state), shortNumber(row.value));
}

QString rowTip(const SelfCheckRow& row) {
    QString tip = QString::fromStdString(row.title) + QStringLiteral(": ") + lampWords(row.state);
    if (!std::isnan(row.value) && row.state != LampState::None) {
        tip += QObject::tr(", %1, bound %2").arg(shortNumber(row.value), shortNumber(row.bound));
    }
    for (const std::string& words : {row.text, row.definition}) {
        if (!words.empty()) tip += QLatin1Char('\n') + QString::fromStdString(words);
    }
    return tip;
}

QString cardText(const ModelCard& card) {
    QStringList lines;
    lines << QString::fromStdString(card.path);
    const QString parameters = shortNumber(static_cast<double>(card.parameters) / 1e6);
    if (card.architecture.empty())
        lines << QObject::tr("no model that is known, %1 million parameters").arg(parameters);
    else
        lines << QObject::tr("%1, %2, %3 million parameters")
                     .arg(QString::fromStdString(card.architecture), QString::fromStdString(card.encoding), parameters);
    if (card.heads > 0)
        lines << QObject::tr("%1 layers of %2 heads, head dimension %3, grid %4 \u00d7 %5")
                     .arg(card.layers)
                     .arg(card.heads)
                     .arg(card.headDim)
                     .arg(card.grid.rows)
                     .arg(card.grid.cols);
    for (const std::string& note : card.notes) lines << QString::fromStdString(note);
    return lines.join(QLatin1Char('\n'));
}

/// "1 assumption", "3 assumptions".
QString counted(std::size_t count, const QString& one, const QString& many) {
    return QObject::tr("%1 %2").arg(count).arg(count == 1 ? one : many);
}

QString listed(const std::vector<std::string>& names) {
    QStringList lines;
    for (const std::string& name : names) {
        if (static_cast<std::size_t>(lines.size()) < kMostNames) lines << QString::fromStdString(name);
    }
    if (names.size() > kMostNames) lines << QObject::tr("%1 more").arg(names.size() - kMostNames);
    return lines.join(QLatin1Char('\n'));
}

/// A row to read, not to choose.
QTreeWidgetItem* newNote(QTreeWidgetItem* parent, const QString& text, const QString& tip, int model, int kind) {
    QTreeWidgetItem* row = newItem(parent, text, model, kind, -1);
    row->setFlags(Qt::ItemIsEnabled);
    row->setToolTip(0, plainTip(tip));
    row->setData(0, kWrappedRole, kind == kProblem);
    row->setForeground(0, kind == kProblem ? warningColour() : QColor(0x80, 0x80, 0x80));  // on light and dark ground
    return row;
}

}  // namespace

ModelTree::ModelTree(OpenModels& models, Selection& selection, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_tree(new QTreeWidget(this)),
      m_dropZone(new DropZone(tr("Drop a model here, or open one ..."), this)) {
    m_tree->setHeaderHidden(true);
    m_tree->setItemDelegate(new RoomyDelegate(m_tree));
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setFrameShape(QFrame::NoFrame);
    m_tree->setContextMenuPolicy(Qt::CustomContextMenu);
    m_tree->setAccessibleName(tr("Open models"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_tree, 1);
    layout->addWidget(m_dropZone);
    setAcceptDrops(true);
    connect(m_dropZone, &QPushButton::clicked, this, &ModelTree::openRequested);
    connect(m_tree, &QTreeWidget::itemSelectionChanged, this, &ModelTree::takeSelection);
    connect(m_tree, &QTreeWidget::customContextMenuRequested, this, &ModelTree::openMenu);
    connect(m_tree, &QTreeWidget::itemClicked, this, [this](QTreeWidgetItem* item) {
        const int layer = item->data(0, kLayer).toInt();
        if (layer == kLamp || layer == kFold) item->setExpanded(!item->isExpanded());  // its rows are the details
        if (layer == kProblem) emit problemActivated(item->data(0, kModel).toInt());
        if (layer == -1) emit modelActivated(item->data(0, kModel).toInt());
    });
    connect(&m_models, &OpenModels::modelsChanged, this, &ModelTree::rebuild);
    connect(&m_models, &OpenModels::atlasChanged, this, &ModelTree::showMarks);
    connect(&m_models, &OpenModels::checkChanged, this, &ModelTree::showLamp);
    connect(&m_selection, &Selection::changed, this, &ModelTree::showSelection);
    rebuild();
}

void ModelTree::rebuild() {
    m_following = true;
    m_tree->clear();
    for (const auto& [key, model] : m_models.all()) addModel(key, model);
    m_following = false;
    for (const auto& [key, model] : m_models.all()) {
        showMarks(key);
        showLamp(key);
    }
    showSelection();
}

void ModelTree::addModel(int key, const OpenModel& model) {
    auto* top = newItem(nullptr, QString::fromStdString(model.card.name), key, -1, -1);
    m_tree->addTopLevelItem(top);
    top->setToolTip(0, plainTip(cardText(model.card)));
    QFont bold = font();
    bold.setBold(true);
    top->setFont(0, bold);
    addState(top, key, model);
    for (int layer = 0; layer < model.card.layers; ++layer) {
        QTreeWidgetItem* row = newItem(top, tr("layer %1").arg(layer), key, layer, -1);
        for (int head = 0; head < model.card.heads; ++head) {
            newItem(row, QString::fromStdString(HeadId{layer, head}.name()), key, layer, head);
        }
    }
    top->setExpanded(true);
}

/// Whether it runs, and what was found, taken as usual or left out.
void ModelTree::addState(QTreeWidgetItem* top, int key, const OpenModel& model) {
    const ModelCard& card = model.card;
    if (!model.runs()) {
        const QString problem = problemOf(card);
        newNote(top, problem, QString::fromStdString(card.problem), key, kProblem)
            ->setIcon(0, lampIcon(LampState::Red));
    } else if (model.hasHeads()) {
        newItem(top, tr("check: running"), key, kLamp, -1)->setFlags(Qt::ItemIsEnabled);
    }
    const QString tensor = tr("tensor"), tensors = tr("tensors");
    if (!card.unused.empty())
        newNote(top, tr("%1 not understood").arg(counted(card.unused.size(), tensor, tensors)), listed(card.unused),
                key, kProblem);
    if (!card.waived.empty())
        newNote(top, tr("%1 left out").arg(counted(card.waived.size(), tensor, tensors)), listed(card.waived), key, -1);
    if (!card.assumed.empty()) {
        const QString words = counted(card.assumed.size(), tr("assumption"), tr("assumptions"));
        QTreeWidgetItem* all = newNote(top, words, listed(card.assumed), key, kFold);
        for (const std::string& one : card.assumed)
            newNote(all, QString::fromStdString(one), QString::fromStdString(one), key, kFold);
    }
    for (const std::string& note : card.notes)
        newNote(top, QString::fromStdString(note), QString::fromStdString(note), key, -1);
}

QTreeWidgetItem* ModelTree::modelItem(int model) const {
    for (int i = 0; i < m_tree->topLevelItemCount(); ++i) {
        QTreeWidgetItem* item = m_tree->topLevelItem(i);
        if (item->data(0, kModel).toInt() == model) return item;
    }
    return nullptr;
}

QTreeWidgetItem* ModelTree::lampItem(int model) const {
    QTreeWidgetItem* top = modelItem(model);
    QTreeWidgetItem* first = top == nullptr ? nullptr : top->child(0);
    return first != nullptr && first->data(0, kLayer).toInt() == kLamp ? first : nullptr;
}

QString ModelTree::lampText(int model) const {
    const QTreeWidgetItem* lamp = lampItem(model);
    return lamp == nullptr ? QString() : lamp->text(0);
}

/// One dot for the model, the worst of its rows; below it a dot for every row.
void ModelTree::showLamp(int model) {
    const OpenModel* open = m_models.find(model);
    QTreeWidgetItem* lamp = lampItem(model);
    if (open == nullptr || lamp == nullptr) return;
    lamp->setIcon(0, lampIcon(open->check ? open->check->overall : LampState::None));
    qDeleteAll(lamp->takeChildren());
    if (!open->check) return;
    const SelfCheckReport& check = *open->check;
    const QString words = check.overall == LampState::Green ? tr("all ok") : lampWords(check.overall);
    QStringList tips;
    for (const SelfCheckRow& row : check.rows) {
        tips << rowTip(row).section(QLatin1Char('\n'), 0, 1);
        QTreeWidgetItem* item = newItem(lamp, rowText(row), model, kLamp, -1);
        item->setFlags(Qt::ItemIsEnabled);
        item->setIcon(0, lampIcon(row.state));
        item->setToolTip(0, rowTip(row));
    }
    lamp->setText(0, tr("check: %1").arg(words));
    lamp->setToolTip(0, tips.join(QStringLiteral("\n\n")));
}

/// Says how many heads are sound, and marks the others in words.
void ModelTree::showMarks(int model) {
    const OpenModel* open = m_models.find(model);
    QTreeWidgetItem* top = modelItem(model);
    if (open == nullptr || top == nullptr || !open->atlas) return;
    int marked = 0;
    for (QTreeWidgetItemIterator it(top); *it != nullptr && (*it)->data(0, kModel).toInt() == model; ++it) {
        const HeadRef ref = refOf(**it);
        if (ref.id.layer < 0 || ref.id.head < 0) continue;
        const std::string& problem = open->atlas->problems[ref.id.layer * open->atlas->heads + ref.id.head];
        if (problem.empty()) continue;
        ++marked;
        (*it)->setText(0, QString::fromStdString(ref.id.name()) + tr("  marked"));
        (*it)->setToolTip(0, QString::fromStdString(problem));
        (*it)->parent()->setText(0, tr("layer %1  (marked)").arg(ref.id.layer));
    }
    top->setText(0,
                 QString::fromStdString(open->card.name) + (marked > 0 ? tr("  (%1 marked)").arg(marked) : QString()));
}

void ModelTree::showSelection() {
    if (m_following) return;
    m_following = true;
    for (QTreeWidgetItemIterator it(m_tree); *it != nullptr; ++it) {
        const HeadRef ref = refOf(**it);
        if (ref.id.layer < 0 || ref.id.head < 0) continue;
        const bool chosen = m_selection.contains(ref);
        (*it)->setSelected(chosen);
        (*it)->setIcon(0, colourIcon(m_selection.colourIndex(ref)));
        if (ref == m_selection.current()) {
            (*it)->parent()->setExpanded(true);
            m_tree->scrollToItem(*it);
        }
    }
    m_following = false;
}

void ModelTree::takeSelection() {
    if (m_following) return;
    std::vector<HeadRef> heads;
    for (QTreeWidgetItem* item : m_tree->selectedItems()) {
        const HeadRef ref = refOf(*item);
        if (ref.id.layer >= 0 && ref.id.head >= 0) heads.push_back(ref);
        // A layer's row stands for all its heads.
        if (ref.id.layer >= 0 && ref.id.head < 0) {
            for (int i = 0; i < item->childCount(); ++i) heads.push_back(refOf(*item->child(i)));
        }
    }
    if (!heads.empty()) m_selection.selectAll(heads);
}

void ModelTree::openMenu(QPoint position) {
    const QTreeWidgetItem* item = m_tree->itemAt(position);
    if (item == nullptr) return;
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

void ModelTree::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    m_tree->doItemsLayout();  // rows of several lines
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
