// SPDX-License-Identifier: Apache-2.0
#include "app/engine/model_options.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "core/checkpoint/tensor_table.h"
#include "core/data/enum_names.h"

namespace ropescope {

void addSamplerOption(CLI::App& command, Sampler& sampler) {
    addChoice<Sampler>(command, "--sampler", sampler,
                       {{"ddpm", Sampler::Ddpm},
                        {"ddim", Sampler::Ddim},
                        {"euler", Sampler::Euler},
                        {"heun", Sampler::Heun},
                        {"dpmpp-2m", Sampler::Dpmpp2m}},
                       "default: the model's kind");
}

void addSizeOption(CLI::App& command, const std::string& name, Grid& size, const std::string& help) {
    const auto parse = [&size](const std::string& text) {
        const char* end = text.data() + text.size();
        const auto rows = std::from_chars(text.data(), end, size.rows);
        if (rows.ec != std::errc() || rows.ptr == end || *rows.ptr != 'x') return false;
        const auto cols = std::from_chars(rows.ptr + 1, end, size.cols);
        constexpr int kLargest = 16384;
        return cols.ec == std::errc() && cols.ptr == end && size.rows >= 1 && size.cols >= 1 && size.rows <= kLargest &&
               size.cols <= kLargest;
    };
    command
        .add_option(name, CLI::callback_t([parse, name](const CLI::results_t& values) {
                        if (!parse(values.front())) {
                            throw CLI::ValidationError(name, "expected HEIGHTxWIDTH, e.g. 16x16");
                        }
                        return true;
                    }),
                    help)
        ->type_name("HxW");
}

void addMemoryOption(CLI::App& command, std::uint64_t& bytes) {
    const auto read = [&bytes](const CLI::results_t& given) {
        static const std::map<std::string, double> units = {
            {"", 1},      {"B", 1},         {"KB", 1e3},      {"MB", 1e6},      {"GB", 1e9},
            {"TB", 1e12}, {"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1024.0 * (1 << 30)}};
        char* end = nullptr;
        const double number = std::strtod(given.front().c_str(), &end);
        std::string unit(end);
        std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return std::toupper(c); });
        const auto factor = units.find(unit);
        if (end == given.front().c_str() || factor == units.end() || !(number > 0) || number * factor->second > 1e18)
            throw CLI::ValidationError("--memory", "expected a size above 0, e.g. 6GB or 6.5GB");
        bytes = static_cast<std::uint64_t>(number * factor->second);
        return true;
    };
    command.add_option("--memory", CLI::callback_t(read), "FLUX, SD3: stay below this, e.g. 6GB, by streaming blocks")
        ->type_name("SIZE");
}

void addModelOptions(CLI::App& command, ModelRef& model) {
    command.add_option("FILE", model.path, "weights: safetensors or a PyTorch checkpoint")->required();
    command.add_option("--heads", model.heads, "attention heads, where the tensors do not tell")
        ->check(CLI::Range(1, 65536));
    addSizeOption(command, "--grid", model.grid, "patch grid, rows x columns, where the file does not say");
    command.add_option("--theta", model.theta, "base of the rotary frequencies")->check(CLI::Range(1e-6, 1e12));
    command.add_option("--config", model.config, "configuration (diffusers' or timm's JSON)");
    command.add_option("--adapter", model.adapter, "FLUX, SD3: file with HARoPE maps for these weights");
    const auto addLora = [&model](const CLI::results_t& given) {
        for (const std::string& word : given) {
            LoraRef lora{word, 1};
            if (const std::size_t colon = word.rfind(':'); colon != std::string::npos && colon + 1 < word.size()) {
                char* end = nullptr;
                const double strength = std::strtod(word.c_str() + colon + 1, &end);
                if (*end == '\0') lora = {word.substr(0, colon), strength};
            }
            if (!(std::abs(lora.strength) <= 100)) throw CLI::ValidationError("--lora", "strength beyond -100 to 100");
            if (std::error_code ignored; !std::filesystem::exists(lora.path, ignored))
                throw CLI::ValidationError("--lora", "no such file: " + printable(lora.path, 200));
            model.loras.push_back(lora);
        }
        return true;
    };
    command
        .add_option("--lora", CLI::callback_t(addLora), "FLUX, SD3: low-rank change, FILE[:STRENGTH]; may be repeated")
        ->type_name("FILE[:STRENGTH]")
        ->expected(1)
        ->take_all();
    command
        .add_option("--weights", model.weights,
                    "which copy, where the file holds several: ema (the averaged one, default), model (the other) or a "
                    "name that info lists")
        ->type_name("ema|model|NAME");
    command
        .add_option("--time", model.time,
                    "what the network's time means, where the file does not say: ddpm; flow (noise at 1, times 1000); "
                    "sit (noise at 0, unscaled); repa (noise at 1, unscaled); the last two with :cosine or :vp for the "
                    "path and :score or :noise for what is predicted")
        ->check([](const std::string& text) {
            return timeChoice(text) ? std::string()
                                    : "found " + printable(text, 40) + ", expected ddpm, flow, sit or repa";
        });
    command
        .add_option("--ignore", model.ignore,
                    "tensors to leave out although they are not understood, by name with * and ?; may be repeated")
        ->type_name("PATTERN")
        ->expected(1)
        ->take_all();
    addChoice<Convention>(command, "--convention", model.convention,
                          {{"same", Convention::Same}, {"inverse", Convention::Inverse}},
                          "how the maps enter, where the file does not say");
    addChoice<MapTokens>(command, "--map-tokens", model.mapTokens,
                         {{"all", MapTokens::All}, {"patches", MapTokens::PatchesOnly}},
                         "whether the maps turn a ViT's class token, where the file does not say");
}

void addVariationOption(CLI::App& command, ModelRef& model, const std::string& name) {
    const auto read = [&model, name](const CLI::results_t& given) {
        auto variation = readVariation(given.front());
        if (!variation) {
            const Error& e = variation.error();
            const std::string found = e.found.empty() ? "" : "found " + e.found + ", ";
            throw CLI::ValidationError(name, e.place + ": " + e.reason + " (" + found + "expected " + e.expected + ")");
        }
        if (!variation->adapter.empty()) model.adapter = variation->adapter;
        model.loras.insert(model.loras.end(), variation->loras.begin(), variation->loras.end());
        model.changes = std::move(variation->changes);
        model.madeFor = std::move(variation->madeFor);
        return true;
    };
    command
        .add_option(name, CLI::callback_t(read),
                    "changes of heads (and adapter, LoRAs): a JSON file, see \"Changing heads\" in the README")
        ->type_name("FILE");
}

void addComputeOptions(CLI::App& command, Compute& compute) {
    command.add_option("--device", compute.device, "auto, cpu, cuda or cuda:N (default auto)");
    addChoice<Precision>(command, "--precision", compute.precision,
                         {{"fp32", Precision::Fp32}, {"bf16", Precision::Bf16}, {"fp16", Precision::Fp16}},
                         "of the network (default fp32)");
    command.add_option("--threads", compute.threads, "processor threads (default: all)")->check(CLI::Range(1, 4096));
}

void addExtrapolationOptions(CLI::App& command, Extrapolate& extrapolate, bool time) {
    std::vector<std::pair<std::string, Extrapolation>> methods;
    for (std::size_t i = 0; i < enumNames(Extrapolation{}).size(); ++i)
        methods.emplace_back(enumNames(Extrapolation{})[i], static_cast<Extrapolation>(i));
    addChoice<Extrapolation>(command, "--extrapolation", extrapolate.method, methods,
                             "how positions are made for a larger grid than the trained one (default none)");
    addSizeOption(command, "--trained-grid", extrapolate.trained,
                  "patch grid of the training, where the file is silent");
    command.add_flag_callback(
        "--per-axis", [&extrapolate] { extrapolate.coupled = false; },
        "rows and columns scaled each by its own ratio, not both by the larger one");
    if (time)
        command.add_option("--extrapolation-time", extrapolate.time, "for time-aware: 0 noise, 1 image (default 1)")
            ->check(CLI::Range(0.0, 1.0));
}

Result<void> checkModel(const ModelRef& model, const std::string& inputs) {
    const auto table = TensorTable::open(model);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, model, inputs.empty() ? Grid{} : inputSides(inputs));
    if (!card) return failure(card.error());
    if (auto complete = checkComplete(*table, *card); !complete) return complete;
    for (const std::string& note : card->notes) std::fprintf(stderr, "note: %s\n", printable(note, 400).c_str());
    std::string assumed;
    for (const std::string& one : card->assumed) assumed += (assumed.empty() ? "" : "; ") + one;
    if (!assumed.empty()) std::fprintf(stderr, "assumed: %s\n", printable(assumed, 1000).c_str());
    return {};
}

int report(const Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return error.exitCode();
}

}  // namespace ropescope
