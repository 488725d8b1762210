// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/key_line.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

constexpr qreal kSample = 18;
constexpr qreal kGap = 5;
constexpr qreal kBetween = 14;

}  // namespace

QFont keyFont(QFont font) {
    font.setPointSizeF(std::max(7.0, font.pointSizeF() * 0.9));
    return font;
}

KeyLine::KeyLine(QWidget* parent) : QWidget(parent) {
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    hide();
}

void KeyLine::setEntries(std::vector<KeyEntry> entries) {
    m_entries = std::move(entries);
    setVisible(!m_entries.empty());
    updateGeometry();
    update();
}

QStringList KeyLine::words() const {
    QStringList words;
    for (const KeyEntry& entry : m_entries) words << entry.words;
    return words;
}

std::vector<KeyLine::Placed> KeyLine::placesIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    std::vector<Placed> places;
    qreal x = place.left(), y = place.top(), high = 0;
    for (const KeyEntry& entry : m_entries) {
        const qreal before = entry.sample ? kSample + kGap : 0;
        const QString text = wrapped(entry.words, font, static_cast<int>(place.width() - before));
        const QSizeF size = metrics.size(0, text);
        if (x > place.left() && x + before + size.width() > place.right()) {
            x = place.left();
            y += high + 2;
            high = 0;
        }
        places.push_back({QRectF(x, y, before > 0 ? kSample : 0, metrics.height()),
                          QRectF(x + before, y, size.width() + 1, size.height()), text});
        x += before + size.width() + kBetween;
        high = std::max(high, size.height());
    }
    return places;
}

qreal KeyLine::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    painter.save();
    painter.setFont(keyFont(looks.font));
    qreal bottom = place.top();
    const std::vector<Placed> places = placesIn(place, painter.font());
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (m_entries[i].sample) m_entries[i].sample(painter, places[i].sample.adjusted(0, 2, 0, -2), looks);
        painter.setPen(looks.muted);
        painter.drawText(places[i].words, Qt::AlignLeft | Qt::AlignTop, places[i].text);
        bottom = std::max(bottom, places[i].words.bottom());
    }
    painter.restore();
    return bottom - place.top();
}

int KeyLine::heightForWidth(int width) const {
    qreal bottom = 0;
    for (const Placed& placed : placesIn(QRectF(0, 0, width, 0), keyFont(font())))
        bottom = std::max(bottom, placed.words.bottom());
    return static_cast<int>(std::ceil(bottom));
}

QSize KeyLine::sizeHint() const {
    return {120, heightForWidth(std::max(120, width()))};
}

void KeyLine::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    draw(painter, rect(), looksOf(palette(), font()));
}

}  // namespace ropescope
