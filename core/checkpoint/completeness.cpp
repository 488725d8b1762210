// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "core/checkpoint/flow_tensors.h"
#include "core/checkpoint/tensor_table.h"
#include "core/checkpoint/vit_tensors.h"
#include "core/data/stored_shapes.h"

namespace ropescope {
namespace {

using Shape = std::vector<std::int64_t>;

std::string text(const Shape& shape) {
    std::string out = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? "," : "") + std::to_string(shape[i]);
    return out + "]";
}

/// Names and shapes of a DiT of the card's sizes, maps left out (their shape may be shared or per head).
std::vector<std::pair<std::string, Shape>> ditTensors(const ModelCard& c) {
    const std::int64_t w = c.width, out = static_cast<std::int64_t>(c.patch) * c.patch * c.outChannels;
    std::vector<std::pair<std::string, Shape>> all = {{"x_embedder.proj.weight", {w, c.inChannels, c.patch, c.patch}},
                                                      {"x_embedder.proj.bias", {w}},
                                                      {"t_embedder.mlp.0.weight", {w, 256}},
                                                      {"t_embedder.mlp.0.bias", {w}},
                                                      {"t_embedder.mlp.2.weight", {w, w}},
                                                      {"t_embedder.mlp.2.bias", {w}},
                                                      {"y_embedder.embedding_table.weight", {c.classes + 1, w}}};
    for (int i = 0; i < c.layers; ++i) {
        const std::string block = "blocks." + std::to_string(i) + ".";
        for (auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{{"attn.qkv.weight", {3 * w, w}},
                                                                              {"attn.qkv.bias", {3 * w}},
                                                                              {"attn.proj.weight", {w, w}},
                                                                              {"attn.proj.bias", {w}},
                                                                              {"mlp.fc1.weight", {4 * w, w}},
                                                                              {"mlp.fc1.bias", {4 * w}},
                                                                              {"mlp.fc2.weight", {w, 4 * w}},
                                                                              {"mlp.fc2.bias", {w}},
                                                                              {"adaLN_modulation.1.weight", {6 * w, w}},
                                                                              {"adaLN_modulation.1.bias", {6 * w}}}) {
            all.emplace_back(block + name, shape);
        }
    }
    all.emplace_back("final_layer.linear.weight", Shape{out, w});
    all.emplace_back("final_layer.linear.bias", Shape{out});
    all.emplace_back("final_layer.adaLN_modulation.1.weight", Shape{2 * w, w});
    all.emplace_back("final_layer.adaLN_modulation.1.bias", Shape{2 * w});
    const bool stored = c.naming != "diffusers" || c.positionRows > 0;
    if (c.encoding == "absolute" && stored) all.emplace_back("pos_embed", Shape{1, c.grid.tokens(), w});
    return all;
}

bool isFloat(DType type) {
    return type == DType::F64 || type == DType::F32 || type == DType::F16 || type == DType::BF16 ||
           type == DType::F8E4M3 || type == DType::F8E5M2;
}

/// The stored name that shares the longest ending with a missing one, beyond ".weight" or ".bias".
std::string nearest(const TensorTable& table, const std::string& missing) {
    std::string best;
    std::size_t longest = missing.size() - std::min(missing.size(), missing.rfind('.')) + 3;
    for (const TensorEntry& entry : table.tensors()) {
        std::size_t n = 0;
        while (n < missing.size() && n < entry.name.size() && missing.rbegin()[n] == entry.name.rbegin()[n]) ++n;
        if (n > longest) longest = n, best = entry.name;
    }
    return best;
}

/// The first ten names.
std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < 10; ++i) text += (i ? ", " : "") + names[i];
    return printable(text, 180);
}

