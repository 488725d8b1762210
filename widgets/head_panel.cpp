// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/head_panel.h"

#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStyledItemDelegate>
#include <QTableWidget>
#include <QVBoxLayout>
#include <cmath>

#include "widgets/head_chips.h"
#include "widgets/plot_style.h"

namespace ropescope {
namespace {

QString conventionText(const ModelCard& card) {
    switch (card.convention) {
        case Convention::None:
            return QObject::tr("no map");
        case Convention::Same:
            return QObject::tr("same map on queries and keys");
        case Convention::Inverse:
            return QObject::tr("map on queries, inverse transpose on keys");
        case Convention::Unknown:
            break;
    }
    return QObject::tr("the file does not say");
}

/// The measurement behind a number of the Atlas; nullptr where it comes from the weights.
const MeasuredNumber* measuredNumber(const OpenModel& model, const std::string& key) {
    if (!model.calibration) return nullptr;
    for (const MeasuredNumber& number : model.calibration->numbers) {
        if (number.key == key) return &number;
    }
    return nullptr;
}

QString sourceText(const OpenModel& model) {
    return QObject::tr("Measured on %1.").arg(QString::fromStdString(model.calibration->source));
}

constexpr int kFirstLine = Qt::UserRole;       ///< what a cell shows large ...
constexpr int kSecondLine = Qt::UserRole + 1;  ///< ... and quietly below it
constexpr int kPadding = 5;

/// Two lines: what a number is, and below it quietly what it is about.
class NumberDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const QFontMetrics metrics(option.font);
        const int width = std::max(metrics.horizontalAdvance(index.data(kFirstLine).toString()),
                                   metrics.horizontalAdvance(index.data(kSecondLine).toString()));
        return {width + 4 * kPadding, 2 * metrics.height() + 2 * kPadding};
    }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const Looks looks = looksOf(option.palette, option.font);
        const QFontMetrics metrics(option.font);
        const QRect place = option.rect.adjusted(kPadding, kPadding, -kPadding, -kPadding);
        painter->save();
        painter->setPen(QPen(looks.grid, 1));
        painter->drawLine(option.rect.bottomLeft(), option.rect.bottomRight());
        painter->setPen(looks.text);
        const Qt::Alignment side = index.column() == 0 ? Qt::AlignLeft : Qt::AlignRight;
        painter->drawText(place, static_cast<int>(side | Qt::AlignTop),
                          metrics.elidedText(index.data(kFirstLine).toString(), Qt::ElideRight, place.width()));
        QFont small = option.font;
        small.setPointSizeF(small.pointSizeF() * 0.85);
        painter->setFont(small);
        painter->setPen(looks.muted);
        painter->drawText(place, static_cast<int>(side | Qt::AlignBottom), index.data(kSecondLine).toString());
        painter->restore();
    }
};

}  // namespace

