// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ropescope {

// The inert result of reading a pickle. Nothing is ever called; a value is an index into one arena, so sharing,
// memo bombs and cycles cost nothing.

enum class PickleKind : std::uint8_t {
    None,
    Bool,     ///< number
    Int,      ///< number
    BigInt,   ///< does not fit 64 bits; its value is not kept
    Float,    ///< real
    Text,     ///< text
    Bytes,    ///< text
    Tuple,    ///< items
    List,     ///< items
    Set,      ///< items
    Dict,     ///< items: key, value, key, value ...
    Global,   ///< text: "module name"
    Storage,  ///< items: the persistent id's five parts
    Tensor,   ///< items: the arguments of _rebuild_tensor_v2 (storage, offset, size, stride, ...)
    Record,   ///< items as Dict: an argparse.Namespace
    Inert,    ///< items: callable, arguments. A call that was named and not run
};

using PickleId = std::uint32_t;

struct PickleNode {
    PickleKind kind = PickleKind::None;
    std::uint32_t items = 0;  ///< index into PickleTree::lists for kinds with items
    union {
        std::int64_t number = 0;
        double real;
        struct {
            std::uint32_t begin, length;  ///< in the pickle's bytes
        } slice;
    };
};

class PickleTree {
public:
    explicit PickleTree(std::string_view bytes) : m_bytes(bytes) {}

    [[nodiscard]] const PickleNode& operator[](PickleId id) const { return m_nodes[id]; }
    [[nodiscard]] PickleKind kind(PickleId id) const { return m_nodes[id].kind; }
    [[nodiscard]] const std::vector<PickleId>& items(PickleId id) const { return m_lists[m_nodes[id].items]; }
    [[nodiscard]] std::vector<PickleId>& items(PickleId id) { return m_lists[m_nodes[id].items]; }
    [[nodiscard]] std::string_view text(PickleId id) const {  ///< of Text, Bytes and Global; else empty
        const PickleKind kind = m_nodes[id].kind;
        if (kind != PickleKind::Text && kind != PickleKind::Bytes && kind != PickleKind::Global) return {};
        return m_nodes[id].items ? std::string_view(m_names[m_nodes[id].items - 1])
                                 : m_bytes.substr(m_nodes[id].slice.begin, m_nodes[id].slice.length);
    }
    /// Value of a Dict's or Record's text key; `npos` when there is none. The last of equal keys wins, as in Python.
    static constexpr PickleId npos = 0xFFFFFFFF;
    [[nodiscard]] PickleId get(PickleId dict, std::string_view key) const;
    /// For people: what Python would print, shortened.
    [[nodiscard]] std::string repr(PickleId id, int depth = 3) const;

    PickleId add(PickleNode node);
    PickleId addList(PickleKind kind, std::vector<PickleId> items);
    PickleId addText(PickleKind kind, std::string_view text);  ///< `text` lies in the pickle's bytes
    PickleId addName(PickleKind kind, std::string text);       ///< text made from parts, or a name
    void shareItems(PickleId object, PickleId from) { m_nodes[object].items = m_nodes[from].items; }

    PickleId root = npos;
    std::set<std::string, std::less<>> inertNames;  ///< callables that were named and not run

private:
    std::string_view m_bytes;
    std::vector<PickleNode> m_nodes;
    std::vector<std::vector<PickleId>> m_lists;
    std::vector<std::string> m_names;
};

}  // namespace ropescope
