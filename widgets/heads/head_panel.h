// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

class QLabel;
class QPushButton;

namespace ropescope {

class ElidedLabel;
class HeadTable;

/// Numbers of the shown heads side by side, with unit, label (of the map, of the head), definition as a tooltip and,
/// where one depends on the gauge, a mark. Above them the current head: its name, its state, whether it is pinned.
class HeadPanel : public QWidget {
    Q_OBJECT
public:
    HeadPanel(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    /// Of the current head: value with unit as shown, by HeadNumber::key.
    [[nodiscard]] QString drawnText(const QString& key) const;
    [[nodiscard]] QString title() const;
    [[nodiscard]] HeadTable& table() const { return *m_table; }
    [[nodiscard]] QPushButton* pinButton() const { return m_pin; }
    [[nodiscard]] QPushButton* measureButton() const { return m_measure; }

signals:
    void measureRequested();  ///< the user wants the model measured on images

private:
    void buildLayout();
    void connectSignals();
    void refresh();
    void showButtons(const OpenModel* model);
    [[nodiscard]] QString stateText(HeadRef head) const;

    OpenModels& m_models;
    Selection& m_selection;
    ElidedLabel* m_title;  ///< the head's name ...
    ElidedLabel* m_model;  ///< ... and its model's, where several are open
    QLabel* m_state;
    QPushButton* m_pin;
    QPushButton* m_measure;
    HeadTable* m_table;
};

}  // namespace ropescope
