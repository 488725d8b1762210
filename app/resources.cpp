// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/resources.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>

namespace ropescope {

QString resourcesFolder() {
    const QString told = qEnvironmentVariable("ROPESCOPE_RESOURCES");
    if (!told.isEmpty()) return told;
    QDir folder(QCoreApplication::applicationDirPath());
    const QString installed = folder.absoluteFilePath("../share/ropescope");
    do {
        if (folder.exists("resources/models")) return folder.absoluteFilePath("resources");
    } while (folder.cdUp());
    return QFileInfo(installed).isDir() ? QDir::cleanPath(installed) : QString();
}

QStringList shippedModels() {
    const QString folder = resourcesFolder();
    if (folder.isEmpty()) return {};
    const QDir models(folder + "/models");
    QStringList names = models.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name);
    if (names.removeAll("fashion-harope") > 0) names.prepend("fashion-harope");
    QStringList files;
    for (const QString& name : names) {
        const QString file = models.absoluteFilePath(name + "/model.safetensors");
        if (QFileInfo::exists(file)) files.append(file);
    }
    return files;
}

QStringList defaultEngine() {
    return {QCoreApplication::applicationDirPath() + "/ropescope-engine", "serve"};
}

}  // namespace ropescope
