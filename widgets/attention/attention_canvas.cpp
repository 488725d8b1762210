// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention/attention_canvas.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace ropescope {
namespace {

constexpr double kGap = 16;
constexpr double kLegend = 34;   // height of the scale
constexpr double kReading = 20;  // and of what is read under the mouse
constexpr double kShareBar = 6;
constexpr double kChipGap = 4;
constexpr double kLeastLegend = 160;   // width of the scale beside words
constexpr double kLeastGridLine = 10;  // pixels of a token, below which no grid is drawn

QColor wordGround(double share, double high) {
    return mapColour(ColourMap::Viridis, high > 0 ? std::clamp(share / high, 0.0, 1.0) : 0.0);
}

/// Black or white, whichever reads better on it.
QColor inkOn(const QColor& ground) {
    return 0.299 * ground.red() + 0.587 * ground.green() + 0.114 * ground.blue() > 140 ? Qt::black : Qt::white;
}

/// What share of their attention the picture's tokens and the others give to the others.
std::array<std::pair<QString, double>, 2> sharesOf(const AttentionFigure& figure) {
    const QString& other = figure.other;
    const QString from = other.left(1).toUpper() + other.mid(1);
    const auto words = [&](const QString& giver, double share) {
        return QObject::tr("%1 to %2 %3 %").arg(giver, other).arg(100 * share, 0, 'f', 1);
    };
    const double toPicture = figure.shares.imageToText, toItself = 1 - figure.shares.textToImage;
    return {{{words(QObject::tr("Picture"), toPicture), toPicture}, {words(from, toItself), toItself}}};
}

}  // namespace

struct AttentionCanvas::Layout {
    QRectF title, picture, legend, words, reading;
    std::vector<QRectF> shares;                     ///< each with its words above a bar
    std::vector<QRectF> chips;                      ///< of the words; null where there is no room
    std::vector<std::pair<QRectF, QString>> names;  ///< of the encoders
    int rows = 0, shown = 0, hidden = 0;            ///< of words; hidden above the first shown
    [[nodiscard]] QRectF cell(const Grid& grid, int patch) const {
        const double w = picture.width() / grid.cols, h = picture.height() / grid.rows;
        return {picture.left() + patch % grid.cols * w, picture.top() + patch / grid.cols * h, w, h};
    }
};

AttentionCanvas::AttentionCanvas(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(1, 1);  // several share the place of one
}

void AttentionCanvas::setFigure(AttentionFigure figure) {
    if (figure.grid != m_figure.grid) m_pressed = m_overPatch = -1, m_dragged.clear();  // of another picture
    if (figure.words != m_figure.words) m_scrolled = 0, m_overWord = -1;
    m_figure = std::move(figure);
    update();
    if (underMouse() && (m_overPatch >= 0 || m_overWord >= 0)) emit hovered(reading());  // the numbers are others now
}

AttentionCanvas::Layout AttentionCanvas::layoutIn(const QRectF& place, const QFont& font) const {
    Layout layout;
    const QFontMetricsF metrics(font);
    const double line = metrics.height();
    const bool text = m_figure.shares.text > 0;
    const QRectF inside = place.adjusted(8, 4, -8, -4);
    layout.title = {inside.left(), inside.top(), inside.width(), line + 2};
    const double top = layout.title.bottom() + 4, bottom = inside.bottom() - kReading;
    if (m_figure.onlyWords) {
        layout.reading = {inside.left(), bottom, inside.width(), kReading};
        if (text) placeWords(layout, {inside.left(), top, inside.width(), bottom - top}, font);
        return layout;
    }
    const double room = text ? inside.width() * 0.58 : inside.width();
    const QSize pixels = m_figure.picture.size().expandedTo({1, 1});
    const Grid grid = m_figure.grid.tokens() > 0 ? m_figure.grid : Grid{pixels.height(), pixels.width()};
    const double scale = std::max(1.0 / grid.cols, std::min(room / grid.cols, (bottom - kLegend - top) / grid.rows));
    const double edge = text ? inside.left() : inside.left() + (inside.width() - scale * grid.cols) / 2;
    layout.picture = {edge, top, scale * grid.cols, scale * grid.rows};
    layout.title.setLeft(edge);
    // Words begin where both the picture and its scale end.
    const double end = text ? edge + std::max(layout.picture.width(), std::min(room, kLeastLegend)) : inside.right();
    layout.legend = {edge, layout.picture.bottom() + 6, std::min(300.0, end - edge), kLegend - 6};
    layout.reading = {edge, text ? bottom : layout.legend.bottom() + 2, inside.right() - edge, kReading};
    if (text) placeWords(layout, {end + kGap, top, inside.right() - end - kGap, bottom - top}, font);
    return layout;
}

