// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <map>
#include <vector>

#include "core/data/model.h"

namespace ropescope {

/// One head of one open model. `model` is the key that OpenModels::add gave, never reused in a session.
struct HeadRef {
    int model = -1;
    HeadId id;
    auto operator<=>(const HeadRef&) const = default;
};

/// The one selection that all views share: an ordered list of heads, the current head, and the pinned heads.
///
/// Every shown head (pinned or selected) holds a colour index that stays the same as long as it is shown, so that a
/// head has one colour in every view of a moment. Checked by tests/widgets/selection_test.cpp.
class Selection : public QObject {
    Q_OBJECT
public:
    explicit Selection(QObject* parent = nullptr) : QObject(parent) {}

    [[nodiscard]] const std::vector<HeadRef>& heads() const { return m_heads; }
    [[nodiscard]] const std::vector<HeadRef>& pinned() const { return m_pinned; }
    /// The last head that was selected; model -1 when nothing is.
    [[nodiscard]] HeadRef current() const { return m_current; }
    /// Pinned heads first, then the other selected ones: what the views draw side by side.
    [[nodiscard]] std::vector<HeadRef> shown() const;
    [[nodiscard]] bool contains(HeadRef head) const;
    [[nodiscard]] bool isPinned(HeadRef head) const;
    /// 0.. for shown heads (lowest free index when the head came), -1 for others.
    [[nodiscard]] int colourIndex(HeadRef head) const;

    void select(HeadRef head);                          ///< this head alone
    void selectAll(const std::vector<HeadRef>& heads);  ///< these heads; the last becomes current
    void toggle(HeadRef head);                          ///< adds or removes one head
    void add(HeadRef head);                             ///< adds it and makes it current
    void togglePin(HeadRef head);
    void removeModel(int model);  ///< forgets the heads of a closed model; a pinned one may become current
    void clear();                 ///< pinned heads stay

signals:
    void changed();

private:
    void settle();  ///< gives colours, frees those of heads no longer shown, tells the views

    std::vector<HeadRef> m_heads;
    std::vector<HeadRef> m_pinned;
    HeadRef m_current;
    std::map<HeadRef, int> m_colours;
};

}  // namespace ropescope
