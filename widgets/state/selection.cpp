// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/selection.h"

#include <algorithm>
#include <set>

#include "core/data/colour.h"

namespace ropescope {
namespace {

/// More heads cannot be told apart side by side.
constexpr std::size_t kMostShown = 24;

bool holds(const std::vector<HeadRef>& heads, HeadRef head) {
    return std::find(heads.begin(), heads.end(), head) != heads.end();
}

void removeOfModel(std::vector<HeadRef>& heads, int model) {
    std::erase_if(heads, [model](HeadRef head) { return head.model == model; });
}

}  // namespace

std::vector<HeadRef> Selection::shown() const {
    std::vector<HeadRef> all = m_pinned;
    for (HeadRef head : m_heads) {
        if (!holds(all, head)) all.push_back(head);
    }
    if (all.size() > kMostShown) {
        all.resize(kMostShown);
        if (holds(m_heads, m_current) && !holds(all, m_current)) all.back() = m_current;
    }
    return all;
}

bool Selection::contains(HeadRef head) const {
    return holds(m_heads, head);
}

bool Selection::isPinned(HeadRef head) const {
    return holds(m_pinned, head);
}

int Selection::colourIndex(HeadRef head) const {
    const auto found = m_colours.find(head);
    return found == m_colours.end() ? -1 : found->second;
}

void Selection::select(HeadRef head) {
    selectAll({head});
}

void Selection::selectAll(const std::vector<HeadRef>& heads) {
    m_heads.clear();
    for (HeadRef head : heads) {
        if (!holds(m_heads, head)) m_heads.push_back(head);
    }
    if (!heads.empty()) m_current = heads.back();
    settle();
}

void Selection::toggle(HeadRef head) {
    if (holds(m_heads, head)) {
        std::erase(m_heads, head);
        if (m_current == head && !m_heads.empty()) m_current = m_heads.back();
    } else {
        m_heads.push_back(head);
        m_current = head;
    }
    settle();
}

void Selection::add(HeadRef head) {
    if (!holds(m_heads, head)) m_heads.push_back(head);
    m_current = head;
    settle();
}

void Selection::togglePin(HeadRef head) {
    if (holds(m_pinned, head)) {
        std::erase(m_pinned, head);
    } else {
        m_pinned.push_back(head);
    }
    settle();
}

void Selection::removeModel(int model) {
    removeOfModel(m_heads, model);
    removeOfModel(m_pinned, model);
    if (m_current.model == model)
        m_current = !m_heads.empty() ? m_heads.back() : !m_pinned.empty() ? m_pinned.back() : HeadRef{};
    settle();
}

void Selection::clear() {
    m_heads.clear();
    m_current = {};
    settle();
}

void Selection::settle() {
    const std::vector<HeadRef> all = shown();
    std::erase_if(m_colours, [&all](const auto& entry) { return !holds(all, entry.first); });
    std::set<int> taken;
    for (const auto& [head, colour] : m_colours) taken.insert(colour);
    // A repeated colour gives way where one of its own is free.
    const auto repeats = [&](HeadRef head) {
        return m_colours.at(head) >= kCategoricalColours && static_cast<int>(all.size()) <= kCategoricalColours;
    };
    for (HeadRef head : all) {
        if (m_colours.contains(head) && !repeats(head)) continue;
        if (m_colours.contains(head)) taken.erase(m_colours.at(head));
        int free = 0;
        while (taken.contains(free)) ++free;
        m_colours[head] = free;
        taken.insert(free);
    }
    emit changed();
}

}  // namespace ropescope
