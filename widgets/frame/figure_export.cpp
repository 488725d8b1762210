// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/figure_export.h"

#include <qcustomplot.h>

#include <QBuffer>
#include <QPageSize>
#include <QPaintDevice>
#include <QPaintEngine>
#include <QPainter>
#include <QPainterPath>
#include <QPdfWriter>
#include <QSvgGenerator>

namespace ropescope {
namespace {

/// Passes everything on to another painter. It does not draw text itself, so QPaintEngine turns text into outlines.
class OutlineEngine : public QPaintEngine {
public:
    explicit OutlineEngine(QPainter& target) : QPaintEngine(AllFeatures), m_target(target) {}

    bool begin(QPaintDevice*) override { return true; }
    bool end() override { return true; }
    Type type() const override { return User; }

    void updateState(const QPaintEngineState& state) override {
        const DirtyFlags dirty = state.state();
        if (dirty & DirtyPen) m_target.setPen(state.pen());
        if (dirty & DirtyBrush) m_target.setBrush(state.brush());
        if (dirty & DirtyBrushOrigin) m_target.setBrushOrigin(state.brushOrigin());
        if (dirty & DirtyTransform) m_target.setTransform(state.transform());
        if (dirty & DirtyHints) m_target.setRenderHints(state.renderHints());
        if (dirty & DirtyOpacity) m_target.setOpacity(state.opacity());
        if (dirty & DirtyClipEnabled) m_target.setClipping(state.isClipEnabled());
        if (dirty & DirtyClipPath) m_target.setClipPath(state.clipPath(), state.clipOperation());
        if (dirty & DirtyClipRegion) m_target.setClipRegion(state.clipRegion(), state.clipOperation());
    }
    void drawPath(const QPainterPath& path) override { m_target.drawPath(path); }
    void drawPolygon(const QPointF* points, int count, PolygonDrawMode mode) override {
        if (mode == PolylineMode) {
            m_target.drawPolyline(points, count);
        } else {
            m_target.drawPolygon(points, count, mode == OddEvenMode ? Qt::OddEvenFill : Qt::WindingFill);
        }
    }
    void drawPixmap(const QRectF& place, const QPixmap& pixmap, const QRectF& part) override {
        m_target.drawPixmap(place, pixmap, part);
    }
    void drawImage(const QRectF& place, const QImage& image, const QRectF& part,
                   Qt::ImageConversionFlags flags) override {
        m_target.drawImage(place, image, part, flags);
    }

private:
    QPainter& m_target;
};

class OutlineDevice : public QPaintDevice {
public:
    OutlineDevice(QPainter& target, QSize size) : m_engine(target), m_target(target), m_size(size) {}
    QPaintEngine* paintEngine() const override { return &m_engine; }

protected:
    int metric(PaintDeviceMetric metric) const override {
        switch (metric) {
            case PdmWidth:
                return m_size.width();
            case PdmHeight:
                return m_size.height();
            case PdmNumColors:
                return 1 << 24;
            case PdmDepth:
                return 32;
            case PdmDevicePixelRatio:
                return 1;
            case PdmDevicePixelRatioScaled:
                return static_cast<int>(devicePixelRatioFScale());
            default:
                break;
        }
        // 96 dots per inch, as on the screen, so that point sizes of fonts keep their meaning.
        if (metric == PdmWidthMM) return qRound(m_size.width() * 25.4 / 96);
        if (metric == PdmHeightMM) return qRound(m_size.height() * 25.4 / 96);
        return 96;
    }

private:
    mutable OutlineEngine m_engine;
    QPainter& m_target;
    QSize m_size;
};

}  // namespace

QImage paintImage(QSize size, qreal scale, const FigurePainter& paint) {
    QImage image(size * scale, QImage::Format_RGB32);
    image.setDevicePixelRatio(scale);
    image.fill(Qt::white);
    QCPPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    paint(painter, size);
    return image;
}

QByteArray paintPng(QSize size, const FigurePainter& paint) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    paintImage(size, 2, paint).save(&buffer, "PNG");
    return bytes;
}

QByteArray paintSvg(QSize size, const QString& title, SvgText text, const FigurePainter& paint) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setResolution(96);
    generator.setSize(size);
    generator.setViewBox(QRect(QPoint(0, 0), size));
    generator.setTitle(title);
    if (text == SvgText::Text) {
        QCPPainter painter(&generator);
        painter.setRenderHint(QPainter::Antialiasing);
        paint(painter, size);
        painter.end();
        return bytes;
    }
    QPainter target(&generator);
    OutlineDevice outlines(target, size);
    QCPPainter painter(&outlines);
    painter.setRenderHint(QPainter::Antialiasing);
    paint(painter, size);
    painter.end();
    target.end();
    return bytes;
}

QByteArray paintPdf(QSize size, const QString& title, const FigurePainter& paint) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    writer.setTitle(title);
    writer.setResolution(96);
    writer.setPageSize(QPageSize(QSizeF(size) * 72 / 96, QPageSize::Point, title, QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    QCPPainter painter(&writer);
    painter.setRenderHint(QPainter::Antialiasing);
    paint(painter, size);
    painter.end();
    return bytes;
}

}  // namespace ropescope
