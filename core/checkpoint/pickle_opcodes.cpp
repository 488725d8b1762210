// SPDX-License-Identifier: Apache-2.0
// What the opcodes of a pickle do to the stack: numbers, texts, containers, calls.
#include <bit>
#include <charconv>

#include "core/checkpoint/pickle_run.h"

namespace ropescope {

bool PickleMachine::pushInt(std::int64_t value, PickleKind kind) {
    PickleNode node;
    node.kind = kind;
    node.number = value;
    return push(m_tree.add(node));
}

bool PickleMachine::pushLong(std::uint64_t length) {
    const std::string_view digits = m_cursor.text(length);
    if (!m_cursor.ok()) return true;  // run() reports the end of the bytes
    if (digits.size() > 8) return pushInt(0, PickleKind::BigInt);
    std::uint64_t value = !digits.empty() && digits.back() & 0x80 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(digits[i]);
    return pushInt(static_cast<std::int64_t>(value));
}

bool PickleMachine::pushDecimal(std::string_view line) {
    if (line == "00") return push(m_false);
    if (line == "01") return push(m_true);
    if (line.ends_with('L')) line.remove_suffix(1);
    std::int64_t value = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
    if (parsed.ptr != line.data() + line.size()) return fail("PK-09", "not a number", printable(line, 40));
    return parsed.ec == std::errc::result_out_of_range ? pushInt(0, PickleKind::BigInt) : pushInt(value);
}

bool PickleMachine::number(std::uint8_t op) {
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
        const std::string_view line = m_cursor.line(kMaxPickleLine);
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

bool PickleMachine::textValue(std::uint8_t op) {
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
            text = m_cursor.line(kMaxPickleLine);
            break;
        case 'S':
            text = m_cursor.line(kMaxPickleLine);
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

bool PickleMachine::append(std::vector<PickleId> items, PickleKind target) {
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

bool PickleMachine::setItems(std::vector<PickleId> items) {
    if (available() == 0) return underflow();
    const PickleId dict = m_stack.back();
    if (items.size() % 2 != 0) return fail("PK-07", "a key without a value");
    if (m_tree.kind(dict) == PickleKind::Inert) return true;
    if (m_tree.kind(dict) != PickleKind::Dict) return fail("PK-07", "SETITEM onto something else than a dict");
    auto& to = m_tree.items(dict);
    to.insert(to.end(), items.begin(), items.end());
    return true;
}

bool PickleMachine::container(std::uint8_t op) {
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

bool PickleMachine::global(std::string_view module, std::string_view name) {
    return push(m_tree.addName(PickleKind::Global, std::string(module) + " " + std::string(name)));
}

bool PickleMachine::apply(PickleId callable, std::vector<PickleId> arguments, CallForm form) {
    const PickleKind kind = m_tree.kind(callable);
    if (kind != PickleKind::Global && kind != PickleKind::Inert)
        return fail("PK-06", "a call of something not callable");
    auto result = inertCall(m_tree, callable, std::move(arguments), form);
    if (!result) return fail(result.error().code, result.error().reason, result.error().found, result.error().expected);
    return push(*result);
}

bool PickleMachine::build(PickleId state) {
    if (available() == 0) return underflow();
    const char* problem = buildState(m_tree, m_stack.back(), state);
    return problem ? fail("PK-07", problem) : true;
}

bool PickleMachine::persistent(PickleId id) {
    auto storage = storageOf(m_tree, id);
    if (!storage) return fail("PK-13", storage.error().reason, storage.error().found, storage.error().expected);
    return push(*storage);
}

bool PickleMachine::call(std::uint8_t op) {
    std::vector<PickleId> items;
    PickleId first = 0, second = 0;
    switch (op) {
        case 'c':
        case 'i': {
            const std::string_view module = m_cursor.line(kMaxPickleLine);
            const std::string_view name = m_cursor.ok() ? m_cursor.line(kMaxPickleLine) : std::string_view();
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

}  // namespace ropescope
