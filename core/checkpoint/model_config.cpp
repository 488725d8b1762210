// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/model_config.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/checkpoint/input_file.h"

namespace ropescope {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxConfig = 1 << 20;
constexpr int kMaxDepth = 16;
constexpr int kMaxSize = 1'000'000;

Error refused(std::string code, const std::string& where, std::string reason, std::string found = {},
              std::string expected = {}) {
    return {ErrorKind::Refused, std::move(code), where, std::move(reason), std::move(found), std::move(expected), {}};
}

/// Takes values out of the JSON by their keys in any dialect; the first error stays.
class Reader {
public:
    Reader(const Json& json, const std::string& where) : m_json(json), m_where(where) {}

    [[nodiscard]] const std::optional<Error>& error() const { return m_error; }

    void text(std::string& to, std::initializer_list<const char*> keys) {
        const auto [key, value] = find(keys);
        if (!value) return;
        if (!value->is_string()) return wrong(key, *value, "text");
        to = value->get<std::string>();
    }
    void whole(std::optional<int>& to, std::initializer_list<const char*> keys) {
        const auto [key, value] = find(keys);
        if (!value) return;
        if (const auto n = sizeOf(key, *value)) to = *n;
    }
    void real(std::optional<double>& to, std::initializer_list<const char*> keys) {
        const auto [key, value] = find(keys);
        if (!value) return;
        const double number = value->is_number() ? value->get<double>() : -1;
        if (!std::isfinite(number) || number <= 0) return wrong(key, *value, "a finite number above 0");
        to = number;
    }
    void finite(std::optional<double>& to, const char* name) {
        const auto [key, value] = find({name});
        if (!value) return;
        if (!value->is_number() || !std::isfinite(value->get<double>())) return wrong(key, *value, "a finite number");
        to = value->get<double>();
    }
    /// One number for a square or [rows, columns].
    void sides(Grid& to, std::initializer_list<const char*> keys) {
        const auto [key, value] = find(keys);
        if (!value) return;
        const bool pair = value->is_array() && value->size() == 2;
        if (value->is_array() && !pair) return wrong(key, *value, "a number or [rows, columns]");
        const auto rows = sizeOf(key, pair ? (*value)[0] : *value);
        const auto cols = sizeOf(key, pair ? (*value)[1] : *value);
        if (rows && cols) to = {*rows, *cols};
    }
    void wholes(std::vector<int>& to, const char* name) {
        const auto [key, value] = find({name});
        if (!value) return;
        if (!value->is_array() || value->empty() || value->size() > 8)
            return wrong(key, *value, "1 to 8 whole numbers");
        for (const Json& item : *value)
            if (const auto n = sizeOf(key, item)) to.push_back(*n);
    }
    void reals(std::vector<double>& to, const char* name) {
        const auto [key, value] = find({name});
        if (!value) return;
        if (!value->is_array() || value->empty() || value->size() > 16) return wrong(key, *value, "1 to 16 numbers");
        std::vector<double> all;
        for (const Json& item : *value) {
            if (!item.is_number() || !std::isfinite(item.get<double>())) return wrong(key, item, "a finite number");
            all.push_back(item.get<double>());
        }
        to = std::move(all);
    }
    /// [channels, rows, columns] as timm writes it; its number of channels.
    void input(Grid& to, std::optional<int>& channels) {
        const auto [key, value] = find({"input_size"});
        if (!value) return;
        if (!value->is_array() || value->size() != 3) return wrong(key, *value, "[channels, rows, columns]");
        const auto first = sizeOf(key, (*value)[0]), rows = sizeOf(key, (*value)[1]), cols = sizeOf(key, (*value)[2]);
        if (first && rows && cols) channels = *first, to = {*rows, *cols};
    }
    /// "rotary_layout", or timm's "rotate_half": true for half-split.
    void layout(std::string& to) {
        const auto [key, value] = find({"rotary_layout", "rotate_half"});
        if (!value) return;
        if (key == "rotate_half") {
            if (!value->is_boolean()) return wrong(key, *value, "true or false");
            to = value->get<bool>() ? "half-split" : "interleaved";
            return;
        }
        const std::string said = value->is_string() ? value->get<std::string>() : std::string();
        if (said != "interleaved" && said != "half-split") return wrong(key, *value, "interleaved or half-split");
        to = said;
    }
    void texts(std::vector<std::string>& to, const char* name) {
        const auto [key, value] = find({name});
        if (!value) return;
        if (!value->is_array()) return wrong(key, *value, "a list of texts");
        for (const Json& item : *value) {
            if (!item.is_string()) return wrong(key, item, "text");
            to.push_back(item.get<std::string>());
        }
    }

private:
    std::pair<std::string, const Json*> find(std::initializer_list<const char*> keys) const {
        for (const char* key : keys) {
            const auto found = m_json.find(key);
            if (found != m_json.end() && !found->is_null()) return {key, &*found};
        }
        return {};
    }
    std::optional<int> sizeOf(const std::string& key, const Json& value) {
        const bool fits = value.is_number_integer() && value >= 1 && value <= kMaxSize;
        if (fits) return value.get<int>();
        wrong(key, value, "a whole number from 1 to " + std::to_string(kMaxSize));
        return std::nullopt;
    }
    void wrong(const std::string& key, const Json& value, std::string expected) {
        if (m_error) return;
        const std::string shown =
            value.is_structured() ? value.type_name() : value.dump(-1, ' ', true, Json::error_handler_t::replace);
        m_error = refused("CF-02", m_where, "unusable value of " + key, printable(shown, 40), std::move(expected));
    }

