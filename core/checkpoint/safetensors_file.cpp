// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/table_contents.h"
#include "core/data/safetensors.h"

namespace ropescope {

Result<void> readSafetensorsFile(TensorTable::Contents& contents) {
    const InputFile& file = contents.file;
    const auto start = file.bytes(0, std::min<std::uint64_t>(8, file.size()));
    if (!start) return failure(start.error());
    const auto length = safetensorsHeaderLength(*start, file.size(), file.path());
    if (!length) return failure(length.error());
    std::string json(*length, '\0');
    if (auto done = file.readAt(8, std::as_writable_bytes(std::span(json))); !done) return failure(done.error());
    auto header = parseSafetensorsHeader(json, file.size(), file.path());
    if (!header) return failure(header.error());
    contents.format = "safetensors";
    contents.metadata = std::move(header->metadata);
    std::size_t foreign = 0;
    contents.tensors.reserve(header->entries.size());
    for (SafetensorsEntry& entry : header->entries) {
        if (!entry.dtype) {
            if (foreign++ == 0) {
                contents.notes.push_back(printable(entry.name) + " is left out: no arithmetic for " + entry.dtypeText);
            }
            continue;
        }
        contents.tensors.push_back({std::move(entry.name),
                                    *entry.dtype,
                                    std::move(entry.shape),
                                    {},
                                    header->dataStart + entry.begin,
                                    entry.end - entry.begin});
    }
    if (foreign > 1) contents.notes.push_back(std::to_string(foreign) + " tensors are left out for their element type");
    return {};
}

}  // namespace ropescope
