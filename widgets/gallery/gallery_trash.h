// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>

namespace ropescope {

/// A file that was taken away so that it can be brought back.
struct TrashedFile {
    QString file;       ///< where it was; empty: there was none
    QString inTrash;    ///< where it is; empty where there is no trash
    QByteArray bytes;   ///< its content where there is no trash
    QString problem{};  ///< why it is still there; empty: it is taken away
};

/// Moves the file to the trash. Where there is none it is deleted and its content kept in memory.
[[nodiscard]] TrashedFile takeAway(const QString& file);
/// Puts the file back where it was; false when that cannot be done.
[[nodiscard]] bool bringBack(const TrashedFile& trashed);

}  // namespace ropescope
