// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>

#include "widgets/open_models.h"
#include "widgets/selection.h"

class QLabel;
class QPushButton;
class QTableWidget;

namespace ropescope {

class HeadChips;

/// Details of the current head: every number of the Atlas with its unit, its definition as a tooltip, its label (of the
/// map, of the head) and, where it depends on the gauge, a mark.
class HeadPanel : public QWidget {
    Q_OBJECT
public:
    HeadPanel(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    [[nodiscard]] QString drawnText(const QString& key) const;  ///< value with unit as shown, by HeadNumber::key
    [[nodiscard]] QString title() const;
    [[nodiscard]] QPushButton* pinButton() const { return m_pin; }
    [[nodiscard]] QPushButton* measureButton() const { return m_measure; }

signals:
    void measureRequested();  ///< the user wants the model measured on images

private:
    void refresh();
    [[nodiscard]] QString stateText(HeadRef head) const;
    void fillRow(int row, HeadRef head);

    OpenModels& m_models;
    Selection& m_selection;
    QLabel* m_title;
    QLabel* m_state;
    QPushButton* m_pin;
    QPushButton* m_measure;
    HeadChips* m_chips;
    QTableWidget* m_table;
    QStringList m_keys;  ///< HeadNumber::key of every row
};

}  // namespace ropescope