void AttentionCanvas::placeWords(Layout& layout, const QRectF& column, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const double line = metrics.height();
    double y = column.top();
    for (const auto& [words, share] : sharesOf(m_figure)) {
        const QRectF most(0, 0, column.width(), column.height());
        const double high = metrics.boundingRect(most, Qt::TextWordWrap, words).height();
        layout.shares.emplace_back(column.left(), y, column.width(), high + 1 + kShareBar);
        y = layout.shares.back().bottom() + 5;
    }
    layout.words = {column.left(), y + 3, column.width(), column.bottom() - y - 3};
    const double rowHeight = line + 6 + kChipGap, first = layout.words.top() + line + 2;
    layout.shown = std::max(1, static_cast<int>((layout.words.bottom() - first + kChipGap) / rowHeight));
    struct Spot {
        int row;
        double x, width;
    };
    std::vector<Spot> chips, names;
    double x = layout.words.left();
    int row = 0;
    auto group = m_figure.groups.begin();
    for (int i = 0; i < static_cast<int>(m_figure.words.size()); ++i) {
        if (group != m_figure.groups.end() && group->first == i) {
            if (x > layout.words.left()) ++row;
            names.push_back({row++, layout.words.left(), layout.words.width()});
            x = layout.words.left(), ++group;
        }
        const double width = std::min(metrics.horizontalAdvance(m_figure.words[i]) + 12, layout.words.width());
        if (x + width > layout.words.right() && x > layout.words.left()) x = layout.words.left(), ++row;
        chips.push_back({row, x, width});
        x += width + kChipGap;
    }
    layout.rows = row + 1;
    layout.hidden = std::clamp(m_scrolled, 0, std::max(0, layout.rows - layout.shown));
    const auto rect = [&](const Spot& spot) {
        const int at = spot.row - layout.hidden;
        return at < 0 || at >= layout.shown ? QRectF() : QRectF(spot.x, first + at * rowHeight, spot.width, line + 6);
    };
    for (const Spot& spot : chips) layout.chips.push_back(rect(spot));
    for (std::size_t i = 0; i < names.size(); ++i) layout.names.emplace_back(rect(names[i]), m_figure.groups[i].second);
}

void AttentionCanvas::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    painter.setFont(looks.font);
    const Layout layout = layoutIn(place, looks.font);
    const QFontMetricsF metrics(looks.font);
    const auto title = std::ranges::find_if(m_figure.titles, [&](const QString& text) {
        return metrics.horizontalAdvance(text) + 16 <= layout.title.width();
    });
    if (title != m_figure.titles.end()) {
        painter.fillRect(QRectF(layout.title.left(), layout.title.center().y() - 5, 10, 10),
                         headColour(m_figure.colour));
        painter.setPen(looks.text);
        painter.drawText(layout.title.adjusted(16, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, *title);
    }
    drawPicture(painter, layout, looks);
    if (!m_figure.image.empty())
        drawLegend(painter, layout.legend, ColourMap::Viridis, 0, m_figure.high, m_figure.scaleTitle, looks);
    if (m_figure.shares.text == 0) return;
    drawShares(painter, layout, looks);
    drawWordsList(painter, layout, looks);
}

