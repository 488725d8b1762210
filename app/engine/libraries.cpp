// SPDX-License-Identifier: Apache-2.0
#include "app/engine/libraries.h"

#include <dlfcn.h>

#include <filesystem>

namespace ropescope {
namespace {

template <class Api>
Result<Api*> openLibrary(const std::string& name, const char* entryName) {
    std::error_code ignored;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const std::string beside = (program.parent_path().parent_path() / "lib" / name).string();
    void* library = dlopen(beside.c_str(), RTLD_NOW | RTLD_GLOBAL);
    const std::string reason = library ? "" : dlerror();  // the second try would hide what is wrong with the file
    if (!library) library = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
    using Entry = Api* (*)();
    const auto entry = library ? reinterpret_cast<Entry>(dlsym(library, entryName)) : nullptr;
    if (!entry) {
        return failure({.kind = ErrorKind::Device,
                        .code = "no-library",
                        .place = name,
                        .reason = "the library cannot be opened",
                        .found = printable(reason, 200),
                        .advice = "Build it, or run tools/setup"});
    }
    return entry();
}

}  // namespace

Result<CoreApi*> coreLibrary() {
    static const Result<CoreApi*> library = openLibrary<CoreApi>("libropescope_core.so", "ropescopeCore");
    return library;
}

Result<MediaApi*> mediaLibrary() {
    static const Result<MediaApi*> library = openLibrary<MediaApi>("libropescope_media.so", "ropescopeMedia");
    return library;
}

}  // namespace ropescope
