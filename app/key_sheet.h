// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QList>
#include <QString>

class QAction;
class QTextBrowser;

namespace ropescope {

/// A section that stands before the keys, e.g. about the active view.
struct SheetSection {
    QString title;
    QString text;
};

/// All keys on one sheet: those of the window's commands by their menus, and those that views understand.
class KeySheet : public QDialog {
    Q_OBJECT
public:
    KeySheet(const QList<QAction*>& actions, QWidget* parent, const SheetSection& first = {});

    [[nodiscard]] QTextBrowser& page() const { return *m_page; }

private:
    QTextBrowser* m_page;
};

}  // namespace ropescope