void AttentionCanvas::drawPicture(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const Grid grid = m_figure.grid;
    painter.fillRect(layout.picture, looks.grid);
    if (!m_figure.picture.isNull()) {
        painter.save();
        painter.setRenderHint(QPainter::SmoothPixmapTransform, m_figure.picture.width() > layout.picture.width());
        painter.drawImage(layout.picture, m_figure.picture);
        painter.restore();
    }
    if (grid.tokens() == 0) return;
    if (static_cast<int>(m_figure.image.size()) == grid.tokens()) {
        const std::vector<double> values(m_figure.image.begin(), m_figure.image.end());
        painter.setOpacity(m_figure.opacity);
        drawCells(painter, layout.picture,
                  mapImage(values, grid.rows, grid.cols, ColourMap::Viridis, 0, std::max(1e-12, m_figure.high)));
        painter.setOpacity(1);
    }
    const QRectF first = layout.cell(grid, 0);
    if (std::min(first.width(), first.height()) >= kLeastGridLine) {
        painter.setPen(QPen(QColor(255, 255, 255, 50), 1));
        for (int r = 1; r < grid.rows; ++r)
            painter.drawLine(QPointF(layout.picture.left(), layout.picture.top() + r * first.height()),
                             QPointF(layout.picture.right(), layout.picture.top() + r * first.height()));
        for (int c = 1; c < grid.cols; ++c)
            painter.drawLine(QPointF(layout.picture.left() + c * first.width(), layout.picture.top()),
                             QPointF(layout.picture.left() + c * first.width(), layout.picture.bottom()));
    }
    // The outline of the chosen area: sides between a chosen patch and one that is not.
    QVector<QLineF> sides;
    const std::set<int>& chosen = m_dragged.empty() ? m_figure.patches : m_dragged;
    for (const int patch : chosen) {
        if (patch < 0 || patch >= grid.tokens()) continue;
        const QRectF cell = layout.cell(grid, patch);
        const auto open = [&](bool edge, int neighbour) { return edge || !chosen.contains(neighbour); };
        const int column = patch % grid.cols, row = patch / grid.cols;
        if (open(column == 0, patch - 1)) sides.append({cell.topLeft(), cell.bottomLeft()});
        if (open(column == grid.cols - 1, patch + 1)) sides.append({cell.topRight(), cell.bottomRight()});
        if (open(row == 0, patch - grid.cols)) sides.append({cell.topLeft(), cell.topRight()});
        if (open(row == grid.rows - 1, patch + grid.cols)) sides.append({cell.bottomLeft(), cell.bottomRight()});
    }
    painter.setPen(QPen(Qt::black, 3));
    painter.drawLines(sides);
    painter.setPen(QPen(Qt::white, 1.5));
    painter.drawLines(sides);
}

void AttentionCanvas::drawShares(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const auto bars = sharesOf(m_figure);
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const auto& [words, share] = bars[i];
        const QRectF& place = layout.shares[i];
        painter.setPen(looks.text);
        painter.drawText(place, Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, words);
        QRectF bar(place.left(), place.bottom() - kShareBar, place.width(), kShareBar);
        painter.fillRect(bar, looks.grid);
        bar.setWidth(bar.width() * std::clamp(share, 0.0, 1.0));
        painter.fillRect(bar, looks.accent);
    }
}

/// What the colours of the words mean, as far as there is room, and how many words have none.
QString AttentionCanvas::wordsTitle(const Layout& layout, double high, const QFontMetricsF& metrics) const {
    QString rest;
    if (const auto hidden = std::ranges::count_if(layout.chips, [](const QRectF& chip) { return chip.isNull(); });
        hidden > 0)
        rest = tr("; %1 more \u2195").arg(hidden);
    if (high <= 0) return tr("Words") + rest;
    const QString range = tr("0 to %1").arg(shortNumber(high));
    const QString longest = m_figure.scaleTitle + QStringLiteral(", ") + range + rest;
    return metrics.horizontalAdvance(longest) <= layout.words.width() ? longest : tr("Share, ") + range + rest;
}

