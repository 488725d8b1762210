// SPDX-License-Identifier: Apache-2.0
// All probes over a model as large as the largest: 57 layers of 24 heads of 128, as a file.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "core/engine/bench/bench.h"
#include "core/engine/machine/device.h"
#include "core/engine/weights/heads.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kLayers = 57, kHeads = 24, kD = 128, kWidth = kHeads * kD;

/// A safetensors file under construction: the header with the places of its tensors, and which of them get values.
struct Sketch {
    nlohmann::ordered_json header;
    std::uint64_t end = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> drawn;  ///< bytes [from, to) of tensors with random values

    void put(const std::string& name, const std::vector<std::int64_t>& shape, bool draw = false) {
        std::uint64_t bytes = 2;
        for (const std::int64_t side : shape) bytes *= static_cast<std::uint64_t>(side);
        header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
        if (draw) drawn.emplace_back(end, end + bytes);
        end += bytes;
    }
};

Sketch largeModel() {
    Sketch s;
    s.header["__metadata__"] = {{"harope.convention", "same"}, {"harope.apply", "all"}};
    s.put("x_embedder.proj.weight", {kWidth, 4, 2, 2});
    s.put("x_embedder.proj.bias", {kWidth});
    s.put("t_embedder.mlp.0.weight", {kWidth, 256});
    s.put("y_embedder.embedding_table.weight", {1001, kWidth});
    for (int i = 0; i < kLayers; ++i) {
        const std::string block = "blocks." + std::to_string(i) + ".";
        s.put(block + "attn.qkv.weight", {3 * kWidth, kWidth}, i == 0);
        s.put(block + "attn.qkv.bias", {3 * kWidth});
        s.put(block + "attn.learnable_rot.A_u", {kHeads, kD, kD}, true);
        s.put(block + "attn.learnable_rot.A_v", {kHeads, kD, kD}, true);
        s.put(block + "attn.learnable_rot.sigma", {kHeads, kD}, true);
        s.put(block + "mlp.fc1.weight", {4 * kWidth, kWidth});
        s.put(block + "adaLN_modulation.1.weight", {6 * kWidth, kWidth});
    }
    s.put("final_layer.linear.weight", {32, kWidth});
    return s;
}

/// Small random bfloat16 values: their high bytes stand for +-0.03 to 0.12.
std::vector<char> randomValues(std::size_t bytes) {
    std::mt19937 random(1);
    std::vector<char> values(bytes);
    for (std::size_t i = 0; i + 1 < bytes; i += 2) {
        const unsigned draw = random();
        values[i] = static_cast<char>(draw);
        values[i + 1] = static_cast<char>((draw >> 8 & 0x80) | 0x3d);
    }
    return values;
}

/// Sparse: what is not drawn takes no room. False where the file system or its space does not allow it.
bool writeSketch(const Sketch& sketch, const fs::path& path) {
    std::string text = sketch.header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    std::size_t longest = 0;
    for (const auto& [from, to] : sketch.drawn) longest = std::max<std::size_t>(longest, to - from);
    const std::vector<char> values = randomValues(longest);
    for (const auto& [from, to] : sketch.drawn) {
        out.seekp(static_cast<std::streamoff>(8 + length + from));
        out.write(values.data(), static_cast<std::streamsize>(to - from));
    }
    out.close();
    return out && ::truncate(path.c_str(), static_cast<off_t>(8 + length + sketch.end)) == 0;
}

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<BenchRow> benchProbes(const BenchOptions&) {
    const std::string what =
        "57 layers, 24 heads of 128, grid 31x31, HARoPE maps drawn, projections [9216,3072] bf16 read from a file "
        "(values in the first layer, zeros in the others)";
    std::vector<BenchRow> rows = {{"atlas_57_layers", "s", "all weight probes of all heads: " + what, 10, {}, ""},
                                  {"atlas_first_layer", "s", "until the first layer's numbers are told", 0.3, {}, ""}};
    std::string pattern = (fs::temp_directory_path() / "ropescope-bench-XXXXXX").string();
    const bool folder = ::mkdtemp(pattern.data()) != nullptr;
    const std::string file = pattern + "/large.safetensors";
    const auto measure = [&]() -> std::string {
        if (!folder || !writeSketch(largeModel(), file)) return "no room for the file in the temporary folder";
        AtlasRequest request;
        request.model.path = file;
        request.model.grid = {31, 31};
        request.model.theta = 10000;
        const Clock::time_point start = Clock::now();
        JobContext context;
        context.onAtlas = [&](const AtlasProgress&) {
            if (!rows[1].value) rows[1].value = secondsSince(start);
        };
        const auto atlas = reportAtlas(request, context);
        if (!atlas) return atlas.error().message();
        rows[0].value = secondsSince(start);
        return {};
    };
    const std::string problem = measure();
    std::error_code ignored;
    if (folder) fs::remove_all(pattern, ignored);
    for (BenchRow& row : rows) row.note = problem.empty() ? "one run" : "not measured: " + problem;
    return rows;
}

}  // namespace ropescope
