// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ropescope::corpus {

/// One file and what the readers must make of it.
struct Case {
    std::string name;              ///< unique; begins with the fault's number ("ST-05 escaped twin")
    std::string suffix;            ///< of the file name, ".safetensors" or ".pt"
    std::string bytes;             ///< the file
    std::string code;              ///< expected error code; empty: accepted
    std::string says;              ///< text the message must contain; empty: any
    std::uint64_t sparseSize = 0;  ///< the file is made this long (zeros on no disk); 0: as it is
    int exit = 1;                  ///< of a refusal: 2 where something has to be said
};

std::vector<Case> safetensorsCases();
std::vector<Case> zipCases();
std::vector<Case> pickleCases();
std::vector<Case> modelCases();
std::vector<Case> wildCases();  ///< what people's trainers and programs save, and near misses
std::vector<Case> goodFiles();  ///< 30 generated files of many kinds, all accepted

/// Little-endian number of `width` bytes; those beyond eight are zero.
std::string little(std::uint64_t value, int width);

/// A whole file from header JSON and data bytes.
std::string safetensorsFile(const std::string& json, const std::string& data);

/// One member of a zip archive; the local header may be made to lie.
struct Member {
    std::string name, data;
    std::uint16_t method = 0, flags = 0;
    std::string localName;             ///< empty: as `name`
    int localMethod = -1;              ///< -1: as `method`
    int localFlags = -1;               ///< -1: as `flags`
    std::uint32_t localSizeExtra = 0;  ///< added to the local header's sizes
    std::uint32_t sizeExtra = 0;       ///< added to the sizes in both headers
};
std::string zipFile(const std::vector<Member>& members, const std::string& comment = {});

/// One tensor as a pickle's bytes: _rebuild_tensor_v2 of a storage.
struct PickledTensor {
    std::string key = "0", type = "FloatStorage";
    std::int64_t count = 4, offset = 0;
    std::vector<std::int64_t> shape = {2, 2}, strides = {2, 1};
};
std::string pickled(const PickledTensor& tensor);
std::string pickledText(const std::string& text);
std::string pickledInt(std::int64_t value);

/// A checkpoint around a pickle body (without PROTO and STOP) with the storages data/<key>.
std::string torchFile(const std::string& body, const std::map<std::string, std::string>& storages);
/// The same with one good storage "0" of 16 bytes.
std::string torchFile(const std::string& body);

}  // namespace ropescope::corpus
