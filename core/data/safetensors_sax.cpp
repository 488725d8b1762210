// SPDX-License-Identifier: Apache-2.0
#include "core/data/safetensors_sax.h"

namespace ropescope {

bool SafetensorsSax::refuse(std::string code, std::string reason, std::string found, std::string expected) {
    const bool inTensor = m_in != In::Nothing && m_in != In::Root;
    m_error = {ErrorKind::Refused,
               std::move(code),
               place({m_file, m_in == In::Nothing ? "" : m_name, inTensor ? m_field : ""}),
               std::move(reason),
               printable(found, 60),
               std::move(expected),
               {}};
    return false;
}

bool SafetensorsSax::wrong(std::string_view found) {
    const std::string text(found);
    switch (m_in) {
        case In::Metadata:
            return refuse("ST-14", "metadata must be text", text, "text");
        case In::Shape:
            return refuse("ST-08", "a dimension must be a whole number", text, "0 or more");
        case In::Offsets:
            return refuse("ST-08", "an offset must be a whole number", text, "0 or more");
        case In::Tensor:
            return refuse("ST-08", "wrong kind of value", text, m_field == "dtype" ? "text" : "a list");
        case In::Root:
            return refuse(m_name == "__metadata__" ? "ST-14" : "ST-08", "wrong kind of value", text, "{...}");
        case In::Nothing:
            break;
    }
    return refuse("ST-03", "the header is not a JSON object", text, "{...}");
}

bool SafetensorsSax::number_unsigned(number_unsigned_t value) {
    if (m_in == In::Shape) {
        if (entry().shape.size() >= kMaxSafetensorsRank) {
            return refuse("ST-10", "rank too high", "more than " + std::to_string(kMaxSafetensorsRank),
                          "at most " + std::to_string(kMaxSafetensorsRank));
        }
        // Values that do not fit are stored negative and refused as an overflowing shape.
        entry().shape.push_back(static_cast<std::int64_t>(value));
        return true;
    }
    if (m_in != In::Offsets) return wrong(std::to_string(value));
    if (m_offsets >= 2) return refuse("ST-11", "more than two offsets", {}, "begin and end");
    (m_offsets == 0 ? entry().begin : entry().end) = value;
    ++m_offsets;
    return true;
}

bool SafetensorsSax::string(string_t& text) {
    if (m_in == In::Metadata) {
        m_header.metadata[m_field] = std::move(text);
        return true;
    }
    if (m_in == In::Tensor && m_field == "dtype") {
        entry().dtypeText = std::move(text);
        return true;
    }
    return wrong('"' + text + '"');
}

bool SafetensorsSax::start_object(std::size_t) {
    if (m_in == In::Nothing) {
        m_in = In::Root;
        return true;
    }
    if (m_in != In::Root) return wrong("{...}");
    m_field.clear();
    if (m_name == "__metadata__") {
        m_in = In::Metadata;
        return true;
    }
    if (m_header.entries.size() >= kMaxSafetensorsEntries) {
        return refuse("ST-15", "too many tensors", {}, "at most " + std::to_string(kMaxSafetensorsEntries));
    }
    m_header.entries.emplace_back().name = m_name;
    m_hasType = m_hasShape = m_hasOffsets = false;
    m_in = In::Tensor;
    return true;
}

bool SafetensorsSax::key(string_t& text) {
    if (text.find('\0') != std::string::npos) return refuse("ST-04", "zero character in a name");
    if (m_in == In::Root) {
        m_name = std::move(text);
        if (m_name != "__metadata__") return true;
        if (std::exchange(m_hasMetadata, true)) return refuse("ST-05", "duplicate key");
        return true;
    }
    m_field = std::move(text);
    if (m_in == In::Metadata) return m_header.metadata.contains(m_field) ? refuse("ST-05", "duplicate key") : true;
    bool* seen = m_field == "dtype"          ? &m_hasType
                 : m_field == "shape"        ? &m_hasShape
                 : m_field == "data_offsets" ? &m_hasOffsets
                                             : nullptr;
    if (!seen) return refuse("ST-08", "unknown field", {}, "dtype, shape, data_offsets");
    return std::exchange(*seen, true) ? refuse("ST-05", "duplicate key") : true;
}

bool SafetensorsSax::end_object() {
    if (m_in == In::Root) {
        m_in = In::Nothing;
        return true;
    }
    m_field.clear();
    if (m_in == In::Tensor && !(m_hasType && m_hasShape && m_hasOffsets)) {
        return refuse("ST-08", "incomplete entry", {}, "dtype, shape and data_offsets");
    }
    m_in = In::Root;
    return true;
}

bool SafetensorsSax::start_array(std::size_t) {
    if (m_in != In::Tensor || m_field == "dtype") return wrong("[...]");
    m_in = m_field == "shape" ? In::Shape : In::Offsets;
    m_offsets = 0;
    return true;
}

bool SafetensorsSax::end_array() {
    if (m_in == In::Offsets && m_offsets != 2) {
        return refuse("ST-11", "wrong number of offsets", std::to_string(m_offsets), "2");
    }
    m_in = In::Tensor;
    return true;
}

bool SafetensorsSax::parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& reason) {
    const std::string_view text = reason.what();
    const bool badText = text.find("UTF-8") != text.npos || text.find("surrogate") != text.npos;
    // `position` counts from 1 inside the JSON, which begins at byte 8.
    return refuse(badText ? "ST-04" : "ST-03",
                  (badText ? "invalid text in the header at byte " : "invalid JSON in the header at byte ") +
                      std::to_string(7 + position));
}

}  // namespace ropescope
