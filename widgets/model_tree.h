// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>

#include "widgets/open_models.h"
#include "widgets/selection.h"

class QMenu;
class QPushButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace ropescope {

/// Open models > layers > heads, with what was inferred, assumed or not understood of each, and a place to drop files.
class ModelTree : public QWidget {
    Q_OBJECT
public:
    ModelTree(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    [[nodiscard]] QTreeWidget* tree() const { return m_tree; }
    [[nodiscard]] QString lampText(int model) const;  ///< "check: all ok"; empty where nothing is checked
    void fillMenu(QMenu& menu, HeadRef row);          ///< what a right click offers; layer and head -1: the model's row

signals:
    void filesDropped(const QStringList& paths);
    void openRequested();  ///< the drop zone was clicked
    void closeRequested(int model);
    void modelActivated(int model);                         ///< a model's row was chosen
    void problemActivated(int model);                       ///< the row that says why it does not run
    void weightsRequested(int model, const QString& copy);  ///< the same file with another copy of its weights
    void waiveRequested(int model);                         ///< compute without the tensors that are not understood
    void answersForgotten(int model);                       ///< ask again what the file does not say

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void rebuild();
    void addModel(int key, const OpenModel& model);
    void addState(QTreeWidgetItem* top, int key, const OpenModel& model);
    void fillModelMenu(QMenu& menu, int key, const OpenModel& model);
    void showMarks(int model);
    void showLamp(int model);
    [[nodiscard]] QTreeWidgetItem* lampItem(int model) const;
    void showSelection();
    void takeSelection();
    void setWaiting(bool waiting);  ///< something that can be dropped is over the tree
    void openMenu(QPoint position);
    [[nodiscard]] QTreeWidgetItem* modelItem(int model) const;

    OpenModels& m_models;
    Selection& m_selection;
    QTreeWidget* m_tree;
    QPushButton* m_dropZone;
    bool m_following = false;  ///< the tree is being set from the selection
};

}  // namespace ropescope
