// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/heads/head_table.h"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QHelpEvent>
#include <QMenu>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>
#include <numeric>
#include <utility>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kLeastNames = 96;
constexpr int kMostModelWidth = 96;  // a longer name of a model is elided

int longest(const QStringList& lines, const QFontMetrics& metrics) {
    int width = 0;
    for (const QString& line : lines) width = std::max(width, metrics.horizontalAdvance(line));
    return width;
}

QString wholeName(const HeadColumn& column) {
    return column.model.isEmpty() ? column.name() : QObject::tr("%1 of %2").arg(column.name(), column.model);
}

/// Broken at a space so that the longer line is as short as can be.
QStringList onTwoLines(const QString& text, const QFontMetrics& metrics) {
    QStringList best{text};
    int bestWidth = metrics.horizontalAdvance(text);
    for (qsizetype at = text.indexOf(QLatin1Char(' ')); at >= 0; at = text.indexOf(QLatin1Char(' '), at + 1)) {
        const QStringList lines{text.left(at), text.mid(at + 1)};
        const int wide = longest(lines, metrics);
        if (wide < bestWidth) best = lines, bestWidth = wide;
    }
    return best;
}

}  // namespace

QStringList inLines(const QString& text, int width, const QFontMetrics& metrics) {
    if (metrics.horizontalAdvance(text) <= width) return {text};
    const QStringList two = onTwoLines(text, metrics);
    if (longest(two, metrics) <= width) return two;
    QStringList lines;
    for (const QString& word : text.split(QLatin1Char(' '))) {
        const QString longer = lines.isEmpty() ? word : lines.back() + QLatin1Char(' ') + word;
        if (!lines.isEmpty() && metrics.horizontalAdvance(longer) <= width)
            lines.back() = longer;
        else
            lines << word;
    }
    return lines;
}

HeadTable::HeadTable(TipFn tip, QWidget* parent) : QAbstractScrollArea(parent), m_tip(std::move(tip)) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    viewport()->setMouseTracking(true);
    viewport()->setBackgroundRole(QPalette::Base);
}

void HeadTable::setRows(HeadRows rows) {
    const HeadRef before = currentHead();
    m_rows = std::move(rows);
    measure();
    layOut();
    if (currentHead() != before) revealCurrent();
    viewport()->update();
}

HeadRef HeadTable::currentHead() const {
    for (const HeadColumn& column : m_rows.columns) {
        if (column.current) return column.head;
    }
    return {};
}

void HeadTable::revealCurrent() {
    const auto current = std::find_if(m_rows.columns.begin(), m_rows.columns.end(),
                                      [](const HeadColumn& column) { return column.current; });
    if (current == m_rows.columns.end()) return;
    const auto at = static_cast<int>(current - m_rows.columns.begin());
    if (at < horizontalScrollBar()->value()) horizontalScrollBar()->setValue(at);
    while (columnLeft(at) + m_widths[at] > viewport()->width() &&
           horizontalScrollBar()->value() < std::min(at, horizontalScrollBar()->maximum()))
        horizontalScrollBar()->setValue(horizontalScrollBar()->value() + 1);
}

QFont HeadTable::strong() const {
    QFont bold = font();
    bold.setBold(true);
    return bold;
}

void HeadTable::measure() {
    const QFontMetrics metrics(font()), bold(strong());
    m_shortNames = m_longNames = m_longestWord = 0;
    const auto measureNames = [&](const std::vector<HeadRow>& rows) {
        for (const HeadRow& row : rows) {
            m_longNames = std::max(m_longNames, metrics.horizontalAdvance(row.name));
            m_shortNames = std::max(m_shortNames, longest(onTwoLines(row.name, metrics), metrics));
            m_longestWord = std::max(m_longestWord, longest(row.name.split(QLatin1Char(' ')), metrics));
        }
    };
    for (const HeadGroup& group : m_rows.groups) measureNames(group.rows);
    measureNames(m_rows.undefined);
    m_widths.clear();
    for (std::size_t i = 0; i < m_rows.columns.size(); ++i) {
        const HeadColumn& column = m_rows.columns[i];
        int width = kSwatch + kPadding + bold.horizontalAdvance(column.name());
        width = std::max(width, std::min(kMostModelWidth, metrics.horizontalAdvance(column.model)));
        for (const HeadGroup& group : m_rows.groups)
            for (const HeadRow& row : group.rows)
                width = std::max(width, metrics.horizontalAdvance(row.cells[static_cast<qsizetype>(i)]));
        m_widths.push_back(width + 2 * kPadding);
    }
}

