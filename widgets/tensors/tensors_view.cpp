// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/tensors/tensors_view.h"

#include <qcustomplot.h>

#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QSplitter>
#include <QTableView>
#include <algorithm>

#include "core/data/command_line.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/tool_row.h"
#include "widgets/tensors/tensor_list.h"
#include "widgets/tensors/tensor_panel.h"

namespace ropescope {
namespace {

constexpr int kPauseMs = 80;
constexpr int kSideBySide = 720;  // narrower, the values stand below the table
constexpr int kAroundCell = 12;

}  // namespace

TensorsView::TensorsView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Tensors"), parent),
      m_filter(new QLineEdit(this)),
      m_counts(new QLabel(this)),
      m_splitter(new QSplitter(Qt::Horizontal, this)),
      m_table(new QTableView(this)),
      m_list(new TensorList(this)),
      m_panel(new TensorPanel(this)) {
    setEmptyText(tr("Every tensor of a model's file: its type, shape and size, whether it is used, and what its values "
                    "are like. Files that cannot be computed with are listed as well."),
                 tr("Open a model ..."));
    buildControls();
    buildTable();
    m_splitter->addWidget(m_table);
    m_splitter->addWidget(m_panel);
    m_splitter->setSizes({3000, 2000});
    m_splitter->setStretchFactor(0, 3);
    m_splitter->setStretchFactor(1, 2);
    m_splitter->setChildrenCollapsible(false);
    setContent(m_splitter);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(&m_pause, &QTimer::timeout, this, &TensorsView::askValues);
    connect(m_panel, &TensorPanel::hovered, this, &TensorsView::hovered);
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_models.find(m_model) == nullptr) setModel(-1);
        if (m_models.find(m_shown) == nullptr) showCounts();
        emit hovered({});
        if (isShowingEmpty()) showEmpty(true);
    });
    restyle();
}

void TensorsView::buildControls() {
    m_filter->setPlaceholderText(tr("Filter, e.g. attn qkv F32"));
    m_filter->setToolTip(tr("Rows that hold all of these words, in any column"));
    m_filter->setClearButtonEnabled(true);
    m_filter->setMinimumWidth(200);
    m_counts->setTextFormat(Qt::PlainText);
    m_counts->setForegroundRole(QPalette::PlaceholderText);
    controls().addWidget(m_filter);
    controls().addWidget(m_counts);
    connect(m_filter, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_list->setFilter(text);
        showCounts();
    });
}

/// Rows of one height, so that none has to be measured.
void TensorsView::buildTable() {
    m_table->setModel(m_list);
    m_table->setFrameShape(QFrame::NoFrame);
    m_table->setShowGrid(false);
    m_table->setWordWrap(false);
    m_table->setTextElideMode(Qt::ElideNone);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    m_table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    m_table->setAccessibleName(tr("Tensors of the file"));
    m_table->verticalHeader()->hide();
    m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
    QHeaderView* header = m_table->horizontalHeader();
    header->setHighlightSections(false);
    header->setSortIndicator(-1, Qt::AscendingOrder);
    header->setSortIndicatorClearable(true);  // the third click: file order
    m_table->setSortingEnabled(true);
    m_table->viewport()->installEventFilter(this);
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &TensorsView::takeRow);
    connect(m_list, &TensorList::modelReset, this, [this] { choose(QString::fromStdString(m_chosen)); });
}

void TensorsView::setModel(int model) {
    if (m_model == model) return;
    m_model = model;
    m_listed.reset();
    m_chosen.clear();
    m_pause.stop();
    m_waiting = true;
    showCommand();
    if (model < 0) {
        m_shown = -1;
        m_list->setRows({});
        showCounts();
        showEmpty(true);
    }
    update();
}

/// Asks when it is seen: behind another tab it counts as visible, but is not painted.
void TensorsView::paintEvent(QPaintEvent* event) {
    View::paintEvent(event);
    QTimer::singleShot(0, this, &TensorsView::ask);
}

/// The list, where another one is shown.
void TensorsView::ask() {
    const OpenModel* open = m_models.find(m_model);
    if (open == nullptr || m_listed == withoutChanges(open->ref)) return;
    m_listed = withoutChanges(open->ref);
    messages().clear();
    setStale(!isShowingEmpty());
    emit tensorsRequested({*m_listed, {}});
}

void TensorsView::take(const TensorsRequest& request, const TensorsReport& report) {
    if (m_listed != request.model) return;
    if (!request.tensor.empty()) {
        if (request.tensor == m_chosen) m_panel->showValues(report.statistics);
        return;
    }
    m_waiting = false;
    m_shown = m_model;
    m_list->setRows(report.rows);
    fitColumns();
    m_panel->showWords({}, tr("Choose a tensor to see what its values are like."));
    showCounts();
    showEmpty(false);
}

