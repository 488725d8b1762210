// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/head_chips.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

namespace ropescope {
namespace {

constexpr qreal kSample = 22;  ///< length of the line sample
constexpr qreal kGap = 6;
constexpr qreal kBetween = 16;

qreal rowHeight(const QFont& font) {
    return QFontMetricsF(font).height() + 6;
}

}  // namespace

HeadChips::HeadChips(OpenModels& models, Selection& selection, Which which, QWidget* parent)
    : QWidget(parent), m_models(models), m_selection(selection), m_which(which) {
    setMouseTracking(true);
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    const auto refresh = [this] {
        updateGeometry();
        update();
    };
    connect(&m_selection, &Selection::changed, this, refresh);
    connect(&m_models, &OpenModels::headChanged, this, refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, refresh);
}

std::vector<HeadRef> HeadChips::heads() const {
    return m_which == Which::Pinned ? m_selection.pinned() : m_selection.shown();
}

QString HeadChips::text(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    const QString name = m_models.headName(head);
    if (report == nullptr) return name;
    if (!report->problem.empty()) return name + tr(" marked");
    return report->hasMap && report->identity ? name + tr(" identity") : name;
}

QString HeadChips::othersText() const {
    if (m_which == Which::Pinned) return {};
    const auto shown = m_selection.shown();
    const auto hidden = std::count_if(m_selection.heads().begin(), m_selection.heads().end(), [&](HeadRef head) {
        return std::find(shown.begin(), shown.end(), head) == shown.end();
    });
    return hidden > 0 ? tr("and %1 others").arg(hidden) : QString();
}

std::vector<HeadChips::Chip> HeadChips::chipsIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const qreal height = rowHeight(font);
    std::vector<Chip> chips;
    qreal x = place.left(), y = place.top();
    for (HeadRef head : heads()) {
        const qreal width = kSample + kGap + metrics.horizontalAdvance(text(head));
        if (x > place.left() && x + width > place.right()) {
            x = place.left();
            y += height;
        }
        chips.push_back({head, QRectF(x, y, width, height)});
        x += width + kBetween;
    }
    const qreal rest = metrics.horizontalAdvance(othersText());
    if (rest == 0 || chips.empty()) return chips;
    if (x + rest > place.right()) x = place.left(), y += height;
    chips.push_back({{}, QRectF(x, y, rest, height)});
    return chips;
}

qreal HeadChips::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const std::vector<Chip> chips = chipsIn(place, looks.font);
    painter.setFont(looks.font);
    for (const Chip& chip : chips) {
        if (chip.head.model < 0) {
            painter.setPen(looks.muted);
            painter.drawText(chip.place.adjusted(0, 0, 4, 0), Qt::AlignVCenter | Qt::AlignLeft, othersText());
            continue;
        }
        const int colour = m_selection.colourIndex(chip.head);
        const QRectF sample(chip.place.left(), chip.place.top() + 4, kSample, chip.place.height() - 8);
        const HeadReport* report = m_models.head(chip.head);
        if (report != nullptr && !report->problem.empty()) {
            drawHatched(painter, sample, looks);
        } else {
            QPen pen = headPen(colour, chip.head == m_selection.current() ? 3 : 2);
            painter.setPen(pen);
            painter.drawLine(QPointF(sample.left(), sample.center().y()), QPointF(sample.right(), sample.center().y()));
            painter.setPen(Qt::NoPen);
            painter.setBrush(headColour(colour));
            if (m_selection.isPinned(chip.head)) {
                painter.drawRect(QRectF(sample.center().x() - 4, sample.center().y() - 4, 8, 8));
            } else {
                painter.drawEllipse(sample.center(), 3.5, 3.5);
            }
        }
        painter.setPen(chip.head == m_selection.current() ? looks.text : looks.muted);
        painter.drawText(chip.place.adjusted(kSample + kGap, 0, 4, 0), Qt::AlignVCenter | Qt::AlignLeft,
                         text(chip.head));
    }
    return chips.empty() ? 0 : chips.back().place.bottom() - place.top();
}

int HeadChips::heightForWidth(int width) const {
    const std::vector<Chip> chips = chipsIn(QRectF(0, 0, width, 0), font());
    return chips.empty() ? 0 : static_cast<int>(std::ceil(chips.back().place.bottom()));
}

QSize HeadChips::sizeHint() const {
    return {120, heightForWidth(width())};
}

void HeadChips::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    draw(painter, rect(), looksOf(palette(), font()));
}

const HeadChips::Chip* HeadChips::at(const std::vector<Chip>& chips, QPointF position) const {
    for (const Chip& chip : chips) {
        if (chip.head.model >= 0 && chip.place.contains(position)) return &chip;
    }
    return nullptr;
}

void HeadChips::mousePressEvent(QMouseEvent* event) {
    const std::vector<Chip> chips = chipsIn(rect(), font());
    if (const Chip* chip = at(chips, event->position())) m_selection.add(chip->head);
}

void HeadChips::mouseMoveEvent(QMouseEvent* event) {
    const std::vector<Chip> chips = chipsIn(rect(), font());
    const Chip* chip = at(chips, event->position());
    const HeadReport* report = chip == nullptr ? nullptr : m_models.head(chip->head);
    const QString words =
        report != nullptr && !report->problem.empty()
            ? m_models.headName(chip->head) + QStringLiteral("  ") + QString::fromStdString(report->problem)
            : QString();
    setToolTip(words);
    emit hovered(words);
}

}  // namespace ropescope
