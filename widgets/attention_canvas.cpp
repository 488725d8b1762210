// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention_canvas.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <utility>

namespace ropescope {
namespace {

constexpr double kGap = 16;
constexpr double kLegend = 34;
constexpr double kShareBar = 6;
constexpr double kChipGap = 4;
constexpr double kLeastGridLine = 10;  // pixels of a token, below which no grid is drawn

QColor wordGround(double share, double high) {
    return mapColour(ColourMap::Viridis, high > 0 ? std::clamp(share / high, 0.0, 1.0) : 0.0);
}

/// Black or white, whichever reads better on it.
QColor inkOn(const QColor& ground) {
    return 0.299 * ground.red() + 0.587 * ground.green() + 0.114 * ground.blue() > 140 ? Qt::black : Qt::white;
}

}  // namespace

struct AttentionCanvas::Layout {
    QRectF title, picture, legend, shares, words;
    std::vector<QRectF> chips;  ///< of the words that fit
    [[nodiscard]] QRectF cell(const Grid& grid, int patch) const {
        const double w = picture.width() / grid.cols, h = picture.height() / grid.rows;
        return {picture.left() + patch % grid.cols * w, picture.top() + patch / grid.cols * h, w, h};
    }
};

AttentionCanvas::AttentionCanvas(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(240, 180);
}

void AttentionCanvas::setFigure(AttentionFigure figure) {
    if (figure.grid != m_figure.grid) m_pressed = -1, m_dragged.clear();  // of another picture
    m_figure = std::move(figure);
    update();
}

AttentionCanvas::Layout AttentionCanvas::layoutIn(const QRectF& place, const QFont& font) const {
    Layout layout;
    const QFontMetricsF metrics(font);
    const double line = metrics.height();
    const bool text = m_figure.shares.text > 0;
    const QRectF inside = place.adjusted(8, 4, -8, -4);
    layout.title = {inside.left(), inside.top(), inside.width(), 2 * line + 4};
    const double top = layout.title.bottom() + 4, height = inside.bottom() - kLegend - top;
    const double room = text ? inside.width() * 0.58 : inside.width();
    const QSize pixels = m_figure.picture.size().expandedTo({1, 1});
    const Grid grid = m_figure.grid.tokens() > 0 ? m_figure.grid : Grid{pixels.height(), pixels.width()};
    const double scale = std::max(1.0 / grid.cols, std::min(room / grid.cols, height / grid.rows));
    const double edge = text ? inside.left() : inside.left() + (inside.width() - scale * grid.cols) / 2;
    layout.picture = {edge, top, scale * grid.cols, scale * grid.rows};
    layout.title.setLeft(edge);
    layout.legend = {edge, layout.picture.bottom() + 6, std::min(260.0, std::max(180.0, room)), kLegend - 6};
    if (!text) return layout;
    const double left = layout.picture.right() + kGap;
    layout.shares = {left, top, inside.right() - left, 2 * (line + kShareBar + 6)};
    layout.words = {left, layout.shares.bottom() + 8, layout.shares.width(),
                    inside.bottom() - layout.shares.bottom() - 8};
    double x = layout.words.left(), y = layout.words.top() + line + 2;
    for (const QString& word : m_figure.words) {
        const double width = std::min(metrics.horizontalAdvance(word) + 12, layout.words.width());
        if (x + width > layout.words.right() && x > layout.words.left())
            x = layout.words.left(), y += line + 6 + kChipGap;
        if (y + line + 6 > layout.words.bottom()) break;
        layout.chips.emplace_back(x, y, width, line + 6);
        x += width + kChipGap;
    }
    return layout;
}

void AttentionCanvas::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    painter.setFont(looks.font);
    const Layout layout = layoutIn(place, looks.font);
    painter.setPen(looks.text);
    const QFontMetricsF metrics(looks.font);
    const auto cut = [&](const QString& text) {
        return metrics.elidedText(text, Qt::ElideRight, layout.title.width());
    };
    painter.drawText(layout.title, Qt::AlignLeft | Qt::AlignTop, cut(m_figure.title));
    painter.setPen(looks.muted);
    painter.drawText(layout.title, Qt::AlignLeft | Qt::AlignBottom, cut(m_figure.hint));
    drawPicture(painter, layout, looks);
    if (m_figure.high > 0)
        drawLegend(painter, layout.legend, ColourMap::Viridis, 0, m_figure.high, m_figure.scaleTitle, looks);
    if (m_figure.shares.text == 0) return;
    drawShares(painter, layout.shares, looks);
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

void AttentionCanvas::drawShares(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const JointShares& s = m_figure.shares;
    const double line = QFontMetricsF(looks.font).height();
    const auto bar = [&](double y, const QString& from, double toText) {
        painter.setPen(looks.text);
        painter.drawText(QRectF(place.left(), y, place.width(), line), Qt::AlignLeft,
                         from.arg(100 * toText, 0, 'f', 1));
        const QRectF whole(place.left(), y + line + 1, place.width(), kShareBar);
        painter.fillRect(whole, looks.grid);
        painter.fillRect(QRectF(whole.left(), whole.top(), whole.width() * std::clamp(toText, 0.0, 1.0), kShareBar),
                         looks.accent);
    };
    bar(place.top(), tr("Picture to text %1 %"), s.imageToText);
    bar(place.top() + place.height() / 2, tr("Text to text %1 %"), 1 - s.textToImage);
}

void AttentionCanvas::drawWordsList(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const double line = QFontMetricsF(looks.font).height();
    double high = 0;
    for (const int number : m_figure.wordNumber)
        if (number < static_cast<int>(m_figure.text.size())) high = std::max(high, double(m_figure.text[number]));
    QString title = high > 0 ? tr("Words, 0 to %1").arg(shortNumber(high)) : tr("Words");
    if (const std::size_t hidden = m_figure.words.size() - layout.chips.size(); hidden > 0)
        title += tr("; %1 more").arg(hidden);
    painter.setPen(looks.text);
    painter.drawText(QRectF(layout.words.left(), layout.words.top(), layout.words.width(), line), Qt::AlignLeft,
                     QFontMetricsF(looks.font).elidedText(title, Qt::ElideRight, layout.words.width()));
    for (std::size_t i = 0; i < layout.chips.size(); ++i) {
        const int number = m_figure.wordNumber[i];
        const QRectF chip = layout.chips[i];
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
        painter.drawText(chip.adjusted(6, 0, -6, 0), Qt::AlignLeft | Qt::AlignVCenter, m_figure.words[i]);
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
    const auto share = [](const std::vector<float>& all, int i) {
        return i < static_cast<int>(all.size()) ? shortNumber(all[i]) : QStringLiteral("?");
    };
    QString text;
    if (patch >= 0)
        text = tr("row %1, column %2: %3")
                   .arg(patch / m_figure.grid.cols)
                   .arg(patch % m_figure.grid.cols)
                   .arg(share(m_figure.image, patch));
    if (word >= 0) text = tr("\"%1\": %2").arg(m_figure.words[word], share(m_figure.text, m_figure.wordNumber[word]));
    emit hovered(text);
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
    emit hovered({});
}

}  // namespace ropescope
