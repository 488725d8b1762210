// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/ask_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>

namespace ropescope {

AskBar::AskBar(QWidget* parent) : QWidget(parent), m_text(new QLabel(this)), m_row(new QHBoxLayout(this)) {
    setObjectName("askBar");
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::AlternateBase);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_row->setContentsMargins(8, 4, 8, 4);
    m_row->addWidget(m_text, 1);
    hide();
}

void AskBar::ask(Question question) {
    m_questions.push_back(std::move(question));
    if (m_questions.size() == 1) showNext();
}

QString AskBar::text() const {
    return m_questions.empty() ? QString() : m_questions.front().text;
}

void AskBar::showNext() {
    for (QWidget* button : m_buttons) button->deleteLater();
    m_buttons.clear();
    setVisible(!m_questions.empty());
    if (m_questions.empty()) return;
    const Question& question = m_questions.front();
    m_text->setText(question.text);
    for (int i = 0; i < question.answers.size(); ++i) {
        auto* button = new QPushButton(question.answers[i], this);
        connect(button, &QPushButton::clicked, this, [this, i] { answer(i); });
        m_row->addWidget(button);
        m_buttons.append(button);
    }
    auto* close = new QToolButton(this);
    close->setText("\u00D7");
    close->setToolTip("Do nothing");
    close->setAutoRaise(true);
    connect(close, &QToolButton::clicked, this, [this] { answer(-1); });
    m_row->addWidget(close);
    m_buttons.append(close);
}

void AskBar::answer(int index) {
    if (m_questions.empty()) return;
    const Question question = std::move(m_questions.front());
    m_questions.erase(m_questions.begin());
    showNext();
    if (index >= 0 && index < question.answers.size() && question.done) question.done(index);
}

}  // namespace ropescope
