// SPDX-License-Identifier: Apache-2.0
// Figures of whole programs, each run as a process of its own: `info` and the window.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/engine/bench/bench.h"

extern char** environ;

namespace ropescope {
namespace {

namespace fs = std::filesystem;

struct ChildRun {
    int code = -1;
    double milliseconds = 0;
    double megabytes = 0;  ///< largest resident size
};

/// The largest resident size so far, in MB. Not the child's rusage: that begins with the size of this process, which it
/// was before its exec.
double peakMegabytes(pid_t child) {
    std::ifstream in("/proc/" + std::to_string(child) + "/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
    return 0;
}

/// Runs a program to its end, its output thrown away.
ChildRun runChild(const std::vector<std::string>& arguments) {
    std::vector<char*> words;
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    const auto start = std::chrono::steady_clock::now();
    pid_t child = 0;
    const int failed = posix_spawn(&child, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return {};
    ChildRun run;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        run.megabytes = std::max(run.megabytes, peakMegabytes(child));
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    run.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return run;
}

/// A folder that goes away with its content.
struct TemporaryFolder {
    fs::path path;
    TemporaryFolder() {
        std::string name = (fs::temp_directory_path() / "ropescope-bench-XXXXXX").string();
        if (mkdtemp(name.data())) path = name;
    }
    ~TemporaryFolder() {
        std::error_code none;
        if (!path.empty()) fs::remove_all(path, none);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
};

/// The header of a DiT of 57 layers and width 3456 in bfloat16; adds the bytes of its tensors to `end`.
std::string bigHeader(std::uint64_t& end) {
    constexpr std::int64_t kWidth = 3456;
    nlohmann::ordered_json header;
    const auto put = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
        std::uint64_t bytes = 2;
        for (const std::int64_t side : shape) bytes *= static_cast<std::uint64_t>(side);
        header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
        end += bytes;
    };
    const auto dense = [&](const std::string& name, std::int64_t out, std::int64_t in) {
        put(name + ".weight", {out, in});
        put(name + ".bias", {out});
    };
    put("pos_embed", {1, 256, kWidth});
    put("x_embedder.proj.weight", {kWidth, 4, 2, 2});
    put("x_embedder.proj.bias", {kWidth});
    dense("t_embedder.mlp.0", kWidth, 256);
    dense("t_embedder.mlp.2", kWidth, kWidth);
    put("y_embedder.embedding_table.weight", {1001, kWidth});
    for (int i = 0; i < 57; ++i) {
        const std::string block = "blocks." + std::to_string(i) + ".";
        dense(block + "attn.qkv", 3 * kWidth, kWidth);
        dense(block + "attn.proj", kWidth, kWidth);
        dense(block + "mlp.fc1", 4 * kWidth, kWidth);
        dense(block + "mlp.fc2", kWidth, 4 * kWidth);
        dense(block + "adaLN_modulation.1", 6 * kWidth, kWidth);
    }
    dense("final_layer.linear", 32, kWidth);
    dense("final_layer.adaLN_modulation.1", 2 * kWidth, kWidth);
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
}

/// A file of 24 GB that takes no room on the disk. False where the file system cannot do that.
bool writeSparseModel(const fs::path& path) {
    std::uint64_t data = 0;
    const std::string header = bigHeader(data);
    const std::uint64_t length = header.size();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    out.close();
    return out && truncate(path.c_str(), static_cast<off_t>(8 + length + data)) == 0;
}

fs::path programFolder() {
    std::error_code none;
    return fs::read_symlink("/proc/self/exe", none).parent_path();
}

void markAll(std::vector<BenchRow>& rows, const std::string& note) {
    for (BenchRow& row : rows) row.note = "not measured: " + note;
}

}  // namespace

std::vector<BenchRow> benchInfo(const BenchOptions& options) {
    std::vector<BenchRow> rows = {
        {"info_24gb", "ms", "`info` on a sparse safetensors file of 24 GB, process start included", 300, {}, ""},
        {"info_24gb_resident", "MB", "its largest resident size", 64, {}, ""}};
    const TemporaryFolder folder;
    const std::string file = (folder.path / "big.safetensors").string();
    if (folder.path.empty() || !writeSparseModel(file)) {
        markAll(rows, "no sparse file of 24 GB in the temporary folder");
        return rows;
    }
    std::vector<double> times, sizes;
    for (int i = 0; i < options.repeat; ++i) {
        const ChildRun run = runChild({(programFolder() / "ropescope-engine").string(), "info", file, "--heads", "48"});
        if (run.code != 0) {
            markAll(rows, "ropescope-engine info gave " + std::to_string(run.code));
            return rows;
        }
        times.push_back(run.milliseconds);
        sizes.push_back(run.megabytes);
    }
    rows[0].value = median(times);
    rows[1].value = median(sizes);
    return rows;
}

std::vector<BenchRow> benchWindow(const BenchOptions& options) {
    std::vector<BenchRow> rows = {
        {"window_shown", "ms", "from the process's start to the first paint", 500, {}, ""},
        {"first_heads", "ms", "to the first heads drawn", 2000, {}, ""},
        {"another_head", "ms", "from its selection to its finished paint", 50, {}, ""},
        {"drag_p95", "ms", "6 heads' kernels on 31x31 tokens, from the mouse event to the finished paint", 16, {}, ""},
        {"drag_p95_generating", "ms", "the same while a generation runs", 16, {}, ""}};
    const TemporaryFolder folder;
    const fs::path program = programFolder() / "ropescope", file = folder.path / "times.json";
    std::map<std::string, std::vector<double>> values;
    for (int i = 0; i < std::min(options.repeat, 3) && fs::exists(program); ++i) {
        const ChildRun run = runChild({program.string(), "--measure", file.string()});
        std::ifstream in(file);
        const auto json = nlohmann::json::parse(in, nullptr, false);
        if (run.code != 0 || !json.is_object()) break;
        for (const auto& [key, value] : json.items())
            if (value.is_number()) values[key].push_back(value.get<double>());
    }
    for (BenchRow& row : rows) {
        const auto found = values.find(row.name);
        if (found != values.end()) row.value = median(found->second);
        if (!row.value) row.note = "not measured: the window needs the built program and a display";
    }
    return rows;
}

}  // namespace ropescope
