// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "core/engine/device.h"
#include "core/engine/head_store.h"
#include "core/engine/heads.h"
#include "core/probe/head_numbers.h"
#include "core/probe/head_probe.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kBetweenReports = std::chrono::milliseconds(250);

/// One measurement: layers are taken one after the other by one or two threads.
class AtlasRun {
public:
    AtlasRun(HeadStore& store, const JobContext& context)
        : m_store(store),
          m_context(context),
          m_atlas(emptyAtlas(store.card().layers, store.card().heads, store.card().headDim, store.card().convention)),
          m_done(store.card().layers, false) {}

    /// Measures layer by layer until none is left. The job's own thread reports; a helper stops when others need the
    /// cores.
    void work(bool helper) {
        const at::NoGradGuard noGrad;
        useThreads(1);  // small matrices: a second pool of threads would only slow a running generation
        try {
            while (const std::optional<int> layer = take(helper)) {
                measure(*layer);
                if (!helper) report();
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
    std::optional<int> take(bool helper) {
        const std::lock_guard lock(m_mutex);
        if (m_context.stop.stop_requested()) end({ErrorKind::Cancelled, "cancelled", "", "cancelled", "", "", ""});
        if (m_ended || m_next == m_store.card().layers || (helper && HeavyWork::runs())) return std::nullopt;
        return m_next++;
    }

    void end(Error error) {
        if (!m_ended) m_error = std::move(error);
        m_ended = true;
    }

    void measure(int layer) {
        const ModelCard& card = m_store.card();
        const Result<std::vector<LoadedHead>> heads = m_store.passing(layer);
        if (!heads) {
            const std::lock_guard lock(m_mutex);
            return end(heads.error());
        }
        for (int i = 0; i < card.heads; ++i) {
            if (m_context.stop.stop_requested()) return;  // take() says so
            const LoadedHead& head = (*heads)[i];
            HeadReport report;
            if (head.problem.empty()) report = probeHead({layer, i}, head.value, card.grid);
            report.problem = head.problem;
            const std::lock_guard lock(m_mutex);
            enterHead(m_atlas, static_cast<std::size_t>(layer) * card.heads + i, report);
        }
        const std::lock_guard lock(m_mutex);
        m_done[layer] = true;
    }

    void report() {
        int ready = 0;
        AtlasProgress progress;
        {
            const std::lock_guard lock(m_mutex);
            const auto done = std::count(m_done.begin(), m_done.end(), true);
            if (m_context.onShare) m_share = static_cast<double>(done) / static_cast<double>(m_done.size());
            ready = static_cast<int>(std::find(m_done.begin(), m_done.end(), false) - m_done.begin());
            const bool due = m_context.onAtlas && ready > 0 &&
                             (m_reported == Clock::time_point{} || Clock::now() - m_reported >= kBetweenReports);
            if (due) progress = {ready, m_atlas}, m_reported = Clock::now();
        }
        if (m_context.onShare) m_context.onShare(m_share, "measuring heads");
        if (progress.layersReady > 0) m_context.onAtlas(progress);
    }

    HeadStore& m_store;
    const JobContext& m_context;
    std::mutex m_mutex;  ///< of all below
    AtlasReport m_atlas;
    std::vector<bool> m_done;
    int m_next = 0;
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
