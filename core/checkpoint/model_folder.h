// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/data/error.h"

// Folders as diffusers and transformers write them. Checked by tests/core/checkpoint/closed_folder_test.cpp and
// tests/corpus.

namespace ropescope {

/// The weight file of a folder; empty for anything else.
[[nodiscard]] std::string weightsInFolder(const std::string& path);

/// The system's reason why what lies in a folder cannot be looked at; empty where it can.
[[nodiscard]] std::string closedBecause(const std::string& folder);

/// Why a folder gave no weights: FO-04 folders in it do, which are named; ST-21 it or its `transformer` cannot be read,
/// or there are none.
[[nodiscard]] Error noWeightsIn(const std::string& folder);

}  // namespace ropescope
