// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/plot_layout.h"

#include <qcustomplot.h>

#include <QEvent>
#include <algorithm>
#include <cmath>
#include <utility>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr const char* kTitle = "title";  // property of an axis: the unbroken titles
constexpr int kMostTicks = 6;
constexpr int kApart = 8;  // pixels between two tick labels
constexpr int kLines = 2;  // of a title

class LeaveWatch : public QObject {
public:
    LeaveWatch(QWidget& widget, std::function<void()> left) : QObject(&widget), m_left(std::move(left)) {
        widget.installEventFilter(this);
    }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override {
        if (event->type() == QEvent::Leave) m_left();
        return QObject::eventFilter(watched, event);
    }

private:
    std::function<void()> m_left;
};

QCPAxisTicker& tickerOf(QCPAxis& axis) {
    return *axis.ticker();
}

/// The labels as they would be drawn, from the low end of the axis to the high one, with their places in pixels.
std::vector<std::pair<double, QString>> labelsOf(QCPAxis& axis) {
    QVector<double> ticks;
    QVector<QString> labels;
    const QChar format = axis.numberFormat().isEmpty() ? QLatin1Char('g') : axis.numberFormat().at(0);
    tickerOf(axis).generate(axis.range(), axis.parentPlot()->locale(), format, axis.numberPrecision(), ticks, nullptr,
                            &labels);
    std::vector<std::pair<double, QString>> placed;
    for (qsizetype i = 0; i < std::min(ticks.size(), labels.size()); ++i)
        if (axis.range().contains(ticks[i])) placed.emplace_back(axis.coordToPixel(ticks[i]), labels[i]);
    std::sort(placed.begin(), placed.end());
    return placed;
}

/// Along the axis, in pixels.
double extentOf(const QCPAxis& axis, const QString& label) {
    const QFontMetricsF metrics(axis.tickLabelFont());
    const bool along = (axis.orientation() == Qt::Horizontal) == (std::abs(axis.tickLabelRotation()) < 45);
    return along ? metrics.horizontalAdvance(label) : metrics.height();
}

bool standApart(QCPAxis& axis) {
    const auto labels = labelsOf(axis);
    for (std::size_t i = 1; i < labels.size(); ++i) {
        const double room = labels[i].first - labels[i - 1].first;
        if (room < (extentOf(axis, labels[i].second) + extentOf(axis, labels[i - 1].second)) / 2 + kApart) return false;
    }
    return true;
}

void thinTicks(QCPAxis& axis) {
    for (int count = kMostTicks; count >= 1; --count) {
        tickerOf(axis).setTickCount(count);
        if (standApart(axis)) return;
    }
}

/// Half of a label may stand over the end of its axis.
void keepLabelsInside(QCPAxis& axis) {
    double widest = 0;
    for (const auto& [place, label] : labelsOf(axis)) widest = std::max(widest, extentOf(axis, label));
    const int half = std::max(15, static_cast<int>(std::ceil(widest / 2)) + 2);
    QMargins margins = axis.axisRect()->minimumMargins();
    if (axis.orientation() == Qt::Horizontal) {
        margins.setLeft(half), margins.setRight(half);
    } else {
        margins.setTop(half), margins.setBottom(half);
    }
    axis.axisRect()->setMinimumMargins(margins);
}

std::vector<QCPAxis*> titledAxes(QCustomPlot& plot) {
    std::vector<QCPAxis*> axes;
    for (QCPAxisRect* rect : plot.axisRects())
        for (QCPAxis* axis : rect->axes())
            if (axis->visible() && axis->property(kTitle).isValid()) axes.push_back(axis);
    return axes;
}

int roomOf(const QCPAxis& axis) {
    return axis.orientation() == Qt::Horizontal ? axis.axisRect()->width() : axis.axisRect()->height();
}

bool fits(const QCPAxis& axis, const QString& label) {
    const QSizeF size = QFontMetricsF(axis.labelFont()).size(0, label);
    return size.width() <= roomOf(axis) && label.count(QLatin1Char('\n')) < kLines;
}

void breakTitle(QCPAxis& axis) {
    axis.setLabel({});
    for (const QString& title : axis.property(kTitle).toStringList()) {
        const QString label = wrapped(title, axis.labelFont(), roomOf(axis));
        if (!fits(axis, label)) continue;
        axis.setLabel(label);
        return;
    }
}

}  // namespace

void layOut(QCustomPlot& plot) {
    for (const auto phase :
         {QCPLayoutElement::upPreparation, QCPLayoutElement::upMargins, QCPLayoutElement::upLayout}) {
        plot.plotLayout()->update(phase);
    }
}

void setTitle(QCPAxis& axis, const QString& title, const QStringList& shorter) {
    axis.setProperty(kTitle, QStringList{title} + shorter);
    axis.setLabel(title);
}

void fitAxes(QCustomPlot& plot) {
    const std::vector<QCPAxis*> axes = titledAxes(plot);
    // What the axes need decides how long they are, and the other way round: three times come close enough.
    for (int pass = 0; pass < 3; ++pass) {
        layOut(plot);
        for (QCPAxis* axis : axes) {
            breakTitle(*axis);
            if (!axis->ticks() || !axis->tickLabels()) continue;
            thinTicks(*axis);
            keepLabelsInside(*axis);
        }
    }
    layOut(plot);
    for (QCPAxis* axis : axes)
        if (!fits(*axis, axis->label())) axis->setLabel({});
}

void onLeave(QWidget& widget, std::function<void()> left) {
    new LeaveWatch(widget, std::move(left));  // owned by the widget
}

}  // namespace ropescope
