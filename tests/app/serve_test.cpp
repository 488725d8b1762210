// SPDX-License-Identifier: Apache-2.0
#include "app/engine/serve.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "core/data/wire.h"

namespace ropescope {
namespace {

/// A core that counts steps instead of computing, and prints to stdout as a careless library would.
class CountingCore : public CoreApi {
public:
    Result<Reply> run(const Request& request, const JobContext& context) override {
        std::printf("a library that prints\n");
        std::fflush(stdout);
        const auto* generate = std::get_if<GenerateRequest>(&request);
        if (!generate) return AtlasReport{};
        if (generate->steps < 0) throw std::runtime_error("broken precondition");
        for (int step = 1; step <= generate->steps; ++step) {
            if (context.stop.stop_requested()) {
                return failure({.kind = ErrorKind::Cancelled, .code = "cancelled", .reason = "cancelled"});
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            GenerateProgress progress;
            progress.step = step;
            context.onProgress(progress);
        }
        return GenerateResult{};
    }
    Result<void> inspect(const InspectCommand&) override { return {}; }
    Result<void> forward(const ForwardCommand&) override { return {}; }
    Result<std::string> fold(const ExportCommand&) override { return std::string(); }
    Result<std::string> convert(const ExportCommand&) override { return std::string(); }
    int train(const std::vector<std::string>&) override { return 0; }
    int evaluate(const std::vector<std::string>&) override { return 0; }
    int study(const std::vector<std::string>&) override { return 0; }
    int bench(const std::vector<std::string>&) override { return 0; }
};

Result<CoreApi*> countingCore() {
    static CountingCore core;
    return &core;
}

/// `serve` in a child process, spoken to through pipes.
class ServeTest : public testing::Test {
protected:
    void SetUp() override {
        int in[2], out[2];
        ASSERT_EQ(pipe(in), 0);
        ASSERT_EQ(pipe(out), 0);
        m_child = fork();
        if (m_child == 0) {
            dup2(in[0], STDIN_FILENO);
            dup2(out[1], STDOUT_FILENO);
            for (int d : {in[0], in[1], out[0], out[1]}) close(d);
            serve({countingCore, [](const SavePngRequest& r) -> Result<void> {
                       if (r.path.empty()) return failure({.code = "EX-02", .reason = "no name"});
                       return {};
                   }});
        }
        close(in[0]);
        close(out[1]);
        m_in = in[1];
        m_out = out[0];
    }
    void TearDown() override {
        if (m_child > 0) kill(m_child, SIGKILL), waitpid(m_child, nullptr, 0);
    }

