// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ropescope {

/// The card of a trained model in Markdown, written from what the programs wrote themselves: training.json (train) and
/// evaluation.json (evaluate), both given as text; `remark` is a paragraph of its own. Throws nlohmann's exceptions
/// when a field is missing.
[[nodiscard]] std::string modelCardText(const std::string& name, const std::string& trainingJson,
                                        const std::string& evaluationJson, const std::string& remark);

/// The curve of loss.csv as an SVG picture with labelled axes. Checked by tests/core/training/model_card_test.cpp.
[[nodiscard]] std::string lossCurveSvg(const std::string& lossCsv);

}  // namespace ropescope
