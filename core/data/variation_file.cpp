// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "core/data/enum_names.h"
#include "core/data/variation.h"

namespace ropescope {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kMostBytes = 4 << 20;
constexpr std::size_t kMostChanges = 10000;
constexpr int kMostCount = 1000000;
constexpr const char* kVersionKey = "ropescope_variation";

constexpr auto kKinds = enumNames(ChangeKind{});

/// The key of the number that a change takes; null without one.
const char* amountKey(ChangeKind kind) {
    if (kind == ChangeKind::Dial || kind == ChangeKind::PositionOnly) return "tau";
    if (kind == ChangeKind::SingularValue) return "value";
    return kind == ChangeKind::Frequencies ? "factor" : nullptr;
}

Error bad(const std::string& where, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Usage,
            "variation",
            where,
            std::move(reason),
            std::move(found),
            std::move(expected),
            "See \"Changing heads\" in the README for the form of a variation file"};
}

std::string shown(const Json& json) {
    return printable(json.dump(-1, ' ', true, Json::error_handler_t::replace), 80);
}

bool readIndex(std::string_view text, int& value) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() && value >= 0;
}

/// "all", "L3" or "L3.H1".
bool readHeads(std::string_view text, int& layer, int& head) {
    layer = head = -1;
    if (text == "all") return true;
    if (!text.starts_with('L')) return false;
    const std::size_t dot = text.find('.');
    if (!readIndex(text.substr(1, dot == std::string_view::npos ? dot : dot - 1), layer)) return false;
    if (dot == std::string_view::npos) return true;
    return text.substr(dot + 1).starts_with('H') && readIndex(text.substr(dot + 2), head);
}

/// One object of the file, taken key by key. The first thing that is wrong is kept; what nobody asks for is wrong too.
class Entry {
public:
    Entry(const Json& json, std::string where) : m_json(json), m_where(std::move(where)) {
        if (!json.is_object()) m_problem = bad(m_where, "not an object", shown(json), "{ ... }");
    }

    void take(const char* key, std::string& value, bool needed, const std::string& expected) {
        takeAs(key, value, needed, expected, [](const Json& own) { return own.is_string(); });
    }
    void take(const char* key, bool& value) {
        takeAs(key, value, false, "true or false", [](const Json& own) { return own.is_boolean(); });
    }
    void take(const char* key, int& value, bool needed) {
        takeAs(key, value, needed, "0, 1, ...",
               [](const Json& own) { return own.is_number_integer() && own >= 0 && own <= kMostCount; });
    }
    void take(const char* key, double& value, bool needed) {
        takeAs(key, value, needed, "a number", [](const Json& own) { return own.is_number(); });
    }
    /// A number, or several over the run.
    void take(const char* key, double& value, std::vector<double>& curve, bool needed) {
        if (m_problem || !m_json.contains(key) || !m_json.at(key).is_array()) return take(key, value, needed);
        curve = list<double>(key, [&](const Json& one, const std::string& where) -> Result<double> {
            if (one.is_number()) return one.get<double>();
            return failure(bad(where, "not a number", shown(one), "a number"));
        });
        if (m_problem) return;
        if (curve.empty()) return refuse(key, "no numbers", "[]", "[1, 0.5, 0]");
        value = curve.front();
    }
    template <class T, class Read>
    std::vector<T> list(const char* key, const Read& read) {
        m_known.insert(key);
        std::vector<T> all;
        if (m_problem || !m_json.contains(key)) return all;
        const Json& own = m_json.at(key);
        if (!own.is_array() || own.size() > kMostChanges) {
            refuse(key, "not a list, or too long", shown(own), "[ ... ]");
            return all;
        }
        for (std::size_t i = 0; i < own.size() && !m_problem; ++i) {
            auto one = read(own[i], m_where + " > " + key + " " + std::to_string(i + 1));
            if (one)
                all.push_back(std::move(*one));
            else
                m_problem = one.error();
        }
        return all;
    }
    template <class T, class Read>
    T object(const char* key, const Read& read) {
        m_known.insert(key);
        if (m_problem || !m_json.contains(key)) return {};
        auto own = read(m_json.at(key), m_where + " > " + key);
        if (own) return std::move(*own);
        m_problem = own.error();
        return {};
    }
    void refuse(const char* key, std::string reason, std::string found, std::string expected) {
        if (!m_problem)
            m_problem = bad(m_where + " > " + key, std::move(reason), std::move(found), std::move(expected));
    }

    /// `value`, where nothing was wrong with the object.
    template <class T>
    Result<T> finish(T value) {
        for (auto item = m_json.begin(); !m_problem && item != m_json.end(); ++item) {
            if (m_known.contains(item.key())) continue;
            std::string known;
            for (const std::string& name : m_known) known += (known.empty() ? "" : ", ") + name;
            m_problem = bad(m_where, "an unknown key", printable(item.key(), 60), known);
        }
        if (m_problem) return failure(*m_problem);
        return value;
    }

private:
    template <class T, class Right>
    void takeAs(const char* key, T& value, bool needed, const std::string& expected, const Right& right) {
        m_known.insert(key);
        if (m_problem) return;
        if (!m_json.contains(key)) {
            if (needed) m_problem = bad(m_where, std::string("\"") + key + "\" is missing", shown(m_json), expected);
            return;
        }
        const Json& own = m_json.at(key);
        if (!right(own)) return refuse(key, "not of the right kind", shown(own), expected);
        value = own.get<T>();
    }

    const Json& m_json;
    std::string m_where;
    std::set<std::string> m_known;
    std::optional<Error> m_problem;
};

