// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/status_text.h"

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kLines = 2;

}  // namespace

StatusText::StatusText(QWidget* parent) : QLabel(parent) {
    setTextFormat(Qt::PlainText);
    setWordWrap(true);
    setAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    setFixedHeight(kLines * fontMetrics().lineSpacing());
}

void StatusText::say(const QString& text) {
    m_said = text;
    setToolTip(plainTip(text));
    fit();
}

/// As many words as two lines hold.
void StatusText::fit() {
    const auto fits = [this](const QString& text) {
        return fontMetrics().boundingRect(0, 0, width(), 1 << 16, Qt::TextWordWrap, text).height() <= height();
    };
    QString part = m_said;
    while (!fits(part) && part.contains(QLatin1Char(' ')))
        part = part.left(part.lastIndexOf(QLatin1Char(' '))) + QChar(0x2026);
    setText(part);
}

void StatusText::resizeEvent(QResizeEvent* event) {
    QLabel::resizeEvent(event);
    fit();
}

}  // namespace ropescope
