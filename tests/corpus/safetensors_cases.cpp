// SPDX-License-Identifier: Apache-2.0
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

const std::string kGood = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
const std::string kEight(8, '\0');

Case json(std::string name, const std::string& header, std::string code, std::string says = {},
          const std::string& data = kEight) {
    return {std::move(name), ".safetensors", safetensorsFile(header, data), std::move(code), std::move(says)};
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
    return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

void lengths(std::vector<Case>& all) {
    for (std::size_t n : {0u, 1u, 7u, 8u}) {
        all.push_back({"ST-01 " + std::to_string(n) + " bytes", ".safetensors", std::string(n, '\2'), "ST-01",
                       std::to_string(n) + " bytes"});
    }
    const std::string body = kGood + kEight;
    const std::uint64_t size = 8 + body.size();
    for (std::uint64_t n : {~std::uint64_t{0}, std::uint64_t{1} << 63, size - 7}) {
        all.push_back({"ST-02 header of " + std::to_string(n), ".safetensors", little(n, 8) + body, "ST-02",
                       "incomplete download"});
    }
    all.push_back({"ST-02 header above the cap", ".safetensors", little(100'000'001, 8) + "{}", "ST-02", "100000001",
                   200'000'000});
}

void jsonFaults(std::vector<Case>& all) {
    all.push_back({"ST-03 header of 0", ".safetensors", little(0, 8) + kGood, "ST-03", {}});
    all.push_back({"ST-03 header of 1", ".safetensors", little(1, 8) + kGood, "ST-03", {}});
    all.push_back(json("ST-03 list", "[]", "ST-03", "byte 8"));
    all.push_back(json("ST-03 null", "null", "ST-03", "byte 8"));
    all.push_back(json("ST-03 brace only", "{ ", "ST-03", "byte 10"));
    all.push_back(json("ST-03 leading blank", " " + kGood, "ST-03", "byte 8"));
    all.push_back(json("ST-03 byte order mark", "\xEF\xBB\xBF" + kGood, "ST-03", "byte 8"));
    all.push_back(json("ST-03 zero byte", kGood + std::string(1, '\0') + "{}", "ST-03", "byte 62"));
    all.push_back(json("ST-03 text after the brace", kGood + " x", "ST-03", "byte 63"));
    all.push_back(json("ST-04 broken UTF-8",
                       R"({")"
                       "\xff"
                       R"(":1})",
                       "ST-04"));
    all.push_back(json("ST-04 lone surrogate", R"({"\ud800":1})", "ST-04"));
    all.push_back(json("ST-04 zero in a name", R"({"\u0000":1})", "ST-04"));
    all.push_back(json("ST-06 deep nesting", "{\"a\":" + std::string(1'000'000, '['), "ST-08"));
}

void duplicates(std::vector<Case>& all) {
    const std::string a = tensor("A", "F32", "[1]", "[0,4]"), b = tensor("A", "F32", "[1]", "[4,8]");
    all.push_back(json("ST-05 twice the same name", "{" + a + "," + b + "}", "ST-05", "A"));
    all.push_back(
        json("ST-05 escaped twin", "{" + a + "," + tensor("\\u0041", "F32", "[1]", "[4,8]") + "}", "ST-05", "A"));
    all.push_back(json("ST-05 two types", R"({"a":{"dtype":"U8","dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                       "ST-05", "dtype"));
    all.push_back(json("ST-05 two shapes", R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})",
                       "ST-05", "shape"));
    all.push_back(json("ST-05 two metadata", R"({"__metadata__":{},"__metadata__":{},)" + kGood.substr(1), "ST-05",
                       "__metadata__"));
    all.push_back(
        json("ST-05 metadata key twice", R"({"__metadata__":{"k":"1","k":"2"},)" + kGood.substr(1), "ST-05", "k"));
}

