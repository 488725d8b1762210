// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/text_faults.h"

#include <QAbstractButton>
#include <QAbstractScrollArea>
#include <QAbstractSpinBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <algorithm>

#include "tests/app/text_census.h"

namespace ropescope::test {
namespace {

constexpr qreal kSlack = 1;      // pixels; anti-aliased edges and rounding
constexpr qreal kOverlap = 2;    // pixels; the longer side of an overlap that is no fault
constexpr qreal kSamePlace = 2;  // pixels; a text drawn again this near is its own shadow
constexpr QChar kEllipsis(0x2026);

/// Where an ellipsis in the middle is no fault. One at the end always is.
struct ElidesMiddle {
    const char* owner;  ///< a class, or an ancestor of the painting widget
    const char* reason;
};
constexpr ElidesMiddle kElideMiddle[] = {
    {"ModelTree", "names of files, which tell apart by their ends; whole in the tool tip"},
    {"HeadPanel", "names of models over the columns; whole in the tool tip"},
    {"TensorsView", "names of tensors are paths; the chosen one is written whole beside the table"},
    {"LoraList", "names of files; whole in the tool tip"},
    {"PathChoice", "paths; whole in the tool tip"},
    {"AskBar", "answers that are names of files"},
    {"MessageBar", "paths in messages; whole under Copy details"},
};

QString className(const QWidget& widget) {
    return QString(widget.metaObject()->className()).section("::", -1);
}

bool isIn(const QWidget* widget, QLatin1StringView name) {
    for (; widget; widget = widget->parentWidget()) {
        if (className(*widget) == name) return true;
    }
    return false;
}

bool isElided(const SeenText& seen) {
    const QString text = seen.text.trimmed();
    if (!text.contains(kEllipsis)) return false;
    if (text.startsWith(kEllipsis) || text.endsWith(kEllipsis)) return true;
    return std::ranges::none_of(kElideMiddle,
                                [&](const ElidesMiddle& m) { return isIn(seen.owner, QLatin1StringView(m.owner)); });
}

/// A line in which the user writes may hold more than is seen; the numbers and choices of other boxes may not.
bool scrollsItself(const QWidget& owner) {
    const auto* line = qobject_cast<const QLineEdit*>(&owner);
    return line && !qobject_cast<const QAbstractSpinBox*>(line->parentWidget()) &&
           !qobject_cast<const QComboBox*>(line->parentWidget()) && !line->text().isEmpty();
}

/// What is cut at the edge of a scrolled area can be scrolled to, if a bar says so.
struct Scrolled {
    bool left = false, right = false, top = false, bottom = false;
};
Scrolled scrolledEdges(const SeenText& seen, const QWidget& window) {
    Scrolled edges;
    for (const QWidget* widget = seen.owner; widget; widget = widget->parentWidget()) {
        const auto* area = qobject_cast<const QAbstractScrollArea*>(widget);
        if (!area) continue;
        const QWidget* port = area->viewport();
        const QRectF place(QPointF(port->mapTo(&window, QPoint())), QSizeF(port->size()));
        const auto meets = [](qreal a, qreal b) { return std::abs(a - b) <= kSlack; };
        if (area->horizontalScrollBar()->isVisible()) {
            edges.left |= meets(place.left(), seen.clip.left());
            edges.right |= meets(place.right(), seen.clip.right());
        }
        if (area->verticalScrollBar()->isVisible()) {
            edges.top |= meets(place.top(), seen.clip.top());
            edges.bottom |= meets(place.bottom(), seen.clip.bottom());
        }
    }
    return edges;
}

bool isCut(const SeenText& seen, const QWidget& window) {
    const bool left = seen.ink.left() < seen.clip.left() - kSlack;
    const bool right = seen.ink.right() > seen.clip.right() + kSlack;
    const bool top = seen.ink.top() < seen.clip.top() - kSlack;
    const bool bottom = seen.ink.bottom() > seen.clip.bottom() + kSlack;
    if (!left && !right && !top && !bottom) return false;
    const Scrolled edges = scrolledEdges(seen, window);
    const bool sideways = (left && !edges.left) || (right && !edges.right);
    return (sideways && !scrollsItself(*seen.owner)) || (top && !edges.top) || (bottom && !edges.bottom);
}

/// Its widget has room for it, but not the window for its widget.
bool leavesWindow(const SeenText& seen, const QWidget& window) {
    const QRectF place(QPointF(seen.owner->mapTo(&window, QPoint())), QSizeF(seen.owner->size()));
    return place.adjusted(-kSlack, -kSlack, kSlack, kSlack).contains(seen.ink) &&
           !QRectF(window.rect()).contains(seen.ink);
}

bool isUpright(const SeenText& seen) {
    const QRectF box = seen.outline.boundingRect();
    return std::ranges::all_of(seen.outline, [&](const QPointF& p) {
        const auto meets = [](qreal a, qreal b) { return std::abs(a - b) < 0.5; };
        return (meets(p.x(), box.left()) || meets(p.x(), box.right())) &&
               (meets(p.y(), box.top()) || meets(p.y(), box.bottom()));
    });
}

bool overlap(const SeenText& a, const SeenText& b) {
    const auto isLarge = [](const QRectF& both) {
        return std::min(both.width(), both.height()) > kSlack && std::max(both.width(), both.height()) > kOverlap;
    };
    if (!isLarge((a.ink & a.clip) & (b.ink & b.clip))) return false;
    const bool shadow = a.text == b.text && (a.ink.center() - b.ink.center()).manhattanLength() <= 2 * kSamePlace;
    if (shadow) return false;
    return (isUpright(a) && isUpright(b)) || isLarge(a.outline.intersected(b.outline).boundingRect());
}

/// Labels and buttons with a text that are laid out so small that nothing of it is painted.
std::vector<FaultyText> vanishedTexts(QWidget& window) {
    std::vector<FaultyText> faults;
    const auto judge = [&](const QWidget* widget, const QString& text) {
        const QWidget* parent = widget->parentWidget();
        const bool small = std::min(widget->width(), widget->height()) <= kSlack;
        const bool hasRoom = std::min(parent->width(), parent->height()) > kSlack;
        const QRectF place(QPointF(widget->mapTo(&window, QPoint())), QSizeF(widget->size()));
        if (widget->isVisible() && small && hasRoom && !text.trimmed().isEmpty())
            faults.push_back({TextFault::Cut, text, place, widget, {}});
    };
    for (const QLabel* label : window.findChildren<QLabel*>()) judge(label, label->text());
    for (const QAbstractButton* button : window.findChildren<QAbstractButton*>()) judge(button, button->text());
    return faults;
}

}  // namespace

QString nameOf(const QWidget& widget) {
    QString name = className(widget);
    for (const QString& own : {widget.objectName(), widget.accessibleName()}) {
        if (!own.isEmpty() && !own.startsWith("qt_")) name += " \"" + own + "\"";
    }
    QString inside;
    for (const QWidget* parent = widget.parentWidget(); parent; parent = parent->parentWidget()) {
        if (!className(*parent).startsWith('Q')) {
            inside = className(*parent);
            break;
        }
    }
    return inside.isEmpty() ? name : name + " in " + inside;
}

QString describe(const FaultyText& fault) {
    const auto kind = [&]() -> QString {
        switch (fault.kind) {
            case TextFault::Elided:
                return "elided";
            case TextFault::Cut:
                return "cut";
            case TextFault::Covered:
                return "partly below another widget";
            case TextFault::Overlapping:
                return "overlaps \"" + fault.other + '"';
            case TextFault::OutsideWindow:
                return "leaves the window";
        }
        return {};
    };
    const QRect place = fault.ink.toAlignedRect();
    return QString("\"%1\" %2, at %3,%4 %5x%6, by %7")
        .arg(fault.text, kind())
        .arg(place.x())
        .arg(place.y())
        .arg(place.width())
        .arg(place.height())
        .arg(nameOf(*fault.owner));
}

std::vector<FaultyText> faultyTexts(QWidget& window) {
    const std::vector<SeenText> texts = seenTexts(window);
    std::vector<FaultyText> faults = vanishedTexts(window);
    const auto add = [&](TextFault kind, const SeenText& seen, const QString& other = {}) {
        faults.push_back({kind, seen.text, seen.ink, seen.owner, other});
    };
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const SeenText& seen = texts[i];
        if (isElided(seen)) add(TextFault::Elided, seen);
        if (isCut(seen, window)) add(leavesWindow(seen, window) ? TextFault::OutsideWindow : TextFault::Cut, seen);
        if (seen.covered > 0) add(TextFault::Covered, seen);
        for (std::size_t j = 0; j < i; ++j) {
            if (overlap(texts[j], seen)) add(TextFault::Overlapping, seen, texts[j].text);
        }
    }
    return faults;
}

}  // namespace ropescope::test