void AttentionCanvas::drawWordsList(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const double line = QFontMetricsF(looks.font).height();
    double high = 0;
    for (const int number : m_figure.wordNumber)
        if (number < static_cast<int>(m_figure.text.size())) high = std::max(high, double(m_figure.text[number]));
    const QString title = wordsTitle(layout, high, QFontMetricsF(looks.font));
    painter.setPen(looks.text);
    painter.drawText(QRectF(layout.words.left(), layout.words.top(), layout.words.width(), line), Qt::AlignLeft,
                     QFontMetricsF(looks.font).elidedText(title, Qt::ElideRight, layout.words.width()));
    for (const auto& [at, name] : layout.names) {
        if (at.isNull()) continue;
        painter.setPen(looks.muted);
        painter.drawText(at, Qt::AlignLeft | Qt::AlignVCenter,
                         QFontMetricsF(looks.font).elidedText(name, Qt::ElideRight, at.width()));
    }
    for (std::size_t i = 0; i < layout.chips.size(); ++i) {
        const int number = m_figure.wordNumber[i];
        const QRectF chip = layout.chips[i];
        if (chip.isNull()) continue;
        const bool known = number < static_cast<int>(m_figure.text.size());
        const QColor ground = known ? wordGround(m_figure.text[number], high) : looks.base;
        painter.setPen(Qt::NoPen);
        painter.setBrush(ground);
        painter.drawRoundedRect(chip, 3, 3);
        if (m_figure.chosenWords.contains(number)) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(looks.accent, 2));
            painter.drawRoundedRect(chip, 3, 3);
        }
        painter.setPen(known ? inkOn(ground) : looks.text);
        painter.drawText(chip.adjusted(6, 0, -6, 0), Qt::AlignLeft | Qt::AlignVCenter,
                         QFontMetricsF(looks.font).elidedText(m_figure.words[i], Qt::ElideRight, chip.width() - 11));
    }
}

int AttentionCanvas::patchAt(QPointF position) const {
    const Layout layout = layoutIn(rect(), font());
    const Grid grid = m_figure.grid;
    if (grid.tokens() == 0 || !layout.picture.contains(position)) return -1;
    const int col = static_cast<int>((position.x() - layout.picture.left()) / layout.picture.width() * grid.cols);
    const int row = static_cast<int>((position.y() - layout.picture.top()) / layout.picture.height() * grid.rows);
    return std::min(row, grid.rows - 1) * grid.cols + std::min(col, grid.cols - 1);
}

int AttentionCanvas::wordAt(QPointF position) const {
    const Layout layout = layoutIn(rect(), font());
    for (std::size_t i = 0; i < layout.chips.size(); ++i)
        if (layout.chips[i].contains(position)) return static_cast<int>(i);
    return -1;
}

QPoint AttentionCanvas::placeOfPatch(int patch) const {
    return layoutIn(rect(), font()).cell(m_figure.grid, patch).center().toPoint();
}

QPoint AttentionCanvas::placeOfWord(int word) const {
    const Layout layout = layoutIn(rect(), font());
    return word < static_cast<int>(layout.chips.size()) ? layout.chips[word].center().toPoint() : QPoint(-1, -1);
}

void AttentionCanvas::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Looks looks = looksOf(palette(), font());
    painter.fillRect(rect(), looks.base);
    draw(painter, rect(), looks);
    const Layout layout = layoutIn(rect(), font());
    painter.setBrush(Qt::NoBrush);
    if (m_overPatch >= 0 && m_overPatch < m_figure.grid.tokens()) {
        const QRectF cell = layout.cell(m_figure.grid, m_overPatch);
        painter.setPen(QPen(Qt::black, 1));
        painter.drawRect(cell);
        painter.setPen(QPen(Qt::white, 1, Qt::DashLine));  // chosen ones have a whole line
        painter.drawRect(cell);
    }
    if (m_overWord >= 0 && m_overWord < static_cast<int>(layout.chips.size())) {
        painter.setPen(QPen(looks.text, 1, Qt::DashLine));
        painter.drawRoundedRect(layout.chips[m_overWord], 3, 3);
    }
    painter.setPen(looks.text);
    // Below the picture, or, where that is narrow, as far as the room goes.
    const QString words = reading();
    const double wanted = QFontMetricsF(looks.font).horizontalAdvance(words);
    const double left = std::max(4.0, std::min(layout.reading.left(), width() - 4 - wanted));
    painter.drawText(QRectF(left, layout.reading.top(), width() - left, kReading), Qt::AlignLeft | Qt::AlignVCenter,
                     words);
}