HeadPanel::HeadPanel(OpenModels& models, Selection& selection, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_title(new QLabel(this)),
      m_state(new QLabel(this)),
      m_pin(new QPushButton(this)),
      m_measure(new QPushButton(tr("Measure data ..."), this)),
      m_chips(new HeadChips(models, selection, HeadChips::Which::Pinned, this)),
      m_table(new QTableWidget(this)) {
    QFont large = font();
    large.setPointSizeF(large.pointSizeF() * 1.4);
    large.setBold(true);
    m_title->setFont(large);
    m_title->setWordWrap(true);
    m_state->setWordWrap(true);
    m_state->setTextFormat(Qt::PlainText);
    m_pin->setCheckable(true);
    m_pin->setToolTip(tr("Keep this head beside every other one (P)"));
    m_table->setColumnCount(2);
    m_table->setFrameShape(QFrame::NoFrame);
    m_table->setShowGrid(false);
    m_table->setSelectionMode(QAbstractItemView::NoSelection);
    m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_table->setFocusPolicy(Qt::NoFocus);
    m_table->horizontalHeader()->hide();
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    m_table->horizontalHeader()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    m_table->verticalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    m_table->setItemDelegate(new NumberDelegate(m_table));
    m_table->setAccessibleName(tr("Numbers of the current head"));
    auto* row = new QHBoxLayout;
    row->addWidget(m_title, 1);
    row->addWidget(m_pin);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addLayout(row);
    layout->addWidget(m_chips);
    layout->addWidget(m_state);
    layout->addWidget(m_table, 1);
    layout->addWidget(m_measure);
    connect(m_measure, &QPushButton::clicked, this, &HeadPanel::measureRequested);
    connect(m_pin, &QPushButton::clicked, this, [this] { m_selection.togglePin(m_selection.current()); });
    connect(&m_selection, &Selection::changed, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::atlasChanged, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::headChanged, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::calibrationChanged, this, &HeadPanel::refresh);
    refresh();
}

QString HeadPanel::stateText(HeadRef head) const {
    const OpenModel* model = m_models.find(head.model);
    if (model == nullptr) return tr("Select a head to read its numbers: in the Atlas or in the model tree.");
    const HeadReport* report = m_models.head(head);
    if (report != nullptr && !report->problem.empty()) return QString::fromStdString(report->problem);
    QString text = tr("Convention: %1").arg(conventionText(model->card));
    if (report != nullptr && model->card.axes == 0)
        text += tr("\nNothing turns: this model has no rotary positions.");
    else if (report != nullptr && report->identity)
        text += tr("\nIdentity: this head's map has not moved from plain rotary positions.");
    return text;
}

void HeadPanel::refresh() {
    const HeadRef head = m_selection.current();
    const OpenModel* model = m_models.find(head.model);
    m_title->setText(model == nullptr ? tr("No head") : m_models.headName(head));
    m_state->setText(stateText(head));
    m_pin->setEnabled(model != nullptr);
    m_measure->setVisible(model != nullptr);
    const bool runs = model == nullptr || model->runs();
    m_measure->setEnabled(runs);
    m_measure->setToolTip(runs ? tr("Run the model on images and measure its heads: means with their standard errors")
                               : plainTip(tr("%1 cannot be run: %2").arg(model->name(), problemOf(model->card))));
    m_pin->setChecked(m_selection.isPinned(head));
    m_pin->setText(m_selection.isPinned(head) ? tr("Pinned") : tr("Pin"));
    m_chips->setVisible(!m_selection.pinned().empty());
    m_keys.clear();
    if (model == nullptr || !model->atlas || head.id.layer >= model->atlas->layers ||
        head.id.head >= model->atlas->heads) {
        m_table->setRowCount(0);
        return;
    }
    const AtlasReport& atlas = *model->atlas;
    m_table->setRowCount(static_cast<int>(atlas.numbers.size()));
    QSignalBlocker quiet(m_table->model());  // told once below: the headers measure all rows at every change
    for (int i = 0; i < m_table->rowCount(); ++i) fillRow(i, head);
    quiet.unblock();
    QAbstractItemModel* cells = m_table->model();
    emit cells->dataChanged(cells->index(0, 0), cells->index(m_table->rowCount() - 1, 1));
}

void HeadPanel::fillRow(int row, HeadRef head) {
    const AtlasReport& atlas = *m_models.find(head.model)->atlas;
    const HeadNumber& number = atlas.numbers[row];
    const int index = head.id.layer * atlas.heads + head.id.head;
    const double value = number.values[index];
    const MeasuredNumber* measured = measuredNumber(*m_models.find(head.model), number.key);
    auto* title = new QTableWidgetItem(QString::fromStdString(number.title));
    title->setData(kFirstLine, title->text());
    const QString unit = QString::fromStdString(number.unit);
    const QString marks = measured == nullptr ? marksText(number) : marksText(number) + tr(", measured");
    title->setData(kSecondLine, unit.isEmpty() ? marks : marks + QStringLiteral(", ") + unit);
    QString words = numberText(value, number.unit), shortly = shortNumber(value), tip = definitionText(number);
    if (measured != nullptr && std::isfinite(value) && std::isfinite(measured->error[index])) {
        shortly += QStringLiteral(" \u00b1 ") + shortNumber(measured->error[index]);
        words += tr(" \u00b1 %1").arg(numberText(measured->error[index], number.unit));
        tip += tr("\n\u00b1: standard error of the mean over images.");
    }
    if (measured != nullptr) tip += QLatin1Char('\n') + sourceText(*m_models.find(head.model));
    if (std::isfinite(number.neutral)) {
        tip += tr("\nPlain rotary positions: %1").arg(numberText(number.neutral, number.unit));
    }
    auto* shown = new QTableWidgetItem(words);
    shown->setData(kFirstLine, shortly);
    for (QTableWidgetItem* item : {title, shown}) item->setToolTip(tip);
    m_table->setItem(row, 0, title);
    m_table->setItem(row, 1, shown);
    m_keys << QString::fromStdString(number.key);
}

QString HeadPanel::drawnText(const QString& key) const {
    const auto row = static_cast<int>(m_keys.indexOf(key));
    return row < 0 ? QString() : m_table->item(row, 1)->text();
}

QString HeadPanel::title() const {
    return m_title->text();
}

}  // namespace ropescope
