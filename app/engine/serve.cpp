// SPDX-License-Identifier: Apache-2.0
#include "app/engine/serve.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>

#include "app/engine/lane.h"
#include "app/engine/out_queue.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/wire.h"

namespace ropescope {
namespace {

constexpr auto kHeartbeat = std::chrono::seconds(2);
constexpr auto kFarewell = std::chrono::milliseconds(1500);  // the window kills after 2 s

std::int64_t residentBytes() {
    std::ifstream statm("/proc/self/statm");
    std::int64_t pages = 0, resident = 0;
    statm >> pages >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

/// A process that computes is the one to be ended when memory runs out, so that the window lives.
void offerToTheKiller() {
    std::ofstream("/proc/self/oom_score_adj") << 500;
}

class Service {
public:
    Service(const ServeParts& parts, int wire)
        : m_parts(parts),
          m_out(wire),
          m_heavy([this](const Job& job, std::stop_token stop) { run(job, stop); },
                  [this](const Job& job) { drop(job); }),
          m_light([this](const Job& job, std::stop_token stop) { run(job, stop); },
                  [this](const Job& job) { drop(job); }) {
        m_out.push(
            {MessageKind::Hello, 0, "", Hello{kProtocolVersion, "ropescope-engine " ROPESCOPE_VERSION, getpid()}});
        m_heart = std::jthread([this](std::stop_token stop) { beat(stop); });
    }

    void take(const Message& message) {
        if (message.kind == MessageKind::Cancel) {
            m_heavy.cancel(message.job);
            m_light.cancel(message.job);
            return;
        }
        Job job{message.job, message.view, requestOf(message.body)};
        (isHeavy(job.request) ? m_heavy : m_light).add(std::move(job));
    }

    void finish() {
        m_heavy.cancelAll();
        m_light.cancelAll();
        m_heavy.waitIdle(kFarewell / 2);
        m_light.waitIdle(kFarewell / 2);
        m_out.flush(kFarewell / 2);
    }

private:
    void answer(const Job& job, const Result<Reply>& reply) {
        if (reply) {
            m_out.push({MessageKind::Result, job.id, "", bodyOf(*reply)});
        } else {
            m_out.push({MessageKind::Error, job.id, "", reply.error()});
        }
    }

    void drop(const Job& job) {
        answer(job, failure({.kind = ErrorKind::Cancelled, .code = "cancelled", .reason = "cancelled"}));
    }

    void run(const Job& job, std::stop_token stop) {
        try {
            answer(job, stop.stop_requested()
                            ? Result<Reply>(
                                  failure({.kind = ErrorKind::Cancelled, .code = "cancelled", .reason = "cancelled"}))
                            : compute(job, stop));
        } catch (const std::exception& e) {
            answer(job, failure({.kind = ErrorKind::Internal,
                                 .code = "internal",
                                 .place = "engine",
                                 .reason = printable(e.what(), 200)}));
        }
    }

    Result<Reply> compute(const Job& job, std::stop_token stop) {
        if (const auto* open = std::get_if<OpenRequest>(&job.request)) {
            return describeFile(open->model).map([](ModelCard card) -> Reply { return card; });
        }
        if (const auto* tensors = std::get_if<TensorsRequest>(&job.request))
            return reportTensors(*tensors).map([](TensorsReport report) -> Reply { return report; });
        if (const auto* save = std::get_if<SavePngRequest>(&job.request)) {
            return m_parts.savePng(*save).map([&]() -> Reply { return SavedFile{save->path}; });
        }
        if (const auto* read = std::get_if<ReadSettingsRequest>(&job.request))
            return m_parts.readSettings(read->path).map([](PictureSettings settings) -> Reply { return settings; });
        Result<CoreApi*> core = m_parts.core();
        if (!core) return tl::unexpected(core.error());
        JobContext context;
        context.stop = stop;
        context.onProgress = [&](const GenerateProgress& p) { m_out.push({MessageKind::Progress, job.id, "", p}); };
        context.onAtlas = [&](const AtlasProgress& p) { m_out.push({MessageKind::Progress, job.id, "", p}); };
        context.onShare = [&](double done, const std::string& word) {
            m_out.push({MessageKind::Progress, job.id, "", ShareProgress{done, word}});
        };
        context.onNote = [&](const std::string& note) {
            m_out.push({MessageKind::Progress, job.id, "", ShareProgress{-1, note}});
        };
        return (*core)->run(job.request, context);
    }

    void beat(std::stop_token stop) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
            m_out.push({MessageKind::Progress, 0, "", Alive{residentBytes()}});
            never.wait_for(lock, stop, kHeartbeat, [] { return false; });
        }
    }

    const ServeParts& m_parts;
    OutQueue m_out;
    Lane m_heavy;
    Lane m_light;
    std::jthread m_heart;
};

}  // namespace

void serve(const ServeParts& parts) {
    const int wire = dup(STDOUT_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    std::signal(SIGPIPE, SIG_IGN);
    offerToTheKiller();

    Service service(parts, wire);
    MessageReader reader;
    std::array<std::byte, 65536> chunk;
    int code = 0;
    while (code == 0) {
        const ssize_t n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        reader.push(std::span(chunk).first(static_cast<std::size_t>(n)));
        while (std::optional<Result<Message>> message = reader.next()) {
            const bool fits =
                *message && ((*message)->kind == MessageKind::Request || (*message)->kind == MessageKind::Cancel);
            if (fits) {
                service.take(**message);
                continue;
            }
            std::fprintf(stderr, "%s\n", *message ? "unexpected message" : message->error().message().c_str());
            code = 1;
            break;
        }
    }
    service.finish();
    _exit(code);
}

}  // namespace ropescope
