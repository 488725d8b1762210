// SPDX-License-Identifier: Apache-2.0
// Any bytes as a weight file: refused with a proper message or accepted with every tensor inside the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "core/checkpoint/tensor_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ropescope;
    static const int kFile = ::memfd_create("fuzz", 0);
    if (::ftruncate(kFile, 0) != 0 || ::pwrite(kFile, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
    ModelRef ref;
    ref.path = "/proc/self/fd/" + std::to_string(kFile);
    const auto table = TensorTable::open(ref.path);
    if (!table) {
        const std::string message = table.error().message();
        if (message.empty() || message.size() > 400 || message.find("/proc/self/fd") == message.npos) std::abort();
        return 0;
    }
    for (const TensorEntry& entry : table->tensors()) {
        if (entry.offset > size || entry.length > size - entry.offset) std::abort();
    }
    (void)recognise(*table, ref);
    (void)checkFile(ref);
    return 0;
}