void HeadTable::layOut() {
    widenNames();
    m_lines.clear();
    int y = 0;
    for (const HeadGroup& group : m_rows.groups) {
        addHeading(group.title, false, y);
        for (const HeadRow& row : group.rows) addLine(row, y);
    }
    if (!m_rows.undefined.empty()) {
        addHeading(tr("Not defined here (%1)").arg(m_rows.undefined.size()), true, y);
        if (m_unfolded)
            for (const HeadRow& row : m_rows.undefined) addLine(row, y);
    }
    setScrollBars();
}

/// Names on one line where there is room beside all columns, on more while two columns, or one, stay in sight.
void HeadTable::widenNames() {
    const int all = std::accumulate(m_widths.begin(), m_widths.end(), 0);
    const int widest = m_widths.empty() ? 0 : *std::max_element(m_widths.begin(), m_widths.end());
    const int room = viewport()->width() - 2 * kPadding;
    const int wanted = std::min<int>(2, static_cast<int>(m_widths.size())) * widest;
    const int narrow = std::clamp(room - wanted, std::min(m_longestWord, kLeastNames), kLeastNames);
    const int least = std::max(narrow, std::min(m_shortNames, room - wanted));
    m_nameWidth = std::clamp(room - all, least, std::max(least, m_longNames)) + 2 * kPadding;
}

/// Where all columns are in sight, a name may use what a short value leaves of the first one.
void HeadTable::addLine(const HeadRow& row, int& y) {
    const QFontMetrics metrics(font());
    int width = m_nameWidth - 2 * kPadding;
    const int all = std::accumulate(m_widths.begin(), m_widths.end(), 0);
    if (!m_widths.empty() && m_nameWidth + all <= viewport()->width())
        width += m_widths.front() - 2 * kPadding - metrics.horizontalAdvance(row.cells.front());
    Line line{y, 0, {}, &row, inLines(row.name, width, metrics), false};
    line.height = static_cast<int>(line.name.size()) * metrics.lineSpacing() + kPadding;
    y += line.height;
    m_lines.push_back(std::move(line));
}

void HeadTable::addHeading(const QString& text, bool folds, int& y) {
    QString words = text;
    if (folds && !m_rows.reasons.isEmpty()) words += QLatin1Char('\n') + m_rows.reasons.join(QLatin1Char('\n'));
    const int indent = folds ? kSwatch + kPadding : 0;
    const QRect room(0, 0, std::max(40, viewport()->width() - 2 * kPadding - indent), 1 << 20);
    const int height = QFontMetrics(strong()).boundingRect(room, Qt::TextWordWrap, words).height() + 2 * kPadding;
    m_lines.push_back({y, height, words, nullptr, {}, folds});
    y += height;
}

void HeadTable::setScrollBars() {
    const auto lines = static_cast<int>(m_lines.size()), columns = static_cast<int>(m_widths.size());
    const int bottom = m_lines.empty() ? 0 : m_lines.back().top + m_lines.back().height;
    const int tall = viewport()->height() - headHeight(), wide = viewport()->width() - m_nameWidth;
    int line = 0, column = 0;  // the last ones that may stand first
    while (line + 1 < lines && bottom - m_lines[line].top > tall) ++line;
    int rest = std::accumulate(m_widths.begin(), m_widths.end(), 0);
    while (column + 1 < columns && rest > wide) rest -= m_widths[column++];
    verticalScrollBar()->setRange(0, line);
    verticalScrollBar()->setPageStep(std::max(1, lines - line));
    horizontalScrollBar()->setRange(0, column);
    horizontalScrollBar()->setPageStep(std::max(1, columns - column));
}

int HeadTable::scrolledDown() const {
    const auto first = static_cast<std::size_t>(verticalScrollBar()->value());
    return first < m_lines.size() ? m_lines[first].top : 0;
}

int HeadTable::headHeight() const {
    if (m_rows.columns.empty()) return 0;
    const bool models = std::any_of(m_rows.columns.begin(), m_rows.columns.end(),
                                    [](const HeadColumn& column) { return !column.model.isEmpty(); });
    return QFontMetrics(strong()).lineSpacing() + (models ? QFontMetrics(font()).lineSpacing() : 0) + kPadding + 3;
}

