// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ropescope {

/// The subcommand `evaluate`: generates with a trained model, measures, and writes evaluation.json, pictures and, when
/// training.json and loss.csv lie beside the model, card.md. The JSON also goes to stdout. Returns the exit code.
[[nodiscard]] int runEvaluate(const std::vector<std::string>& arguments);

}  // namespace ropescope
