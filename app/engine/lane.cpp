// SPDX-License-Identifier: Apache-2.0
#include "app/engine/lane.h"

namespace ropescope {

Lane::Lane(std::function<void(const Job&, std::stop_token)> run, std::function<void(const Job&)> drop)
    : m_run(std::move(run)), m_drop(std::move(drop)) {
    m_worker = std::jthread([this](std::stop_token stop) { work(stop); });
}

Lane::~Lane() {
    cancelAll();
}

void Lane::add(Job job) {
    const std::string view = job.view;
    if (!view.empty()) dropWhere([&](const Job& other) { return other.view == view; });
    const std::scoped_lock lock(m_mutex);
    m_waiting.push_back(std::move(job));
    m_changed.notify_all();
}

void Lane::cancel(std::uint64_t id) {
    dropWhere([&](const Job& job) { return job.id == id; });
}

void Lane::cancelAll() {
    dropWhere([](const Job&) { return true; });
}

void Lane::dropWhere(const std::function<bool(const Job&)>& which) {
    std::deque<Job> dropped;
    {
        const std::scoped_lock lock(m_mutex);
        std::deque<Job> kept;
        for (Job& job : m_waiting) (which(job) ? dropped : kept).push_back(std::move(job));
        m_waiting = std::move(kept);
        if (m_running && which(*m_running)) m_stopRunning.request_stop();
    }
    for (const Job& job : dropped) m_drop(job);
}

void Lane::waitIdle(std::chrono::milliseconds limit) {
    std::unique_lock lock(m_mutex);
    m_changed.wait_for(lock, limit, [&] { return m_waiting.empty() && !m_running; });
}

void Lane::work(std::stop_token stop) {
    std::unique_lock lock(m_mutex);
    while (m_changed.wait(lock, stop, [&] { return !m_waiting.empty(); })) {
        const Job job = std::move(m_waiting.front());
        m_waiting.pop_front();
        m_running = &job;
        m_stopRunning = std::stop_source();
        const std::stop_token stopJob = m_stopRunning.get_token();
        lock.unlock();
        m_run(job, stopJob);
        lock.lock();
        m_running = nullptr;
        m_changed.notify_all();
    }
}

}  // namespace ropescope
