// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/pickle_value.h"

#include <cstdio>

#include "core/data/error.h"

namespace ropescope {

PickleId PickleTree::add(PickleNode node) {
    m_nodes.push_back(node);
    return static_cast<PickleId>(m_nodes.size() - 1);
}

PickleId PickleTree::addList(PickleKind kind, std::vector<PickleId> items) {
    PickleNode node;
    node.kind = kind;
    node.items = static_cast<std::uint32_t>(m_lists.size());
    m_lists.push_back(std::move(items));
    return add(node);
}

PickleId PickleTree::addText(PickleKind kind, std::string_view text) {
    PickleNode node;
    node.kind = kind;
    node.slice = {static_cast<std::uint32_t>(text.data() - m_bytes.data()), static_cast<std::uint32_t>(text.size())};
    return add(node);
}

PickleId PickleTree::addName(PickleKind kind, std::string text) {
    PickleNode node;
    node.kind = kind;
    m_names.push_back(std::move(text));
    node.items = static_cast<std::uint32_t>(m_names.size());
    return add(node);
}

PickleId PickleTree::get(PickleId dict, std::string_view key) const {
    if (kind(dict) != PickleKind::Dict && kind(dict) != PickleKind::Record) return npos;
    const auto& pairs = items(dict);
    for (std::size_t i = pairs.size(); i >= 2; i -= 2) {
        if (kind(pairs[i - 2]) == PickleKind::Text && text(pairs[i - 2]) == key) return pairs[i - 1];
    }
    return npos;
}

std::string PickleTree::repr(PickleId id, int depth) const {
    const PickleNode& node = m_nodes[id];
    constexpr std::size_t kShown = 16;
    switch (node.kind) {
        case PickleKind::None:
            return "None";
        case PickleKind::Bool:
            return node.number ? "True" : "False";
        case PickleKind::Int:
            return std::to_string(node.number);
        case PickleKind::BigInt:
            return "(big integer)";
        case PickleKind::Float: {
            char buffer[32];
            std::snprintf(buffer, sizeof buffer, "%.12g", node.real);
            return buffer;
        }
        case PickleKind::Text:
            return printable(text(id), 200);
        case PickleKind::Bytes:
            return "(bytes)";
        case PickleKind::Global:
        case PickleKind::Inert:
            return "(" + printable(text(node.kind == PickleKind::Global ? id : items(id)[0])) + ")";
        case PickleKind::Storage:
        case PickleKind::Tensor:
            return "(tensor)";
        default:
            break;
    }
    const bool pairs = node.kind == PickleKind::Dict || node.kind == PickleKind::Record;
    if (depth == 0) return "...";
    std::string out = pairs ? "{" : "[";
    const auto& all = items(id);
    for (std::size_t i = 0; i < all.size() && i < kShown; ++i) {
        if (i > 0) out += pairs && i % 2 ? ": " : ", ";
        out += repr(all[i], depth - 1);
    }
    if (all.size() > kShown) out += ", ...";
    return out + (pairs ? "}" : "]");
}

}  // namespace ropescope
