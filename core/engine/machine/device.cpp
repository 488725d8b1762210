// SPDX-License-Identifier: Apache-2.0
#include "core/engine/machine/device.h"

#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <thread>

#include "core/data/enum_names.h"

namespace ropescope {
namespace {

/// The few entries of the CUDA driver that say whether there is a device.
struct Driver {
    int (*init)(unsigned) = nullptr;
    int (*count)(int*) = nullptr;
    int (*get)(int*, int) = nullptr;
    int (*name)(char*, int, int) = nullptr;
    int (*memory)(std::size_t*, int) = nullptr;

    bool load(void* library) {
        const auto find = [&](auto& function, const char* symbol) {
            function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, symbol));
            return function != nullptr;
        };
        return find(init, "cuInit") && find(count, "cuDeviceGetCount") && find(get, "cuDeviceGet") &&
               find(name, "cuDeviceGetName") && find(memory, "cuDeviceTotalMem_v2");
    }
};

std::string loadError(const char* what) {
    const char* detail = dlerror();
    return std::string(what) + (detail ? std::string(" (") + printable(detail, 160) + ")" : std::string());
}

CudaDevices probe() {
    CudaDevices found;
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (!library) return {{}, {}, "no NVIDIA driver: libcuda.so.1 is not installed"};
    Driver driver;
    if (!driver.load(library)) return {{}, {}, "the NVIDIA driver is too old"};
    if (const int code = driver.init(0); code != 0)
        return {{}, {}, "the NVIDIA driver does not start (cuInit gave " + std::to_string(code) + ")"};
    int count = 0;
    if (driver.count(&count) != 0 || count == 0) return {{}, {}, "the NVIDIA driver shows no device"};
    for (int i = 0; i < count; ++i) {
        int device = 0;
        char name[128] = "";
        std::size_t bytes = 0;
        if (driver.get(&device, i) != 0 || driver.name(name, sizeof name, device) != 0) continue;
        driver.memory(&bytes, device);
        found.names.push_back(name);
        found.gibibytes.push_back(static_cast<double>(bytes) / (1 << 30));
    }
    // LibTorch finds its CUDA half by itself once the library is there.
    if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
        return {{}, {}, loadError("LibTorch's CUDA library cannot be opened; tools/setup --cuda installs it")};
    }
    return found;
}

Error noDevice(const std::string& name, const std::string& reason) {
    return {ErrorKind::Device,
            "GP-01",
            "--device " + printable(name),
            reason,
            "",
            "",
            "Use --device cpu, or install what is missing"};
}

std::int64_t residentBytes() {
    std::ifstream in("/proc/self/statm");
    std::int64_t total = 0, resident = 0;
    in >> total >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

std::optional<std::uint64_t> numberIn(const std::string& path) {
    std::ifstream in(path);
    std::uint64_t number = 0;
    return in >> number ? std::optional(number) : std::nullopt;
}

/// What is left of one group's limit; pages of files that nobody uses count as free.
std::uint64_t leftIn(const std::filesystem::path& group, bool second) {
    const auto limit = numberIn(group / (second ? "memory.max" : "memory.limit_in_bytes"));
    const auto used = numberIn(group / (second ? "memory.current" : "memory.usage_in_bytes"));
    if (!limit || !used) return ~std::uint64_t{0};
    std::uint64_t idle = 0;
    std::ifstream stat(group / "memory.stat");
    std::string key;
    for (std::uint64_t value = 0; stat >> key >> value;)
        if (key == "inactive_file") idle = value;
    return *limit - std::min(*limit, *used - std::min(*used, idle));
}

}  // namespace

std::uint64_t leftInGroups(const std::string& list, const std::string& root) {
    std::ifstream groups(list);
    std::uint64_t left = ~std::uint64_t{0};
    for (std::string line; std::getline(groups, line);) {
        const bool second = line.starts_with("0::");
        if (!second && line.find(":memory:") == std::string::npos) continue;
        const std::filesystem::path top = second ? root : root + "/memory";
        std::filesystem::path own = top / std::filesystem::path(line.substr(line.rfind(':') + 1)).relative_path();
        // Inside a container the path may be that of the host: then the top is the container's own.
        for (; own.string().size() >= top.string().size(); own = own.parent_path()) {
            left = std::min(left, leftIn(own, second));
            if (own == top || own == own.parent_path()) break;
        }
    }
    return left;
}

