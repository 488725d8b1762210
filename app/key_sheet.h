// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QList>

class QAction;

namespace ropescope {

/// All keys on one sheet: those of the window's commands, and those that views understand.
class KeySheet : public QDialog {
    Q_OBJECT
public:
    KeySheet(const QList<QAction*>& actions, QWidget* parent);
};

}  // namespace ropescope
