// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_status.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>

namespace ropescope {

EngineStatus::EngineStatus(EngineClient& engine, QWidget* parent)
    : QWidget(parent), m_engine(engine), m_device(new QComboBox(this)), m_memory(new QLabel(this)) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(8, 2, 8, 2);
    layout->addWidget(m_device);
    layout->addWidget(m_memory);
    m_device->setObjectName("deviceChooser");
    m_device->setToolTip("What pictures are computed on");
    m_device->addItem("Automatic", "auto");
    m_memory->setToolTip("Memory the engine holds");
    m_memory->setText("engine starts");
    // Of one width: the corner of a menu bar does not grow with its content.
    m_memory->setFixedWidth(fontMetrics().horizontalAdvance("engine 8888 MiB ") + 2);
    m_device->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    connect(m_device, &QComboBox::activated, this, [this] {
        m_wanted = device();
        emit deviceChanged(m_wanted);
    });
    connect(&m_engine, &EngineClient::heartbeat, this,
            [this](qint64 bytes) { m_memory->setText(QString("engine %1").arg(QLocale().formattedDataSize(bytes, 0))); });
    connect(&m_engine, &EngineClient::died, this,
            [this](const QString&, bool restarts) { m_memory->setText(restarts ? "engine restarts" : "no engine"); });
}

void EngineStatus::setWanted(const QString& device) {
    m_wanted = device;
}

QString EngineStatus::device() const {
    return m_device->currentData().toString();
}

void EngineStatus::askDevices() {
    m_engine.request(DevicesRequest{}, "devices", [this](const Result<Reply>& reply) {
        if (reply) fill(std::get<DevicesReport>(*reply));
    });
}

void EngineStatus::fill(const DevicesReport& report) {
    const QString before = device();
    m_device->clear();
    m_device->addItem("Automatic", "auto");
    for (std::size_t i = 0; i < report.names.size() && i < report.titles.size(); ++i) {
        m_device->addItem(QString::fromStdString(report.titles[i]), QString::fromStdString(report.names[i]));
    }
    const QString note = QString::fromStdString(report.note);
    m_device->setToolTip(note.isEmpty() ? "What pictures are computed on" : "What pictures are computed on. " + note);
    m_device->setCurrentIndex(std::max(0, m_device->findData(m_wanted)));
    if (device() != before) emit deviceChanged(device());
}

}  // namespace ropescope
