// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/pickle_machine.h"

#include <bit>
#include <charconv>
#include <unordered_map>

#include "core/checkpoint/byte_cursor.h"
#include "core/checkpoint/pickle_calls.h"

namespace ropescope {
namespace {

constexpr std::size_t kMaxLine = 4096;

/// One run over one pickle. Handlers return false after fail(); run() turns that into the Error.
class Machine {
public:
    Machine(std::string_view bytes, std::string where)
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

bool Machine::fail(std::string code, std::string reason, std::string found, std::string expected) {
    m_error = {ErrorKind::Refused,
               std::move(code),
               m_where,
               "pickle byte " + std::to_string(m_at) + ": " + std::move(reason),
               std::move(found),
               std::move(expected),
               "The file is damaged or hostile; nothing in it was run"};
    return false;
}

bool Machine::pop(PickleId& id) {
    if (available() == 0) return underflow();
    id = m_stack.back();
    m_stack.pop_back();
    return true;
}

bool Machine::popMark(std::vector<PickleId>& items) {
    if (m_marks.empty()) return fail("PK-06", "no mark on the stack");
    items.assign(m_stack.begin() + static_cast<std::ptrdiff_t>(m_marks.back()), m_stack.end());
    m_stack.resize(m_marks.back());
    m_marks.pop_back();
    return true;
}

bool Machine::pushInt(std::int64_t value, PickleKind kind) {
    PickleNode node;
    node.kind = kind;
    node.number = value;
    return push(m_tree.add(node));
}

bool Machine::pushLong(std::uint64_t length) {
    const std::string_view digits = m_cursor.text(length);
    if (!m_cursor.ok()) return true;  // run() reports the end of the bytes
    if (digits.size() > 8) return pushInt(0, PickleKind::BigInt);
    std::uint64_t value = !digits.empty() && digits.back() & 0x80 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(digits[i]);
    return pushInt(static_cast<std::int64_t>(value));
}

bool Machine::pushDecimal(std::string_view line) {
    if (line == "00") return push(m_false);
    if (line == "01") return push(m_true);
    if (line.ends_with('L')) line.remove_suffix(1);
    std::int64_t value = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
    if (parsed.ptr != line.data() + line.size()) return fail("PK-09", "not a number", printable(line, 40));
    return parsed.ec == std::errc::result_out_of_range ? pushInt(0, PickleKind::BigInt) : pushInt(value);
}

bool Machine::frame() {
    const std::uint64_t length = m_cursor.u64();
    if (m_frameEnd != 0 && m_cursor.position() < m_frameEnd) return fail("PK-11", "a frame inside a frame");
    if (length > m_cursor.remaining()) return fail("PK-11", "a frame longer than the pickle", std::to_string(length));
    m_frameEnd = m_cursor.position() + static_cast<std::size_t>(length);
    return true;
}

Result<PickleTree> Machine::run() {
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

bool Machine::step(std::uint8_t op) {
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
        case '(':
        case '0':
        case '1':
        case '2':
            return stackMove(op);
        case 'I':
        case 'J':
        case 'K':
        case 'M':
        case 'L':
        case 'F':
        case 'G':
        case 0x8a:
        case 0x8b:
            return number(op);
        case 'S':
        case 'T':
        case 'U':
        case 'V':
        case 'X':
        case 'B':
        case 'C':
        case 0x8c:
        case 0x8d:
        case 0x8e:
        case 0x96:
            return textValue(op);
        case ']':
        case '}':
        case ')':
        case 't':
        case 'l':
        case 'd':
        case 'a':
        case 'e':
        case 's':
        case 'u':
        case 0x85:
        case 0x86:
        case 0x87:
        case 0x8f:
        case 0x90:
        case 0x91:
            return container(op);
        case 'g':
        case 'h':
        case 'j':
        case 'p':
        case 'q':
        case 'r':
        case 0x94:
            return memo(op);
        case 'c':
        case 0x93:
        case 'R':
        case 'i':
        case 'o':
        case 0x81:
        case 0x92:
        case 'b':
        case 'P':
        case 'Q':
        case 0x82:
        case 0x83:
        case 0x84:
            return call(op);
        default:
            break;
    }
    char text[8];
    std::snprintf(text, sizeof text, "0x%02X", op);
    return fail("PK-12", "unknown opcode", text);
}

bool Machine::stackMove(std::uint8_t op) {
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

bool Machine::number(std::uint8_t op) {
    switch (op) {
        case 'J':
            return pushInt(static_cast<std::int32_t>(m_cursor.u32()));
        case 'K':
            return pushInt(m_cursor.u8());
        case 'M':
            return pushInt(m_cursor.u16());
        case 0x8a:
            return pushLong(m_cursor.u8());
        case 0x8b:
            return pushLong(m_cursor.u32());
        default:
            break;
    }
    double real = 0;
    if (op == 'G') {
        real = std::bit_cast<double>(__builtin_bswap64(m_cursor.u64()));
    } else {
        const std::string_view line = m_cursor.line(kMaxLine);
        if (!m_cursor.ok()) return true;
        if (op != 'F') return pushDecimal(line);
        const auto parsed = std::from_chars(line.data(), line.data() + line.size(), real);
        if (parsed.ptr != line.data() + line.size()) return fail("PK-09", "not a number", printable(line, 40));
    }
    PickleNode node;
    node.kind = PickleKind::Float;
    node.real = real;
    return push(m_tree.add(node));
}

bool Machine::textValue(std::uint8_t op) {
    std::string_view text;
    PickleKind kind = PickleKind::Text;
    switch (op) {
        case 'X':
        case 'T':
            text = m_cursor.text(m_cursor.u32());
            break;
        case 'U':
        case 0x8c:
            text = m_cursor.text(m_cursor.u8());
            break;
        case 0x8d:
            text = m_cursor.text(m_cursor.u64());
            break;
        case 'V':
            text = m_cursor.line(kMaxLine);
            break;
        case 'S':
            text = m_cursor.line(kMaxLine);
            if (!m_cursor.ok()) return true;
            if (text.size() < 2 || text.front() != text.back() || (text.front() != '\'' && text.front() != '"')) {
                return fail("PK-09", "text without quotes", printable(text, 40));
            }
            text = text.substr(1, text.size() - 2);
            break;
        case 'C':
            kind = PickleKind::Bytes, text = m_cursor.text(m_cursor.u8());
            break;
        case 'B':
            kind = PickleKind::Bytes, text = m_cursor.text(m_cursor.u32());
            break;
        default:
            kind = PickleKind::Bytes, text = m_cursor.text(m_cursor.u64());
            break;
    }
    if (!m_cursor.ok()) return true;
    return push(text.empty() ? m_tree.addName(kind, {}) : m_tree.addText(kind, text));
}

bool Machine::append(std::vector<PickleId> items, PickleKind target) {
    if (available() == 0) return underflow();
    const PickleId list = m_stack.back();
    if (m_tree.kind(list) == PickleKind::Inert) return true;
    if (m_tree.kind(list) != target) {
        return fail("PK-07", target == PickleKind::List ? "APPEND onto something else than a list"
                                                        : "ADDITEMS onto something else than a set");
    }
    auto& to = m_tree.items(list);
    to.insert(to.end(), items.begin(), items.end());
    return true;
}

bool Machine::setItems(std::vector<PickleId> items) {
    if (available() == 0) return underflow();
    const PickleId dict = m_stack.back();
    if (items.size() % 2 != 0) return fail("PK-07", "a key without a value");
    if (m_tree.kind(dict) == PickleKind::Inert) return true;
    if (m_tree.kind(dict) != PickleKind::Dict) return fail("PK-07", "SETITEM onto something else than a dict");
    auto& to = m_tree.items(dict);
    to.insert(to.end(), items.begin(), items.end());
    return true;
}

bool Machine::container(std::uint8_t op) {
    std::vector<PickleId> items;
    switch (op) {
        case ')':
            return push(m_emptyTuple);
        case ']':
            return push(m_tree.addList(PickleKind::List, {}));
        case '}':
            return push(m_tree.addList(PickleKind::Dict, {}));
        case 0x8f:
            return push(m_tree.addList(PickleKind::Set, {}));
        case 0x85:
        case 0x86:
        case 0x87:
        case 'a':
        case 's': {
            const std::size_t count = op == 'a' ? 1 : op == 's' ? 2 : op - 0x84u;
            items.resize(count);
            for (std::size_t i = count; i-- > 0;) {
                if (!pop(items[i])) return false;
            }
            if (op == 'a') return append(std::move(items), PickleKind::List);
            if (op == 's') return setItems(std::move(items));
            return push(m_tree.addList(PickleKind::Tuple, std::move(items)));
        }
        default:
            break;
    }
    if (!popMark(items)) return false;
    switch (op) {
        case 't':
            return push(items.empty() ? m_emptyTuple : m_tree.addList(PickleKind::Tuple, std::move(items)));
        case 'l':
            return push(m_tree.addList(PickleKind::List, std::move(items)));
        case 0x91:
            return push(m_tree.addList(PickleKind::Set, std::move(items)));
        case 'd':
            if (items.size() % 2 != 0) return fail("PK-07", "a key without a value");
            return push(m_tree.addList(PickleKind::Dict, std::move(items)));
        case 'e':
            return append(std::move(items), PickleKind::List);
        case 0x90:
            return append(std::move(items), PickleKind::Set);
        default:
            return setItems(std::move(items));
    }
}

bool Machine::put(std::uint64_t key) {
    if (available() == 0) return underflow();
    m_memo[key] = m_stack.back();
    return true;
}

bool Machine::get(std::uint64_t key) {
    const auto found = m_memo.find(key);
    if (found == m_memo.end()) return fail("PK-06", "no such memo", std::to_string(key));
    return push(found->second);
}

bool Machine::memo(std::uint8_t op) {
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
    const std::string_view line = m_cursor.line(kMaxLine);
    std::uint64_t key = 0;
    if (!m_cursor.ok()) return true;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), key);
    if (parsed.ec != std::errc() || parsed.ptr != line.data() + line.size()) {
        return fail("PK-09", "not a memo number", printable(line, 40));
    }
    return op == 'g' ? get(key) : put(key);
}

bool Machine::global(std::string_view module, std::string_view name) {
    return push(m_tree.addName(PickleKind::Global, std::string(module) + " " + std::string(name)));
}

bool Machine::apply(PickleId callable, std::vector<PickleId> arguments, CallForm form) {
    const PickleKind kind = m_tree.kind(callable);
    if (kind != PickleKind::Global && kind != PickleKind::Inert)
        return fail("PK-06", "a call of something not callable");
    auto result = inertCall(m_tree, callable, std::move(arguments), form);
    if (!result) return fail(result.error().code, result.error().reason, result.error().found, result.error().expected);
    return push(*result);
}

bool Machine::build(PickleId state) {
    if (available() == 0) return underflow();
    const char* problem = buildState(m_tree, m_stack.back(), state);
    return problem ? fail("PK-07", problem) : true;
}

bool Machine::persistent(PickleId id) {
    auto storage = storageOf(m_tree, id);
    if (!storage) return fail("PK-13", storage.error().reason, storage.error().found, storage.error().expected);
    return push(*storage);
}

bool Machine::call(std::uint8_t op) {
    std::vector<PickleId> items;
    PickleId first = 0, second = 0;
    switch (op) {
        case 'c':
        case 'i': {
            const std::string_view module = m_cursor.line(kMaxLine);
            const std::string_view name = m_cursor.ok() ? m_cursor.line(kMaxLine) : std::string_view();
            if (!m_cursor.ok()) return true;
            if (op == 'c') return global(module, name);
            if (!popMark(items) || !global(module, name) || !pop(first)) return false;
            return apply(first, std::move(items), CallForm::NewObject);
        }
        case 'o':
            if (!popMark(items)) return false;
            if (items.empty()) return underflow();
            first = items.front();
            items.erase(items.begin());
            return apply(first, std::move(items), CallForm::NewObject);
        case 'P':
            return fail("PK-13", "persistent id as text", {}, "a PyTorch storage");
        case 'Q':
            return pop(first) && persistent(first);
        case 'b':
            return pop(first) && build(first);
        case 0x82:
        case 0x83:
        case 0x84: {
            const std::uint64_t code = m_cursor.number(op == 0x82 ? 1 : op == 0x83 ? 2 : 4);
            return global("copyreg", "extension " + std::to_string(code));
        }
        default:
            break;
    }
    if (op == 0x92 && !pop(second)) return false;  // NEWOBJ_EX: its keyword arguments are not looked at
    if (!pop(second) || !pop(first)) return false;
    if (op == 0x93) {
        if (m_tree.kind(first) != PickleKind::Text || m_tree.kind(second) != PickleKind::Text) {
            return fail("PK-06", "STACK_GLOBAL without two names");
        }
        return global(m_tree.text(first), m_tree.text(second));
    }
    if (m_tree.kind(second) != PickleKind::Tuple) return fail("PK-06", "call arguments are not a tuple");
    const auto& all = m_tree.items(second);
    if (all.size() <= kMaxArguments) items = all;
    return apply(first, std::move(items), op == 'R' ? CallForm::Reduce : CallForm::NewObject);
}

}  // namespace

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
    return Machine(bytes, where).run();
}

}  // namespace ropescope
