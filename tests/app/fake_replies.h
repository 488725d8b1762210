// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/data/message.h"

namespace ropescope::test {

/// A small made-up model of 2 layers x 2 heads, D = 4, and what an engine would say about it.
[[nodiscard]] Reply fakeReply(const Request& request);
[[nodiscard]] GenerateProgress fakeProgress(const GenerateRequest& request, int step, int steps);
[[nodiscard]] HeadReport fakeHead(HeadId id);

}  // namespace ropescope::test
