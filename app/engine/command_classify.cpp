// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/commands.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"

namespace ropescope {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    ClassifyRequest request;
    std::vector<std::string> images;
    bool json = false;
};

Json asJson(const std::string& image, const ClassifyResult& result) {
    Json top = Json::array();
    for (const ClassScore& s : result.top)
        top.push_back({{"index", s.index}, {"label", s.label}, {"probability", s.probability}, {"logit", s.logit}});
    return {{"image", image}, {"top", top}, {"seconds", result.seconds}};
}

void printText(const std::string& image, const ClassifyResult& result) {
    std::printf("%s\n", printable(image, 200).c_str());
    for (const ClassScore& s : result.top)
        std::printf("  %6.2f %%  %5d  %s\n", 100 * s.probability, s.index, printable(s.label, 80).c_str());
}

Result<void> classifyAll(Options& options) {
    if (auto sound = checkModel(options.request.model); !sound) return sound;
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    Json all = Json::array();
    for (const std::string& image : options.images) {
        options.request.image = image;
        const auto reply = (*core)->run(options.request, {});
        if (!reply) return failure(reply.error());
        const auto& result = std::get<ClassifyResult>(*reply);
        if (options.json)
            all.push_back(asJson(image, result));
        else
            printText(image, result);
    }
    if (options.json) std::printf("%s\n", all.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return {};
}

}  // namespace

void addClassifyCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("classify", "what a ViT sees in pictures");
    addModelOptions(*command, options->request.model);
    addVariationOption(*command, options->request.model);
    addComputeOptions(*command, options->request.compute);
    command->add_option("IMAGE", options->images, "PNG, JPEG or WebP files")->required();
    command->add_option("--top", options->request.top, "classes to name, best first (default 5)")
        ->check(CLI::Range(1, 1'000'000));
    command->add_flag("--json", options->json, "as JSON");
    command->footer("Pictures are resized, cut and normalised as the model's configuration says (see info).");
    command->callback([options, &code] {
        if (auto done = classifyAll(*options); !done) code = report(done.error());
    });
}

}  // namespace ropescope
