// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "core/data/request.h"

namespace ropescope {

struct Job {
    std::uint64_t id = 0;
    std::string view;
    Request request;
};

/// One thread that runs one job after the other. A newer job of the same view takes the place of older ones: waiting
/// ones are dropped, a running one is asked to stop.
class Lane {
public:
    /// `run` computes a job on the lane's thread and answers it; `drop` answers a job that will not run.
    Lane(std::function<void(const Job&, std::stop_token)> run, std::function<void(const Job&)> drop);
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    void add(Job job);
    void cancel(std::uint64_t id);  ///< a job that has ended is not an error
    void cancelAll();
    /// Waits until nothing runs or waits, or the time is over.
    void waitIdle(std::chrono::milliseconds limit);

private:
    void work(std::stop_token stop);
    void dropWhere(const std::function<bool(const Job&)>& which);

    std::function<void(const Job&, std::stop_token)> m_run;
    std::function<void(const Job&)> m_drop;
    std::mutex m_mutex;
    std::condition_variable_any m_changed;
    std::deque<Job> m_waiting;
    const Job* m_running = nullptr;
    std::stop_source m_stopRunning;
    std::jthread m_worker;  ///< last: it uses all of the above
};

}  // namespace ropescope