QString AttentionCanvas::reading() const {
    const auto share = [](const std::vector<float>& all, int i) {
        return i < static_cast<int>(all.size()) ? shortNumber(all[i]) : QStringLiteral("?");
    };
    if (m_overPatch >= 0 && m_figure.grid.tokens() > 0)
        return tr("row %1, column %2: %3")
            .arg(m_overPatch / m_figure.grid.cols)
            .arg(m_overPatch % m_figure.grid.cols)
            .arg(share(m_figure.image, m_overPatch));
    if (m_overWord >= 0 && m_overWord < static_cast<int>(m_figure.words.size()))
        return tr("\"%1\": %2").arg(m_figure.words[m_overWord], share(m_figure.text, m_figure.wordNumber[m_overWord]));
    return {};
}

void AttentionCanvas::wheelEvent(QWheelEvent* event) {
    const Layout layout = layoutIn(rect(), font());
    if (layout.rows <= layout.shown || !layout.words.contains(event->position())) return event->ignore();
    m_scrolled = std::clamp(layout.hidden - (event->angleDelta().y() > 0 ? 1 : -1), 0, layout.rows - layout.shown);
    m_overWord = wordAt(event->position());
    update();
}

void AttentionCanvas::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    m_pressed = m_last = patchAt(event->position());
    const int word = wordAt(event->position());
    const bool adds = event->modifiers().testFlag(Qt::ShiftModifier);
    const auto toggled = [&](std::set<int> all, int one) {
        if (!adds) return std::set<int>{one};
        if (!all.erase(one)) all.insert(one);
        return all;
    };
    if (word >= 0) {
        const std::set<int> patches = adds ? m_figure.patches : std::set<int>();
        emit chosen(patches, toggled(m_figure.chosenWords, m_figure.wordNumber[word]));
    } else if (m_pressed >= 0) {
        const std::set<int> words = adds ? m_figure.chosenWords : std::set<int>();
        emit chosen(toggled(m_figure.patches, m_pressed), words);
    }
}

void AttentionCanvas::mouseMoveEvent(QMouseEvent* event) {
    const int patch = patchAt(event->position());
    const int word = wordAt(event->position());
    if (patch != m_overPatch || word != m_overWord) update();
    m_overPatch = patch, m_overWord = word;
    emit hovered(reading());
    if (m_pressed < 0 || patch < 0 || patch == m_last || !(event->buttons() & Qt::LeftButton)) return;
    m_last = patch;
    const int cols = m_figure.grid.cols;
    m_dragged.clear();
    for (int r = std::min(m_pressed / cols, patch / cols); r <= std::max(m_pressed / cols, patch / cols); ++r)
        for (int c = std::min(m_pressed % cols, patch % cols); c <= std::max(m_pressed % cols, patch % cols); ++c)
            m_dragged.insert(r * cols + c);
    update();  // seen at once, asked for at the end
}

void AttentionCanvas::mouseReleaseEvent(QMouseEvent*) {
    m_pressed = -1;
    const std::set<int> area = std::exchange(m_dragged, {});
    if (!area.empty()) emit chosen(area, m_figure.chosenWords);
}

void AttentionCanvas::leaveEvent(QEvent*) {
    m_overPatch = m_overWord = -1;
    update();
    emit hovered({});
}

}  // namespace ropescope
