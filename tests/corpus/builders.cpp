// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/zip_directory.h"
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {

std::string little(std::uint64_t value, int width) {
    std::string out;
    for (int i = 0; i < width; ++i) out += i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
    return out;
}

std::string safetensorsFile(const std::string& json, const std::string& data) {
    return little(json.size(), 8) + json + data;
}

std::string zipFile(const std::vector<Member>& members, const std::string& comment) {
    std::string out, directory;
    for (const Member& m : members) {
        const std::uint32_t crc = zipCrc(std::as_bytes(std::span(m.data.data(), m.data.size())));
        const std::uint32_t size = static_cast<std::uint32_t>(m.data.size()) + m.sizeExtra;
        const std::string localName = m.localName.empty() ? m.name : m.localName;
        const std::uint64_t offset = out.size();
        const int method = m.localMethod < 0 ? m.method : m.localMethod,
                  flags = m.localFlags < 0 ? m.flags : m.localFlags;
        out += little(0x04034b50, 4) + little(20, 2) + little(static_cast<std::uint64_t>(flags), 2) +
               little(static_cast<std::uint64_t>(method), 2) + little(0, 4) + little(crc, 4) +
               little(size + m.localSizeExtra, 4) + little(size + m.localSizeExtra, 4) + little(localName.size(), 2) +
               little(0, 2) + localName + m.data;
        directory += little(0x02014b50, 4) + little(20, 2) + little(20, 2) + little(m.flags, 2) + little(m.method, 2) +
                     little(0, 4) + little(crc, 4) + little(size, 4) + little(size, 4) + little(m.name.size(), 2) +
                     little(0, 2) + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(offset, 4) +
                     m.name;
    }
    return out + directory + little(0x06054b50, 4) + little(0, 4) + little(members.size(), 2) +
           little(members.size(), 2) + little(directory.size(), 4) + little(out.size(), 4) + little(comment.size(), 2) +
           comment;
}

std::string pickledText(const std::string& text) {
    return "X" + little(text.size(), 4) + text;
}

std::string pickledInt(std::int64_t value) {
    if (value >= INT32_MIN && value <= INT32_MAX) return "J" + little(static_cast<std::uint32_t>(value), 4);
    return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8);
}

std::string pickled(const PickledTensor& t) {
    const auto tuple = [](const std::vector<std::int64_t>& values) {
        std::string out = "(";
        for (std::int64_t value : values) out += pickledInt(value);
        return out + "t";
    };
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickledText("storage") + "ctorch\n" + t.type + "\n" +
           pickledText(t.key) + pickledText("cpu") + pickledInt(t.count) + "tQ" + pickledInt(t.offset) +
           tuple(t.shape) + tuple(t.strides) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

std::string torchFile(const std::string& body, const std::map<std::string, std::string>& storages) {
    std::vector<Member> members = {{.name = "m/data.pkl", .data = "\x80\x02" + body + ".", .localName = {}},
                                   {.name = "m/byteorder", .data = "little", .localName = {}}};
    for (const auto& [key, bytes] : storages)
        members.push_back({.name = "m/data/" + key, .data = bytes, .localName = {}});
    return zipFile(members);
}

std::string torchFile(const std::string& body) {
    return torchFile(body, {{"0", std::string(16, '\1')}});
}

}  // namespace ropescope::corpus
