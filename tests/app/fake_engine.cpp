// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for ropescope-engine in the window's tests. The environment variable FAKE_ENGINE holds JSON:
//   {"diary": FILE, "lives": [{"protocol": 1, "banner": TEXT, "OpenRequest": ACTIONS, ...}, ...]}
// The n-th start takes the n-th life, the last one serves all later starts; each start and each request adds a line to
// the diary, with the changes of heads that a request carries (" tau=0 on L1.H0"). ACTIONS is a text of words done one
// after the other: reply, refuse, steps:N:MS, wait:MS, die:SIGNAL, exit:CODE, garbage, half, deaf (no answer to anything
// any more), silent. Default: reply.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/data/wire.h"
#include "tests/app/fake_replies.h"

namespace ropescope {
namespace {

void writeBytes(const Bytes& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
        if (n <= 0) _exit(0);
        done += static_cast<std::size_t>(n);
    }
}

void say(const Message& message) {
    for (const Bytes& frame : encodeFrames(message)) writeBytes(frame);
}

template <class Body>
std::string changesOf(const Body& body) {
    std::vector<HeadChange> changes;
    if constexpr (requires { body.model.changes; }) changes = body.model.changes;
    if constexpr (requires { body.run.model.changes; }) changes = body.run.model.changes;
    if constexpr (requires { body.models.front().changes; }) changes = body.models.front().changes;
    std::string text;
    for (const HeadChange& change : changes) text += " " + changeText(change) + " on " + headsText(change);
    return text;
}

class FakeEngine {
public:
    FakeEngine() {
        const auto script = nlohmann::json::parse(std::getenv("FAKE_ENGINE") ? std::getenv("FAKE_ENGINE") : "{}");
        m_diary = script.value("diary", "");
        std::size_t life = 0;
        std::ifstream diary(m_diary);
        for (std::string line; std::getline(diary, line);) life += line == "start";
        note("start");
        const auto lives = script.value("lives", nlohmann::json::array());
        if (!lives.empty()) m_life = lives[std::min(life, lives.size() - 1)];
        std::cout << m_life.value("banner", "") << std::flush;
        say({MessageKind::Hello, 0, "", Hello{m_life.value("protocol", kProtocolVersion), "fake-engine", getpid()}});
        say({MessageKind::Progress, 0, "", Alive{std::int64_t{3} << 30}});
    }

    void run() {
        while (true) {
            while (std::optional<Result<Message>> message = m_reader.next()) {
                if (!*message) _exit(4);
                if ((*message)->kind == MessageKind::Cancel) continue;  // of a job that has ended
                answer(**message);
            }
            readMore(-1);
        }
    }

private:
    void note(const std::string& line) {
        if (!m_diary.empty()) std::ofstream(m_diary, std::ios::app) << line << "\n";
    }

    void readMore(int waitMs) {
        pollfd waiting{STDIN_FILENO, POLLIN, 0};
        if (::poll(&waiting, 1, waitMs) <= 0) return;
        std::array<std::byte, 4096> chunk;
        const ssize_t n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
        if (n <= 0) _exit(0);
        m_reader.push(std::span(chunk).first(static_cast<std::size_t>(n)));
    }

    void answer(const Message& request) {
        const std::string type(bodyName(request.body));
        note(type + std::visit([](const auto& body) { return changesOf(body); }, request.body));
        std::istringstream words(m_life.value(type, "reply"));
        for (std::string word; words >> word;) act(word, request);
    }

    void act(const std::string& word, const Message& request) {
        const std::string verb = word.substr(0, word.find(':'));
        const int number = word.find(':') == std::string::npos ? 0 : std::atoi(word.c_str() + word.find(':') + 1);
        if (verb == "reply")
            say({MessageKind::Result, request.job, "", bodyOf(test::fakeReply(requestOf(request.body)))});
        if (verb == "refuse") {
            say({MessageKind::Error, request.job, "",
                 Error{.code = "ST-05", .place = "a.safetensors", .reason = "refused"}});
        }
        if (verb == "steps") steps(request, number, std::atoi(word.c_str() + word.rfind(':') + 1));
        if (verb == "wait") std::this_thread::sleep_for(std::chrono::milliseconds(number));
        if (verb == "die") std::signal(number, SIG_DFL), std::raise(number);
        if (verb == "exit") _exit(number);
        if (verb == "garbage") std::cout << "this is not a frame, whatever it may be" << std::flush;
        if (verb == "half") {
            Bytes frame = encodeFrames({MessageKind::Error, request.job, "", Error{}})[0];
            frame.resize(frame.size() / 2);
            writeBytes(frame);
        }
        if (verb == "deaf") std::this_thread::sleep_for(std::chrono::hours(1));
    }

    void steps(const Message& request, int count, int milliseconds) {
        for (int step = 1; step <= count; ++step) {
            std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
            readMore(0);
            if (const auto message = m_reader.next(); message && *message && (*message)->kind == MessageKind::Cancel) {
                note("cancelled after " + std::to_string(step) + " steps");
                return say({MessageKind::Error, request.job, "",
                            Error{.kind = ErrorKind::Cancelled, .code = "cancelled", .reason = "cancelled"}});
            }
            if (const auto* generate = std::get_if<GenerateRequest>(&request.body)) {
                say({MessageKind::Progress, request.job, "", test::fakeProgress(*generate, step, count)});
            } else {
                say({MessageKind::Progress, request.job, "",
                     ShareProgress{static_cast<double>(step) / count, "step " + std::to_string(step)}});
            }
        }
        say({MessageKind::Result, request.job, "", bodyOf(test::fakeReply(requestOf(request.body)))});
    }

    std::string m_diary;
    nlohmann::json m_life = nlohmann::json::object();
    MessageReader m_reader;
};

}  // namespace
}  // namespace ropescope

int main() {
    ropescope::FakeEngine().run();
}