/// Tables that are computed anew, recorded proofs, and the copies of one embedding in diffusers' blocks.
bool isHarmless(const TensorTable& table, const std::string& name) {
    if (name.starts_with("selfcheck.") || name == "scaled_fp8") return true;
    for (const std::string_view scale : {".scale_weight", ".scale_input", ".weight_scale", ".input_scale",
                                         ".comfy_quant"})  // of a weight in 8 bits (WeightStore)
        if (name.ends_with(scale)) return table.find(name.substr(0, name.size() - scale.size()) + ".weight") != nullptr;
    for (const char* buffer : {"freqs_t_x", "freqs_t_y", "rope.t_x", "rope.t_y", "rope.bands", "rope.pos_embed"})
        if (name == buffer) return true;
    return table.naming() == "diffusers" && name.find(".norm1.emb.") != std::string::npos;
}

bool isPosition(const std::string& name) {
    if (name == "pos_embed" || name.ends_with("attn.freqs")) return true;
    for (const MapNames& map : mapNames())
        if (name.starts_with(map.prefix) || name.find("attn." + std::string(map.prefix)) != std::string::npos)
            return true;
    return false;
}

/// Collects what is missing and keeps the first wrong shape or type.
class Checker {
public:
    Checker(const TensorTable& table) : m_table(table) {}

    /// Any of the shapes will do.
    void need(const std::string& name, const std::vector<Shape>& shapes) {
        m_known.insert(name);
        const TensorEntry* entry = m_table.find(name);
        if (!entry) {
            m_missing.push_back(name);
            return;
        }
        if (m_wrong) return;
        if (std::find(shapes.begin(), shapes.end(), entry->shape) == shapes.end()) {
            m_wrong = error("TC-07", name, "wrong shape", text(entry->shape), text(shapes.front()));
        } else if (!isFloat(entry->dtype)) {
            m_wrong = error("TC-07", name, "wrong element type", std::string(dtypeName(entry->dtype)),
                            "a floating-point type");
        }
    }

    [[nodiscard]] Result<void> result() const {
        if (m_missing.empty()) return m_wrong ? Result<void>(failure(*m_wrong)) : noStrangers();
        Error e = error("TC-05", m_missing.front(),
                        std::to_string(m_missing.size()) + " tensors are missing: " + listed(m_missing), {}, {});
        if (const std::string near = nearest(m_table, m_missing.front()); !near.empty()) {
            e.found = "nearest name " + printable(near, 60);
        }
        return failure(std::move(e));
    }

    /// Names of tensors that such a network does not have, recorded proofs and derived tables aside.
    [[nodiscard]] std::vector<std::string> surplus() const {
        std::vector<std::string> names;
        for (const TensorEntry& entry : m_table.tensors())
            if (!m_known.contains(entry.name) && !isHarmless(m_table, entry.name)) names.push_back(entry.name);
        return names;
    }

private:
    /// A second encoding, or a tensor inside a block that such a network does not have, would change what it computes.
    [[nodiscard]] Result<void> noStrangers() const {
        const std::vector<std::string> all = surplus();
        if (const auto position = std::ranges::find_if(all, isPosition); position != all.end())
            return failure(error("TC-10", *position, "two positional encodings at once", {}, "one"));
        std::vector<std::string> inside;
        std::ranges::copy_if(all, std::back_inserter(inside), [](const auto& n) { return n.find("blocks.") < 8; });
        if (inside.empty()) return {};
        return failure(error(
            "TC-10", inside.front(),
            std::to_string(inside.size()) + " tensors do not belong to such a network: " + listed(inside), {}, {}));
    }
    [[nodiscard]] Error error(std::string code, std::string_view name, std::string reason, std::string found,
                              std::string expected) const {
        return {ErrorKind::Refused,
                std::move(code),
                place({m_table.path(), name}),
                std::move(reason),
                std::move(found),
                std::move(expected),
                "Its header and maps can still be inspected"};
    }

    const TensorTable& m_table;
    std::set<std::string> m_known;
    std::vector<std::string> m_missing;
    std::optional<Error> m_wrong;
};

