// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/lamp.h"

#include <cmath>

#include "widgets/frame/plot_style.h"

namespace ropescope {

QColor lampColour(LampState state) {
    switch (state) {
        case LampState::Green:
            return {0x00, 0x9e, 0x73};
        case LampState::Amber:
            return {0xe6, 0x9f, 0x00};
        case LampState::Red:
            return {0xd5, 0x2a, 0x00};
        case LampState::None:
            break;
    }
    return {0x99, 0x99, 0x99};
}

QString lampWords(LampState state) {
    switch (state) {
        case LampState::Green:
            return QObject::tr("ok");
        case LampState::Amber:
            return QObject::tr("rounding");
        case LampState::Red:
            return QObject::tr("wrong");
        case LampState::None:
            break;
    }
    return QObject::tr("nothing to compare with");
}

LampState lampOf(const OpenModel& model) {
    if (!model.runs()) return LampState::Red;
    return model.check ? model.check->overall : LampState::None;
}

QString lampText(const OpenModel& model) {
    if (!model.runs() || !model.hasHeads()) return {};
    return QObject::tr("check: %1").arg(stateWords(model));
}

QString stateWords(const OpenModel& model) {
    if (!model.runs()) return QObject::tr("cannot be computed with");
    if (!model.hasHeads()) return QObject::tr("not checked");
    if (!model.check) return QObject::tr("running");
    return model.check->overall == LampState::Green ? QObject::tr("all ok") : lampWords(model.check->overall);
}

QString rowText(const SelfCheckRow& row) {
    const QString text = QString::fromStdString(row.title) + QStringLiteral(": ") + lampWords(row.state);
    if (row.state == LampState::None || std::isnan(row.value)) return text;
    return text + QObject::tr(", %1, bound %2").arg(shortNumber(row.value), shortNumber(row.bound));
}

}  // namespace ropescope
