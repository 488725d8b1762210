// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/pickle_calls.h"

#include <algorithm>

namespace ropescope {
namespace {

tl::unexpected<Error> wrong(std::string code, std::string reason, std::string found = {}, std::string expected = {}) {
    return failure(
        {ErrorKind::Refused, std::move(code), {}, std::move(reason), std::move(found), std::move(expected), {}});
}

Result<PickleId> tensorOf(PickleTree& tree, std::vector<PickleId> arguments) {
    const bool typed = arguments.size() >= 4 && tree.kind(arguments[0]) == PickleKind::Storage &&
                       tree.kind(arguments[1]) == PickleKind::Int && tree.kind(arguments[2]) == PickleKind::Tuple &&
                       tree.kind(arguments[3]) == PickleKind::Tuple;
    if (!typed) {
        return wrong("PK-14", "a tensor built from wrong arguments", std::to_string(arguments.size()) + " arguments",
                     "storage, offset, size, stride");
    }
    return tree.addList(PickleKind::Tensor, std::move(arguments));
}

Result<PickleId> inert(PickleTree& tree, PickleId callable, std::vector<PickleId> arguments) {
    if (tree.kind(callable) == PickleKind::Global && tree.inertNames.size() < 64) {
        tree.inertNames.insert(printable(tree.text(callable), 80));
    }
    arguments.insert(arguments.begin(), callable);
    return tree.addList(PickleKind::Inert, std::move(arguments));
}

}  // namespace

Result<PickleId> inertCall(PickleTree& tree, PickleId callable, std::vector<PickleId> arguments, CallForm form) {
    const std::string name(tree.text(callable));
    if (name == "argparse Namespace") return tree.addList(PickleKind::Record, {});
    if (name == "collections OrderedDict" && arguments.empty()) return tree.addList(PickleKind::Dict, {});
    if (form == CallForm::NewObject) return inert(tree, callable, std::move(arguments));
    if (name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_tensor" ||
        name == "torch._utils _rebuild_tensor_v3") {
        return tensorOf(tree, std::move(arguments));
    }
    const auto kindOf = [&](std::size_t i) {
        return i < arguments.size() ? tree.kind(arguments[i]) : PickleKind::None;
    };
    if (name.starts_with("torch._utils _rebuild_parameter") && kindOf(0) == PickleKind::Tensor) return arguments[0];
    if (name == "torch Size" && arguments.size() == 1 && kindOf(0) == PickleKind::Tuple) return arguments[0];
    if (name == "torch._tensor _rebuild_from_type_v2" && kindOf(0) == PickleKind::Global &&
        kindOf(2) == PickleKind::Tuple && tree.text(arguments[0]).starts_with("torch._utils _rebuild_tensor")) {
        return tensorOf(tree, tree.items(arguments[2]));
    }
    // Protocols 0 and 1 make objects through copyreg._reconstructor(class, object, None).
    if ((name == "copy_reg _reconstructor" || name == "copyreg _reconstructor") && kindOf(0) == PickleKind::Global &&
        tree.text(arguments[0]) == "argparse Namespace") {
        return tree.addList(PickleKind::Record, {});
    }
    return inert(tree, callable, std::move(arguments));
}

const char* buildState(PickleTree& tree, PickleId object, PickleId state) {
    switch (tree.kind(object)) {
        case PickleKind::Dict:
        case PickleKind::Inert:
            return nullptr;
        case PickleKind::Record:
            break;
        default:
            return "BUILD onto something that has no state";
    }
    if (tree.kind(state) != PickleKind::Dict) return "a Namespace whose state is not a dict";
    tree.shareItems(object, state);  // a copy would let a few bytes repeated cost quadratic memory
    return nullptr;
}

Result<PickleId> storageOf(PickleTree& tree, PickleId id) {
    if (tree.kind(id) != PickleKind::Tuple || tree.items(id).size() < 5) {
        return wrong("PK-13", "persistent id is not a storage");
    }
    const std::vector<PickleId> parts = tree.items(id);
    if (tree.text(parts[0]) != "storage" || tree.kind(parts[1]) != PickleKind::Global ||
        tree.kind(parts[2]) != PickleKind::Text || tree.kind(parts[4]) != PickleKind::Int) {
        return wrong("PK-13", "persistent id is not a storage");
    }
    const std::string_view key = tree.text(parts[2]);
    const bool plain = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    });
    if (!plain) return wrong("PK-13", "unsafe storage name", printable(key, 60), "letters and digits");
    const std::int64_t count = tree[parts[4]].number;
    if (count < 0 || count > (std::int64_t{1} << 48)) {
        return wrong("PK-13", "impossible number of elements in storage " + std::string(key), std::to_string(count));
    }
    return tree.addList(PickleKind::Storage, parts);
}

}  // namespace ropescope
