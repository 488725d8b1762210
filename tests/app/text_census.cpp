// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/text_census.h"

#include <qcustomplot.h>

#include <QAbstractScrollArea>
#include <QAbstractSpinBox>
#include <QComboBox>
#include <QGraphicsEffect>
#include <QLineEdit>
#include <QPaintDevice>
#include <QPaintEngine>
#include <QPainter>
#include <QPainterPath>
#include <QPushButton>
#include <QScrollBar>
#include <algorithm>

namespace ropescope::test {
namespace {

constexpr double kHidden = 0.98;  // share of the ink below other widgets that leaves nothing to read

/// Keeps the texts; everything else that is painted is dropped.
class TextEngine : public QPaintEngine {
public:
    explicit TextEngine(std::vector<SeenText>& texts) : QPaintEngine(AllFeatures), m_texts(texts) {}

    bool begin(QPaintDevice*) override { return true; }
    bool end() override { return true; }
    Type type() const override { return User; }
    void updateState(const QPaintEngineState&) override {}
    void drawRects(const QRectF*, int) override {}
    void drawRects(const QRect*, int) override {}
    void drawLines(const QLineF*, int) override {}
    void drawLines(const QLine*, int) override {}
    void drawPoints(const QPointF*, int) override {}
    void drawPoints(const QPoint*, int) override {}
    void drawEllipse(const QRectF&) override {}
    void drawEllipse(const QRect&) override {}
    void drawPath(const QPainterPath&) override {}
    void drawPolygon(const QPointF*, int, PolygonDrawMode) override {}
    void drawPolygon(const QPoint*, int, PolygonDrawMode) override {}
    void drawPixmap(const QRectF&, const QPixmap&, const QRectF&) override {}
    void drawTiledPixmap(const QRectF&, const QPixmap&, const QPointF&) override {}
    void drawImage(const QRectF&, const QImage&, const QRectF&, Qt::ImageConversionFlags) override {}

    void drawTextItem(const QPointF& at, const QTextItem& item) override {
        if (item.text().trimmed().isEmpty() || state->pen().color().alpha() == 0) return;
        const QTransform toWindow = state->transform();
        const QRectF glyphs = QFontMetricsF(item.font()).tightBoundingRect(item.text()).translated(at);
        SeenText seen{item.text(), {}, toWindow.map(QPolygonF(glyphs)), m_clip, 0, m_owner};
        seen.ink = seen.outline.boundingRect();
        if (painter()->hasClipping()) seen.clip &= toWindow.mapRect(painter()->clipBoundingRect());
        if (seen.ink.intersects(seen.clip)) m_texts.push_back(seen);
    }

    void paintFor(const QWidget& owner, const QRectF& clip) {
        m_owner = &owner;
        m_clip = clip;
    }

private:
    std::vector<SeenText>& m_texts;
    const QWidget* m_owner = nullptr;
    QRectF m_clip;
};

class TextDevice : public QPaintDevice {
public:
    TextDevice(std::vector<SeenText>& texts, QSize size) : m_engine(texts), m_size(size) {}
    QPaintEngine* paintEngine() const override { return &m_engine; }
    void paintFor(const QWidget& owner, const QRectF& clip) { m_engine.paintFor(owner, clip); }

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
            case PdmWidthMM:
                return qRound(m_size.width() * 25.4 / 96);
            case PdmHeightMM:
                return qRound(m_size.height() * 25.4 / 96);
            default:
                return 96;  // dots per inch, as of the screen
        }
    }

private:
    mutable TextEngine m_engine;
    QSize m_size;
};

/// Bars and lists that come up over the window and go again: what they lie on is read when they are gone.
bool isOverlay(const QWidget& widget) {
    for (const char* name : {"MessageBar", "AskBar", "MeasureBar", "CommandPalette"}) {
        if (QByteArrayView(widget.metaObject()->className()).endsWith(name)) return true;
    }
    return false;
}

bool hidesWhatIsBelow(const QWidget& widget) {
    if (widget.testAttribute(Qt::WA_OpaquePaintEvent) || isOverlay(widget)) return true;
    if (widget.autoFillBackground() && widget.palette().brush(widget.backgroundRole()).isOpaque()) return true;
    return qobject_cast<const QPushButton*>(&widget) || qobject_cast<const QLineEdit*>(&widget) ||
           qobject_cast<const QComboBox*>(&widget) || qobject_cast<const QAbstractSpinBox*>(&widget);
}

/// Widgets one by one, parents before children and lower ones before those above them.
class Census {
public:
    explicit Census(QWidget& window) : m_window(window), m_device(m_texts, window.size()) {}

    std::vector<SeenText> take() {
        visit(m_window, QRectF(m_window.rect()));
        std::erase_if(m_texts, [](const SeenText& seen) { return seen.covered >= kHidden; });
        return std::move(m_texts);
    }

private:
    void visit(QWidget& widget, const QRectF& room) {
        const QRectF place(QPointF(widget.mapTo(&m_window, QPoint())), QSizeF(widget.size()));
        const QRectF clip = room & place;
        if (clip.isEmpty()) return;
        if (&widget != &m_window && hidesWhatIsBelow(widget)) cover(widget, clip);
        paint(widget, place, clip);
        for (QObject* child : widget.children()) {
            auto* part = qobject_cast<QWidget*>(child);
            if (part && part->isVisible() && !part->isWindow()) visit(*part, clip);
        }
    }

    void paint(QWidget& widget, const QRectF& place, const QRectF& clip) {
        QGraphicsEffect* effect = widget.graphicsEffect();  // one would paint by way of a pixmap
        const bool effective = effect && effect->isEnabled();
        if (effective) effect->setEnabled(false);
        m_device.paintFor(widget, clip);
        widget.render(&m_device, place.topLeft().toPoint(), {}, QWidget::RenderFlags());
        // Its paint event copies a picture of what it has drawn before.
        if (auto* plot = qobject_cast<QCustomPlot*>(&widget)) {
            QCPPainter painter(&m_device);
            painter.translate(place.topLeft());
            plot->toPainter(&painter, widget.width(), widget.height());
        }
        if (effective) effect->setEnabled(true);
    }

    void cover(const QWidget& by, const QRectF& place) {
        for (SeenText& seen : m_texts) {
            const QRectF shown = seen.ink & seen.clip;
            const QRectF hidden = shown & place;
            if (hidden.isEmpty()) continue;
            const double share = hidden.width() * hidden.height() / (shown.width() * shown.height());
            seen.covered = isOverlay(by) ? 1 : std::max(seen.covered, share);
        }
    }

    QWidget& m_window;
    std::vector<SeenText> m_texts;
    TextDevice m_device;
};

}  // namespace

std::vector<SeenText> seenTexts(QWidget& window) {
    return Census(window).take();
}

}  // namespace ropescope::test
