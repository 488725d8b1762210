// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/checkpoint/table_contents.h"

namespace ropescope {
namespace {

bool anyStartsWith(const std::vector<TensorEntry>& tensors, std::string_view prefix) {
    return std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name.starts_with(prefix); });
}

bool allStartWith(const std::vector<TensorEntry>& tensors, std::string_view prefix) {
    return !tensors.empty() &&
           std::all_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name.starts_with(prefix); });
}

}  // namespace

void chooseCopy(TensorTable::Contents& contents, WeightChoice choice) {
    auto& tensors = contents.tensors;
    if (anyStartsWith(tensors, "ema.") && anyStartsWith(tensors, "model.")) {
        const std::string_view wanted = choice == WeightChoice::Ema ? "ema." : "model.";
        std::erase_if(tensors, [&](const TensorEntry& t) { return !t.name.starts_with(wanted); });
        contents.notes.push_back("weights: " + std::string(wanted.substr(0, wanted.size() - 1)) +
                                 " (the file holds ema and model)");
    }
    for (bool again = true; again;) {
        again = false;
        for (const std::string_view prefix : {"module.", "model.", "_orig_mod.", "ema."}) {
            if (!allStartWith(tensors, prefix)) continue;
            for (TensorEntry& tensor : tensors) tensor.name.erase(0, prefix.size());
            contents.notes.push_back("prefix " + std::string(prefix) + " taken off every name");
            again = true;
        }
    }
}

}  // namespace ropescope
