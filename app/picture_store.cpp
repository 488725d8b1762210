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
        const SavePngRequest request{QDir(m_folder).filePath(name).toStdString(), image.pixels, image.recipe};
        m_engine.request(request, "", [this](const Result<Reply>& reply) {
            if (reply) {
                m_saidFailure = false;
                return prune();
            }
            if (reply.error().kind != ErrorKind::Cancelled && !std::exchange(m_saidFailure, true))
                emit failed(reply.error());
        });
    }
}

void PictureStore::prune() {
    const QDir folder(m_folder);
    const QStringList names = folder.entryList({"*.png"}, QDir::Files, QDir::Time | QDir::Reversed);  // oldest first
    for (qsizetype i = 0; i < names.size() - kMost; ++i) QFile::remove(folder.filePath(names[i]));
}

QString keptPicturesFolder() {
    const QString own = qEnvironmentVariable("XDG_STATE_HOME");
    return (own.startsWith('/') ? own : QDir::homePath() + "/.local/state") + "/ropescope/pictures";
}

}  // namespace ropescope
