// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "core/data/array.h"
#include "core/data/message.h"

namespace ropescope {

/// A message taken apart: scalars, texts and structure as JSON, every array as a tensor named by its path
/// ("heads.0.spectrum.stored"). Doubles survive exactly; those that are not finite are the texts "nan", "inf", "-inf".
struct PackedMessage {
    std::string json;
    std::map<std::string, Array> arrays;
};

/// Both directions walk the same `fields` of each struct. Checked by tests/core/data/wire_test.cpp.
[[nodiscard]] PackedMessage pack(const Message& message);

/// Strict: every field there once with its type, in range, and nothing more; hostile input gives an Error, never a
/// crash, and takes memory in proportion to its length. Errors: WIRE-02 (content), WIRE-03 (JSON).
[[nodiscard]] Result<Message> unpack(PackedMessage packed);

/// The settings of a run as a JSON object of its own, for recipes and sessions.
[[nodiscard]] std::string settingsJson(const GenerateRequest& settings);
/// Reads them back. What is not there keeps its default and what is unknown is left alone, so that settings of other
/// versions can be read; what is there must have its type. Errors: Refused "settings".
[[nodiscard]] Result<GenerateRequest> settingsFromJson(const std::string& json);

}  // namespace ropescope
