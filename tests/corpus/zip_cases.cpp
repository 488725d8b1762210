// SPDX-License-Identifier: Apache-2.0
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

const std::string kPickle = "\x80\x02}" + pickledText("w") + pickled({}) + "s.";
const std::string kStorage(16, '\1');

Member member(std::string name, std::string data) {
    return {.name = std::move(name), .data = std::move(data), .localName = {}};
}

/// A good checkpoint whose storage member `change` may spoil.
template <class Change>
std::string spoiled(Change change, const std::string& comment = {}) {
    std::vector<Member> members = {member("m/data.pkl", kPickle), member("m/data/0", kStorage),
                                   member("m/byteorder", "little")};
    change(members);
    return zipFile(members, comment);
}

Case zip(std::string name, std::string bytes, std::string code, std::string says = {}) {
    return {std::move(name), ".pt", std::move(bytes), std::move(code), std::move(says)};
}

void endRecords(std::vector<Case>& all) {
    const std::string good = spoiled([](auto&) {});
    all.push_back(zip("ZC-00 good", good, ""));
    all.push_back(zip("ZC-01 no end record", good.substr(0, good.size() - 22), "ZC-01", "incomplete download"));
    all.push_back(zip("ZC-01 end record twice", good + good.substr(good.size() - 22), "ZC-01", "end record"));
    const std::string fake = little(0x06054b50, 4) + little(0, 18);
    all.push_back(zip("ZC-01 comment holds an end record", spoiled([](auto&) {}, fake), "ZC-01", "two end records"));
    all.push_back(zip("ZC-01 honest comment", spoiled([](auto&) {}, "written by hand"), ""));
    std::string wide = good;
    wide.insert(good.size() - 22, little(0x07064b50, 4) + little(0, 4) + little(~std::uint64_t{0}, 8) + little(1, 4));
    all.push_back(zip("ZC-02 zip64 record outside", wide, "ZC-02", "outside"));
}

void localHeaders(std::vector<Case>& all) {
    all.push_back(zip("ZC-03 other name", spoiled([](auto& m) { m[1].localName = "m/data/1"; }), "ZC-03", "name"));
    all.push_back(zip("ZC-03 other size", spoiled([](auto& m) { m[1].localSizeExtra = 1; }), "ZC-03", "sizes"));
    all.push_back(zip("ZC-03 other method", spoiled([](auto& m) { m[1].localMethod = 8; }), "ZC-03", "method"));
    all.push_back(zip("ZC-03 other flags", spoiled([](auto& m) { m[1].localFlags = 2; }), "ZC-03", "flags"));
    all.push_back(zip("ZC-04 one name twice", spoiled([](auto& m) { m.push_back(m[1]); }), "ZC-04", "m/data/0"));
    all.push_back(zip("ZC-04 other case", spoiled([](auto& m) { m.push_back(member("M/data/0", "x")); }), "ZC-04"));
    all.push_back(zip("ZC-04 dot slash", spoiled([](auto& m) { m.push_back(member("m/./data/0", "x")); }), "ZC-04"));
    all.push_back(
        zip("ZC-05 member covers the next", spoiled([](auto& m) { m[1].sizeExtra = 20; }), "ZC-05", "overlaps"));
    all.push_back(
        zip("ZC-05 member reaches the directory", spoiled([](auto& m) { m[2].sizeExtra = 20; }), "ZC-05", "directory"));
    all.push_back(zip("ZC-07 encrypted", spoiled([](auto& m) { m[1].flags = 1; }), "ZC-07", "encrypted"));
    all.push_back(zip("ZC-07 unknown method", spoiled([](auto& m) { m[1].method = 99; }), "ZC-07", "99"));
}

void contents(std::vector<Case>& all) {
    all.push_back(zip("ZC-06 compressed storage", spoiled([](auto& m) { m[1].method = 8; }), "ZC-06", "torch.save"));
    all.push_back(zip("ZC-06 compressed pickle", spoiled([](auto& m) { m[0].method = 8; }), "ZC-06", "torch.save"));
    std::string bad = spoiled([](auto&) {});
    bad[bad.find("_rebuild")] = '-';
    all.push_back(zip("ZC-08 checksum", bad, "ZC-08", "checksum"));
    all.push_back(zip("ZC-09 no pickle", zipFile({member("m/readme", "hello")}), "ZC-09", "data.pkl"));
    all.push_back(
        zip("ZC-09 two pickles", spoiled([](auto& m) { m.push_back(member("n/data.pkl", kPickle)); }), "ZC-09"));
    all.push_back(
        zip("ZC-09 path upwards", spoiled([](auto& m) { m.push_back(member("m/../x", "x")); }), "ZC-09", "unsafe"));
    all.push_back(zip("ZC-10 big endian", spoiled([](auto& m) { m[2].data = "big"; }), "ZC-10", "big"));
    all.push_back(zip("ZC-11 program", spoiled([](auto& m) { m.push_back(member("m/constants.pkl", "x")); }), "ZC-11",
                      "TorchScript"));
    all.push_back(zip("ZC-12 storage missing", spoiled([](auto& m) { m.erase(m.begin() + 1); }), "ZC-12", "missing"));
    all.push_back(zip("ZC-12 storage short", spoiled([](auto& m) { m[1].data.pop_back(); }), "ZC-12", "15 bytes"));
    all.push_back(zip("ZC-12 storage long", spoiled([](auto& m) { m[1].data += "x"; }), "ZC-12", "17 bytes"));
    all.push_back(
        zip("ZC-13 huge member in a small file", spoiled([](auto& m) { m[1].sizeExtra = 2'200'000'000u; }), "ZC-05"));
    all.push_back(
        zip("PK-18 legacy file", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19." + little(0, 32), "PK-18", "legacy"));
}

}  // namespace

std::vector<Case> zipCases() {
    std::vector<Case> all;
    endRecords(all);
    localHeaders(all);
    contents(all);
    return all;
}

}  // namespace ropescope::corpus
