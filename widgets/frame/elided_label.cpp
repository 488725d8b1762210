// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/elided_label.h"

#include <QEvent>

#include "widgets/frame/plot_style.h"

namespace ropescope {

ElidedLabel::ElidedLabel(QWidget* parent, Qt::TextElideMode mode) : QLabel(parent), m_mode(mode) {
    setTextFormat(Qt::PlainText);
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
}

void ElidedLabel::say(const QString& text, const QString& more) {
    m_said = text;
    setToolTip(plainTip(more.isEmpty() ? text : more));
    elide();
}

void ElidedLabel::elide() {
    setText(fontMetrics().elidedText(m_said, m_mode, width()));
}

void ElidedLabel::resizeEvent(QResizeEvent* event) {
    QLabel::resizeEvent(event);
    elide();
}

void ElidedLabel::changeEvent(QEvent* event) {
    QLabel::changeEvent(event);
    if (event->type() == QEvent::FontChange) elide();
}

}  // namespace ropescope
