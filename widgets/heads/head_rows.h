// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

namespace ropescope {

// What the head panel's table says, as words: made of the results and the selection, without any drawing.

struct HeadColumn {
    HeadRef head;
    QString model;  ///< its model's name where several are open
    int colour = -1;
    bool current = false;
    bool pinned = false;
    QString problem;  ///< not empty: the head is marked, its numbers are not valid
    [[nodiscard]] QString name() const { return QString::fromStdString(head.id.name()); }
    [[nodiscard]] bool isMarked() const { return !problem.isEmpty(); }
};

/// One number: its name with unit and gauge mark, and what each column shows.
struct HeadRow {
    QString key;
    QString name;
    QStringList cells;
};

struct HeadGroup {
    QString title;
    std::vector<HeadRow> rows;
};

struct HeadRows {
    std::vector<HeadColumn> columns;
    std::vector<HeadGroup> groups;   ///< those that have rows
    std::vector<HeadRow> undefined;  ///< without a value in any column
    QStringList reasons;             ///< why, each once with the count of its rows where there are several
};
/// Rows in the order of the Atlas. Checked by tests/widgets/head_rows_test.cpp.
[[nodiscard]] HeadRows headRows(const OpenModels& models, const Selection& selection);

/// Name, definition, source and neutral value of a number, and for one head what its error or its absence means.
[[nodiscard]] QString numberTip(const OpenModels& models, const QString& key, HeadRef head);
/// Value with unit; "not known" where there is none, empty where the head's model has no such number.
[[nodiscard]] QString numberWithUnit(const OpenModels& models, const QString& key, HeadRef head);

}  // namespace ropescope
