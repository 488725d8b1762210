// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <utility>
#include <vector>

#include "core/data/joint_attention.h"

namespace ropescope {

/// What a text token stands for: a piece of the prompt, "padding 3", "class token".
[[nodiscard]] QString wordText(const AttentionReport& report, int number);
/// The tokens that are drawn, by number: those of the prompt, not the padding.
[[nodiscard]] std::vector<int> drawnWords(const AttentionReport& report);
/// Where the words of another encoder begin, as an index into `numbers`; both CLIPs of SD3 stand in the same tokens.
[[nodiscard]] std::vector<std::pair<int, QString>> encoderGroups(const AttentionReport& report,
                                                                 const std::vector<int>& numbers);
/// "the patch in row 1, column 2, "cat"": which tokens a question was about.
[[nodiscard]] QString chosenText(const AttentionRequest& request, const AttentionReport& report);
/// Share of attention on tokens that are not drawn.
[[nodiscard]] double paddingShare(const AttentionReport& report, const std::vector<float>& text);
/// The subcommand that computes the same numbers, from the one that makes the picture.
[[nodiscard]] QString attentionCommand(const QString& command, const AttentionRequest& request, Grid grid);

}  // namespace ropescope
