// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/message_bar.h"

#include <QApplication>
#include <QClipboard>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QProgressBar>
#include <QStyle>
#include <QToolButton>
#include <algorithm>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kNoteMs = 5000, kNoteMsPerLetter = 50;  // with something to do about it twice as long
constexpr int kWidest = 720;
constexpr int kMargin = 8;

QString timeLeft(double seconds) {
    if (seconds < 0) return {};
    if (seconds < 10) return QObject::tr("%1 s left").arg(seconds, 0, 'f', 1);
    if (seconds < 90) return QObject::tr("%1 s left").arg(seconds, 0, 'f', 0);
    return QObject::tr("%1 min left").arg(seconds / 60, 0, 'f', 0);
}

}  // namespace

MessageAbout ofModel(int model) {
    MessageAbout about;
    about.model = model;
    return about;
}

MessageAbout causedBy(const QString& cause) {
    MessageAbout about;
    about.cause = cause;
    return about;
}

MessageAbout withAction(const QString& action, std::function<void()> run) {
    MessageAbout about;
    about.action = action;
    about.run = std::move(run);
    return about;
}

MessageBar::MessageBar(QWidget* parent)
    : QWidget(parent),
      m_text(new QLabel(this)),
      m_progress(new QProgressBar(this)),
      m_action(new QToolButton(this)),
      m_copy(new QToolButton(this)),
      m_cancel(new QToolButton(this)),
      m_close(new QToolButton(this)) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 4, 4, 4);
    layout->setSpacing(8);
    setAutoFillBackground(true);
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
    layout->addWidget(m_action);
    layout->addWidget(m_copy);
    layout->addWidget(m_cancel);
    layout->addWidget(m_close);
    m_end.setSingleShot(true);
    connect(&m_end, &QTimer::timeout, this, &MessageBar::clear);
    connect(m_copy, &QToolButton::clicked, this, [this] { QApplication::clipboard()->setText(m_details); });
    connect(m_cancel, &QToolButton::clicked, this, &MessageBar::cancelRequested);
    connect(m_close, &QToolButton::clicked, this, &MessageBar::clear);
    connect(m_action, &QToolButton::clicked, this, [this] {
        const auto run = m_about.run;
        clear();
        if (run) run();
    });
    hide();
}

void MessageBar::floatOver(QWidget* place) {
    m_place = place;
    setParent(place);
    place->installEventFilter(this);
    hide();
}

bool MessageBar::eventFilter(QObject* watched, QEvent* event) {
    const bool moved = event->type() == QEvent::Resize || event->type() == QEvent::Show;
    if (watched == m_place && moved && m_kind != Kind::Nothing) place();
    return QWidget::eventFilter(watched, event);
}

void MessageBar::place() {
    if (m_place == nullptr) return;
    const int width = std::max(1, std::min(kWidest, m_place->width() - 2 * kMargin));
    const int height = std::max(minimumSizeHint().height(), heightForWidth(width));
    setGeometry((m_place->width() - width) / 2, m_place->height() - height - kMargin, width, height);
    raise();
}

void MessageBar::show(Kind kind, const QString& text, const QString& details, const MessageAbout& about) {
    m_kind = kind;
    m_details = details;
    m_about = about;
    m_text->setText(text);
    m_progress->setVisible(kind == Kind::Progress);
    m_cancel->setVisible(kind == Kind::Progress);
    m_copy->setVisible(kind == Kind::Error);
    m_close->setVisible(kind != Kind::Progress);
    m_action->setVisible(!about.action.isEmpty());
    m_action->setText(about.action);
    m_end.stop();
    const int toRead = kNoteMs + kNoteMsPerLetter * static_cast<int>(text.size());
    if (kind == Kind::Note) m_end.start(about.action.isEmpty() ? toRead : 2 * toRead);
    setVisible(kind != Kind::Nothing);
    if (kind != Kind::Nothing) place();
    update();
    emit changed();
}

void MessageBar::showError(const Error& error, const MessageAbout& about) {
    const QString message = QString::fromStdString(error.message());
    showError(message, message, about);
}

void MessageBar::showError(const QString& text, const QString& details, const MessageAbout& about) {
    show(Kind::Error, text, details, about);
}

void MessageBar::showNote(const QString& text, const MessageAbout& about) {
    show(Kind::Note, text, text, about);
}

void MessageBar::showProgress(const QString& text, double share, double secondsLeft) {
    const QString left = timeLeft(secondsLeft);
    show(Kind::Progress, left.isEmpty() ? text : text + QStringLiteral(" \u00b7 ") + left, text, {});
    m_progress->setRange(0, share < 0 ? 0 : 1000);
    if (share >= 0) m_progress->setValue(static_cast<int>(share * 1000));
}

void MessageBar::clear() {
    show(Kind::Nothing, {}, {}, {});
}

void MessageBar::clearCause(const QString& cause) {
    if (m_kind != Kind::Nothing && m_about.cause == cause) clear();
}

void MessageBar::setCurrentModel(int model) {
    if (m_about.model >= 0 && m_about.model != model) clear();
}

QString MessageBar::text() const {
    return m_text->text();
}

/// A quiet tint of the window colour with a stripe on the left that says the kind by colour and by width.
void MessageBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QColor stripe = m_kind == Kind::Error ? warningColour() : palette().color(QPalette::Highlight);
    QColor tint = stripe;
    tint.setAlpha(m_kind == Kind::Error ? 36 : 20);
    painter.fillRect(rect(), tint);
    painter.fillRect(QRect(0, 0, m_kind == Kind::Error ? 4 : 2, height()), stripe);
    painter.setPen(looksOf(palette(), font()).reference);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
}

}  // namespace ropescope
