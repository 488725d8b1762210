// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAction>
#include <QFile>
#include <QStandardPaths>
#include <QTest>
#include <memory>

#include "app/main_window.h"
#include "tests/app/fake_script.h"

namespace ropescope::test {

/// The whole window over the scripted engine (fake_engine.cpp).
class WindowFixture : protected FakeScript {
protected:
    [[nodiscard]] QString sessionFile() const { return folder().filePath("session.json"); }
    [[nodiscard]] std::unique_ptr<MainWindow> window(const QStringList& files) {
        auto window = std::make_unique<MainWindow>(
            WindowOptions{{ROPESCOPE_BIN_DIR "/fake_engine"}, files, sessionFile(), folder().filePath("kept")});
        window->show();
        return window;
    }
    static QAction* action(MainWindow& window, const QString& text) {
        for (QAction* action : window.findChildren<QAction*>()) {
            if (action->text().remove('&') == text) return action;
        }
        return nullptr;
    }
    static bool ready(MainWindow& window) {
        const HeadRef current = window.selection().current();
        return current.model >= 0 && window.models().head(current);
    }

    void setUpCase() const {
        QStandardPaths::setTestModeEnabled(true);
        qputenv("ROPESCOPE_RESOURCES", folder().path().toUtf8());
    }
    void cleanUp() const { QFile::remove(sessionFile()); }
};

}  // namespace ropescope::test
