// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/data/message.h"

namespace ropescope {

/// Messages on their way to the window. One thread writes them; whoever pushes never waits for the pipe. Where many
/// progresses of a job wait, the last of them is replaced by a newer one, so a slow reader holds nothing up.
class OutQueue {
public:
    explicit OutQueue(int descriptor);
    ~OutQueue();
    OutQueue(const OutQueue&) = delete;
    OutQueue& operator=(const OutQueue&) = delete;

    void push(Message message);
    /// Waits until everything pushed so far is written, the reader is gone, or the time is over.
    void flush(std::chrono::milliseconds limit);

private:
    void write(std::stop_token stop);

    int m_descriptor;
    std::mutex m_mutex;
    std::condition_variable_any m_changed;
    std::deque<Message> m_waiting;
    bool m_writing = false;
    bool m_broken = false;  ///< the reader is gone
    std::jthread m_writer;  ///< last: it uses all of the above
};

}  // namespace ropescope
