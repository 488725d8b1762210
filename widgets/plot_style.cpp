// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plot_style.h"

#include <qcustomplot.h>

#include <QPainter>
#include <QPalette>
#include <QTextDocument>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

QColor mixed(const QColor& a, const QColor& b, qreal share) {
    return QColor::fromRgbF(a.redF() + share * (b.redF() - a.redF()), a.greenF() + share * (b.greenF() - a.greenF()),
                            a.blueF() + share * (b.blueF() - a.blueF()));
}

Looks looksFrom(const QColor& base, const QColor& text, const QColor& accent, const QFont& font) {
    return {base, text, mixed(text, base, 0.35), mixed(base, text, 0.10), mixed(base, text, 0.45), accent, font};
}

}  // namespace

Looks looksOf(const QPalette& palette, const QFont& font) {
    return looksFrom(palette.color(QPalette::Base), palette.color(QPalette::Text), palette.color(QPalette::Highlight),
                     font);
}

Looks paperLooks(const QFont& font) {
    return looksFrom(Qt::white, QColor(0x1a, 0x1a, 0x1a), headColour(0), font);
}

QColor warningColour() {
    return {0xd5, 0x5e, 0x00};
}

QColor headColour(int index) {
    if (index < 0) return QColor(0x80, 0x80, 0x80);
    const Rgb colour = categoricalColour(index);
    return {colour.red, colour.green, colour.blue};
}

QPen headPen(int index, qreal width) {
    static constexpr Qt::PenStyle kStyles[] = {Qt::SolidLine, Qt::DashLine, Qt::DashDotLine, Qt::DotLine};
    QPen pen(headColour(index), width);
    pen.setStyle(kStyles[(std::max(index, 0) / kCategoricalColours) % 4]);
    return pen;
}

QColor mapColour(ColourMap map, double share) {
    const Rgb colour = colourAt(map, share);
    return {colour.red, colour.green, colour.blue};
}

QImage mapImage(const std::vector<double>& values, int rows, int columns, ColourMap map, double low, double high) {
    const std::array<Rgb, 256>& table = colourTable(map);
    QImage image(columns, rows, QImage::Format_ARGB32_Premultiplied);
    const double factor = high > low ? 255 / (high - low) : 0;
    for (int row = 0; row < rows; ++row) {
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(row));
        for (int column = 0; column < columns; ++column) {
            const double value = values[static_cast<std::size_t>(row) * columns + column];
            if (std::isnan(value)) {
                line[column] = 0;
                continue;
            }
            const Rgb& colour = table[static_cast<int>(std::clamp((value - low) * factor, 0.0, 255.0) + 0.5)];
            line[column] = qRgb(colour.red, colour.green, colour.blue);
        }
    }
    return image;
}

void drawCells(QPainter& painter, const QRectF& place, const QImage& cells) {
    const bool raster = painter.paintEngine()->type() == QPaintEngine::Raster;
    const qreal ratio = raster ? painter.device()->devicePixelRatioF() : 1;
    const QRect target = QRectF(place.topLeft() * ratio, place.size() * ratio).toRect();
    if (cells.isNull() || target.isEmpty()) return;
    if (!raster) {
        // On paper one block of 8 x 8 pixels a cell stays sharp in viewers that smooth pictures.
        painter.drawImage(place, cells.scaled(cells.size() * 8, Qt::IgnoreAspectRatio, Qt::FastTransformation));
        return;
    }
    QImage scaled(target.size(), cells.format());
    std::vector<int> columns(target.width());
    for (int x = 0; x < target.width(); ++x) columns[x] = x * cells.width() / target.width();
    int lastRow = -1;
    for (int y = 0; y < target.height(); ++y) {
        const int row = y * cells.height() / target.height();
        auto* line = reinterpret_cast<QRgb*>(scaled.scanLine(y));
        if (row == lastRow) {
            std::copy_n(reinterpret_cast<const QRgb*>(scaled.constScanLine(y - 1)), target.width(), line);
            continue;
        }
        lastRow = row;
        const auto* source = reinterpret_cast<const QRgb*>(cells.constScanLine(row));
        for (int x = 0; x < target.width(); ++x) line[x] = source[columns[x]];
    }
    scaled.setDevicePixelRatio(ratio);
    painter.drawImage(QPointF(target.topLeft()) / ratio, scaled);
}

