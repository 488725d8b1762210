// SPDX-License-Identifier: Apache-2.0
#include "core/training/train_command.h"

#include <iostream>

#include "core/training/trainer.h"

namespace ropescope {

int runTrain(const std::vector<std::string>& arguments) {
    const Result<TrainSettings> settings = parseTrainSettings(arguments);
    if (!settings && settings.error().code == "help") {
        std::cout << settings.error().reason;
        return 0;
    }
    const Result<std::string> model =
        settings ? train(*settings, [](const std::string& line) { std::cerr << line << std::endl; })
                 : failure(settings.error());
    if (!model) {
        std::cerr << model.error().message() << "\n";
        return model.error().exitCode();
    }
    std::cout << *model << "\n";
    return 0;
}

}  // namespace ropescope
