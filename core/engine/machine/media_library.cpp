// SPDX-License-Identifier: Apache-2.0
#include "core/engine/machine/media_library.h"

#include <dlfcn.h>

#include <filesystem>

namespace ropescope {

Result<MediaApi*> openMediaLibrary() {
    constexpr const char* kName = "libropescope_media.so";
    Dl_info self{};
    dladdr(reinterpret_cast<void*>(&openMediaLibrary), &self);
    const std::filesystem::path beside =
        std::filesystem::path(self.dli_fname ? self.dli_fname : "").parent_path() / kName;
    void* library = dlopen(beside.c_str(), RTLD_NOW);
    if (!library) library = dlopen(kName, RTLD_NOW);
    const auto entry = library ? reinterpret_cast<MediaApi* (*)()>(dlsym(library, "ropescopeMedia")) : nullptr;
    if (entry) return entry();
    const char* why = dlerror();
    return failure({ErrorKind::Device, "no-library", kName, "image files need this library",
                    why ? printable(why, 200) : "", "", "Build with OpenCV (ROPESCOPE_MEDIA=ON)"});
}

}  // namespace ropescope