    void say(const Message& message) {
        for (const Bytes& frame : encodeFrames(message)) ASSERT_GT(write(m_in, frame.data(), frame.size()), 0);
    }
    void ask(std::uint64_t job, const Request& request, const std::string& view = "") {
        say({MessageKind::Request, job, view, bodyOf(request)});
    }
    /// The next message that is no heartbeat.
    Message hear() {
        while (true) {
            while (auto message = m_reader.next()) {
                EXPECT_TRUE(*message) << message->error().message();
                if (!*message) return {};
                if (!std::holds_alternative<Alive>((*message)->body)) return **message;
            }
            std::byte chunk[4096];
            const ssize_t n = read(m_out, chunk, sizeof chunk);
            if (n <= 0) return {MessageKind::Error, 0, "the end", {}};
            m_reader.push(std::span(chunk, static_cast<std::size_t>(n)));
        }
    }
    Message hearEnd(std::uint64_t job) {
        Message message = hear();
        while (message.view != "the end" && (message.job != job || message.kind == MessageKind::Progress))
            message = hear();
        return message;
    }
    int endOfInput() {
        close(m_in);
        int status = 0;
        waitpid(m_child, &status, 0);
        m_child = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    static GenerateRequest steps(int n) {
        GenerateRequest request;
        request.steps = n;
        return request;
    }

    pid_t m_child = -1;
    int m_in = -1, m_out = -1;
    MessageReader m_reader;
};

TEST_F(ServeTest, SaysHelloFirstAndEndsWithItsInput) {
    const Message hello = hear();
    ASSERT_TRUE(std::holds_alternative<Hello>(hello.body));
    EXPECT_EQ(std::get<Hello>(hello.body).protocol, kProtocolVersion);
    EXPECT_EQ(std::get<Hello>(hello.body).pid, m_child);
    EXPECT_EQ(endOfInput(), 0);
}

TEST_F(ServeTest, AnswersAndKeepsItsWireCleanOfPrints) {
    hear();
    for (std::uint64_t job = 1; job <= 20; ++job) ask(job, AtlasRequest{});
    for (std::uint64_t job = 1; job <= 20; ++job) {
        const Message reply = hear();
        EXPECT_EQ(reply.job, job);
        EXPECT_TRUE(std::holds_alternative<AtlasReport>(reply.body));
    }
}

TEST_F(ServeTest, ErrorsAreAnswersToo) {
    hear();
    OpenRequest missing;
    missing.model.path = "/no/such/file.safetensors";
    ask(1, missing);
    EXPECT_EQ(hearEnd(1).kind, MessageKind::Error);
    ask(2, SavePngRequest{});
    EXPECT_EQ(std::get<Error>(hearEnd(2).body).code, "EX-02");
    ask(3, steps(-1));
    EXPECT_EQ(std::get<Error>(hearEnd(3).body).reason, "broken precondition");
    ask(4, SavePngRequest{"a.png", {}, ""});
    EXPECT_EQ(std::get<SavedFile>(hearEnd(4).body).path, "a.png");
}

TEST_F(ServeTest, TheLightLaneAnswersWhileTheHeavyOneComputes) {
    hear();
    ask(1, steps(10000), "generate");
    ask(2, AtlasRequest{});
    EXPECT_TRUE(std::holds_alternative<AtlasReport>(hearEnd(2).body));
    say({MessageKind::Cancel, 1, "", {}});
    EXPECT_EQ(std::get<Error>(hearEnd(1).body).kind, ErrorKind::Cancelled);
    say({MessageKind::Cancel, 1, "", {}});  // of an ended job
    ask(3, steps(2), "generate");
    EXPECT_EQ(hearEnd(3).kind, MessageKind::Result);
}

TEST_F(ServeTest, ANewerRequestOfAViewEndsTheOlderOnes) {
    hear();
    ask(1, steps(10000), "generate");
    ask(2, steps(10000), "generate");
    ask(3, steps(10000), "other view");
    ask(4, steps(3), "generate");
    say({MessageKind::Cancel, 3, "", {}});
    for (std::uint64_t job : {2u, 3u, 1u}) {
        SCOPED_TRACE(job);
        Message message = hear();
        while (message.kind == MessageKind::Progress) message = hear();
        EXPECT_EQ(std::get<Error>(message.body).kind, ErrorKind::Cancelled);
    }
    EXPECT_EQ(hearEnd(4).kind, MessageKind::Result);
}

TEST_F(ServeTest, ASlowReaderGetsTheNewestProgress) {
    hear();
    ask(1, steps(3));
    EXPECT_EQ(hearEnd(1).kind, MessageKind::Result);
    ask(2, steps(40000));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    int last = 0, heard = 0;
    say({MessageKind::Cancel, 2, "", {}});
    for (Message m = hear(); m.kind == MessageKind::Progress; m = hear()) {
        const int step = std::get<GenerateProgress>(m.body).step;
        EXPECT_GT(step, last);
        last = step;
        ++heard;
    }
    EXPECT_GT(heard, 0);
}

TEST_F(ServeTest, GarbageEndsItWithCodeOne) {
    hear();
    const std::string garbage(kNoiseLimit + 1000, 'g');
    ASSERT_GT(write(m_in, garbage.data(), garbage.size()), 0);
    EXPECT_EQ(hear().view, "the end");
    EXPECT_EQ(endOfInput(), 1);
}

TEST_F(ServeTest, InputEndsDuringAComputation) {
    hear();
    ask(1, steps(1000000));
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(endOfInput(), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(3));
}

}  // namespace
}  // namespace ropescope
