// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "core/engine/machine/device.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/weights/head_store.h"
#include "core/engine/weights/heads.h"
#include "core/probe/head_numbers.h"
#include "core/probe/head_probe.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kFirstWait = std::chrono::milliseconds(100);
constexpr auto kBetweenReports = std::chrono::milliseconds(250);

/// Heads of one layer, measured by one thread.
struct Part {
    int layer = 0;
    HeadRange heads;
};

/// In order of the layers. Layers of a large model are halved, so that two threads tell the first one sooner.
std::vector<Part> partsOf(const HeadStore& store) {
    const int heads = store.card().heads, half = store.keepsAll() || heads < 2 ? heads : (heads + 1) / 2;
    std::vector<Part> parts;
    for (int layer = 0; layer < store.card().layers; ++layer)
        for (int first = 0; first < heads; first += half)
            parts.push_back({layer, {first, std::min(half, heads - first)}});
    return parts;
}

/// One measurement: its parts are taken one after the other by one or two threads.
class AtlasRun {
public:
    AtlasRun(HeadStore& store, const JobContext& context)
        : m_store(store),
          m_context(context),
          m_atlas(emptyAtlas(store.card().layers, store.card().heads, store.card().headDim, store.card().convention)),
          m_parts(partsOf(store)),
          m_measured(store.card().layers, 0) {}

    /// Measures part by part until none is left. The job's own thread reports; a helper stops when others need the
    /// cores.
    void work(bool helper) {
        const at::NoGradGuard noGrad;
        useThreads(1);  // small matrices: a second pool of threads would only slow a running generation
        try {
            while (const Part* part = take(helper)) {
                measure(*part);
                if (helper) continue;
                awaitFirstLayer();
                report();
            }
        } catch (...) {
            const std::lock_guard lock(m_mutex);
            if (!m_thrown) m_thrown = std::current_exception();
            m_ended = true;
        }
    }

    Result<AtlasReport> result() {
        if (m_thrown) std::rethrow_exception(m_thrown);
        if (m_error) return failure(*m_error);
        report();
        return std::move(m_atlas);
    }

private:
    const Part* take(bool helper) {
        const std::lock_guard lock(m_mutex);
        if (m_context.stop.stop_requested()) end(cancelled());
        if (m_ended || m_next == m_parts.size() || (helper && HeavyWork::runs())) return nullptr;
        return &m_parts[m_next++];
    }

    void end(Error error) {
        if (!m_ended) m_error = std::move(error);
        m_ended = true;
    }

    void measure(const Part& part) {
        const ModelCard& card = m_store.card();
        const Result<std::vector<LoadedHead>> heads = m_store.passing(part.layer, part.heads);
        if (!heads) {
            const std::lock_guard lock(m_mutex);
            return end(heads.error());
        }
        for (int i = 0; i < part.heads.count; ++i) {
            if (m_context.stop.stop_requested()) return;  // take() says so
            const LoadedHead& head = (*heads)[i];
            const HeadId id{part.layer, part.heads.first + i};
            HeadReport report;
            if (head.problem.empty()) report = probeHead(id, head.value, card.grid);
            report.problem = head.problem;
            const std::lock_guard lock(m_mutex);
            enterHead(m_atlas, static_cast<std::size_t>(id.layer) * card.heads + id.head, report);
        }
        const std::lock_guard lock(m_mutex);
        m_measured[part.layer] += part.heads.count;
        m_change.notify_all();
    }

    /// The other half of the first layer is nearly done when this one is: telling it soon is worth a short wait.
    void awaitFirstLayer() {
        std::unique_lock lock(m_mutex);
        if (m_next == 0 || m_parts[m_next - 1].layer > 0 || (m_next < m_parts.size() && m_parts[m_next].layer == 0))
            return;
        m_change.wait_for(lock, kFirstWait, [this] { return m_ended || m_measured[0] == m_store.card().heads; });
    }

    void report() {
        int ready = 0;
        AtlasProgress progress;
        {
            const std::lock_guard lock(m_mutex);
            const int heads = m_store.card().heads, done = std::accumulate(m_measured.begin(), m_measured.end(), 0);
            m_share = static_cast<double>(done) / (static_cast<double>(m_measured.size()) * heads);
            const auto full = [heads](int measured) { return measured == heads; };
            ready = static_cast<int>(std::find_if_not(m_measured.begin(), m_measured.end(), full) - m_measured.begin());
            const bool due = m_context.onAtlas && ready > 0 &&
                             (m_reported == Clock::time_point{} || Clock::now() - m_reported >= kBetweenReports);
            if (due) progress = {ready, m_atlas}, m_reported = Clock::now();
        }
        if (m_context.onShare) m_context.onShare(m_share, "measuring heads");
        if (progress.layersReady > 0) m_context.onAtlas(progress);
    }

    HeadStore& m_store;
    const JobContext& m_context;
    std::condition_variable m_change;
    std::mutex m_mutex;  ///< of all below
    AtlasReport m_atlas;
    std::vector<Part> m_parts;
    std::vector<int> m_measured;  ///< [L] heads
    std::size_t m_next = 0;
    bool m_ended = false;
    std::optional<Error> m_error;
    std::exception_ptr m_thrown;
    double m_share = 0;
    Clock::time_point m_reported;
};

}  // namespace

Result<AtlasReport> reportAtlas(const AtlasRequest& request, const JobContext& context) {
    const Result<std::shared_ptr<HeadStore>> store = headStore(request.model);
    if (!store) return failure(store.error());
    AtlasRun run(**store, context);
    {
        std::jthread helper;
        if (std::thread::hardware_concurrency() > 1 && (*store)->card().layers > 1 && !HeavyWork::runs())
            helper = std::jthread([&run] { run.work(true); });
        run.work(false);
    }
    return run.result();
}

}  // namespace ropescope