/// The parameters of the encoding in every block.
void needPositions(Checker& checker, const TensorTable& table, const ModelCard& card) {
    const std::int64_t h = card.heads, d = card.headDim;
    const MapNames* map = findMapNames(card.encoding);
    for (int i = 0; map && i < card.layers; ++i) {
        const std::string prefix = card.sharing == MapSharing::Model ? "" : card.attention(i);
        const std::vector<MatrixParameter> parameters = matrixParameters(card.matrix, card.headDim);
        // An adapter may have learned maps in some blocks alone.
        const auto has = [&](const MatrixParameter& p) {
            return table.find(prefix + std::string(map->prefix) + p.name) != nullptr;
        };
        if (card.takesText() && std::none_of(parameters.begin(), parameters.end(), has)) continue;
        for (const MatrixParameter& p : parameters) {
            const std::string name = prefix + std::string(map->prefix) + p.name;
            const TensorEntry* entry = table.find(name);
            checker.need(name, storedShapes(card.matrix, p.shape, h, entry ? entry->shape : Shape()));
        }
    }
    // The second attention of SD3.5's blocks may have maps of its own.
    for (int i = 0; map && card.architecture == "mmdit" && i < card.layers; ++i)
        for (const MatrixParameter& p : matrixParameters(card.matrix, card.headDim)) {
            const std::string name =
                "joint_blocks." + std::to_string(i) + ".x_block.attn2." + std::string(map->prefix) + p.name;
            if (const TensorEntry* entry = table.find(name))
                checker.need(name, storedShapes(card.matrix, p.shape, h, entry->shape));
        }
    const bool frequencies =
        card.encoding == "mixed" || (map && card.encoding == "string" && card.matrix != MatrixKind::Circulant);
    for (int i = 0; frequencies && i < card.layers; ++i)
        checker.need("blocks." + std::to_string(i) + ".attn.freqs", {{2, h, d / 2}, {2, 1, d / 2}, {2, h * (d / 2)}});
}

/// What such a model needs, looked for; nothing for networks that are not known.
std::optional<Checker> lookedFor(const TensorTable& table, const ModelCard& card) {
    Checker checker(table);
    if (card.architecture == "dit")
        for (const auto& [name, shape] : ditTensors(card)) checker.need(name, {shape});
    else if (card.architecture == "vit")
        for (const auto& [name, shape] : vitTensors(sizesOf(card))) checker.need(name, {shape});
    else if (card.architecture == "flux" || card.architecture == "mmdit")
        for (const auto& [name, shape] : flowTensors(table, card)) checker.need(name, {shape});
    else
        return std::nullopt;
    needPositions(checker, table, card);
    return checker;
}

}  // namespace

Result<void> checkComplete(const TensorTable& table, const ModelCard& card) {
    const std::optional<Checker> checker = lookedFor(table, card);
    return checker ? checker->result() : Result<void>();
}

Result<std::string> checkFile(const ModelRef& ref) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    const std::string size = table->format() + ", " + std::to_string(table->tensors().size()) + " tensors";
    const auto card = recognise(*table, ref);
    // A sound file need not be a model, nor tell everything about itself.
    if (!card && (card.error().code == "unknown-model" || card.error().kind == ErrorKind::Usage)) return size;
    if (!card) return failure(card.error());
    if (auto agreed = checkConflicts(*card); !agreed) return failure(agreed.error());
    const bool part = std::any_of(card->notes.begin(), card->notes.end(),
                                  [](const std::string& note) { return note.starts_with("holds only:"); });
    std::string more;
    if (const auto checker = lookedFor(*table, *card); checker && !part) {
        if (auto complete = checker->result(); !complete) return failure(complete.error());
        const std::vector<std::string> surplus = checker->surplus();
        if (!surplus.empty()) more = "; " + std::to_string(surplus.size()) + " surplus: " + listed(surplus);
    }
    return size + ", " + card->architecture + " with " + card->encoding + " positions" + more;
}

Result<void> checkConflicts(const ModelCard& card) {
    if (card.conflicts.empty()) return {};
    return failure({ErrorKind::Refused, "CF-03", place({card.path}), "the configuration disagrees with the tensors",
                    card.conflicts.front(), "one and the same",
                    "Mend the configuration, or give the right one by --config; the maps can still be inspected"});
}

}  // namespace ropescope
