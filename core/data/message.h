// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/data/error.h"
#include "core/data/generation.h"
#include "core/data/request.h"

namespace ropescope {

// What the window and the engine say to each other. A message is one value; core/data/wire.h makes bytes of it.

inline constexpr int kProtocolVersion = 6;

/// First thing the engine says, before anything is loaded.
struct Hello {
    int protocol = kProtocolVersion;
    std::string program;  ///< "ropescope-engine 0.1.0"
    std::int64_t pid = 0;
};

/// Heartbeat: the engine lives, also while a job computes. Job 0.
struct Alive {
    std::int64_t residentBytes = 0;  ///< of the engine process
};

/// Share done of a job that has nothing better to show.
struct ShareProgress {
    double done = 0;   ///< in [0, 1]
    std::string word;  ///< what is being done
};

/// One slice of a message that is longer than a frame; `bytes` is U8 [n]. Slices come in order, one job at a time.
struct Part {
    int index = 0;
    int count = 0;
    Array bytes;
};

/// The six kinds of DESIGN; Part is a result that has not come whole yet.
enum class MessageKind { Hello, Request, Progress, Part, Result, Error, Cancel };

/// A row of what the engine says beside replies: its name on the wire and the kind of message it comes in.
template <class Said>
struct Notice {
    std::string_view name;
    MessageKind kind;
};
inline constexpr RowTable kNotices{
    Notice<Hello>{"Hello", MessageKind::Hello},
    Notice<Alive>{"Alive", MessageKind::Progress},
    Notice<ShareProgress>{"ShareProgress", MessageKind::Progress},
    Notice<GenerateProgress>{"GenerateProgress", MessageKind::Progress},
    Notice<AtlasProgress>{"AtlasProgress", MessageKind::Progress},
    Notice<Part>{"Part", MessageKind::Part},
    Notice<Error>{"Error", MessageKind::Error},
};

// Declared for its type only: nothing, a notice, a request or a reply.
template <class... Said, class... Asked, class... Answered>
auto bodiesIn(const RowTable<Notice<Said>...>&, const std::variant<Asked...>&, const std::variant<Answered...>&)
    -> std::variant<std::monostate, Said..., Asked..., Answered...>;
using Body = decltype(bodiesIn(kNotices, std::declval<Request>(), std::declval<Reply>()));

struct Message {
    MessageKind kind = MessageKind::Hello;
    std::uint64_t job = 0;  ///< chosen by the window, > 0, never used twice
    std::string view;  ///< requests: who asks; a newer request of the same view replaces an older one. May be empty
    Body body;         ///< empty for Cancel
};

/// The request or reply inside a body. Throws std::invalid_argument when it holds something else.
[[nodiscard]] Request requestOf(const Body& body);
[[nodiscard]] Reply replyOf(const Body& body);
[[nodiscard]] bool isRequest(const Body& body);
[[nodiscard]] bool isReply(const Body& body);
[[nodiscard]] Body bodyOf(const Request& request);
[[nodiscard]] Body bodyOf(const Reply& reply);
/// The kind of message such a body comes in; Cancel for an empty one.
[[nodiscard]] MessageKind kindOf(const Body& body);

/// The C++ name of what a body holds, e.g. "GenerateRequest"; the `type` on the wire. Empty for an empty body.
[[nodiscard]] std::string_view bodyName(const Body& body);
/// A default-made body of that name. Errors: WIRE-02 unknown name.
[[nodiscard]] Result<Body> bodyFromName(std::string_view name);

template <class V>
void fields(V& v, Hello& h) {
    v("protocol", h.protocol), v("program", h.program), v("pid", h.pid);
}
template <class V>
void fields(V& v, Alive& a) {
    v("resident_bytes", a.residentBytes);
}
template <class V>
void fields(V& v, ShareProgress& s) {
    v("done", s.done), v("word", s.word);
}
template <class V>
void fields(V& v, Part& p) {
    v("index", p.index), v("count", p.count), v("bytes", p.bytes);
}

}  // namespace ropescope
