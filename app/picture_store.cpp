// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/picture_store.h"

#include <QDateTime>
#include <QDir>
#include <utility>

namespace ropescope {

PictureStore::PictureStore(EngineClient& engine, QString folder, QObject* parent)
    : QObject(parent), m_engine(engine), m_folder(std::move(folder)) {}

void PictureStore::keep(const GenerateResult& result) {
    if (!m_keeps || m_folder.isEmpty()) return;
    QDir().mkpath(m_folder);
    const QString moment = QDateTime::currentDateTime().toString("yyyyMMdd-HHmmss-zzz");
    for (std::size_t i = 0; i < result.images.size(); ++i) {
        const GeneratedImage& image = result.images[i];
        QString name = QString("%1-%2-seed%3.png").arg(moment).arg(i, 2, 10, QChar('0')).arg(image.seed);
        while (QFileInfo::exists(QDir(m_folder).filePath(name))) name.prepend("again-");
        const QString file = QDir(m_folder).filePath(name);
        const GeneratedImage named{image.seed, image.label, {}, image.recipe};
        const SavePngRequest request{file.toStdString(), image.pixels, image.recipe};
        m_engine.request(request, "", [this, named, file](const Result<Reply>& reply) {
            if (reply) {
                m_saidFailure = false;
                emit kept(named, file);
                return prune();
            }
            if (reply.error().kind != ErrorKind::Cancelled && !std::exchange(m_saidFailure, true))
                emit failed(reply.error());
        });
    }
}

void PictureStore::prune() {
    const QDir folder(m_folder);
    // Listing without the times is all that is needed nearly always.
    if (folder.entryList({"*.png"}, QDir::Files, QDir::Unsorted).size() <= kMost) return;
    const QStringList names = folder.entryList({"*.png"}, QDir::Files, QDir::Time | QDir::Reversed);  // oldest first
    QStringList gone;
    for (qsizetype i = 0; i < names.size() - kMost; ++i) {
        const QString file = folder.filePath(names[i]);
        if (QFile::remove(file)) gone.append(file);
    }
    if (!gone.isEmpty()) emit pruned(gone);
}

QString keptPicturesFolder() {
    const QString own = qEnvironmentVariable("XDG_STATE_HOME");
    return (own.startsWith('/') ? own : QDir::homePath() + "/.local/state") + "/ropescope/pictures";
}

}  // namespace ropescope
