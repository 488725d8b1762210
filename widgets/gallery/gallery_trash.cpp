// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery/gallery_trash.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QSaveFile>

namespace ropescope {
namespace {

/// The trash of a desktop says in a file beside it where the file was.
void removeTrashInfo(const QString& inTrash) {
    const QFileInfo left(inTrash);
    QFile::remove(left.dir().filePath(QStringLiteral("../info/") + left.fileName() + QStringLiteral(".trashinfo")));
}

/// Where no trash can be made, Qt 6.4 moves the file into folders "files" and "info" of the working folder.
bool movedToTrash(const QString& file, QString& inTrash) {
    if (!QFile::moveToTrash(file, &inTrash)) return false;
    inTrash = QFileInfo(inTrash).absoluteFilePath();
    if (inTrash.contains(QStringLiteral("/Trash")) || inTrash.contains(QStringLiteral("/.Trash"))) return true;
    if (!QFile::rename(inTrash, file)) return true;  // still a place from which it can come back
    removeTrashInfo(inTrash);
    QDir working = QFileInfo(inTrash).dir();
    working.cdUp();
    for (const char* made : {"files", "info"}) working.rmdir(QLatin1String(made));
    return false;
}

}  // namespace

TrashedFile takeAway(const QString& file) {
    if (file.isEmpty() || !QFileInfo::exists(file)) return {};
    TrashedFile out{file, {}, {}};
    if (movedToTrash(file, out.inTrash)) return out;
    out.inTrash.clear();
    QFile source(file);
    if (source.open(QIODevice::ReadOnly)) out.bytes = source.readAll();
    const bool whole = source.error() == QFileDevice::NoError;
    source.close();
    if (!whole || !source.remove()) out.problem = source.errorString();
    return out;
}

bool bringBack(const TrashedFile& trashed) {
    if (trashed.file.isEmpty()) return true;
    QDir().mkpath(QFileInfo(trashed.file).path());
    if (trashed.inTrash.isEmpty()) {
        QSaveFile target(trashed.file);
        return target.open(QIODevice::WriteOnly) && target.write(trashed.bytes) == trashed.bytes.size() &&
               target.commit();
    }
    if (!QFile::rename(trashed.inTrash, trashed.file)) return false;
    removeTrashInfo(trashed.inTrash);
    return true;
}

}  // namespace ropescope
