// SPDX-License-Identifier: Apache-2.0
#include "app/engine/core_library.h"

#include <dlfcn.h>

#include <filesystem>

namespace ropescope {
namespace {

Result<CoreApi*> openCoreLibrary() {
    constexpr const char* kName = "libropescope_core.so";
    std::error_code ignored;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const std::string beside = (program.parent_path().parent_path() / "lib" / kName).string();
    void* library = dlopen(beside.c_str(), RTLD_NOW | RTLD_GLOBAL);
    const char* reason = library ? nullptr : dlerror();
    std::string firstReason = reason ? reason : "";
    if (!library) library = dlopen(kName, RTLD_NOW | RTLD_GLOBAL);
    using Entry = CoreApi* (*)();
    const auto entry = library ? reinterpret_cast<Entry>(dlsym(library, "ropescopeCore")) : nullptr;
    if (!entry) {
        return failure({.kind = ErrorKind::Device,
                        .code = "no-core",
                        .place = place({kName}),
                        .reason = "the computing library cannot be opened",
                        .found = printable(firstReason, 200),
                        .advice = "Build the target ropescope_core, or run tools/setup"});
    }
    return entry();
}

}  // namespace

Result<CoreApi*> coreLibrary() {
    static const Result<CoreApi*> library = openCoreLibrary();
    return library;
}

}  // namespace ropescope
