// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/plot_style.h"

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
    const auto fits = [&](const QString& words) {
        return extent(words).height() <= box.height() && extent(words).width() <= box.width();
    };
    const QString words = fits(sentence) ? sentence : shortly;
    if (!fits(words)) return;
    painter.fillRect(extent(words).adjusted(-6, -4, 6, 4), looks.base);
    painter.setPen(looks.muted);
    painter.drawText(box, Qt::AlignCenter | Qt::TextWordWrap, words);
}

namespace {

/// Units follow each other on a line as long as it has room.
QString inLines(const QStringList& units, const QString& between, const QFont& font, int width) {
    const QFontMetricsF metrics(font);
    QStringList lines;
    for (const QString& unit : units) {
        const QString longer = lines.isEmpty() ? unit : lines.back() + between + unit;
        if (!lines.isEmpty() && metrics.horizontalAdvance(longer) <= width) {
            lines.back() = longer;
        } else {
            lines << unit;
        }
    }
    return lines.join(QLatin1Char('\n'));
}

}  // namespace

QString wrapped(const QString& text, const QFont& font, int width) {
    const QFontMetricsF metrics(font);
    QStringList units;
    for (const QString& unit : text.split(QStringLiteral("    "), Qt::SkipEmptyParts)) {
        units << (metrics.horizontalAdvance(unit) <= width
                      ? unit
                      : inLines(unit.split(QLatin1Char(' '), Qt::SkipEmptyParts), QStringLiteral(" "), font, width));
    }
    return inLines(units, QStringLiteral("    "), font, width);
}

namespace {

constexpr qreal kShortestBar = 40;
constexpr qreal kLongestBar = 240;
constexpr qreal kBesideBar = 8;

/// Both ends, the gaps and a short bar.
qreal barLine(const QFontMetricsF& metrics, double low, double high) {
    return metrics.horizontalAdvance(shortNumber(low)) + metrics.horizontalAdvance(shortNumber(high)) + 2 * kBesideBar +
           kShortestBar;
}

bool fitsOneLine(const QFontMetricsF& metrics, double low, double high, const QString& title, qreal width) {
    return metrics.horizontalAdvance(title) + kBesideBar + barLine(metrics, low, high) <= width;
}

/// The font in which a legend fits its place: the given one where the place is high enough.
QFont legendFont(const QSizeF& room, double low, double high, const QString& title, QFont font) {
    while (legendHeight(low, high, title, font, room.width()) > room.height() + 0.5 && font.pointSizeF() > 6)
        font.setPointSizeF(font.pointSizeF() - 0.5);
    return font;
}

}  // namespace

qreal legendHeight(double low, double high, const QString& title, const QFont& font, qreal width) {
    const QFontMetricsF metrics(font);
    if (fitsOneLine(metrics, low, high, title, width)) return metrics.height();
    const auto lines = wrapped(title, font, static_cast<int>(width)).count(QLatin1Char('\n')) + 1;
    return static_cast<qreal>(lines + 1) * metrics.height();
}

void drawLegend(QPainter& painter, const QRectF& place, ColourMap map, double low, double high, const QString& title,
                const Looks& looks) {
    const QFont font = legendFont(place.size(), low, high, title, looks.font);
    const QFontMetricsF metrics(font);
    painter.save();
    painter.setFont(font);
    qreal x = place.left();
    QRectF line = place;
    const auto write = [&](const QString& text, const QColor& colour) {
        const qreal width = metrics.horizontalAdvance(text);
        painter.setPen(colour);
        painter.drawText(QRectF(x, line.top(), width + 1, line.height()), Qt::AlignVCenter | Qt::AlignLeft, text);
        x += width + kBesideBar;
    };
    // One line where it fits, otherwise the title above the bar.
    if (fitsOneLine(metrics, low, high, title, place.width())) {
        write(title, looks.text);
    } else {
        line.setHeight(metrics.height());
        for (const QString& words : wrapped(title, font, static_cast<int>(place.width())).split(QLatin1Char('\n'))) {
            x = place.left();
            write(words, looks.text);
            line.translate(0, metrics.height());
        }
        x = place.left();
    }
    write(shortNumber(low), looks.muted);
    const qreal end =
        std::min(place.right() - metrics.horizontalAdvance(shortNumber(high)) - kBesideBar, x + kLongestBar);
    const QRectF bar(x, line.center().y() - 5, std::max<qreal>(16, end - x), 10);
    std::vector<double> ramp(256);
    for (int i = 0; i < 256; ++i) ramp[i] = i;
    drawCells(painter, bar, mapImage(ramp, 1, 256, map, 0, 255));
    x = bar.right() + kBesideBar;
    write(shortNumber(high), looks.muted);
    painter.restore();
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

QString rangeNumber(double value, double low, double high) {
    const double size = std::max(std::abs(low), std::abs(high));
    if (std::isnan(value) || !(size >= 1e-3 && size < 1e4)) return shortNumber(value);
    return QString::number(value, 'f', std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 5));
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

void drawOnPaper(QCustomPlot& plot, QCPPainter& painter, QSize size, const Looks& screen,
                 const std::function<void()>& fit) {
    const QRect seen = plot.viewport();
    stylePlot(plot, paperLooks(screen.font));
    plot.setViewport(QRect(QPoint(0, 0), size));
    fit();
    plot.toPainter(&painter, size.width(), size.height());
    stylePlot(plot, screen);
    plot.setViewport(seen);
    fit();
}

}  // namespace ropescope
