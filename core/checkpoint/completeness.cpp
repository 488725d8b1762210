// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_set>

#include "core/checkpoint/dit_tensors.h"
#include "core/checkpoint/flow_tensors.h"
#include "core/checkpoint/names.h"
#include "core/checkpoint/recognition.h"
#include "core/checkpoint/stored_rotary.h"
#include "core/checkpoint/table_contents.h"
#include "core/checkpoint/tensor_table.h"
#include "core/checkpoint/vae_tensors.h"
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

/// Tensors that may stand beside a network without a part in what it computes, each with the reason.
struct Harmless {
    std::string_view pattern;
    std::string_view reason;
};
constexpr Harmless kHarmless[] = {
    {"selfcheck.*", "a recorded proof"},
    {"scaled_fp8", "a marker of 8-bit weights"},
    {"*.comfy_quant", "a marker of 8-bit weights"},
    {"freqs_t_x", "a table that is computed anew"},
    {"freqs_t_y", "a table that is computed anew"},
    {"rope.t_x", "a table that is computed anew"},
    {"rope.t_y", "a table that is computed anew"},
    {"rope.bands", "a table that is computed anew"},
    {"rope.pos_embed", "a table that is computed anew"},
    {"projectors.*", "of the training alone (REPA)"},
    {"mask_token", "of training with masked patches"},
    {"loss.*", "of the training alone"},
    {"*.num_batches_tracked", "a counter"},
};

std::string_view harmlessReason(const TensorTable& table, const ModelCard& card, const std::string& name) {
    for (const Harmless& one : kHarmless)
        if (matchesPattern(name, one.pattern)) return one.reason;
    if (card.axes > 0 && isStoredRotary(name)) return "a rotary table, read as its frequencies";
    if (table.naming() == "diffusers" && name.find(".norm1.emb.") != std::string::npos)
        return "a copy of the first block's embedding";
    return {};
}

bool isPosition(const std::string& name) {
    if (name == "pos_embed" || name.ends_with("attn.freqs")) return true;
    for (const MapNames& map : mapNames())
        if (name.starts_with(map.prefix) || name.find("attn." + std::string(map.prefix)) != std::string::npos)
            return true;
    return false;
}

/// What the file would call a tensor that it lacks.
std::string nameInFile(const TensorTable& table, const ModelCard& card, const std::string& own) {
    if (table.naming() == "diffusers" && card.architecture != "vae") return diffusersName(table, own);
    return card.architecture == "vit" ? timmName(table.contents(), own) : own;
}

/// Collects what is missing and keeps the first wrong shape or type.
class Checker {
public:
    Checker(const TensorTable& table, const ModelCard& card) : m_table(table), m_card(card) {}

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
            std::string beside;  // sizes are read from weights
            if (name.ends_with(".bias")) beside = " beside " + name.substr(0, name.size() - 4) + "weight";
            m_wrong =
                error("TC-07", entry->fileName(), "wrong shape" + beside, text(entry->shape), text(shapes.front()));
        } else if (!isFloat(entry->dtype)) {
            m_wrong = error("TC-07", entry->fileName(), "wrong element type", std::string(dtypeName(entry->dtype)),
                            "a floating-point type");
        }
    }

    [[nodiscard]] Result<void> result() const { return result(surplus()); }
    /// The same where the surplus is known.
    [[nodiscard]] Result<void> result(const std::vector<std::string>& strangers) const {
        if (m_missing.empty()) return m_wrong ? Result<void>(failure(*m_wrong)) : noStrangers(strangers);
        std::vector<std::string> missing = m_missing;
        for (std::string& name : missing) name = nameInFile(m_table, m_card, name);
        Error e = error("TC-05", missing.front(),
                        std::to_string(missing.size()) + " tensors are missing: " + listed(missing), {}, {});
        if (const std::string near = nearest(m_table, m_missing.front()); !near.empty()) {
            e.found = "nearest name " + printable(near, 60);
        }
        return failure(std::move(e));
    }

    /// Names of tensors that such a network does not have, harmless ones aside.
    [[nodiscard]] std::vector<std::string> surplus() const {
        std::vector<std::string> names;
        for (const TensorEntry& entry : m_table.tensors())
            if (!m_known.contains(entry.name) && harmlessReason(m_table, m_card, entry.name).empty() &&
                std::ranges::find(m_card.waived, entry.name) == m_card.waived.end())
                names.push_back(entry.name);
        return names;
    }
    [[nodiscard]] bool uses(const std::string& name) const { return m_known.contains(name); }

