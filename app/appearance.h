// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDBusVariant>
#include <QObject>
#include <QPalette>

#include "app/session.h"

namespace ropescope {

/// Light and dark palettes. Desktop asks the settings portal over D-Bus without waiting and follows its changes; where
/// there is none, the palette the desktop gave Qt stays.
class AppearanceControl : public QObject {
    Q_OBJECT
public:
    explicit AppearanceControl(QObject* parent = nullptr);

    void set(Appearance appearance);
    [[nodiscard]] Appearance appearance() const { return m_appearance; }

private slots:
    void onPortalSetting(const QString& group, const QString& key, const QDBusVariant& value);

private:
    void askPortal();
    void apply();

    Appearance m_appearance = Appearance::Desktop;
    int m_portal = -1;  ///< 0 no preference, 1 dark, 2 light, -1 not known
    bool m_asked = false;
    QPalette m_desktopPalette;  ///< as Qt took it from the desktop at the start
};

}  // namespace ropescope