void shapes(std::vector<Case>& all) {
    const auto one = [](const std::string& shape, const std::string& offsets, const std::string& type = "F32") {
        return "{" + tensor("name", type, shape, offsets) + "}";
    };
    all.push_back(json("ST-07 2^32 x 2^32", one("[4294967296,4294967296]", "[0,8]"), "ST-07", "name"));
    all.push_back(json("ST-07 2^63 x 2", one("[9223372036854775808,2]", "[0,8]"), "ST-07", "overflows"));
    all.push_back(json("ST-07 wraps to the byte count", one("[4611686018427387906]", "[0,8]"), "ST-07", "overflows"));
    for (const char* value : {"-1", "2.0", "1e3", "\"2\"", "null", "[2]", "true"}) {
        all.push_back(json(std::string("ST-08 dimension ") + value, one("[" + std::string(value) + "]", "[0,8]"),
                           "ST-08", "name"));
        all.push_back(
            json(std::string("ST-08 offset ") + value, one("[2]", "[0," + std::string(value) + "]"), "ST-08", "name"));
    }
    all.push_back(json("ST-08 no shape", R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", "ST-08", "a"));
    std::string wide = "[1";
    for (int i = 0; i < 64; ++i) wide += ",1";
    all.push_back(json("ST-10 rank 65", one(wide + "]", "[0,4]"), "ST-10", "rank"));
    all.push_back(json("ST-11 backwards", one("[2]", "[8,0]"), "ST-11", "name"));
    all.push_back(json("ST-11 one offset", one("[2]", "[0]"), "ST-11", "name"));
    all.push_back(json("ST-11 three offsets", one("[2]", "[0,4,8]"), "ST-11", "name"));
    const auto two = [](const std::string& first, const std::string& second) {
        return "{" + tensor("left", "F32", "[1]", first) + "," + tensor("right", "F32", "[1]", second) + "}";
    };
    all.push_back(json("ST-11 end past the file", two("[0,4]", "[8,12]"), "ST-11", "right"));
    all.push_back(json("ST-11 overlap", two("[0,4]", "[2,6]"), "ST-11", "overlap after left"));
    all.push_back(json("ST-11 same place", two("[0,4]", "[0,4]"), "ST-11", "overlap"));
    all.push_back(json("ST-11 hole", two("[0,4]", "[5,9]"), "ST-11", "hole after left"));
    all.push_back(json("ST-11 hole at the start", one("[1]", "[4,8]"), "ST-11", "hole after the header"));
    all.push_back(json("ST-11 trailing bytes", kGood, "ST-11", "trailing bytes", kEight + "x"));
    all.push_back(json("ST-12 size and shape disagree", one("[3]", "[0,8]"), "ST-12", "expected 12 bytes"));
    all.push_back(json("ST-12 half a byte", one("[3]", "[0,8]", "F4"), "ST-12", "name"));
    all.push_back(json("ST-13 unknown type", one("[2]", "[0,8]", "F128"), "ST-13", "F128"));
    all.push_back(json("ST-13 type without arithmetic", one("[16]", "[0,8]", "F4"), ""));
    all.push_back(json("ST-14 metadata number", R"({"__metadata__":{"k":1},)" + kGood.substr(1), "ST-14", "k"));
    all.push_back(json("ST-14 metadata null", R"({"__metadata__":null,)" + kGood.substr(1), "ST-14"));
    all.push_back(json("ST-09 scalar and empty",
                       "{" + tensor("s", "F64", "[]", "[0,8]") + "," + tensor("e", "F32", "[0,5]", "[8,8]") + "}   ",
                       ""));
    all.push_back(
        json("ST-16 strange names", "{" + tensor("<img src=x>\\n../../x\\u202e", "F32", "[2]", "[0,8]") + "}", ""));
}

void wrongFormat(std::vector<Case>& all) {
    const std::map<std::string, std::string> what = {
        {"a zip archive", zipFile({{.name = "x.txt", .data = "hello hello hello", .localName = {}}})},
        {"a Python pickle", std::string("\x80\x02}q\0.", 6)},
        {"a GGUF model", "GGUF" + little(3, 4) + little(2, 8) + little(5, 8)},
        {"a PNG image", "\x89PNG\r\n\x1a\n" + little(0, 20)},
        {"an HTML page", "<!DOCTYPE html><html>404 Not Found</html>"},
        {"a git-lfs pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"}};
    for (const auto& [says, bytes] : what) all.push_back({"ST-17 " + says, ".safetensors", bytes, "ST-17", says});
}

}  // namespace

std::vector<Case> safetensorsCases() {
    std::vector<Case> all;
    lengths(all);
    jsonFaults(all);
    duplicates(all);
    shapes(all);
    wrongFormat(all);
    std::string large =
        safetensorsFile(R"({"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}})", std::string(4000, 'x'));
    all.push_back({"ST-18 one byte short", ".safetensors", large.substr(0, large.size() - 1), "ST-18",
                   "file has " + std::to_string(large.size() - 1) + " of " + std::to_string(large.size()) + " bytes"});
    all.push_back({"ST-18 half", ".safetensors", large.substr(0, large.size() / 2), "ST-18", "incomplete download"});
    return all;
}

}  // namespace ropescope::corpus
