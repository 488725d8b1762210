// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/engine_client.h"

class QComboBox;
class QLabel;

namespace ropescope {

/// Corner of the menu bar: what the engine computes on (a chooser) and how much memory it holds.
class EngineStatus : public QWidget {
    Q_OBJECT
public:
    explicit EngineStatus(EngineClient& engine, QWidget* parent = nullptr);

    /// The device to come back to when the engine has it; "auto" otherwise.
    void setWanted(const QString& device);
    [[nodiscard]] QString device() const;
    void askDevices();
    [[nodiscard]] QComboBox* chooser() const { return m_device; }

signals:
    void deviceChanged(const QString& device);

private:
    void fill(const DevicesReport& report);

    EngineClient& m_engine;
    QString m_wanted = "auto";
    QComboBox* m_device;
    QLabel* m_memory;
};

}  // namespace ropescope
