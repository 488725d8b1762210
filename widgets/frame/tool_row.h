// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QTimer>
#include <QWidget>

class QToolButton;

namespace ropescope {

/// One row of controls that never breaks: groups of a label and its controls stay together, those without room move,
/// the last ones first, into a panel that opens below the button at the row's end.
class ToolRow : public QWidget {
    Q_OBJECT
public:
    explicit ToolRow(QWidget* parent = nullptr);

    /// `label` may be empty. A group whose controls are all hidden takes no room.
    void addGroup(const QString& label, const QList<QWidget*>& controls);
    void addWidget(QWidget* control) { addGroup({}, {control}); }
    [[nodiscard]] QToolButton* moreButton() const { return m_more; }  ///< visible where something has no room
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

protected:
    void resizeEvent(QResizeEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Group {
        QWidget* box;
        QList<QWidget*> controls;
    };
    void arrange();
    void openPanel();
    void closePanel();
    [[nodiscard]] static bool isUsed(const Group& group);

    QList<Group> m_groups;
    int m_fitting = 0;  ///< used groups that have room
    QToolButton* m_more;
    QWidget* m_panel;
    QTimer m_pause;
};

}  // namespace ropescope