namespace {

int coreCount() {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

const CudaDevices& cudaDevices() {
    static const CudaDevices devices = probe();
    return devices;
}

Result<at::Device> chooseDevice(const std::string& name) {
    if (name == "cpu") return at::Device(at::kCPU);
    int index = 0;
    const bool numbered = name.starts_with("cuda:");
    if (numbered) {
        const char *first = name.data() + 5, *last = name.data() + name.size();
        const auto parsed = std::from_chars(first, last, index);
        if (parsed.ec != std::errc() || parsed.ptr != last || index < 0) index = -1;
    }
    if (index < 0 || (!numbered && name != "cuda" && name != "auto")) {
        return failure({ErrorKind::Usage, "bad-device", "--device", "no such device", printable(name),
                        "auto, cpu, cuda or cuda:N", "Choose one of these"});
    }
    const CudaDevices& cuda = cudaDevices();
    if (cuda.names.empty()) {
        if (name == "auto") return at::Device(at::kCPU);
        return failure(noDevice(name, cuda.reason));
    }
    if (index >= static_cast<int>(cuda.names.size())) {
        return failure(noDevice(name, "there are only " + std::to_string(cuda.names.size()) + " GPUs"));
    }
    return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

at::ScalarType scalarType(Precision precision) {
    switch (precision) {
        case Precision::Fp32:
            return at::kFloat;
        case Precision::Bf16:
            return at::kBFloat16;
        case Precision::Fp16:
            return at::kHalf;
    }
    return at::kFloat;
}

int useThreads(int threads) {
    const int count = threads > 0 ? threads : coreCount();
    at::set_num_threads(count);
    return count;
}

namespace {
std::atomic<int> heavyWork = 0;
}

HeavyWork::HeavyWork() {
    ++heavyWork;
}
HeavyWork::~HeavyWork() {
    --heavyWork;
}
bool HeavyWork::runs() {
    return heavyWork > 0;
}

std::string describeCompute(at::Device device, Precision precision, int threads) {
    const std::string type(enumName(precision));
    if (device.is_cuda()) return cudaDevices().names.at(device.index()) + ", " + type;
    return "CPU, " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") + type;
}

std::uint64_t freeBytes(at::Device device) {
    if (device.is_cuda()) {
        // Memory that LibTorch keeps for later is free: it is given back first.
        c10::Allocator* own = c10::GetAllocator(c10::kCUDA);
        if (auto* caching = dynamic_cast<c10::DeviceAllocator*>(own); caching && caching->initialized())
            caching->emptyCache();
        // LibTorch's context is current on the threads that use it.
        void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        using Info = int (*)(std::size_t*, std::size_t*);
        const auto info = library ? reinterpret_cast<Info>(dlsym(library, "cuMemGetInfo_v2")) : nullptr;
        std::size_t left = 0, total = 0;
        if (info && info(&left, &total) == 0) return left;
        return static_cast<std::uint64_t>(cudaDevices().gibibytes.at(device.index()) * (1u << 30));
    }
    std::ifstream in("/proc/meminfo");
    std::string key, unit;
    for (std::uint64_t kibibytes = 0; in >> key >> kibibytes; std::getline(in, unit))
        if (key == "MemAvailable:")
            return std::min(kibibytes << 10, leftInGroups("/proc/self/cgroup", "/sys/fs/cgroup"));
    return 0;
}

bool isMemoryError(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error)) return true;
    const std::string text = error.what();
    for (const char* words : {"out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "can't allocate memory"})
        if (text.find(words) != std::string::npos) return true;
    return false;
}

DevicesReport devicesReport() {
    DevicesReport report;
    report.names = {"cpu"};
    report.titles = {"CPU (" + std::to_string(coreCount()) + " cores)"};
    const CudaDevices& cuda = cudaDevices();
    for (std::size_t i = 0; i < cuda.names.size(); ++i) {
        char size[32];
        std::snprintf(size, sizeof size, " (%.0f GiB)", cuda.gibibytes[i]);
        report.names.push_back("cuda:" + std::to_string(i));
        report.titles.push_back(cuda.names[i] + size);
    }
    report.note = cuda.reason;
    report.residentBytes = residentBytes();
    return report;
}

}  // namespace ropescope