Result<HeadChange> readChange(const Json& json, const std::string& where) {
    std::string kinds, heads, kind, from;
    for (const std::string_view name : kKinds) kinds += (kinds.empty() ? "" : ", ") + std::string(name);
    HeadChange change;
    Entry entry(json, where);
    entry.take("heads", heads, true, "\"all\", \"L3\" or \"L3.H1\"");
    if (!readHeads(heads, change.layer, change.head))
        entry.refuse("heads", "not the name of heads", printable(heads, 60), "all, L3 or L3.H1");
    entry.take("do", kind, true, kinds);
    const auto known = std::ranges::find(kKinds, kind);
    if (known == kKinds.end())
        entry.refuse("do", "not a change", printable(kind, 60), kinds);
    else
        change.kind = static_cast<ChangeKind>(known - kKinds.begin());
    entry.take("on", change.on);
    if (change.kind == ChangeKind::PositionOnly) change.amount = 0;
    if (change.kind == ChangeKind::Dial || change.kind == ChangeKind::PositionOnly)
        entry.take("tau", change.amount, change.curve, change.kind == ChangeKind::Dial);
    else if (const char* key = amountKey(change.kind))
        entry.take(key, change.amount, true);
    if (change.kind == ChangeKind::SingularValue) entry.take("index", change.index, true);
    if (change.kind == ChangeKind::Transplant) {
        entry.take("from", from, true, "L3.H1");
        if (!readHeads(from, change.from.layer, change.from.head) || change.from.head < 0)
            entry.refuse("from", "not the name of a head", printable(from, 60), "L3.H1");
        entry.take("of", change.donor, false, "a model file");
    }
    return entry.finish(change);
}

Result<VariationModel> readModel(const Json& json, const std::string& where) {
    VariationModel model;
    Entry entry(json, where);
    entry.take("name", model.name, true, "a text");
    entry.take("layers", model.layers, false);
    entry.take("heads", model.heads, false);
    entry.take("head_dim", model.headDim, false);
    entry.take("encoding", model.encoding, false, "a text");
    entry.take("convention", model.convention, false, "same, inverse or none");
    return entry.finish(model);
}

Result<LoraRef> readLora(const Json& json, const std::string& where) {
    LoraRef lora;
    Entry entry(json, where);
    entry.take("path", lora.path, true, "a file");
    entry.take("strength", lora.strength, false);
    return entry.finish(lora);
}

void makeAbsolute(std::string& path, const std::filesystem::path& folder) {
    if (!path.empty() && std::filesystem::path(path).is_relative()) path = (folder / path).lexically_normal().string();
}

Json changeJson(const HeadChange& change) {
    Json json = {{"heads", headsText(change)}, {"do", enumName(change.kind)}};
    if (const char* key = amountKey(change.kind)) {
        if (change.curve.empty())
            json[key] = change.amount;
        else
            json[key] = change.curve;
    }
    if (change.kind == ChangeKind::SingularValue) json["index"] = change.index;
    if (change.kind == ChangeKind::Transplant) json["from"] = change.from.name();
    if (change.kind == ChangeKind::Transplant && !change.donor.empty()) json["of"] = change.donor;
    if (!change.on) json["on"] = false;
    return json;
}

}  // namespace

Result<Variation> variationFromJson(std::string_view text, const std::string& where) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return failure(bad(where, "not JSON", printable(text.substr(0, 40)), "a JSON object"));
    Variation variation;
    int version = 0;
    Entry entry(json, where);
    entry.take(kVersionKey, version, true);
    if (version != 0 && version != kVersion)
        return failure({ErrorKind::Usage, "variation", where, "an unknown version of a variation file",
                        std::to_string(version), std::to_string(kVersion), "Open it with a newer ropescope"});
    entry.take("adapter", variation.adapter, false, "a file");
    variation.madeFor = entry.object<VariationModel>("model", readModel);
    variation.loras = entry.list<LoraRef>("loras", readLora);
    variation.changes = entry.list<HeadChange>("changes", readChange);
    return entry.finish(std::move(variation));
}

Result<Variation> readVariation(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(kMostBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (!file.is_open() || file.bad())
        return failure({ErrorKind::Usage, "variation", place({path}), "the file cannot be read", "", "a variation file",
                        "Check the path"});
    if (text.size() > kMostBytes)
        return failure(bad(place({path}), "too large for a variation", "more than 4 MiB", "a small JSON file"));
    auto variation = variationFromJson(text, place({path}));
    if (!variation) return variation;
    const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
    makeAbsolute(variation->adapter, folder);
    for (LoraRef& lora : variation->loras) makeAbsolute(lora.path, folder);
    for (HeadChange& change : variation->changes) makeAbsolute(change.donor, folder);
    return variation;
}

std::string variationJson(const Variation& variation) {
    Json json = {{kVersionKey, kVersion}, {"changes", Json::array()}};
    const VariationModel& made = variation.madeFor;
    if (!made.name.empty()) {
        json["model"] = {{"name", made.name}};
        if (made.layers > 0)
            json["model"].update({{"layers", made.layers}, {"heads", made.heads}, {"head_dim", made.headDim}});
        if (!made.encoding.empty()) json["model"]["encoding"] = made.encoding;
        if (!made.convention.empty()) json["model"]["convention"] = made.convention;
    }
    if (!variation.adapter.empty()) json["adapter"] = variation.adapter;
    for (const LoraRef& lora : variation.loras)
        json["loras"].push_back({{"path", lora.path}, {"strength", lora.strength}});
    for (const HeadChange& change : variation.changes) json["changes"].push_back(changeJson(change));
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ropescope
