// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QKeySequence>
#include <QObject>
#include <functional>

class QAction;
class QMenu;

namespace ropescope {

class MainWindow;

/// Menus and keys of the window. Every entry does something; each is found in the palette and on the key sheet too.
class WindowActions : public QObject {
    Q_OBJECT
public:
    explicit WindowActions(MainWindow& window);

private:
    QAction* add(QMenu* menu, const QString& text, const QKeySequence& keys, std::function<void()> run);
    void buildFile();
    void buildEdit();
    void buildView();
    void buildLayouts(QMenu* menu);
    void buildHeads();
    void buildGenerate();
    void buildTools();
    void fillRecent(QMenu* menu);
    void fillLayouts();
    void saveLayoutAs();
    void openPalette();
    void selectLayer();
    void stepHead(int by);
    void selectPinned(int index);
    void escape();

    MainWindow& m_window;
    QMenu* m_userLayouts = nullptr;
    QList<QAction*> m_actions;
};

}  // namespace ropescope
