// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>

#include "app/engine_client.h"
#include "core/data/generation.h"

namespace ropescope {

/// Keeps finished pictures, with their recipes, as they are made: PNG files in one folder, the newest kMost of them.
class PictureStore : public QObject {
    Q_OBJECT
public:
    static constexpr int kMost = 5000;

    /// `folder` empty: nothing is kept.
    PictureStore(EngineClient& engine, QString folder, QObject* parent = nullptr);

    void setKeeping(bool keeps) { m_keeps = keeps; }
    [[nodiscard]] bool isKeeping() const { return m_keeps; }
    [[nodiscard]] const QString& folder() const { return m_folder; }
    void keep(const GenerateResult& result);

signals:
    void kept(const ropescope::GeneratedImage& image, const QString& file);  ///< the image without its pixels
    void pruned(const QStringList& files);                                   ///< deleted, as too many were kept
    void failed(const ropescope::Error& error);                              ///< once, until one is kept again

private:
    void prune();

    EngineClient& m_engine;
    QString m_folder;
    bool m_keeps = true;
    bool m_saidFailure = false;
};

/// <state folder>/ropescope/pictures: $XDG_STATE_HOME, else ~/.local/state.
[[nodiscard]] QString keptPicturesFolder();

}  // namespace ropescope
