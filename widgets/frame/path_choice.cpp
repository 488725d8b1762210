// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/path_choice.h"

#include <QFileDialog>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>

namespace ropescope {

PathChoice::PathChoice(Kind kind, const QString& title, const QString& filter, QWidget* parent)
    : QWidget(parent), m_kind(kind), m_title(title), m_filter(filter), m_text(new QLineEdit(this)) {
    auto* button = new QPushButton(tr("Browse..."), this);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    row->addWidget(m_text);
    row->addWidget(button);
    m_text->setMinimumWidth(200);
    setFocusProxy(m_text);
    connect(m_text, &QLineEdit::textChanged, this, &PathChoice::changed);
    connect(m_text, &QLineEdit::returnPressed, this, &PathChoice::entered);
    connect(button, &QPushButton::clicked, this, &PathChoice::browse);
}

QString PathChoice::path() const {
    return m_text->text().trimmed();
}

void PathChoice::setPath(const QString& path) {
    m_text->setText(path);
}

void PathChoice::setHint(const QString& placeholder, const QString& toolTip) {
    m_text->setPlaceholderText(placeholder);
    m_text->setToolTip(toolTip);
}

void PathChoice::browse() {
    const QString chosen = m_kind == Kind::Folder ? QFileDialog::getExistingDirectory(this, m_title, path())
                                                  : QFileDialog::getOpenFileName(this, m_title, path(), m_filter);
    if (!chosen.isEmpty()) setPath(chosen);
}

}  // namespace ropescope