/// Columns stand at the right while there is room, else they scroll beside the names.
int HeadTable::columnLeft(int column) const {
    const int all = std::accumulate(m_widths.begin(), m_widths.end(), 0);
    const int first = std::min(horizontalScrollBar()->value(), static_cast<int>(m_widths.size()));
    const int start = std::max(m_nameWidth, viewport()->width() - all);
    if (column < first) return start - std::accumulate(m_widths.begin() + column, m_widths.begin() + first, 0);
    return std::accumulate(m_widths.begin() + first, m_widths.begin() + column, start);
}

int HeadTable::columnAt(int x) const {
    if (x < m_nameWidth) return -1;
    for (int i = 0; i < static_cast<int>(m_widths.size()); ++i) {
        const int left = columnLeft(i);
        if (x >= left && x < left + m_widths[i]) return i;
    }
    return -1;
}

const HeadTable::Line* HeadTable::lineAt(int y) const {
    const int at = y - headHeight() + scrolledDown();
    if (y < headHeight()) return nullptr;
    for (const Line& line : m_lines) {
        if (at >= line.top && at < line.top + line.height) return &line;
    }
    return nullptr;
}

QString HeadTable::asTsv() const {
    QStringList first{tr("Number")};
    for (const HeadColumn& column : m_rows.columns) first << wholeName(column);
    QStringList lines{first.join(QLatin1Char('\t'))};
    const auto add = [&](const std::vector<HeadRow>& rows) {
        for (const HeadRow& row : rows) lines << row.name + QLatin1Char('\t') + row.cells.join(QLatin1Char('\t'));
    };
    for (const HeadGroup& group : m_rows.groups) add(group.rows);
    add(m_rows.undefined);
    return lines.join(QLatin1Char('\n')) + QLatin1Char('\n');
}

void HeadTable::setUnfolded(bool unfolded) {
    m_unfolded = unfolded;
    layOut();
    viewport()->update();
}

QRect HeadTable::headingOfUndefined() const {
    for (const Line& line : m_lines) {
        const int top = line.top + headHeight() - scrolledDown();
        if (line.folds) return {0, top, viewport()->width(), line.height};
    }
    return {};
}

void HeadTable::copy() const {
    QApplication::clipboard()->setText(asTsv());
}

QString HeadTable::headTip(const HeadColumn& column) const {
    QString tip = wholeName(column);
    if (column.isMarked()) tip += tr(" is marked: %1").arg(column.problem);
    return column.current ? tip : tip + tr("\nClick to make it the current head.");
}

QString HeadTable::tipAt(QPoint position) const {
    const int column = columnAt(position.x());
    const std::vector<HeadColumn>& columns = m_rows.columns;
    if (position.y() < headHeight()) return column >= 0 ? headTip(columns[column]) : QString();
    const Line* line = lineAt(position.y());
    if (line == nullptr || columns.empty()) return {};
    if (line->folds) return tr("Click to show or hide the rows without a value.");
    if (line->row == nullptr) return {};
    if (column >= 0) return m_tip(line->row->key, columns[column].head);
    const auto current = std::find_if(columns.begin(), columns.end(), [](const HeadColumn& c) { return c.current; });
    return m_tip(line->row->key, (current == columns.end() ? columns.front() : *current).head);
}

bool HeadTable::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        QToolTip::showText(help->globalPos(), plainTip(tipAt(help->pos())), viewport());
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

bool HeadTable::event(QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->matches(QKeySequence::Copy)) {
        event->accept();  // with the focus here, the table is what the user means
        return true;
    }
    return QAbstractScrollArea::event(event);
}

void HeadTable::keyPressEvent(QKeyEvent* event) {
    if (event->matches(QKeySequence::Copy)) return copy();
    QAbstractScrollArea::keyPressEvent(event);
}

void HeadTable::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    const QPoint position = event->position().toPoint();
    const Line* line = lineAt(position.y());
    const int column = columnAt(position.x());
    if (line != nullptr && line->folds) setUnfolded(!m_unfolded);
    if (line == nullptr && position.y() < headHeight() && column >= 0) emit headChosen(m_rows.columns[column].head);
}

void HeadTable::contextMenuEvent(QContextMenuEvent* event) {
    QMenu menu(this);
    menu.addAction(tr("Copy the table"), this, &HeadTable::copy);
    menu.exec(event->globalPos());
}

void HeadTable::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    layOut();
}

void HeadTable::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() != QEvent::FontChange) return;
    measure();
    layOut();
}

}  // namespace ropescope
