// SPDX-License-Identifier: Apache-2.0
#include "core/engine/kept.h"

#include <sys/stat.h>

namespace ropescope {

Identity identityOf(const ModelRef& ref, at::Device device, Precision precision, std::uint64_t memory) {
    Identity id{ref, device.str(), precision, memory, {}};
    const auto add = [&](const std::string& path) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) return id.files.push_back(-1);
        for (const std::int64_t value :
             {static_cast<std::int64_t>(status.st_ino), static_cast<std::int64_t>(status.st_size),
              static_cast<std::int64_t>(status.st_mtim.tv_sec), static_cast<std::int64_t>(status.st_mtim.tv_nsec)})
            id.files.push_back(value);
    };
    add(ref.path), add(ref.adapter), add(ref.config);
    for (const LoraRef& lora : ref.loras) add(lora.path);
    return id;
}

}  // namespace ropescope
