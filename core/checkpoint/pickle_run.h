// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "core/checkpoint/byte_cursor.h"
#include "core/checkpoint/pickle_calls.h"
#include "core/checkpoint/pickle_value.h"
#include "core/data/error.h"

namespace ropescope {

inline constexpr std::size_t kMaxPickleLine = 4096;  ///< bytes of a text opcode's line

/// One run over one pickle. Handlers return false after fail(); run() turns that into the Error.
class PickleMachine {
public:
    PickleMachine(std::string_view bytes, std::string where)
        : m_bytes(bytes),
          m_cursor(std::as_bytes(std::span(bytes.data(), bytes.size()))),
          m_where(std::move(where)),
          m_tree(bytes) {
        PickleNode node;
        m_none = m_tree.add(node);
        node.kind = PickleKind::Bool;
        m_false = m_tree.add(node);
        node.number = 1;
        m_true = m_tree.add(node);
        m_emptyTuple = m_tree.addList(PickleKind::Tuple, {});
    }

    Result<PickleTree> run();

private:
    bool fail(std::string code, std::string reason, std::string found = {}, std::string expected = {});
    bool underflow() { return fail("PK-06", "stack underflow"); }
    bool step(std::uint8_t op);
    bool number(std::uint8_t op);
    bool textValue(std::uint8_t op);
    bool container(std::uint8_t op);
    bool memo(std::uint8_t op);
    bool call(std::uint8_t op);
    bool stackMove(std::uint8_t op);

    bool push(PickleId id) {
        m_stack.push_back(id);
        return true;
    }
    bool pushInt(std::int64_t value, PickleKind kind = PickleKind::Int);
    bool pushLong(std::uint64_t length);
    bool pushDecimal(std::string_view line);
    [[nodiscard]] std::size_t available() const { return m_stack.size() - (m_marks.empty() ? 0 : m_marks.back()); }
    bool pop(PickleId& id);
    bool popMark(std::vector<PickleId>& items);
    bool frame();
    bool append(std::vector<PickleId> items, PickleKind target);
    bool setItems(std::vector<PickleId> items);
    bool put(std::uint64_t key);
    bool get(std::uint64_t key);
    bool global(std::string_view module, std::string_view name);
    bool apply(PickleId callable, std::vector<PickleId> arguments, CallForm form);
    bool build(PickleId state);
    bool persistent(PickleId id);

    std::string_view m_bytes;
    ByteCursor m_cursor;
    std::string m_where;
    PickleTree m_tree;
    std::vector<PickleId> m_stack;
    std::vector<std::size_t> m_marks;
    std::unordered_map<std::uint64_t, PickleId> m_memo;
    std::size_t m_at = 0;        ///< first byte of the current opcode
    std::size_t m_frameEnd = 0;  ///< 0: not inside a frame
    PickleId m_none, m_false, m_true, m_emptyTuple;
    Error m_error;
};

}  // namespace ropescope
