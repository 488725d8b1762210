// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/command_palette.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QPainter>
#include <QRegularExpression>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

namespace ropescope {
namespace {

constexpr int kMostShown = 60;

/// 2: every word starts a word of the text; 1: every word is in it; 0: no match.
int quality(const QString& text, const QStringList& words) {
    int quality = 2;
    for (const QString& word : words) {
        const qsizetype at = text.indexOf(word, 0, Qt::CaseInsensitive);
        if (at < 0) return 0;
        const bool starts = at == 0 || !text[at - 1].isLetterOrNumber() || text[at].isDigit();
        quality = std::min(quality, starts ? 2 : 1);
    }
    return quality;
}

enum Role { kKind = Qt::UserRole, kKeys };
constexpr int kGap = 12;

/// Name, shortcut, and what kind of thing it is, the last two in columns at the right.
class EntryDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        return {0, QStyledItemDelegate::sizeHint(option, index).height() + 4};
    }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        QStyledItemDelegate::paint(painter, option, index);  // the ground; the name is drawn below
        const bool chosen = (option.state & QStyle::State_Selected) != 0;
        QColor text = option.palette.color(chosen ? QPalette::HighlightedText : QPalette::Text);
        const QFontMetrics metrics(option.font);
        QRect place = option.rect.adjusted(6, 0, -6, 0);
        const int kinds = metrics.horizontalAdvance(QStringLiteral("command"));
        const QString keys = index.data(kKeys).toString();
        painter->save();
        QColor muted = text;
        muted.setAlphaF(0.65F);
        painter->setPen(muted);
        painter->drawText(place.adjusted(place.width() - kinds, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft,
                          index.data(kKind).toString());
        place.setRight(place.right() - kinds - kGap);
        painter->drawText(place, Qt::AlignVCenter | Qt::AlignRight, keys);
        if (!keys.isEmpty()) place.setRight(place.right() - metrics.horizontalAdvance(keys) - kGap);
        painter->setPen(index.flags().testFlag(Qt::ItemIsEnabled) ? text : muted);
        painter->drawText(place, Qt::AlignVCenter | Qt::AlignLeft,
                          metrics.elidedText(index.data().toString(), Qt::ElideMiddle, place.width()));
        painter->restore();
    }

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
        QStyledItemDelegate::initStyleOption(option, index);
        option->text.clear();
    }
};

}  // namespace

std::vector<int> matching(const std::vector<PaletteEntry>& entries, const QString& pattern) {
    QString wanted = pattern.trimmed();
    static const QRegularExpression bare("^(\\d+)\\.(\\d+)$");
    if (const auto match = bare.match(wanted); match.hasMatch()) {
        wanted = QString("L%1.H%2").arg(match.captured(1), match.captured(2));
    }
    const QStringList words = wanted.split(' ', Qt::SkipEmptyParts);
    std::vector<int> found;
    for (int wantedQuality : {2, 1}) {
        for (int i = 0; i < static_cast<int>(entries.size()); ++i) {
            if (quality(entries[static_cast<std::size_t>(i)].text, words) == wantedQuality) found.push_back(i);
        }
    }
    return found;
}

CommandPalette::CommandPalette(QWidget* window)
    : QFrame(window), m_field(new QLineEdit(this)), m_list(new QListWidget(this)) {
    setObjectName("commandPalette");
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->addWidget(m_field);
    layout->addWidget(m_list);
    m_field->setPlaceholderText("Find a command, a view, a setting, a head (L4.H2 or 4.2), a model");
    m_list->setFocusPolicy(Qt::NoFocus);
    m_list->setItemDelegate(new EntryDelegate(m_list));
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_field->installEventFilter(this);
    connect(m_field, &QLineEdit::textChanged, this, &CommandPalette::refresh);
    connect(m_list, &QListWidget::itemClicked, this, &CommandPalette::runCurrent);
    hide();
}

void CommandPalette::open(std::vector<PaletteEntry> entries) {
    m_entries = std::move(entries);
    if (!isVisible()) m_before = window()->focusWidget();
    m_field->clear();
    refresh();
    const QSize room = parentWidget()->size();
    resize(std::min(560, room.width() - 32), std::min(420, room.height() - 96));
    move((room.width() - width()) / 2, 48);
    show();
    raise();
    m_field->setFocus();
}

/// The keyboard goes back before the palette hides: Qt would hand it to the next control.
void CommandPalette::dismiss() {
    if (!isVisible()) return;
    QWidget* before = std::exchange(m_before, nullptr);
    if (before != nullptr && window()->focusWidget() == m_field) before->setFocus();
    hide();
}

void CommandPalette::refresh() {
    m_shown = matching(m_entries, m_field->text());
    if (m_shown.size() > kMostShown) m_shown.resize(kMostShown);
    m_list->clear();
    for (int i : m_shown) {
        const PaletteEntry& entry = m_entries[static_cast<std::size_t>(i)];
        auto* item = new QListWidgetItem(entry.text, m_list);
        item->setData(kKind, entry.kind);
        item->setData(kKeys, entry.keys);
    }
    if (m_shown.empty()) {
        auto* nothing = new QListWidgetItem(QString("Nothing found for \"%1\"").arg(m_field->text()), m_list);
        nothing->setFlags(Qt::ItemIsEnabled);  // read, not chosen
        return;
    }
    m_list->setCurrentRow(0);
}

void CommandPalette::runCurrent() {
    const int row = m_list->currentRow();
    if (row < 0 || row >= static_cast<int>(m_shown.size())) return;
    const auto run = m_entries[static_cast<std::size_t>(m_shown[static_cast<std::size_t>(row)])].run;
    dismiss();
    if (run) run();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::FocusOut) dismiss();
    if (event->type() == QEvent::ShortcutOverride) {
        event->accept();  // what is typed here is a search, not the window's shortcuts
        return true;
    }
    if (event->type() != QEvent::KeyPress) return QFrame::eventFilter(watched, event);
    return keyPressed(static_cast<QKeyEvent*>(event)->key());
}

bool CommandPalette::keyPressed(int key) {
    const int row = m_list->currentRow();
    switch (key) {
        case Qt::Key_Escape:
            dismiss();
            return true;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            runCurrent();
            return true;
        case Qt::Key_Down:
            m_list->setCurrentRow(std::min(row + 1, static_cast<int>(m_shown.size()) - 1));
            return true;
        case Qt::Key_Up:
            m_list->setCurrentRow(std::max(row - 1, m_shown.empty() ? -1 : 0));
            return true;
        default:
            return false;
    }
}

}  // namespace ropescope
