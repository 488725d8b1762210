// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/appearance.h"

#include <QApplication>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QPainter>
#include <QProxyStyle>
#include <QStyleOption>
#include <QWidget>

namespace ropescope {
namespace {

constexpr const char* kService = "org.freedesktop.portal.Desktop";
constexpr const char* kObject = "/org/freedesktop/portal/desktop";
constexpr const char* kInterface = "org.freedesktop.portal.Settings";
constexpr const char* kGroup = "org.freedesktop.appearance";
constexpr const char* kKey = "color-scheme";

QPalette madePalette(const QColor& window, const QColor& base, const QColor& text, const QColor& accent) {
    const bool dark = window.lightness() < 128;
    const QColor button = dark ? window.lighter(125) : window.darker(103);
    QPalette palette(button, window);
    palette.setColor(QPalette::Window, window);
    palette.setColor(QPalette::Base, base);
    palette.setColor(QPalette::AlternateBase, dark ? window.lighter(118) : window.darker(104));
    palette.setColor(QPalette::ToolTipBase, dark ? window.lighter(140) : QColor(255, 255, 240));
    for (auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::ToolTipText}) {
        palette.setColor(role, text);
    }
    const QColor faint = QColor::fromRgbF((text.redF() + window.redF()) / 2, (text.greenF() + window.greenF()) / 2,
                                          (text.blueF() + window.blueF()) / 2);
    palette.setColor(QPalette::PlaceholderText, faint);
    for (auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
        palette.setColor(QPalette::Disabled, role, faint);
    }
    palette.setColor(QPalette::Highlight, accent);
    palette.setColor(QPalette::HighlightedText, Qt::white);
    palette.setColor(QPalette::Link, dark ? accent.lighter(150) : accent);
    return palette;
}

/// Fusion outlines a box darker than its ground: on a dark one nothing is seen of it.
class VisibleBoxes : public QProxyStyle {
public:
    using QProxyStyle::QProxyStyle;
    void drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                       const QWidget* widget) const override {
        QProxyStyle::drawPrimitive(element, option, painter, widget);
        if (element != PE_IndicatorCheckBox || option->palette.color(QPalette::Window).lightness() >= 128) return;
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(option->palette.color(QPalette::PlaceholderText));
        painter->setBrush(Qt::NoBrush);
        painter->drawRoundedRect(QRectF(option->rect).adjusted(0.5, 0.5, -0.5, -0.5), 2, 2);
        painter->restore();
    }
};

}  // namespace

AppearanceControl::AppearanceControl(QObject* parent) : QObject(parent), m_desktopPalette(QApplication::palette()) {
    const QString style = QApplication::style()->name();
    if (style.compare("fusion", Qt::CaseInsensitive) == 0) QApplication::setStyle(new VisibleBoxes(style));  // owns it
}

void AppearanceControl::set(Appearance appearance) {
    m_appearance = appearance;
    if (appearance == Appearance::Desktop && !m_asked) askPortal();
    apply();
}

void AppearanceControl::askPortal() {
    m_asked = true;
    QDBusConnection bus = QDBusConnection::sessionBus();
    if (!bus.isConnected()) return;
    bus.connect(kService, kObject, kInterface, "SettingChanged", this,
                SLOT(onPortalSetting(QString, QString, QDBusVariant)));
    QDBusMessage call = QDBusMessage::createMethodCall(kService, kObject, kInterface, "Read");
    call << kGroup << kKey;
    auto* watcher = new QDBusPendingCallWatcher(bus.asyncCall(call, 2000), this);
    connect(watcher, &QDBusPendingCallWatcher::finished, this, [this, watcher] {
        const QDBusPendingReply<QVariant> reply = *watcher;
        watcher->deleteLater();
        if (!reply.isValid()) return;
        QVariant value = reply.value();  // the portal wraps it twice
        while (value.canConvert<QDBusVariant>()) value = value.value<QDBusVariant>().variant();
        onPortalSetting(kGroup, kKey, QDBusVariant(value));
    });
}

void AppearanceControl::onPortalSetting(const QString& group, const QString& key, const QDBusVariant& value) {
    if (group != kGroup || key != kKey) return;
    m_portal = static_cast<int>(value.variant().toUInt());
    apply();
}

void AppearanceControl::apply() {
    const QColor accent(0x00, 0x72, 0xB2);  // Okabe-Ito blue
    const bool dark = m_appearance == Appearance::Dark || (m_appearance == Appearance::Desktop && m_portal == 1);
    const bool light = m_appearance == Appearance::Light || (m_appearance == Appearance::Desktop && m_portal == 2);
    QPalette palette = m_desktopPalette;
    if (dark)
        palette = madePalette(QColor(0x26, 0x28, 0x2B), QColor(0x1C, 0x1E, 0x20), QColor(0xE6, 0xE6, 0xE6), accent);
    if (light) palette = madePalette(QColor(0xF3, 0xF4, 0xF5), Qt::white, QColor(0x1E, 0x20, 0x22), accent);
    if (QApplication::palette() == palette) return;
    QApplication::setPalette(palette);
    for (QWidget* widget : QApplication::allWidgets()) {  // a style sheet keeps the colours it was polished with
        const QString sheet = widget->styleSheet();
        if (sheet.isEmpty()) continue;
        widget->setStyleSheet({});
        widget->setStyleSheet(sheet);
    }
}

}  // namespace ropescope
