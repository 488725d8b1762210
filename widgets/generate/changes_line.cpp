// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/changes_line.h"

#include <QHBoxLayout>
#include <QPushButton>

#include "widgets/frame/elided_label.h"
#include "widgets/state/change_text.h"

namespace ropescope {
namespace {

constexpr int kWidth = 320, kLeastText = 80;
constexpr int kListed = 40;  // changes in the tool tip

}  // namespace

ChangesLine::ChangesLine(OpenModels& models, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_text(new ElidedLabel(this)),
      m_asStored(new QPushButton(tr("As stored"), this)) {
    setObjectName(QStringLiteral("changesLine"));
    m_asStored->setToolTip(tr("The heads as they are in the file (Ctrl+Z brings the changes back)"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 4, 8, 4);
    row->setSpacing(8);
    row->addWidget(m_text, 1);
    row->addWidget(m_asStored);
    m_text->setMinimumWidth(kLeastText);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(m_asStored, &QPushButton::clicked, this, [this] { emit asStoredRequested(m_model); });
    connect(&m_models, &OpenModels::modelsChanged, this, &ChangesLine::refresh);
    refresh();
}

void ChangesLine::setModel(int model) {
    m_model = model;
    refresh();
}

void ChangesLine::refresh() {
    const OpenModel* open = m_models.find(m_model);
    const bool changed = open != nullptr && open->ref.changesHeads();
    setVisible(changed);
    if (!changed) return m_text->say({});
    m_text->say(tr("%1, %2").arg(changedHeadsText(*open), open->name()),
                tr("%1 computes with changed heads: %2.\nSave variation ... keeps them in a file.")
                    .arg(open->name(), changesText(open->ref.changes, kListed)));
}

QSize ChangesLine::sizeHint() const {
    return {kWidth, QWidget::sizeHint().height()};
}

QString ChangesLine::text() const {
    return m_text->said();
}

}  // namespace ropescope