void drawHatched(QPainter& painter, const QRectF& place, const Looks& looks) {
    painter.save();
    painter.setClipRect(place);
    painter.setPen(QPen(looks.muted, 1));
    for (qreal x = place.left() - place.height(); x < place.right(); x += 6) {
        painter.drawLine(QPointF(x, place.bottom()), QPointF(x + place.height(), place.top()));
    }
    painter.restore();
}

void drawWords(QPainter& painter, const QRectF& place, const QString& sentence, const QString& shortly,
               const Looks& looks) {
    const QRectF box = place.adjusted(8, 8, -8, -8);
    const auto extent = [&](const QString& words) {
        return QFontMetricsF(looks.font).boundingRect(box, Qt::AlignCenter | Qt::TextWordWrap, words);
    };
    const QString words = extent(sentence).height() <= box.height() ? sentence : shortly;
    painter.fillRect(extent(words).adjusted(-6, -4, 6, 4), looks.base);
    painter.setPen(looks.muted);
    painter.drawText(box, Qt::AlignCenter | Qt::TextWordWrap, words);
}

void drawLegend(QPainter& painter, const QRectF& place, ColourMap map, double low, double high, const QString& title,
                const Looks& looks) {
    const QFontMetricsF metrics(looks.font);
    const QString lowText = shortNumber(low);
    const QString highText = shortNumber(high);
    painter.setFont(looks.font);
    qreal x = place.left();
    QRectF line = place;
    const auto write = [&](const QString& text, const QColor& colour) {
        const qreal width = metrics.horizontalAdvance(text);
        painter.setPen(colour);
        painter.drawText(QRectF(x, line.top(), width + 1, line.height()), Qt::AlignVCenter | Qt::AlignLeft, text);
        x += width + 8;
    };
    // One line where it fits, otherwise the title above the bar; a title that is still too long gives way.
    const qreal ends = metrics.horizontalAdvance(lowText) + metrics.horizontalAdvance(highText) + 32;
    const bool above =
        place.height() >= 2 * metrics.height() && metrics.horizontalAdvance(title) > place.width() - ends - 64;
    if (above) {
        painter.setPen(looks.text);
        painter.drawText(place, Qt::AlignTop | Qt::AlignLeft, metrics.elidedText(title, Qt::ElideRight, place.width()));
        line.setTop(place.top() + metrics.height());
    } else {
        write(metrics.elidedText(title, Qt::ElideRight, std::max<qreal>(24, place.width() - ends - 64)), looks.text);
    }
    write(lowText, looks.muted);
    const qreal end = std::min(place.right() - metrics.horizontalAdvance(highText) - 8, x + 240);
    const QRectF bar(x, line.center().y() - 5, std::max<qreal>(40, end - x), 10);
    std::vector<double> ramp(256);
    for (int i = 0; i < 256; ++i) ramp[i] = i;
    drawCells(painter, bar, mapImage(ramp, 1, 256, map, 0, 255));
    x = bar.right() + 8;
    write(highText, looks.muted);
}

QString shortNumber(double value) {
    if (std::isnan(value)) return QStringLiteral("\u2013");
    const double size = std::abs(value);
    if (size < 1e-12) return QStringLiteral("0");  // round-off of float64 is no finding
    if (size >= 1e5 || size < 1e-4) return QString::number(value, 'g', 2);
    const int digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 5);
    QString text = QString::number(value, 'f', digits);
    while (text.contains(QLatin1Char('.')) && (text.endsWith(QLatin1Char('0')) || text.endsWith(QLatin1Char('.')))) {
        const bool point = text.endsWith(QLatin1Char('.'));
        text.chop(1);
        if (point) break;
    }
    return text;
}

