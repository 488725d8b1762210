// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <functional>
#include <vector>

class QLineEdit;
class QListWidget;

namespace ropescope {

/// One thing that can be found by its name: a command, a head, a model.
struct PaletteEntry {
    QString text;
    QString kind;  ///< "command", "head", "model"; shown small
    QString keys;  ///< its shortcut, as text
    std::function<void()> run;
};

/// Entries that contain every word of `pattern`, those where a word starts a word first; "4.2" finds L4.H2.
/// Checked by tests/app/command_palette_test.cpp.
[[nodiscard]] std::vector<int> matching(const std::vector<PaletteEntry>& entries, const QString& pattern);

/// A field and a list over the window: type, arrows, Enter; Esc closes.
class CommandPalette : public QFrame {
    Q_OBJECT
public:
    explicit CommandPalette(QWidget* window);

    void open(std::vector<PaletteEntry> entries);
    [[nodiscard]] QLineEdit* field() const { return m_field; }
    [[nodiscard]] QListWidget* list() const { return m_list; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void refresh();
    void runCurrent();

    std::vector<PaletteEntry> m_entries;
    std::vector<int> m_shown;
    QLineEdit* m_field;
    QListWidget* m_list;
};

}  // namespace ropescope
