// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <thread>

namespace ropescope {

/// While it lives, Ctrl+C and SIGTERM ask the running job to stop (exit code 130) instead of ending the program; a
/// second one ends it. Create it before other threads that should not receive the signals.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    [[nodiscard]] std::stop_token token() const { return m_stop.get_token(); }

private:
    std::stop_source m_stop;
    std::jthread m_waiter;
};

}  // namespace ropescope
