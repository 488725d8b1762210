// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/data/safetensors.h"

namespace ropescope {

/// Receives the header's JSON piece by piece and accepts exactly its grammar, three levels deep, so no document is
/// ever built and no depth of nesting costs stack. Private to safetensors.cpp.
class SafetensorsSax final : public nlohmann::json_sax<nlohmann::json> {
public:
    SafetensorsSax(SafetensorsHeader& header, std::string_view file) : m_header(header), m_file(file) {}
    [[nodiscard]] const Error& error() const { return m_error; }

    bool null() override { return wrong("null"); }
    bool boolean(bool) override { return wrong("true or false"); }
    bool number_integer(number_integer_t value) override { return wrong(std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) override;
    bool number_float(number_float_t, const string_t& text) override { return wrong(text); }
    bool string(string_t& text) override;
    bool binary(binary_t&) override { return wrong("bytes"); }
    bool start_object(std::size_t) override;
    bool key(string_t& text) override;
    bool end_object() override;
    bool start_array(std::size_t) override;
    bool end_array() override;
    bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception& reason) override;

private:
    enum class In { Nothing, Root, Tensor, Metadata, Shape, Offsets };

    bool refuse(std::string code, std::string reason, std::string found = {}, std::string expected = {});
    bool wrong(std::string_view found);  ///< a value of a kind that has no place here
    [[nodiscard]] SafetensorsEntry& entry() { return m_header.entries.back(); }

    SafetensorsHeader& m_header;
    std::string m_file;
    Error m_error;
    In m_in = In::Nothing;
    std::string m_name;   ///< current key of the root
    std::string m_field;  ///< current key inside a tensor or the metadata
    bool m_hasType = false, m_hasShape = false, m_hasOffsets = false, m_hasMetadata = false;
    int m_offsets = 0;
};

}  // namespace ropescope
