// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QMap>
#include <QString>
#include <QStringList>
#include <array>
#include <optional>
#include <vector>

#include "core/data/generation.h"
#include "core/data/model.h"
#include "widgets/state/kept_settings.h"

namespace ropescope {

enum class Appearance { Desktop, Light, Dark };

/// The docks' places: of the window and of the views inside it (QMainWindow::saveState).
struct DockLayout {
    QByteArray window;
    QByteArray views;
};

/// What the window remembers from one start to the next. Kept in one JSON file that is replaced as a whole.
struct Session {
    std::vector<ModelRef> models;                ///< in the order of the tree
    int currentModel = -1;                       ///< index into models
    std::vector<HeadId> selected;                ///< heads of the current model
    std::vector<std::pair<int, HeadId>> pinned;  ///< index into models, head
    QStringList recentFiles;                     ///< newest first
    QMap<QString, ModelRef> answers;             ///< the user's, by file (ModelLoader)
    QByteArray geometry;
    DockLayout layout;
    QMap<QString, DockLayout> userLayouts;
    Appearance appearance = Appearance::Desktop;
    QString device = "auto";
    bool keepPictures = true;  ///< finished ones, as they are made
    // Settings as widgets/state/kept_settings.h has them; of their models only the LoRAs are kept, no noise of files.
    std::array<GenerateRequest, kPictureKinds> generate;  ///< by kind
};

inline constexpr int kRecentFiles = 12;

/// Where the session lives: <configuration folder>/session.json.
[[nodiscard]] QString sessionPath();

struct LoadedSession {
    Session session;
    QString note;  ///< not empty: the file was broken, a copy is kept as session.json.bad, defaults are used
};
/// A missing file gives the defaults; a broken, huge or future one too, with a note. Checked by
/// tests/app/session_test.cpp.
[[nodiscard]] LoadedSession loadSession(const QString& path);
/// False when the file cannot be written (read-only home): the window works on without a memory.
bool saveSession(const QString& path, const Session& session);

/// Puts a file first in the list of recent ones, once, at most kRecentFiles.
void remember(QStringList& recentFiles, const QString& path);

}  // namespace ropescope
