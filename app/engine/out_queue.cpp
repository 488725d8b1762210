// SPDX-License-Identifier: Apache-2.0
#include "app/engine/out_queue.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "core/data/wire.h"

namespace ropescope {
namespace {

constexpr int kMostWaiting = 64;  // progresses of one job: short runs arrive whole

bool writeAll(int descriptor, const Bytes& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::write(descriptor, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return true;
}

/// A message that cannot be encoded is a fault of ours: its job is told, the engine lives on.
std::vector<Bytes> framesOf(const Message& message) {
    try {
        return encodeFrames(message);
    } catch (const std::exception& e) {
        const Error error{.kind = ErrorKind::Internal, .code = "internal", .place = "wire", .reason = e.what()};
        return encodeFrames({MessageKind::Error, message.job, "", error});
    }
}

}  // namespace

OutQueue::OutQueue(int descriptor) : m_descriptor(descriptor) {
    m_writer = std::jthread([this](std::stop_token stop) { write(stop); });
}

OutQueue::~OutQueue() = default;

void OutQueue::push(Message message) {
    const std::scoped_lock lock(m_mutex);
    if (m_broken) return;
    if (message.kind == MessageKind::Progress) {
        const auto same = [&](const Message& waiting) {
            return waiting.kind == MessageKind::Progress && waiting.job == message.job &&
                   waiting.body.index() == message.body.index();
        };
        if (std::ranges::count_if(m_waiting, same) >= kMostWaiting) {
            *std::find_if(m_waiting.rbegin(), m_waiting.rend(), same) = std::move(message);
            return;
        }
    }
    m_waiting.push_back(std::move(message));
    m_changed.notify_all();
}

void OutQueue::flush(std::chrono::milliseconds limit) {
    std::unique_lock lock(m_mutex);
    m_changed.wait_for(lock, limit, [&] { return m_broken || (m_waiting.empty() && !m_writing); });
}

void OutQueue::write(std::stop_token stop) {
    std::unique_lock lock(m_mutex);
    while (m_changed.wait(lock, stop, [&] { return !m_waiting.empty(); })) {
        const Message message = std::move(m_waiting.front());
        m_waiting.pop_front();
        m_writing = true;
        lock.unlock();
        bool written = true;
        for (const Bytes& frame : framesOf(message)) written = written && writeAll(m_descriptor, frame);
        lock.lock();
        m_writing = false;
        if (!written) m_broken = true, m_waiting.clear();
        m_changed.notify_all();
    }
}

}  // namespace ropescope
