// SPDX-License-Identifier: Apache-2.0
#include "core/engine/bench/bench.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/engine/machine/device.h"

namespace ropescope {
namespace {

constexpr BenchGroup kGroups[] = {
    {"shipped", benchShipped}, {"variations", benchVariations}, {"dit-b2", benchDitB2},
    {"vit-b16", benchViTB16},  {"probes", benchProbes},         {"info", benchInfo},
    {"window", benchWindow},
};

std::string processorName() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
    return "unknown";
}

/// The model that the program starts with, from the resources beside the build; empty when there are none.
std::string shippedModel() {
    namespace fs = std::filesystem;
    std::error_code none;
    fs::path folder = fs::read_symlink("/proc/self/exe", none).parent_path();
    for (int up = 0; up < 4; ++up, folder = folder.parent_path()) {
        const fs::path file = folder / "resources/models/fashion-harope/model.safetensors";
        if (fs::exists(file, none)) return file.string();
    }
    return {};
}

nlohmann::ordered_json rowJson(const BenchRow& row) {
    nlohmann::ordered_json json = {{"name", row.name}, {"what", row.what}, {"unit", row.unit}};
    json["bound"] = row.bound ? nlohmann::ordered_json(*row.bound) : nlohmann::ordered_json();
    json["value"] = row.value ? nlohmann::ordered_json(*row.value) : nlohmann::ordered_json();
    if (!row.note.empty()) json["note"] = row.note;
    return json;
}

}  // namespace

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 ? values.at(middle) : (values.at(middle - 1) + values.at(middle)) / 2;
}

int runBench(const std::vector<std::string>& arguments) {
    BenchOptions options;
    options.model = shippedModel();
    std::vector<std::string> only, names;
    for (const BenchGroup& group : kGroups) names.push_back(group.name);
    CLI::App app("Measures the program on this machine; medians of interleaved runs as JSON", "ropescope bench");
    app.add_option("--model", options.model, "the shipped model's file");
    app.add_option("--device", options.device, "cpu, cuda or cuda:N");
    app.add_option("--only", only, "groups to measure")->check(CLI::IsMember(names));
    app.add_option("--repeat", options.repeat, "interleaved repetitions")->check(CLI::Range(1, 1000));
    app.add_option("--threads", options.threads, "threads, 0: all cores")->check(CLI::Range(0, 1024));
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 pops from the back
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? 0 : 2;
    }
    nlohmann::ordered_json json = {{"processor", processorName()}, {"threads", useThreads(options.threads)}};
    const auto device = chooseDevice(options.device);
    if (!device) {
        std::cerr << device.error().message() << "\n";
        return device.error().exitCode();
    }
    json["device"] = describeCompute(*device, Precision::Fp32, useThreads(options.threads));
    json["repeat"] = options.repeat;
    json["measurements"] = nlohmann::ordered_json::array();
    for (const BenchGroup& group : kGroups) {
        if (!only.empty() && std::find(only.begin(), only.end(), group.name) == only.end()) continue;
        for (const BenchRow& row : group.measure(options)) json["measurements"].push_back(rowJson(row));
    }
    std::cout << json.dump(2) << std::endl;
    return 0;
}

}  // namespace ropescope
