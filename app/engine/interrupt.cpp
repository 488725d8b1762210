// SPDX-License-Identifier: Apache-2.0
#include "app/engine/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <ctime>

namespace ropescope {
namespace {

sigset_t signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

Interrupt::Interrupt() {
    const sigset_t set = signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    m_waiter = std::jthread([source = m_stop](std::stop_token over) mutable {
        const sigset_t waited = signals();
        const timespec pause{0, 100'000'000};
        while (!over.stop_requested()) {
            if (sigtimedwait(&waited, nullptr, &pause) < 0) continue;
            if (!source.request_stop()) ::_exit(130);
        }
    });
}

Interrupt::~Interrupt() {
    m_waiter.request_stop();
    m_waiter.join();
    const sigset_t set = signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace ropescope
