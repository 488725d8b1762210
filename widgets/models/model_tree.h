// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>

#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

class QItemSelection;
class QMenu;
class QPushButton;
class QSplitter;
class QTreeWidget;
class QTreeWidgetItem;

namespace ropescope {

class ModelCardPanel;

/// Open models > layers > heads, below them the card of one model with all that is known of it, and a place to drop
/// files. The card follows the chosen rows and the current head.
class ModelTree : public QWidget {
    Q_OBJECT
public:
    ModelTree(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    [[nodiscard]] QTreeWidget* tree() const { return m_tree; }
    [[nodiscard]] ModelCardPanel& card() const { return *m_card; }
    [[nodiscard]] QString lampText(int model) const;  ///< "check: all ok"; empty where nothing is checked
    void fillMenu(QMenu& menu, HeadRef row);          ///< what a right click offers; layer and head -1: the model's row
    void setModel(int model);                         ///< whose card is shown
    /// Files that are being opened: grey rows below the models.
    void setOpening(const QStringList& fileNames);

signals:
    void filesDropped(const QStringList& paths);
    void openRequested();  ///< the drop zone was clicked
    void closeRequested(int model);
    void modelActivated(int model);                         ///< a model's row was chosen
    void problemActivated(int model);                       ///< what says why it does not run was clicked
    void weightsRequested(int model, const QString& copy);  ///< the same file with another copy of its weights
    void waiveRequested(int model);                         ///< compute without the tensors that are not understood
    void answersForgotten(int model);                       ///< ask again what the file does not say

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void connectSignals();
    void followModels();
    void addModel(int key, const OpenModel& model);
    void fillModelMenu(QMenu& menu, int key, const OpenModel& model);
    void showMarks(int model);
    void showLamp(int model);
    void showChanges(int model);
    void followSelection();
    void showSelection();
    void showColours();
    void takeSelection();
    void foldCard(bool folded);
    void setWaiting(bool waiting);  ///< something that can be dropped is over the tree
    void openMenu(QPoint position);
    [[nodiscard]] QTreeWidgetItem* modelItem(int model) const;
    [[nodiscard]] QTreeWidgetItem* headItem(HeadRef head) const;
    [[nodiscard]] QItemSelection rowsOf(std::vector<HeadRef> heads) const;

    OpenModels& m_models;
    Selection& m_selection;
    QTreeWidget* m_tree;
    ModelCardPanel* m_card;
    QSplitter* m_splitter;
    QPushButton* m_dropZone;
    HeadRef m_current;                ///< the current head that was shown last
    std::vector<HeadRef> m_coloured;  ///< heads whose rows wear a dot
    int m_openHeight = 0;             ///< of the card, before it was folded
    bool m_following = false;         ///< the tree is being set from the selection
};

}  // namespace ropescope