private:
    [[nodiscard]] Result<void> noStrangers(const std::vector<std::string>& all) const {
        if (all.empty()) return {};
        const auto position = std::ranges::find_if(all, isPosition);
        const bool second = position != all.end();
        Error e =
            error("TC-10", second ? *position : all.front(),
                  second ? "positions beside those of the network, which are not understood"
                         : std::to_string(all.size()) + " tensors do not belong to such a network: " + listed(all),
                  {}, {});
        e.advice = "To compute without them all the same: --ignore PATTERN";
        return failure(std::move(e));
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
    const ModelCard& m_card;
    std::unordered_set<std::string> m_known;
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
    const bool frequencies = card.encoding == "mixed" || card.encoding == "harope_mixed" ||
                             (map && card.encoding == "string" && card.matrix != MatrixKind::Circulant);
    for (int i = 0; frequencies && i < card.layers; ++i)
        checker.need("blocks." + std::to_string(i) + ".attn.freqs", {{2, h, d / 2}, {2, 1, d / 2}, {2, h * (d / 2)}});
}

/// What such a model needs, looked for; nothing for networks that are not known.
std::optional<Checker> lookedFor(const TensorTable& table, const ModelCard& card) {
    Checker checker(table, card);
    if (card.architecture == "dit")
        for (const auto& [name, shape] : ditTensors(sizesOfDit(card))) checker.need(name, {shape});
    else if (card.architecture == "vit")
        for (const auto& [name, shape] : vitTensors(sizesOf(card))) checker.need(name, {shape});
    else if (card.takesText())
        for (const auto& [name, shape] : flowTensors(table, card)) checker.need(name, {shape});
    else if (card.architecture == "vae")
        for (const auto& [name, shapes] : vaeTensors(table)) checker.need(name, shapes);
    else
        return std::nullopt;
    if (card.architecture != "vae") needPositions(checker, table, card);
    return checker;
}

/// What the file leaves open and computing needs.
Result<void> checkSaid(const ModelCard& card) {
    const MapNames* map = findMapNames(card.encoding);
    if (card.encoding.starts_with("harope") && card.convention == Convention::Unknown)
        return failure({ErrorKind::Usage, "convention", place({card.path}), "the file does not say how its maps enter",
                        "", "same or inverse", "Add --convention same or --convention inverse"});
    if (card.architecture == "vit" && map && card.classToken && card.mapTokens == MapTokens::Unknown)
        return failure({ErrorKind::Usage, "map-tokens", place({card.path}),
                        "the file does not say whether its maps turn the class token", "", "all or patches",
                        "Add --map-tokens all or --map-tokens patches"});
    return {};
}

/// It says of itself that it is a part: a series file of projections and maps.
bool isPart(const ModelCard& card) {
    return std::ranges::any_of(card.notes, [](const std::string& note) { return note.starts_with("holds only:"); });
}

}  // namespace

Result<void> checkComplete(const TensorTable& table, const ModelCard& card) {
    if (auto stored = checkStorage(table); !stored) return stored;
    if (const std::optional<Checker> checker = lookedFor(table, card))
        if (auto complete = checker->result(); !complete) return complete;
    return checkConflicts(card);
}

