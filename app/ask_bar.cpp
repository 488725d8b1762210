// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/ask_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <algorithm>

#include "widgets/frame/flow_layout.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kBesideText = 3;      // more buttons stand below it
constexpr int kWidestAnswer = 240;  // pixels of its text

}  // namespace

AskBar::AskBar(QWidget* parent)
    : QWidget(parent), m_text(new QLabel(this)), m_row(new QBoxLayout(QBoxLayout::LeftToRight)) {
    setObjectName("askBar");
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::AlternateBase);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    auto* answers = new QWidget(this);
    m_answers = new FlowLayout(answers);
    m_row->setSpacing(8);
    m_row->addWidget(m_text, 1);
    m_row->addWidget(answers);
    auto* close = new QToolButton(this);
    close->setText("\u00D7");
    close->setToolTip("Do nothing");
    close->setAutoRaise(true);
    connect(close, &QToolButton::clicked, this, [this] { answer(-1); });
    auto* bar = new QHBoxLayout(this);
    bar->setContentsMargins(8, 4, 8, 4);
    bar->addLayout(m_row, 1);
    bar->addWidget(close, 0, Qt::AlignTop);
    hide();
}

void AskBar::ask(Question question) {
    const auto same =
        std::ranges::find_if(m_questions, [&](const Question& q) { return q.model >= 0 && q.model == question.model; });
    if (same == m_questions.end())
        m_questions.push_back(std::move(question));
    else
        *same = std::move(question);
    if (m_questions.size() == 1 || same == m_questions.begin()) showNext();
}

void AskBar::withdraw(int model) {
    if (std::erase_if(m_questions, [&](const Question& q) { return q.model == model; }) > 0) showNext();
}

QString AskBar::text() const {
    return m_questions.empty() ? QString() : m_questions.front().text;
}

void AskBar::showNext() {
    for (QWidget* button : m_buttons) {
        m_answers->removeWidget(button);
        button->hide();
        button->deleteLater();
    }
    m_buttons.clear();
    setVisible(!m_questions.empty());
    if (m_questions.empty()) return;
    const Question& question = m_questions.front();
    m_text->setText(question.text);
    m_row->setDirection(question.answers.size() > kBesideText ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    for (int i = 0; i < question.answers.size(); ++i) {
        const QString text = fontMetrics().elidedText(question.answers[i], Qt::ElideMiddle, kWidestAnswer);
        auto* button = new QPushButton(QString(text).replace('&', "&&"), this);
        if (text != question.answers[i]) button->setToolTip(plainTip(question.answers[i]));
        connect(button, &QPushButton::clicked, this, [this, i] { answer(i); });
        m_answers->addWidget(button);
        button->show();
        m_buttons.append(button);
    }
}

void AskBar::answer(int index) {
    if (m_questions.empty()) return;
    const Question question = std::move(m_questions.front());
    m_questions.erase(m_questions.begin());
    showNext();
    if (index >= 0 && index < question.answers.size() && question.done) question.done(index);
}

}  // namespace ropescope
