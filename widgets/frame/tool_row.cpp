// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/tool_row.h"

#include <QEvent>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

namespace ropescope {
namespace {

constexpr int kInside = 6;    // between a label and its control
constexpr int kBetween = 14;  // between groups

}  // namespace

ToolRow::ToolRow(QWidget* parent)
    : QWidget(parent), m_more(new QToolButton(this)), m_panel(new QFrame(this, Qt::Popup)) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    m_more->setText(QStringLiteral("\u00bb"));
    m_more->setAutoRaise(true);
    m_more->setToolTip(tr("More controls of this view"));
    m_more->setAccessibleName(tr("More controls"));
    m_more->hide();
    static_cast<QFrame*>(m_panel)->setFrameShape(QFrame::StyledPanel);
    auto* column = new QVBoxLayout(m_panel);
    column->setContentsMargins(8, 8, 8, 8);
    column->setSpacing(8);
    m_panel->installEventFilter(this);
    m_pause.setSingleShot(true);
    connect(&m_pause, &QTimer::timeout, this, &ToolRow::arrange);
    connect(m_more, &QToolButton::clicked, this, &ToolRow::openPanel);
}

void ToolRow::addGroup(const QString& label, const QList<QWidget*>& controls) {
    auto* box = new QWidget(this);
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(kInside);
    if (!label.isEmpty()) {
        auto* text = new QLabel(label, box);
        text->setBuddy(controls.front());
        row->addWidget(text);
    }
    for (QWidget* control : controls) {
        row->addWidget(control);
        control->installEventFilter(this);
    }
    box->installEventFilter(this);
    m_groups.append({box, controls});
    m_pause.start(0);
}

bool ToolRow::isUsed(const Group& group) {
    return std::ranges::any_of(group.controls, [](const QWidget* control) { return !control->isHidden(); });
}

QSize ToolRow::sizeHint() const {
    int width = 0, height = m_more->sizeHint().height();
    for (const Group& group : m_groups) {
        height = std::max(height, group.box->sizeHint().height());
        if (isUsed(group)) width += group.box->sizeHint().width() + kBetween;
    }
    return {width, height};
}

QSize ToolRow::minimumSizeHint() const {
    return {m_more->sizeHint().width(), sizeHint().height()};
}

void ToolRow::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange();
}

bool ToolRow::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_panel) {
        if (event->type() == QEvent::Hide) closePanel();
        return QWidget::eventFilter(watched, event);
    }
    const bool changed = event->type() == QEvent::ShowToParent || event->type() == QEvent::HideToParent ||
                         event->type() == QEvent::LayoutRequest;
    if (changed && m_panel->isHidden()) m_pause.start(0);
    return QWidget::eventFilter(watched, event);
}

void ToolRow::arrange() {
    if (!m_panel->isHidden()) return;
    QList<QWidget*> used;
    int wanted = 0;
    for (const Group& group : m_groups) {
        if (!isUsed(group)) {
            group.box->hide();
            continue;
        }
        used.append(group.box);
        wanted += group.box->sizeHint().width() + (used.size() > 1 ? kBetween : 0);
    }
    const bool all = wanted <= width();
    const int room = all ? width() : width() - m_more->sizeHint().width() - kInside;
    int x = 0;
    m_fitting = 0;
    for (QWidget* box : used) {
        const QSize size = box->sizeHint();
        const bool fits = m_fitting == used.indexOf(box) && x + size.width() <= room;
        box->setVisible(fits);
        if (!fits) continue;
        box->setGeometry(x, (height() - size.height()) / 2, size.width(), size.height());
        x += size.width() + kBetween;
        ++m_fitting;
    }
    m_more->setVisible(!all);
    const QSize button = m_more->sizeHint();
    m_more->setGeometry(width() - button.width(), (height() - button.height()) / 2, button.width(), button.height());
    updateGeometry();
}

void ToolRow::openPanel() {
    int place = 0;
    for (const Group& group : m_groups) {
        if (!isUsed(group) || place++ < m_fitting) continue;
        m_panel->layout()->addWidget(group.box);
        group.box->show();
    }
    m_panel->adjustSize();
    m_panel->move(m_more->mapToGlobal(QPoint(m_more->width() - m_panel->width(), m_more->height())));
    m_panel->show();
}

void ToolRow::closePanel() {
    for (const Group& group : m_groups) {
        if (group.box->parentWidget() != m_panel) continue;
        m_panel->layout()->removeWidget(group.box);
        group.box->setParent(this);
    }
    m_pause.start(0);
}

}  // namespace ropescope