Result<void> checkAttention(const TensorTable& table, const ModelCard& card) {
    std::vector<std::string> inside = strangers(table, card);
    std::erase_if(inside, [](const std::string& name) {
        return name.find("attn") == std::string::npos && !isPosition(name) && !isStoredRotary(name) &&
               name.find("rope") == std::string::npos;
    });
    if (inside.empty()) return {};
    return failure(
        {ErrorKind::Refused,
         "TC-10",
         place({table.path(), inside.front()}),
         std::to_string(inside.size()) + " tensors of attention or positions are not understood: " + listed(inside),
         {},
         {},
         "To look at the heads without them all the same: --ignore PATTERN"});
}

std::vector<std::string> strangers(const TensorTable& table, const ModelCard& card) {
    const std::optional<Checker> checker = lookedFor(table, card);
    return checker ? checker->surplus() : std::vector<std::string>();
}

std::vector<std::string> tensorUses(const TensorTable& table, const ModelCard& card) {
    const std::optional<Checker> checker = lookedFor(table, card);
    std::vector<std::string> uses;
    for (const TensorEntry& entry : table.tensors()) {
        const std::string_view reason = harmlessReason(table, card, entry.name);
        if (!checker)
            uses.emplace_back();
        else if (checker->uses(entry.name))
            uses.emplace_back("used");
        else if (std::ranges::find(card.waived, entry.name) != card.waived.end())
            uses.emplace_back("left out: ignored");
        else
            uses.push_back(reason.empty() ? "not understood" : "not used: " + std::string(reason));
    }
    return uses;
}

Result<std::string> checkFile(const ModelRef& ref) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    const std::string size = table->format() + ", " + std::to_string(table->tensors().size()) + " tensors";
    const auto card = recognise(*table, ref);
    if (!card && card.error().code == "unknown-model") return size + "; no model that is known";
    if (!card) return failure(card.error());
    if (!isPart(*card)) {
        if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
        if (auto said = checkSaid(*card); !said) return failure(said.error());
    }
    return size + ", " + card->architecture + " with " + card->encoding + " positions" +
           (card->positionRows > 0 && card->axes > 0 ? " and absolute ones" : "");
}

namespace {

/// What an outline needs to ask the question that the error is: the copies to choose from, the width that heads divide.
ModelCard questioned(ModelCard card, const TensorTable& table, const Error& error) {
    if (error.code == "weights") {
        std::string names = error.expected + ", ";
        for (std::size_t end = names.find(", "); end != std::string::npos; end = names.find(", ")) {
            card.copies.push_back(names.substr(0, end));
            names.erase(0, end + 2);
        }
    }
    const TensorEntry* projection = table.find("blocks.0.attn.qkv.weight");
    if (projection && projection->shape.size() == 2 && projection->shape[1] < 1 << 20)
        card.width = static_cast<int>(projection->shape[1]);
    return card;
}

}  // namespace

Result<ModelCard> describeFile(const ModelRef& ref) {
    const auto explain = [](ModelCard card, const Error& error) {
        card.problem = error.message();
        card.problemCode = error.code;
        return card;
    };
    auto table = TensorTable::open(ref);
    std::optional<Error> problem;
    if (!table) {  // its header may be sound all the same
        problem = table.error();
        table = TensorTable::openPlain(ref.path);
        if (!table) return failure(*problem);
    }
    auto card = problem ? Result<ModelCard>(failure(*problem)) : recognise(*table, ref);
    if (!card) return explain(questioned(outlineOf(*table, ref), *table, card.error()), card.error());
    if (isPart(*card)) return card;
    const std::optional<Checker> checker = lookedFor(*table, *card);
    if (!checker) return card;
    card->unused = checker->surplus();
    if (auto complete = checker->result(card->unused); !complete) return explain(std::move(*card), complete.error());
    if (auto agreed = checkConflicts(*card); !agreed) return explain(std::move(*card), agreed.error());
    return card;
}

Result<void> checkConflicts(const ModelCard& card) {
    if (card.conflicts.empty()) return {};
    return failure({ErrorKind::Refused, "CF-03", place({card.path}), "the configuration disagrees with the tensors",
                    card.conflicts.front(), "one and the same",
                    "Mend the configuration, or give the right one by --config; the maps can still be inspected"});
}

}  // namespace ropescope
