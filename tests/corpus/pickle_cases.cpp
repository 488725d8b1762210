// SPDX-License-Identifier: Apache-2.0
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

const std::string kTensor = pickled({});

/// {"w": tensor} with more opcodes before the dict is closed; the dict lies on the stack while `extra` runs.
std::string dictWith(const std::string& extra) {
    return torchFile("}" + pickledText("w") + kTensor + "s" + extra);
}

/// {"w": tensor, "x": value}
std::string beside(const std::string& value) {
    return dictWith(pickledText("x") + value + "s");
}

Case pt(std::string name, std::string bytes, std::string code, std::string says = {}) {
    return {std::move(name), ".pt", std::move(bytes), std::move(code), std::move(says)};
}

void calls(std::vector<Case>& all) {
    const std::string command = "(" + pickledText("touch ropescope-was-here") + "t";
    all.push_back(pt("PK-01 os.system", beside("cos\nsystem\n" + command + "R"), ""));
    all.push_back(pt("PK-01 eval", beside("cbuiltins\neval\n" + command + "R"), ""));
    all.push_back(pt("PK-01 resolve_name",
                     beside("cpkgutil\nresolve_name\n(" + pickledText("os:system") + "tR" + command + "R"), ""));
    all.push_back(pt("PK-01 names from the memo",
                     beside(pickledText("os") +
                            "q\x01"
                            "0" +
                            pickledText("system") +
                            "q\x02"
                            "0h\x01h\x02\x93" +
                            command + "R"),
                     ""));
    all.push_back(pt("PK-01 INST", beside("(" + pickledText("touch ropescope-was-here") + "ios\nsystem\n"), ""));
    all.push_back(pt("PK-01 OBJ", beside("(cos\nsystem\n" + pickledText("touch ropescope-was-here") + "o"), ""));
    all.push_back(pt("PK-01 NEWOBJ_EX", beside("cos\nsystem\n" + command + "}\x92"), ""));
    all.push_back(pt("PK-01 EXT1", beside("\x82\x05" + command + "R"), ""));
    all.push_back(pt("PK-01 build of a call", beside("cos\nsystem\n" + command + "R}b"), ""));
    all.push_back(pt("PK-01 tensor from a call", torchFile("}" + pickledText("w") + "cos\nsystem\n" + command + "Rs"),
                     "PK-20", "os system"));
    all.push_back(pt("PK-20 empty dict", torchFile("}"), "PK-20", "no tensors"));
    const std::string space = "cargparse\nNamespace\n)\x81}" + pickledText("image_size") + "K\x40sb";
    all.push_back(
        pt("PK-02 authors' container",
           torchFile("}" + pickledText("ema") + "}" + pickledText("w") + kTensor + "ss" + pickledText("opt") + "}" +
                     pickledText("w") + pickled({.key = "gone", .type = "FloatStorage", .shape = {4}, .strides = {1}}) +
                     "ss" + pickledText("args") + space + "s"),
           ""));
}

