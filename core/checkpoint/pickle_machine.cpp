// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/pickle_machine.h"

#include <charconv>

#include "core/checkpoint/pickle_run.h"

namespace ropescope {

bool PickleMachine::fail(std::string code, std::string reason, std::string found, std::string expected) {
    m_error = {ErrorKind::Refused,
               std::move(code),
               m_where,
               "pickle byte " + std::to_string(m_at) + ": " + std::move(reason),
               std::move(found),
               std::move(expected),
               "The file is damaged or hostile; nothing in it was run"};
    return false;
}

bool PickleMachine::pop(PickleId& id) {
    if (available() == 0) return underflow();
    id = m_stack.back();
    m_stack.pop_back();
    return true;
}

bool PickleMachine::popMark(std::vector<PickleId>& items) {
    if (m_marks.empty()) return fail("PK-06", "no mark on the stack");
    items.assign(m_stack.begin() + static_cast<std::ptrdiff_t>(m_marks.back()), m_stack.end());
    m_stack.resize(m_marks.back());
    m_marks.pop_back();
    return true;
}

bool PickleMachine::frame() {
    const std::uint64_t length = m_cursor.u64();
    if (m_frameEnd != 0 && m_cursor.position() < m_frameEnd) return fail("PK-11", "a frame inside a frame");
    if (length > m_cursor.remaining()) return fail("PK-11", "a frame longer than the pickle", std::to_string(length));
    m_frameEnd = m_cursor.position() + static_cast<std::size_t>(length);
    return true;
}

Result<PickleTree> PickleMachine::run() {
    for (std::size_t opcodes = 0;; ++opcodes) {
        m_at = m_cursor.position();
        if (opcodes >= kMaxPickleOpcodes) {
            fail("PK-19", "too many opcodes", {}, "at most " + std::to_string(kMaxPickleOpcodes));
            return failure(m_error);
        }
        const std::uint8_t op = m_cursor.u8();
        if (m_cursor.ok() && op == '.') break;
        const bool inFrame = m_frameEnd != 0 && m_at < m_frameEnd;
        const std::size_t frameEnd = m_frameEnd;
        if (m_cursor.ok() && !step(op)) return failure(m_error);
        if (!m_cursor.ok()) {
            fail("PK-10", op == 0 ? "the pickle ends without STOP" : "the pickle ends inside an opcode");
            return failure(m_error);
        }
        if (inFrame && m_cursor.position() > frameEnd) {
            fail("PK-11", "an opcode crosses its frame's end");
            return failure(m_error);
        }
    }
    if (m_stack.size() != 1 || !m_marks.empty()) {
        fail("PK-06", "STOP with " + std::to_string(m_stack.size()) + " values on the stack", {}, "1");
        return failure(m_error);
    }
    if (m_cursor.remaining() != 0) {
        fail("PK-06", "bytes after STOP", std::to_string(m_cursor.remaining()), "0");
        return failure(m_error);
    }
    m_tree.root = m_stack.front();
    return std::move(m_tree);
}

bool PickleMachine::step(std::uint8_t op) {
    struct Group {
        std::string_view opcodes;
        bool (PickleMachine::*handle)(std::uint8_t);
    };
    static constexpr Group kGroups[] = {
        {"(012", &PickleMachine::stackMove},
        {"IJKMLFG\x8a\x8b", &PickleMachine::number},
        {"STUVXBC\x8c\x8d\x8e\x96", &PickleMachine::textValue},
        {"]})tldaesu\x85\x86\x87\x8f\x90\x91", &PickleMachine::container},
        {"ghjpqr\x94", &PickleMachine::memo},
        {"cRiobPQ\x81\x82\x83\x84\x92\x93", &PickleMachine::call},
    };
    switch (op) {
        case 0x80:
            if (const unsigned protocol = m_cursor.u8(); protocol > 5) {
                return fail("PK-12", "unknown pickle protocol", std::to_string(protocol), "0 to 5");
            }
            return true;
        case 0x95:
            return frame();
        case 'N':
            return push(m_none);
        case 0x88:
            return push(m_true);
        case 0x89:
            return push(m_false);
        default:
            break;
    }
    for (const Group& group : kGroups) {
        if (group.opcodes.find(static_cast<char>(op)) != group.opcodes.npos) return (this->*group.handle)(op);
    }
    char text[8];
    std::snprintf(text, sizeof text, "0x%02X", op);
    return fail("PK-12", "unknown opcode", text);
}

bool PickleMachine::stackMove(std::uint8_t op) {
    PickleId id = 0;
    std::vector<PickleId> dropped;
    switch (op) {
        case '(':
            m_marks.push_back(m_stack.size());
            return true;
        case '0':
            return pop(id);
        case '1':
            return popMark(dropped);
        default:
            break;
    }
    if (available() == 0) return underflow();
    return push(m_stack.back());
}

bool PickleMachine::put(std::uint64_t key) {
    if (available() == 0) return underflow();
    m_memo[key] = m_stack.back();
    return true;
}

bool PickleMachine::get(std::uint64_t key) {
    const auto found = m_memo.find(key);
    if (found == m_memo.end()) return fail("PK-06", "no such memo", std::to_string(key));
    return push(found->second);
}

bool PickleMachine::memo(std::uint8_t op) {
    switch (op) {
        case 'h':
            return get(m_cursor.u8());
        case 'j':
            return get(m_cursor.u32());
        case 'q':
            return put(m_cursor.u8());
        case 'r':
            return put(m_cursor.u32());
        case 0x94:
            return put(m_memo.size());
        default:
            break;
    }
    const std::string_view line = m_cursor.line(kMaxPickleLine);
    std::uint64_t key = 0;
    if (!m_cursor.ok()) return true;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), key);
    if (parsed.ec != std::errc() || parsed.ptr != line.data() + line.size()) {
        return fail("PK-09", "not a memo number", printable(line, 40));
    }
    return op == 'g' ? get(key) : put(key);
}

Result<PickleTree> readPickle(std::string_view bytes, const std::string& where) {
    if (bytes.size() > kMaxPickleBytes) {
        return failure({ErrorKind::Refused,
                        "PK-19",
                        where,
                        "pickle too long",
                        std::to_string(bytes.size()) + " bytes",
                        "at most " + std::to_string(kMaxPickleBytes),
                        {}});
    }
    return PickleMachine(bytes, where).run();
}

}  // namespace ropescope
