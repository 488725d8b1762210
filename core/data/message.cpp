// SPDX-License-Identifier: Apache-2.0
#include "core/data/message.h"

#include <array>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace ropescope {
namespace {

struct BodyEntry {
    std::string_view name;
    MessageKind kind = MessageKind::Cancel;
};
using BodyEntries = std::array<BodyEntry, std::variant_size_v<Body>>;

template <class T, class... Members>
consteval std::size_t indexIn(const std::variant<Members...>*) {
    std::size_t index = 0;
    static_cast<void>(((std::is_same_v<T, Members> || (++index, false)) || ...));
    return index;
}
template <class T>
constexpr std::size_t kIndex = indexIn<T>(static_cast<const Body*>(nullptr));

/// Name and kind of every alternative of Body.
constexpr BodyEntries kEntries = [] {
    BodyEntries entries;
    forEachRow(kNotices, [&]<class Said>(const Notice<Said>& row) { entries[kIndex<Said>] = {row.name, row.kind}; });
    forEachRow(kExchanges, [&]<class Asked, class Answered>(const Exchange<Asked, Answered>& row) {
        entries[kIndex<Asked>] = {row.request, MessageKind::Request};
        entries[kIndex<Answered>] = {row.reply, MessageKind::Result};
    });
    return entries;
}();

template <class T, class Variant>
struct IsMember;
template <class T, class... Members>
struct IsMember<T, std::variant<Members...>> : std::disjunction<std::is_same<T, Members>...> {};

template <class Target>
Target narrowed(const Body& body) {
    return std::visit(
        [](const auto& value) -> Target {
            if constexpr (IsMember<std::decay_t<decltype(value)>, Target>::value) {
                return value;
            } else {
                throw std::invalid_argument("the message body holds something else");
            }
        },
        body);
}

template <std::size_t... I>
Body madeAt(std::size_t index, std::index_sequence<I...>) {
    Body body;
    ((index == I ? (body.emplace<I>(), void()) : void()), ...);
    return body;
}

}  // namespace

Request requestOf(const Body& body) {
    return narrowed<Request>(body);
}
Reply replyOf(const Body& body) {
    return narrowed<Reply>(body);
}
bool isRequest(const Body& body) {
    return kindOf(body) == MessageKind::Request;
}
bool isReply(const Body& body) {
    return kindOf(body) == MessageKind::Result;
}
Body bodyOf(const Request& request) {
    return std::visit([](const auto& value) -> Body { return value; }, request);
}
Body bodyOf(const Reply& reply) {
    return std::visit([](const auto& value) -> Body { return value; }, reply);
}

MessageKind kindOf(const Body& body) {
    return kEntries[body.index()].kind;
}
std::string_view bodyName(const Body& body) {
    return kEntries[body.index()].name;
}

Result<Body> bodyFromName(std::string_view name) {
    for (std::size_t i = 0; i < kEntries.size(); ++i) {
        if (kEntries[i].name == name) return madeAt(i, std::make_index_sequence<std::variant_size_v<Body>>());
    }
    return failure({.code = "WIRE-02", .place = "wire", .reason = "unknown message type", .found = printable(name)});
}

}  // namespace ropescope