void bombs(std::vector<Case>& all) {
    std::string memo = "]q\x01";
    for (int i = 0; i < 64; ++i) memo += "0h\x01h\x01\x86q\x01";
    all.push_back(pt("PK-03 memo bomb", beside(memo), ""));
    std::string twice = "]";
    for (int i = 0; i < 64; ++i) twice += "2\x86";
    all.push_back(pt("PK-03 DUP chain", beside(twice), ""));
    std::string builds =
        "}q\x02"
        "0cargparse\nNamespace\n)\x81";
    for (int i = 0; i < 20'000; ++i)
        builds +=
            "h\x02"
            "b";
    all.push_back(pt("PK-03 BUILD chain", beside(builds), ""));
    all.push_back(pt("PK-04 list in itself",
                     beside("]q\x01h\x01"
                            "a"),
                     ""));
    all.push_back(pt("PK-04 dict in itself",
                     torchFile("}q\x01" + pickledText("w") + kTensor + "s" + pickledText("me") + "h\x01s"), ""));
    all.push_back(pt("PK-05 deep tuples", beside("N" + std::string(100'000, '\x85')), ""));
    all.push_back(pt("PK-05 deep lists around the tensors",
                     torchFile(std::string(5'000, ']') + kTensor + std::string(5'000, 'a')), "PK-20"));
}

void stack(std::vector<Case>& all) {
    const std::string operands = "\n\n" + std::string(30, '\0');
    for (int op = 0; op < 256; ++op) {
        // Some push a value by themselves; then the operands are the next opcodes and fail instead. None may crash.
        const std::string body = std::string(1, static_cast<char>(op)) + operands;
        char name[32];
        std::snprintf(name, sizeof name, "PK-06 first opcode 0x%02X", op);
        all.push_back(pt(name, torchFile(body), "PK-"));
    }
    for (const char op : {'t', 'l', 'd', 'e', 'u', '1', 'o'}) {
        all.push_back(pt(std::string("PK-06 no mark for ") + op, dictWith(std::string(1, op)), "PK-06", "mark"));
    }
    all.push_back(pt("PK-06 POP of a mark", dictWith("(0"), "PK-06", "underflow"));
    all.push_back(pt("PK-06 STOP on an empty stack", torchFile(""), "PK-06", "0 values"));
    all.push_back(pt("PK-06 STOP on two values", dictWith("N"), "PK-06", "2 values"));
    all.push_back(pt("PK-06 STOP on a mark", dictWith("("), "PK-06"));
    all.push_back(pt("PK-06 bytes after STOP", dictWith(".N"), "PK-06", "after STOP"));
    all.push_back(
        pt("PK-06 no STOP", zipFile({{.name = "m/data.pkl", .data = "\x80\x02}", .localName = {}}}), "PK-10", "STOP"));
}

void targets(std::vector<Case>& all) {
    const std::string pair = pickledText("k") + "N";
    all.push_back(pt("PK-07 SETITEM on a list", beside("]" + pair + "s"), "PK-07"));
    all.push_back(pt("PK-07 SETITEMS on None", beside("N(" + pair + "u"), "PK-07"));
    all.push_back(pt("PK-07 SETITEM on a tensor", beside(kTensor + pair + "s"), "PK-07"));
    all.push_back(pt("PK-07 odd items", beside("}(" + pair + "Nu"), "PK-07", "without a value"));
    all.push_back(pt("PK-07 odd DICT", beside("(Nd"), "PK-07", "without a value"));
    all.push_back(pt("PK-07 APPEND on a dict", beside("}Na"), "PK-07"));
    all.push_back(pt("PK-07 APPENDS on a tuple", beside(")(NNe"), "PK-07"));
    all.push_back(pt("PK-07 BUILD on a number", beside("K\x01}b"), "PK-07"));
    all.push_back(pt("PK-09 text as a number", beside("Iabc\n"), "PK-09"));
    all.push_back(pt("PK-09 long number", beside("I99999999999999999999\n"), ""));
    all.push_back(pt("PK-10 text of 2^63 bytes", beside("\x8d" + little(std::uint64_t{1} << 63, 8)), "PK-10"));
    all.push_back(pt("PK-11 frame too long", beside("\x95" + little(1'000'000, 8) + "N"), "PK-11"));
    all.push_back(pt("PK-12 protocol 6", beside(std::string("\x80\x06") + "N"), "PK-12"));
}

void storages(std::vector<Case>& all) {
    const auto one = [](PickledTensor t) { return torchFile("}" + pickledText("w") + pickled(t) + "s"); };
    all.push_back(pt("PK-13 path as a key",
                     one({.key = "../../x", .type = "FloatStorage", .shape = {2, 2}, .strides = {2, 1}}), "PK-13",
                     "unsafe"));
    all.push_back(pt("PK-13 negative count", one({.count = -1, .shape = {2, 2}, .strides = {2, 1}}), "PK-13", "-1"));
    all.push_back(
        pt("PK-13 count 2^62", one({.count = std::int64_t{1} << 62, .shape = {2, 2}, .strides = {2, 1}}), "PK-13"));
    all.push_back(pt("PK-13 no storage", beside(pickledText("x") + "Q"), "PK-13"));
    const std::string other = pickled({.key = "0", .type = "IntStorage", .shape = {2, 2}, .strides = {2, 1}});
    all.push_back(pt("PK-13 two types", beside(other), "PK-13", "two types"));
    all.push_back(pt("PK-13 two sizes", beside(pickled({.count = 3, .shape = {3}, .strides = {1}})), "PK-13",
                     "two types or sizes"));
    all.push_back(pt("PK-14 past the end", one({.shape = {2, 3}, .strides = {3, 1}}), "PK-14", "w"));
    all.push_back(pt("PK-14 offset past the end", one({.offset = 1, .shape = {2, 2}, .strides = {2, 1}}), "PK-14"));
    all.push_back(pt("PK-14 negative offset", one({.offset = -1, .shape = {2, 2}, .strides = {2, 1}}), "PK-14"));
    all.push_back(pt("PK-14 negative stride", one({.shape = {2, 2}, .strides = {-2, 1}}), "PK-14"));
    all.push_back(pt("PK-14 overflow",
                     one({.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40}, .strides = {1, 1}}), "PK-14"));
    all.push_back(pt("PK-14 expanded beyond reason", one({.shape = {std::int64_t{1} << 40}, .strides = {0}}), "PK-14"));
    all.push_back(pt("PK-14 rank differs", one({.shape = {2, 2}, .strides = {1}}), "PK-14"));
    all.push_back(pt("PK-14 wrong arguments",
                     torchFile("}" + pickledText("w") + "ctorch._utils\n_rebuild_tensor_v2\n(NNNNtRs"), "PK-14"));
    all.push_back(pt("PK-14 transposed", one({.shape = {2, 2}, .strides = {1, 2}}), ""));
    all.push_back(pt("PK-14 expanded", one({.shape = {3, 2}, .strides = {0, 1}}), ""));
    all.push_back(
        pt("PK-14 no elements, offset past the end", one({.offset = 9, .shape = {2, 0}, .strides = {1, 1}}), ""));
    all.push_back(pt("PK-15 tied", beside(kTensor), ""));
    all.push_back(
        pt("PK-17 nested", torchFile("}" + pickledText("a") + "]}" + pickledText("b") + "]" + kTensor + "asas"), ""));
}

}  // namespace

std::vector<Case> pickleCases() {
    std::vector<Case> all;
    calls(all);
    bombs(all);
    stack(all);
    targets(all);
    storages(all);
    return all;
}

}  // namespace ropescope::corpus