void TensorsView::fail(const TensorsRequest& request, const Error& error) {
    if (m_listed != request.model || (!request.tensor.empty() && request.tensor != m_chosen)) return;
    if (!request.tensor.empty())
        return m_panel->showWords(QString::fromStdString(request.tensor), QString::fromStdString(error.message()));
    m_waiting = false;
    m_shown = m_model;
    m_list->setRows({});
    showCounts();
    m_panel->showWords({}, {});
    setStale(false);
    messages().showError(error);
}

void TensorsView::takeRow() {
    const int row = m_table->currentIndex().row();
    if (m_waiting || row < 0 || row >= m_list->rowCount() || m_list->at(row).name == m_chosen) return;
    m_chosen = m_list->at(row).name;
    m_pause.start();
    showCommand();
}

void TensorsView::showCommand() {
    const OpenModel* open = m_models.find(m_model);
    if (open == nullptr) return setCommandLine({});
    setCommandLine(QString::fromStdString("ropescope info " + shellWord(open->ref.path) +
                                          modelOptions(withoutChanges(open->ref)) + " --tensors " +
                                          shellWord(m_chosen.empty() ? "*" : m_chosen)));
}

void TensorsView::askValues() {
    if (m_chosen.empty() || !m_listed) return;
    m_panel->showWords(QString::fromStdString(m_chosen), tr("Reading its values ..."));
    emit tensorsRequested({*m_listed, m_chosen});
}

void TensorsView::setFilter(const QString& text) {
    m_filter->setText(text);
}

void TensorsView::choose(const QString& tensor) {
    if (const int row = m_list->rowOf(tensor.toStdString()); row >= 0)
        m_table->setCurrentIndex(m_list->index(row, TensorList::Name));
}

void TensorsView::showCounts() {
    const std::vector<TensorRow>& all = m_list->all();
    const auto unknown = std::count_if(all.begin(), all.end(), isNotUnderstood);
    std::uint64_t bytes = 0;
    for (const TensorRow& row : all) bytes += row.bytes;
    const int shown = m_list->rowCount();
    QString text = static_cast<std::size_t>(shown) == all.size() ? tr("%1 tensors").arg(shown)
                                                                 : tr("%1 of %2 tensors").arg(shown).arg(all.size());
    text += QStringLiteral("  \u00b7  ") + bytesText(bytes);
    if (unknown > 0) text += QStringLiteral("  \u00b7  ") + tr("%1 not understood").arg(unknown);
    const OpenModel* open = m_models.find(m_shown);
    m_counts->setText(open == nullptr ? QString() : open->name() + QStringLiteral("  \u00b7  ") + text);
}

void TensorsView::writeNumbers(NumberTable& table) const {
    for (const char* title : {"name", "type", "shape", "bytes", "use"}) table.label(QLatin1String(title));
    table.endRow();
    for (int i = 0; i < m_list->rowCount(); ++i) {
        const TensorRow& row = m_list->at(i);
        QStringList sides;
        for (std::int64_t side : row.shape) sides << QString::number(side);
        table.label(QString::fromStdString(row.name)).label(QString::fromStdString(row.dtype));
        table.label(sides.join(QLatin1Char('x')));
        table.number(static_cast<double>(row.bytes)).label(QString::fromStdString(row.use));
        table.endRow();
    }
}

QString TensorsView::subject() const {
    const int tensors = m_list->rowCount();
    return tensors == 1 ? tr("1 tensor") : tr("%1 tensors").arg(tensors);
}

void TensorsView::drawFigure(QCPPainter& painter, QSize size) const {
    m_panel->draw(painter, size);
}

void TensorsView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    const Qt::Orientation orientation = width() < kSideBySide ? Qt::Vertical : Qt::Horizontal;
    if (m_splitter->orientation() != orientation) {
        m_splitter->setOrientation(orientation);
        m_splitter->setSizes({3000, 2000});  // shares of another direction mean nothing here
    }
}

bool TensorsView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_table->viewport() && event->type() == QEvent::Resize) fitColumns();
    return View::eventFilter(watched, event);
}

/// Columns are as wide as their longest text, and names take what is left; where that is not enough, the table scrolls.
void TensorsView::fitColumns() {
    const QHeaderView* header = m_table->horizontalHeader();
    int others = 0;
    for (int column = TensorList::Name + 1; column < TensorList::Columns; ++column) {
        const int wide = std::max(m_list->widest(column, fontMetrics()) + kAroundCell, header->sectionSizeHint(column));
        m_table->setColumnWidth(column, wide);
        others += wide;
    }
    const int longest = m_list->widest(TensorList::Name, fontMetrics()) + kAroundCell;
    const int room = m_table->width() - m_table->verticalScrollBar()->sizeHint().width() - others;
    m_table->setColumnWidth(TensorList::Name, std::max(longest, room));
}

void TensorsView::restyle() {
    m_panel->restyle();
}

}  // namespace ropescope
