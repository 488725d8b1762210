// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>

namespace ropescope {

struct WindowOptions {
    QStringList engine;   ///< command that starts the engine
    QStringList files;    ///< opened instead of those of the last session
    QString sessionFile;  ///< where the session is kept
    QString keepFolder;   ///< where finished pictures are kept; empty: nowhere
};

}  // namespace ropescope
