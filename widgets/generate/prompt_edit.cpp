// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/prompt_edit.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/frame/elided_label.h"

namespace ropescope {
namespace {

constexpr int kPauseMs = 350;
constexpr int kLines = 2;
constexpr int kLongestFolder = 16;                       // letters; a longer name stands in the tool tip
constexpr const char* kMissingEncoder = "text-encoder";  // Error::code

QPlainTextEdit* newEdit(QWidget* parent, const QString& placeholder) {
    auto* edit = new QPlainTextEdit(parent);
    edit->setPlaceholderText(placeholder);
    edit->setTabChangesFocus(true);
    edit->setFixedHeight(kLines * edit->fontMetrics().lineSpacing() + 14);
    return edit;
}

}  // namespace

PromptEdit::PromptEdit(QWidget* parent)
    : QWidget(parent),
      m_prompt(newEdit(this, tr("Prompt: what the picture shows"))),
      m_negative(newEdit(this, tr("Negative prompt: what guidance leads away from"))),
      m_tokens(new ElidedLabel(this)),
      m_choose(new QPushButton(tr("Choose text encoders ..."), this)) {
    m_prompt->setToolTip(tr("Ctrl+Return makes the picture"));
    m_negative->setToolTip(m_prompt->toolTip());
    m_tokens->setForegroundRole(QPalette::PlaceholderText);
    auto* texts = new QHBoxLayout;
    texts->setSpacing(8);
    texts->addWidget(m_prompt, 3);
    texts->addWidget(m_negative, 2);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(2);
    layout->addLayout(texts);
    auto* below = new QHBoxLayout;
    below->addWidget(m_tokens, 1);
    below->addWidget(m_choose);
    layout->addLayout(below);
    m_choose->hide();
    connect(m_choose, &QPushButton::clicked, this, &PromptEdit::encodersWanted);
    m_prompt->installEventFilter(this);
    m_negative->installEventFilter(this);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(m_prompt, &QPlainTextEdit::textChanged, &m_pause, qOverload<>(&QTimer::start));
    for (QPlainTextEdit* edit : {m_prompt, m_negative})
        connect(edit, &QPlainTextEdit::textChanged, this, &PromptEdit::changed);
    connect(&m_pause, &QTimer::timeout, this, [this] {
        if (m_prompt->isEnabled()) emit tokensWanted(prompt());
    });
    setFocusProxy(m_prompt);
}

QString PromptEdit::prompt() const {
    return m_prompt->toPlainText();
}

QString PromptEdit::negative() const {
    return m_negative->toPlainText();
}

void PromptEdit::setTexts(const QString& prompt, const QString& negative) {
    if (m_prompt->toPlainText() != prompt) m_prompt->setPlainText(prompt);
    if (m_negative->toPlainText() != negative) m_negative->setPlainText(negative);
}

void PromptEdit::setNegativeUsed(bool used) {
    m_negative->setVisible(used);
}

void PromptEdit::setOff(const QString& off) {
    m_prompt->setEnabled(off.isEmpty());
    m_negative->setEnabled(off.isEmpty());
    setMissing({});
    if (!off.isEmpty()) return say(off, false);
    say({}, false);
    m_pause.start();
}

void PromptEdit::showTokens(const TokensReport& tokens) {
    setMissing({});
    QStringList counts, cuts, pieces;
    for (const EncodedText& part : tokens.parts) {
        const QString name = QString::fromStdString(part.encoder);
        counts.append(part.length == 0 ? tr("%1: not there, zeros in its place").arg(name)
                                       : tr("%1: %2 of %3 tokens").arg(name).arg(part.used).arg(part.length));
        if (part.cut > 0 && part.pieces.size() > 1)
            cuts.append(tr("%1 drops the last %2, after \"%3\"")
                            .arg(name)
                            .arg(part.cut)
                            .arg(QString::fromStdString(part.pieces[part.pieces.size() - 2])));
        QStringList own;
        for (const std::string& piece : part.pieces) own.append(QString::fromStdString(piece));
        pieces.append(name + QStringLiteral(": ") + own.join(QStringLiteral(" | ")));
    }
    say((cuts + counts).join(QStringLiteral("  \u00b7  ")), !cuts.isEmpty(), pieces.join(QLatin1Char('\n')));
}

/// A part of the model that is not there is chosen with a button; the whole message is the tool tip.
void PromptEdit::showProblem(const Error& error) {
    const QString message = QString::fromStdString(error.message());
    if (error.code != kMissingEncoder) return say(message, true);
    const QStringList places = QString::fromStdString(error.place).split(QStringLiteral(" > "));
    const QString folder = QFileInfo(places.value(0)).fileName();
    const QString words = places.size() < 2                ? tr("A text encoder is missing")
                          : folder.size() > kLongestFolder ? tr("No %1 found").arg(places.last())
                                                           : tr("%1 holds no %2").arg(folder, places.last());
    say(words, true, message);
    setMissing(tr("%1. Choose the text encoders beside the prompt.").arg(words));
}

void PromptEdit::setMissing(const QString& missing) {
    m_choose->setVisible(!missing.isEmpty());
    if (m_missing == missing) return;
    m_missing = missing;
    emit missingChanged();
}

QString PromptEdit::tokensText() const {
    return m_tokens->said();
}

void PromptEdit::say(const QString& text, bool warning, const QString& more) {
    m_tokens->setForegroundRole(warning ? QPalette::WindowText : QPalette::PlaceholderText);
    m_tokens->say(text, more);
}

bool PromptEdit::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
        if (enter && key->modifiers().testFlag(Qt::ControlModifier)) {
            emit entered();
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

}  // namespace ropescope
