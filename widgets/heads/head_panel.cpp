// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/heads/head_panel.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/frame/elided_label.h"
#include "widgets/frame/plot_style.h"
#include "widgets/heads/head_table.h"

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

/// Wide enough for every text it will have: a button that grows pushes its neighbours.
void holdRoomFor(QPushButton& button, const QStringList& texts) {
    int width = 0;
    for (const QString& text : texts) {
        button.setText(text);
        width = std::max(width, button.sizeHint().width());
    }
    button.setMinimumWidth(width);
}

}  // namespace

HeadPanel::HeadPanel(OpenModels& models, Selection& selection, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_title(new ElidedLabel(this)),
      m_model(new ElidedLabel(this, Qt::ElideMiddle)),
      m_state(new QLabel(this)),
      m_pin(new QPushButton(this)),
      m_measure(new QPushButton(tr("Measure data ..."), this)),
      m_table(
          new HeadTable([&models](const QString& key, HeadRef head) { return numberTip(models, key, head); }, this)) {
    buildLayout();
    connectSignals();
    refresh();
}

void HeadPanel::buildLayout() {
    QFont large = font();
    large.setPointSizeF(large.pointSizeF() * 1.4);
    large.setBold(true);
    m_title->setFont(large);
    m_model->setForegroundRole(QPalette::PlaceholderText);
    m_state->setWordWrap(true);
    m_state->setTextFormat(Qt::PlainText);
    m_pin->setCheckable(true);
    m_pin->setToolTip(tr("Keep this head beside every other one (P)"));
    holdRoomFor(*m_pin, {tr("Pinned"), tr("Pin")});
    m_table->setAccessibleName(tr("Numbers of the shown heads"));
    auto* row = new QHBoxLayout;
    row->addWidget(m_title, 1);
    row->addWidget(m_pin);
    auto* head = new QVBoxLayout;
    head->setSpacing(0);
    head->addLayout(row);
    head->addWidget(m_model);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addLayout(head);
    layout->addWidget(m_state);
    layout->addWidget(m_table, 1);
    layout->addWidget(m_measure);
}

void HeadPanel::connectSignals() {
    connect(m_measure, &QPushButton::clicked, this, &HeadPanel::measureRequested);
    connect(m_pin, &QPushButton::clicked, this, [this] { m_selection.togglePin(m_selection.current()); });
    connect(m_table, &HeadTable::headChosen, this, [this](HeadRef head) { m_selection.add(head); });
    connect(&m_selection, &Selection::changed, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::atlasChanged, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::headChanged, this, &HeadPanel::refresh);
    connect(&m_models, &OpenModels::calibrationChanged, this, &HeadPanel::refresh);
}

QString HeadPanel::stateText(HeadRef head) const {
    const OpenModel* model = m_models.find(head.model);
    if (model == nullptr) return tr("Select a head to read its numbers: in the Atlas or in the model tree.");
    const HeadReport* report = m_models.head(head);
    if (report != nullptr && !report->problem.empty()) return QString::fromStdString(report->problem);
    QString text = tr("Convention: %1").arg(conventionText(model->card));
    if (report != nullptr && model->card.axes == 0)
        text += tr("\nNothing turns: this model has no rotary positions.");
    else if (report != nullptr && report->hasMap && report->identity)
        text += tr("\nIdentity: this head's map has not moved from plain rotary positions.");
    return text;
}

void HeadPanel::refresh() {
    const HeadRef head = m_selection.current();
    const OpenModel* model = m_models.find(head.model);
    m_title->say(model == nullptr ? tr("No head") : QString::fromStdString(head.id.name()));
    m_model->setVisible(model != nullptr && m_models.all().size() > 1);
    m_model->say(model == nullptr ? QString() : model->name());
    m_state->setText(stateText(head));
    showButtons(model);
    m_table->setRows(headRows(m_models, m_selection));
}

void HeadPanel::showButtons(const OpenModel* model) {
    const bool pinned = m_selection.isPinned(m_selection.current());
    m_pin->setEnabled(model != nullptr);
    m_pin->setChecked(pinned);
    m_pin->setText(pinned ? tr("Pinned") : tr("Pin"));
    m_measure->setVisible(model != nullptr);
    const bool runs = model == nullptr || model->runs();
    m_measure->setEnabled(runs);
    m_measure->setToolTip(runs ? tr("Run the model on images and measure its heads: means with their standard errors")
                               : plainTip(tr("%1 cannot be run: %2").arg(model->name(), problemOf(model->card))));
}

QString HeadPanel::drawnText(const QString& key) const {
    return numberWithUnit(m_models, key, m_selection.current());
}

QString HeadPanel::title() const {
    return m_models.find(m_selection.current().model) == nullptr ? m_title->said()
                                                                 : m_models.headName(m_selection.current());
}

}  // namespace ropescope
