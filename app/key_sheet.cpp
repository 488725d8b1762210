// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/key_sheet.h"

#include <QAction>
#include <QHeaderView>
#include <QTableWidget>
#include <QVBoxLayout>

namespace ropescope {
namespace {

struct ViewKey {
    const char* keys;
    const char* what;
};
constexpr ViewKey kViewKeys[] = {
    {"Arrows", "Atlas: move to the next head"},
    {"Shift+Arrows", "Atlas: select more heads"},
    {"Click", "Select a head; Ctrl adds it, Shift selects a range, dragging selects many"},
    {"Tab", "Move through the controls"},
};

}  // namespace

KeySheet::KeySheet(const QList<QAction*>& actions, QWidget* parent) : QDialog(parent) {
    setWindowTitle("Keys");
    setAttribute(Qt::WA_DeleteOnClose);
    QList<std::pair<QString, QString>> rows;
    for (const QAction* action : actions) {
        if (action->shortcut().isEmpty()) continue;
        rows.emplaceBack(action->shortcut().toString(QKeySequence::NativeText), action->text().remove('&'));
    }
    for (const ViewKey& key : kViewKeys) rows.emplaceBack(key.keys, key.what);
    auto* table = new QTableWidget(static_cast<int>(rows.size()), 2, this);
    table->setHorizontalHeaderLabels({"Key", "Does"});
    table->verticalHeader()->hide();
    table->setEditTriggers(QTableWidget::NoEditTriggers);
    table->setSelectionMode(QTableWidget::NoSelection);
    for (int i = 0; i < rows.size(); ++i) {
        table->setItem(i, 0, new QTableWidgetItem(rows[i].first));
        table->setItem(i, 1, new QTableWidgetItem(rows[i].second));
    }
    table->resizeColumnsToContents();
    table->horizontalHeader()->setStretchLastSection(true);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(table);
    resize(560, 560);
}

}  // namespace ropescope
