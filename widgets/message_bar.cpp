// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/message_bar.h"

#include <QApplication>
#include <QClipboard>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QProgressBar>
#include <QStyle>
#include <QToolButton>

#include "widgets/plot_style.h"

namespace ropescope {
namespace {

QString timeLeft(double seconds) {
    if (seconds < 0) return {};
    if (seconds < 10) return QObject::tr("%1 s left").arg(seconds, 0, 'f', 1);
    if (seconds < 90) return QObject::tr("%1 s left").arg(seconds, 0, 'f', 0);
    return QObject::tr("%1 min left").arg(seconds / 60, 0, 'f', 0);
}

}  // namespace

MessageBar::MessageBar(QWidget* parent)
    : QWidget(parent),
      m_text(new QLabel(this)),
      m_progress(new QProgressBar(this)),
      m_copy(new QToolButton(this)),
      m_cancel(new QToolButton(this)),
      m_close(new QToolButton(this)) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 4, 4, 4);
    layout->setSpacing(8);
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_progress->setFixedWidth(160);
    m_progress->setTextVisible(false);
    m_copy->setText(tr("Copy details"));
    m_cancel->setText(tr("Cancel"));
    m_close->setText(QStringLiteral("\u00d7"));
    m_close->setToolTip(tr("Hide this message"));
    for (QToolButton* button : {m_copy, m_cancel, m_close}) button->setAutoRaise(true);
    layout->addWidget(m_text, 1);
    layout->addWidget(m_progress);
    layout->addWidget(m_copy);
    layout->addWidget(m_cancel);
    layout->addWidget(m_close);
    connect(m_copy, &QToolButton::clicked, this, [this] { QApplication::clipboard()->setText(m_details); });
    connect(m_cancel, &QToolButton::clicked, this, &MessageBar::cancelRequested);
    connect(m_close, &QToolButton::clicked, this, &MessageBar::clear);
    hide();
}

void MessageBar::show(Kind kind, const QString& text, const QString& details) {
    m_kind = kind;
    m_details = details;
    m_text->setText(text);
    m_progress->setVisible(kind == Kind::Progress);
    m_cancel->setVisible(kind == Kind::Progress);
    m_copy->setVisible(kind == Kind::Error);
    m_close->setVisible(kind != Kind::Progress);
    setVisible(kind != Kind::Nothing);
    update();
}

void MessageBar::showError(const Error& error) {
    const QString message = QString::fromStdString(error.message());
    showError(message, message);
}

void MessageBar::showError(const QString& text, const QString& details) {
    show(Kind::Error, text, details);
}

void MessageBar::showNote(const QString& text) {
    show(Kind::Note, text, text);
}

void MessageBar::showProgress(const QString& text, double share, double secondsLeft) {
    const QString left = timeLeft(secondsLeft);
    show(Kind::Progress, left.isEmpty() ? text : text + QStringLiteral(" \u00b7 ") + left, text);
    m_progress->setRange(0, share < 0 ? 0 : 1000);
    if (share >= 0) m_progress->setValue(static_cast<int>(share * 1000));
}

void MessageBar::clear() {
    show(Kind::Nothing, {}, {});
}

QString MessageBar::text() const {
    return m_text->text();
}

/// A quiet tint of the window colour with a stripe on the left that says the kind by colour and by symbol width.
void MessageBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QColor stripe = m_kind == Kind::Error ? warningColour() : palette().color(QPalette::Highlight);
    QColor tint = stripe;
    tint.setAlpha(m_kind == Kind::Error ? 36 : 20);
    painter.fillRect(rect(), tint);
    painter.fillRect(QRect(0, 0, m_kind == Kind::Error ? 4 : 2, height()), stripe);
}

}  // namespace ropescope
