// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <QPointer>
#include <functional>
#include <vector>

class QLineEdit;
class QListWidget;

namespace ropescope {

/// One thing that can be found by its name.
struct PaletteEntry {
    QString text;
    QString kind;  ///< "command", "view", "setting", "model", "head"; shown in a column of its own
    QString keys;  ///< its shortcut, as text
    std::function<void()> run;
};

/// Entries that contain every word of `pattern`, those where a word starts a word first; "4.2" finds L4.H2.
/// Checked by tests/app/command_palette_test.cpp.
[[nodiscard]] std::vector<int> matching(const std::vector<PaletteEntry>& entries, const QString& pattern);

/// A field and a list over the window: type, arrows, Enter; Esc closes. What had the keyboard has it again afterwards,
/// unless what was run took it elsewhere.
class CommandPalette : public QFrame {
    Q_OBJECT
public:
    explicit CommandPalette(QWidget* window);

    void open(std::vector<PaletteEntry> entries);
    void dismiss();
    [[nodiscard]] QLineEdit* field() const { return m_field; }
    [[nodiscard]] QListWidget* list() const { return m_list; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void refresh();
    void runCurrent();
    bool keyPressed(int key);

    std::vector<PaletteEntry> m_entries;
    std::vector<int> m_shown;  ///< indices into m_entries, in the order of the rows
    QLineEdit* m_field;
    QListWidget* m_list;
    QPointer<QWidget> m_before;  ///< had the keyboard when the palette was opened
};

}  // namespace ropescope
