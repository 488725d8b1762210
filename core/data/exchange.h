// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <type_traits>
#include <variant>

namespace ropescope {

// What the table of exchanges in core/data/request.h is made of, and how types follow from it.

/// One row: a request, the reply to it, their names on the wire and which of the requests run a network.
template <class Asked, class Answered>
struct Exchange {
    std::string_view request;
    std::string_view reply;
    bool (*heavy)(const Asked&);
};

/// Which requests of an exchange go to the heavy lane.
namespace lane {
template <class Asked>
bool light(const Asked&) {
    return false;
}
template <class Asked>
bool heavy(const Asked&) {
    return true;
}
template <class Asked>
bool heavyWithData(const Asked& request) {
    return request.needsData();
}
}  // namespace lane

/// Rows of different types as one value.
template <class... Rows>
struct RowTable : Rows... {};
template <class... Rows>
RowTable(Rows...) -> RowTable<Rows...>;

template <class... Rows, class Visit>
constexpr void forEachRow(const RowTable<Rows...>& table, const Visit& visit) {
    (visit(static_cast<const Rows&>(table)), ...);
}

/// The row of one request.
template <class Asked, class Answered>
[[nodiscard]] constexpr const Exchange<Asked, Answered>& rowOf(const Exchange<Asked, Answered>& row) {
    return row;
}

/// Types in order, each once.
template <class... Members>
struct TypeSet {
    using Variant = std::variant<Members...>;
    template <class T>
    using With = std::conditional_t<(std::is_same_v<T, Members> || ...), TypeSet<Members...>, TypeSet<Members..., T>>;
};
template <class Set, class T>
auto operator+(Set, std::type_identity<T>) -> typename Set::template With<T>;

// Declared for their types only: the variants of all requests and of all replies, and the reply to one request.
template <class... Asked, class... Answered>
auto requestsIn(const RowTable<Exchange<Asked, Answered>...>&) -> std::variant<Asked...>;
template <class... Asked, class... Answered>
auto repliesIn(const RowTable<Exchange<Asked, Answered>...>&) ->
    typename decltype((TypeSet<>{} + ... + std::type_identity<Answered>{}))::Variant;
template <class Asked, class Answered>
auto replyIn(const Exchange<Asked, Answered>&) -> Answered;

}  // namespace ropescope
