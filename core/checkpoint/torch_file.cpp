// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/checkpoint/names.h"
#include "core/checkpoint/pickle_machine.h"
#include "core/checkpoint/table_contents.h"
#include "core/checkpoint/torch_storages.h"
#include "core/checkpoint/zip_directory.h"

namespace ropescope {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMostShared = 16;
constexpr std::size_t kMaxTensors = 1'000'000;

tl::unexpected<Error> refused(const InputFile& file, std::string code, std::string_view member, std::string reason,
                              std::string found = {}, std::string expected = {}, std::string advice = {}) {
    return failure({ErrorKind::Refused, std::move(code), place({file.path(), member}), std::move(reason),
                    std::move(found), std::move(expected), std::move(advice)});
}

/// The archive's one root folder: the X of X/data.pkl.
Result<std::string> rootOf(const InputFile& file, const ZipDirectory& zip) {
    std::string root;
    for (const ZipMember& member : zip.members()) {
        const std::size_t slash = member.name.find('/');
        const std::string_view rest =
            slash == std::string::npos ? std::string_view() : std::string_view(member.name).substr(slash + 1);
        if (rest == "constants.pkl" || rest.starts_with("code/")) {
            return refused(file, "ZC-11", member.name, "a TorchScript program, not weights", {}, {},
                           "This program never runs it; save the state dict instead");
        }
        if (rest != "data.pkl") continue;
        if (!root.empty()) return refused(file, "ZC-09", member.name, "a second data.pkl");
        root = member.name.substr(0, slash);
    }
    if (root.empty()) {
        return refused(file, "ZC-09", {}, "a zip archive without data.pkl: not a PyTorch checkpoint", {}, {},
                       "Choose a file written by torch.save");
    }
    return root;
}

/// A small member as text.
Result<std::string> memberText(const InputFile& file, const ZipMember& member, std::uint64_t limit) {
    if (member.method != 0) {
        return refused(file, "ZC-06", member.name, "compressed member", {}, {},
                       "Storages must be stored; save the file again with torch.save");
    }
    if (member.size > limit) {
        return refused(file, "PK-19", member.name, "member too long", std::to_string(member.size) + " bytes",
                       "at most " + std::to_string(limit));
    }
    std::string text(member.size, '\0');
    const auto bytes = std::as_writable_bytes(std::span(text));
    if (auto done = file.readAt(member.dataOffset, bytes); !done) return failure(done.error());
    if (member.crc != 0 && zipCrc(bytes) != member.crc) {
        return refused(file, "ZC-08", member.name, "checksum does not match", {}, {},
                       "The file is damaged; fetch it again");
    }
    return text;
}

Result<void> checkByteOrder(const InputFile& file, const ZipDirectory& zip, const std::string& root) {
    const ZipMember* member = zip.find(root + "/byteorder");
    if (!member) return {};  // PyTorch before 2.1: always little
    const auto text = memberText(file, *member, 64);
    if (!text) return failure(text.error());
    if (*text == "little") return {};
    return refused(file, "ZC-10", member->name, "unsupported byte order", printable(*text, 20), "little",
                   "Save the file again on a little-endian machine");
}

/// Walks the chosen part of the tree and lists its tensors under dotted names.
class Collector {
public:
    Collector(const PickleTree& tree, TorchStorages& storages, TensorTable::Contents& contents)
        : m_tree(tree), m_storages(storages), m_contents(contents) {}

    Result<void> collect(PickleId id, const std::string& name, int depth = 0) {
        switch (m_tree.kind(id)) {
            case PickleKind::Tensor:
                return addTensor(id, name);
            case PickleKind::Dict:
            case PickleKind::List:
            case PickleKind::Tuple:
                break;
            default:
                return {};
        }
        // A container reached twice (shared or cyclic) would only repeat its tensors.
        // One that two entries of the top share ({"model": w, "ema": w}) is a copy of both.
        const bool again = !m_seen.insert(m_tree[id].items).second && !(depth == 1 && ++m_shared < kMostShared);
        if (depth >= kMaxDepth || again) {
            ++m_skipped;
            return {};
        }
        const auto& items = m_tree.items(id);
        const bool dict = m_tree.kind(id) == PickleKind::Dict;
        for (std::size_t i = 0; i < items.size(); i += dict ? 2 : 1) {
            const std::string path = dict ? keyName(items[i], name) : name + "[" + std::to_string(i) + "]";
            // Moments of an optimizer are many, and nothing is made of them.
            if (dict && depth < 3 && tensorsOfTraining(items[i])) {
                ++m_training;
                continue;
            }
            if (auto done = collect(items[dict ? i + 1 : i], path, depth + 1); !done) return done;
        }
        return {};
    }

    /// No tensor but those of an optimizer or a schedule: a sound file, of no network.
    [[nodiscard]] bool ofTrainingAlone() const { return m_training > 0 && m_contents.tensors.empty(); }