QString numberText(double value, const std::string& unit) {
    if (std::isnan(value)) return QObject::tr("not known");
    const QString text = shortNumber(value);
    if (unit.empty() || unit == "share") return text;
    if (unit == "degrees") return text + QStringLiteral("\u00b0");
    return text + QLatin1Char(' ') + QString::fromStdString(unit);
}

QString titleWithUnit(const HeadNumber& number) {
    const QString title = QString::fromStdString(number.title);
    if (number.unit.empty()) return title;
    return title + QStringLiteral(" (") + QString::fromStdString(number.unit) + QLatin1Char(')');
}

QString marksText(const HeadNumber& number) {
    const QString about = number.about == About::Map ? QObject::tr("of the map") : QObject::tr("of the head");
    return number.invariant ? about : about + QStringLiteral(" \u25c7 ") + QObject::tr("as stored");
}

QString definitionText(const HeadNumber& number) {
    QString text = QString::fromStdString(number.definition);
    text += QStringLiteral("\n\n");
    text += number.about == About::Map
                ? QObject::tr("Of the map: says where training put the change, relative to the projections' own basis.")
                : QObject::tr("Of the head: what the head computes, independent of the basis of its projections.");
    if (!number.invariant) {
        text += QStringLiteral("\n\u25c7 ") +
                QObject::tr("As stored: equal models may show other values; prefer a gauge-fixed number.");
    }
    return text;
}

QString plainTip(const QString& text) {
    if (!Qt::mightBeRichText(text)) return text;
    return QStringLiteral("<p>") + text.toHtmlEscaped().replace(QLatin1Char('\n'), QStringLiteral("<br>")) +
           QStringLiteral("</p>");
}

QStringList extrapolationNames() {
    return {QObject::tr("as trained"), QObject::tr("interpolated"), QObject::tr("NTK-aware"),
            QObject::tr("YaRN"),       QObject::tr("NTK by parts"), QObject::tr("time-aware")};
}

QString extrapolationTip() {
    return QObject::tr(
        "How positions change where the picture is larger or smaller than the trained one.\n"
        "As trained: integers go on. Interpolated: positions squeezed to the trained range.\n"
        "NTK-aware: slow planes squeezed, fast ones kept. NTK by parts: by turns over the trained range.\n"
        "YaRN: by parts, with a factor on attention. Time-aware: NTK whose strength follows the "
        "sampling step.");
}

void stylePlot(QCustomPlot& plot, const Looks& looks) {
    plot.setMinimumSize(1, 1);  // a plot without any size cannot be painted, and says so
    plot.setBackground(looks.base);
    QFont small = looks.font;
    small.setPointSizeF(std::max(7.0, looks.font.pointSizeF() * 0.9));
    for (QCPAxisRect* rect : plot.axisRects()) {
        for (QCPAxis* axis : rect->axes()) {
            axis->setBasePen(QPen(looks.reference, 1));
            axis->setTickPen(QPen(looks.reference, 1));
            axis->setSubTickPen(QPen(looks.grid, 1));
            axis->setTickLength(0, 4);
            axis->setSubTickLength(0, 2);
            axis->setTickLabelColor(looks.muted);
            axis->setLabelColor(looks.text);
            axis->setTickLabelFont(small);
            axis->setLabelFont(looks.font);
            axis->setLabelPadding(6);
            axis->grid()->setPen(QPen(looks.grid, 1));
            axis->grid()->setZeroLinePen(QPen(looks.grid, 1));
            axis->grid()->setSubGridVisible(false);
        }
    }
}

void drawOnPaper(QCustomPlot& plot, QCPPainter& painter, QSize size, const Looks& screen) {
    stylePlot(plot, paperLooks(screen.font));
    plot.toPainter(&painter, size.width(), size.height());
    stylePlot(plot, screen);
}

}  // namespace ropescope