    const Json& m_json;
    const std::string& m_where;
    std::optional<Error> m_error;
};

/// Parses with a bound on depth, refusing duplicate keys (the library itself would keep the last).
Result<Json> parseStrictly(std::string_view text, const std::string& where) {
    if (text.size() > kMaxConfig) return failure(refused("CF-01", where, "configuration too long"));
    std::vector<std::set<std::string>> keys;
    std::string problem;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > kMaxDepth) problem = "nested too deeply";
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
            problem = "duplicate key " + printable(parsed.get<std::string>(), 60);
        }
        return problem.empty();
    };
    Json json = Json::parse(text.begin(), text.end(), watch, false);
    if (!problem.empty()) return failure(refused("CF-01", where, problem));
    if (json.is_discarded() || !json.is_object()) return failure(refused("CF-01", where, "not a JSON object"));
    return json;
}

/// What a classifier does to a picture: under the same keys in timm's pretrained_cfg and in our own metadata.
void readPreprocessing(Reader& reader, ModelConfig& config) {
    reader.reals(config.mean, "mean");
    reader.reals(config.std, "std");
    reader.text(config.interpolation, {"interpolation"});
    reader.real(config.cropFraction, {"crop_pct"});
}

}  // namespace

Result<ModelConfig> parseModelConfig(std::string_view text, const std::string& where) {
    const auto json = parseStrictly(text, where);
    if (!json) return failure(json.error());
    ModelConfig config;
    Reader reader(*json, where);
    reader.text(config.name, {"name"});
    reader.text(config.architecture, {"architecture"});
    reader.text(config.encoding, {"encoding"});
    reader.text(config.objective, {"objective"});
    reader.text(config.content, {"content"});
    reader.text(config.axisOrder, {"axis_order"});
    reader.layout(config.rotaryLayout);
    reader.wholes(config.axesDims, "axes_dims_rope");
    reader.whole(config.normGroups, {"norm_num_groups"});
    reader.real(config.latentScale, {"scaling_factor"});
    reader.finite(config.latentShift, "shift_factor");
    reader.whole(config.heads, {"heads", "num_heads", "num_attention_heads"});
    reader.whole(config.headDim, {"head_dim", "attention_head_dim"});
    reader.whole(config.layers, {"layers", "depth", "num_layers"});
    reader.whole(config.patch, {"patch", "patch_size"});
    reader.whole(config.inChannels, {"in_channels"});
    reader.whole(config.outChannels, {"out_channels"});
    reader.whole(config.classes, {"classes", "num_classes"});
    reader.real(config.theta, {"theta", "rope_theta"});
    reader.sides(config.grid, {"grid"});
    reader.sides(config.image, {"image_size", "img_size"});
    reader.sides(config.latent, {"sample_size"});
    reader.text(config.mapTokens, {"map_tokens"});
    reader.texts(config.classNames, "label_names");
    reader.texts(config.classNames, "class_names");
    readPreprocessing(reader, config);
    if (const auto inner = json->find("pretrained_cfg"); inner != json->end() && inner->is_object()) {
        Reader pretrained(*inner, where);
        readPreprocessing(pretrained, config);
        if (config.image == Grid{}) pretrained.input(config.image, config.inChannels);
        if (pretrained.error()) return failure(*pretrained.error());
    }
    if (reader.error()) return failure(*reader.error());
    return config;
}

Result<ModelConfig> readModelConfig(const std::string& path) {
    const auto file = InputFile::open(path);
    if (!file) return failure(file.error());
    if (file->size() > kMaxConfig) return failure(refused("CF-01", place({path}), "configuration too long"));
    const auto bytes = file->bytes(0, file->size());
    if (!bytes) return failure(bytes.error());
    return parseModelConfig({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, place({path}));
}

}  // namespace ropescope
