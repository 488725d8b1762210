// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace ropescope {

/// What kind of thing went wrong; decides the exit code of the command line.
enum class ErrorKind { Refused, Usage, Device, Cancelled, Internal };

/// One failure of the outside world, told so that a user can act on it.
///
/// Prints as `[code] place: reason (found X, expected Y). What to do.`; `place` is `file > member > tensor` with the
/// parts that are known. Plain text; control characters, escapes and bidirectional marks in names are shown escaped,
/// names longer than 120 characters are cut in the middle, the whole is at most 400 characters.
struct Error {
    ErrorKind kind = ErrorKind::Refused;
    std::string code{};    ///< short, stable, e.g. "ST-12" or "bad-option"
    std::string place{};   ///< "file > member > tensor", built by place()
    std::string reason{};  ///< what is wrong, without a full stop
    std::string found{};
    std::string expected{};
    std::string advice{};  ///< what to do, one sentence without the full stop

    /// The one line of the message contract. Checked by tests/core/data/error_test.cpp.
    [[nodiscard]] std::string message() const;
    /// 1 refused or internal, 2 usage, 3 device or memory, 130 cancelled.
    [[nodiscard]] int exitCode() const;
};

template <class T>
using Result = tl::expected<T, Error>;

/// Joins the known parts with " > ", each printable and cut to 120 characters.
[[nodiscard]] std::string place(std::initializer_list<std::string_view> parts);

/// The text with control, escape and bidirectional characters and broken UTF-8 written as \xNN or \u{NNNN}.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 120);

[[nodiscard]] inline tl::unexpected<Error> failure(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

template <class V>
void fields(V& v, Error& e) {
    v("kind", e.kind), v("code", e.code), v("place", e.place), v("reason", e.reason), v("found", e.found),
        v("expected", e.expected), v("advice", e.advice);
}

}  // namespace ropescope