    void note() {
        auto& notes = m_contents.notes;
        if (ofTrainingAlone()) notes.push_back("holds the state of an optimizer or a schedule, no weights");
        if (m_skipped) notes.push_back(std::to_string(m_skipped) + " repeated or too deep containers left out");
        if (m_foreign) notes.push_back(std::to_string(m_foreign) + " tensors left out for their element type");
        if (m_storages.tied())
            notes.push_back(std::to_string(m_storages.tied()) + " tensors share a storage with another");
    }

private:
    [[nodiscard]] bool tensorsOfTraining(PickleId key) const {
        return m_tree.kind(key) == PickleKind::Text && isTrainingState(m_tree.text(key));
    }
    std::string keyName(PickleId key, const std::string& name) const {
        const std::string own =
            m_tree.kind(key) == PickleKind::Text ? std::string(m_tree.text(key)) : m_tree.repr(key, 1);
        return name.empty() ? own : name + "." + own;
    }

    Result<void> addTensor(PickleId id, const std::string& name) {
        auto entry = m_storages.locate(id, name);
        if (!entry) {  // a refusal where it turns out to belong to the weights
            m_contents.broken.emplace_back(name, entry.error());
            return {};
        }
        if (!*entry) {
            ++m_foreign;
            return {};
        }
        auto& tensors = m_contents.tensors;
        if (tensors.size() >= kMaxTensors) return refused(m_contents.file, "PK-19", {}, "too many tensors");
        tensors.push_back(std::move(**entry));
        return {};
    }

    const PickleTree& m_tree;
    TorchStorages& m_storages;
    TensorTable::Contents& m_contents;
    std::set<std::uint32_t> m_seen;
    std::size_t m_shared = 0, m_skipped = 0, m_foreign = 0, m_training = 0;
};

/// Settings of the training under their dotted names ("transport.path_type"), from whichever of the usual keys.
void readArguments(const PickleTree& tree, PickleId id, const std::string& prefix,
                   std::map<std::string, std::string>& to, int depth = 0) {
    if (id == PickleTree::npos || depth > 4 || to.size() > 1000) return;
    if (tree.kind(id) != PickleKind::Record && tree.kind(id) != PickleKind::Dict) return;
    const auto& pairs = tree.items(id);
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
        const std::string key = prefix + tree.repr(pairs[i]);
        const PickleKind kind = tree.kind(pairs[i + 1]);
        if (kind == PickleKind::Dict || kind == PickleKind::Record)
            readArguments(tree, pairs[i + 1], key + ".", to, depth + 1);
        else if (kind != PickleKind::Tensor)
            to.emplace(key, tree.repr(pairs[i + 1]));
    }
}

/// What the top of the tree says beside tensors: arguments, and objects that are not read.
void readTop(const PickleTree& tree, TensorTable::Contents& contents) {
    const auto dictAt = [&](std::string_view key) {
        const PickleId id = tree.get(tree.root, key);
        return id != PickleTree::npos && tree.kind(id) == PickleKind::Dict;
    };
    const bool arguments = tree.get(tree.root, "args") != PickleTree::npos;
    contents.authorsContainer =
        (dictAt("ema") || dictAt("model")) && (arguments || tree.get(tree.root, "opt") != PickleTree::npos);
    for (const char* key : {"args", "config", "cfg", "hyper_parameters", "hparams", "train_config", "model_args"})
        readArguments(tree, tree.get(tree.root, key), "", contents.trainingArgs);
    if (tree.kind(tree.root) != PickleKind::Dict) return;
    const auto& pairs = tree.items(tree.root);
    std::string text;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
        const PickleKind kind = tree.kind(pairs[i + 1]);
        const std::string key = tree.kind(pairs[i]) == PickleKind::Text ? std::string(tree.text(pairs[i])) : "";
        if (kind != PickleKind::Inert || key.empty()) continue;
        contents.objects.push_back(key);
        if (contents.objects.size() <= 6) text += (text.empty() ? "" : ", ") + printable(key, 40);
    }
    if (!text.empty())
        contents.notes.push_back(text + (contents.objects.size() == 1 ? " is an object and was not read"
                                                                      : " are objects and were not read"));
}

std::string joined(const std::set<std::string, std::less<>>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return printable(out, 160);
}

}  // namespace

Result<void> readTorchZip(TensorTable::Contents& contents) {
    const InputFile& file = contents.file;
    const auto zip = ZipDirectory::read(file);
    if (!zip) return failure(zip.error());
    const auto root = rootOf(file, *zip);
    if (!root) return failure(root.error());
    if (auto checked = checkByteOrder(file, *zip, *root); !checked) return checked;
    const ZipMember& member = *zip->find(*root + "/data.pkl");
    const auto bytes = memberText(file, member, kMaxPickleBytes);
    if (!bytes) return failure(bytes.error());
    const auto tree = readPickle(*bytes, place({file.path(), member.name}));
    if (!tree) return failure(tree.error());

    contents.format = "torch-zip";
    TorchStorages storages(*tree, *zip, *root, file.path());
    Collector collector(*tree, storages, contents);
    readTop(*tree, contents);
    if (auto done = collector.collect(tree->root, {}); !done) return done;
    collector.note();
    if (!tree->inertNames.empty()) {
        contents.notes.push_back("contains calls (" + joined(tree->inertNames) + "): ignored, not run");
    }
    if (contents.tensors.empty() && !contents.broken.empty()) return failure(contents.broken.front().second);
    if (contents.tensors.empty() && !collector.ofTrainingAlone()) {
        return refused(file, "PK-20", member.name, "no tensors found",
                       tree->inertNames.empty() ? "" : joined(tree->inertNames), {},
                       "Save the state dict, not the module");
    }
    return {};
}

}  // namespace ropescope
