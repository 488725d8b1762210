// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/model_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
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

/// Keys that say nothing about what is computed at inference, or that tensors say better.
bool decidesNothing(std::string_view key) {
    static constexpr std::string_view kKeys[] = {"_class_name",
                                                 "_diffusers_version",
                                                 "_name_or_path",
                                                 "_commit_hash",
                                                 "num_features",
                                                 "label_descriptions",
                                                 "pretrained_cfg",
                                                 "model_args",
                                                 "version",
                                                 "license",
                                                 "url",
                                                 "hf_hub_id",
                                                 "tag",
                                                 "file",
                                                 "custom_load",
                                                 "pool_size",
                                                 "test_input_size",
                                                 "test_crop_pct",
                                                 "min_input_size",
                                                 "fixed_input_size",
                                                 "classifier",
                                                 "first_conv",
                                                 "drop_rate",
                                                 "drop_path_rate",
                                                 "proj_drop_rate",
                                                 "attn_drop_rate",
                                                 "pos_drop_rate",
                                                 "patch_drop_rate",
                                                 "dropout",
                                                 "weight_init",
                                                 "dynamic_img_size",
                                                 "dynamic_img_pad",
                                                 "training",
                                                 "seed",
                                                 "epochs",
                                                 "steps",
                                                 "dataset",
                                                 "optimizer",
                                                 "learning_rate",
                                                 "batch_size",
                                                 "created",
                                                 "program",
                                                 "pretrained_cfg_overlay",
                                                 "torch_dtype",
                                                 "dtype",
                                                 "transformers_version",
                                                 "force_upcast",
                                                 "act_fn",
                                                 "block_out_channels",
                                                 "down_block_types",
                                                 "up_block_types",
                                                 "layers_per_block",
                                                 "latent_channels",
                                                 "joint_attention_dim",
                                                 "pooled_projection_dim",
                                                 "caption_projection_dim",
                                                 "guidance_embeds",
                                                 "num_single_layers",
                                                 "upcast_attention",
                                                 "attention_bias",
                                                 "num_embeds_ada_norm",
                                                 "depth",
                                                 "use_quant_conv",
                                                 "use_post_quant_conv",
                                                 "mid_block_add_attention",
                                                 "dual_attention_layers",
                                                 "qk_norm",
                                                 "norm_type",
                                                 "norm_elementwise_affine",
                                                 "activation_fn",
                                                 "norm_eps",
                                                 "sharing",
                                                 "matrix",
                                                 "head_dim",
                                                 "description",
                                                 "paper_ids",
                                                 "paper_name",
                                                 "source",
                                                 "license_link",
                                                 "rotate_half",
                                                 "double_self_attention",
                                                 "only_cross_attention",
                                                 "cross_attention_dim",
                                                 "use_linear_projection",
                                                 "num_vector_embeds",
                                                 "quantization_config",
                                                 "interpolation_mode",
                                                 "origin_url",
                                                 "notes",
                                                 "pool_type",
                                                 "data",
                                                 "step"};
    return std::ranges::find(kKeys, key) != std::end(kKeys);
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
    void positive(const std::vector<double>& values, const char* name) {
        for (const double value : values)
            if (!(value > 0)) return wrong(name, Json(value), "numbers above 0");
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
    void flag(std::optional<bool>& to, const char* name) {
        const auto [key, value] = find({name});
        if (!value || value->is_string()) return;  // qk_norm is a text in diffusers
        if (!value->is_boolean()) return wrong(key, *value, "true or false");
        to = value->get<bool>();
    }
    /// A number that may be 0.
    void count(std::optional<int>& to, std::initializer_list<const char*> keys) {
        const auto [key, value] = find(keys);
        if (!value) return;
        if (!value->is_number_integer() || *value < 0 || *value > kMaxSize)
            return wrong(key, *value, "a whole number from 0 to " + std::to_string(kMaxSize));
        to = value->get<int>();
    }
    void share(std::optional<double>& to, const char* name) {
        const auto [key, value] = find({name});
        if (!value) return;
        const double number = value->is_number() ? value->get<double>() : -1;
        if (!(number >= 0 && number <= 1)) return wrong(key, *value, "a number from 0 to 1");
        to = number;
    }
    /// timm's global_pool; "" of feature extractors is kept as "none".
    void pool(std::string& to) {
        const auto [key, value] = find({"global_pool"});
        if (!value) return;
        const std::string said = value->is_string() ? value->get<std::string>() : std::string();
        for (const char* known : {"", "token", "avg", "avgmax", "max", "map"})
            if (said == known && value->is_string()) return void(to = said.empty() ? "none" : said);
        wrong(key, *value, "token, avg, avgmax, max or map");
    }
    void oneOf(const char* name, const std::initializer_list<const char*>& values) {
        const auto [key, value] = find({name});
        if (!value || !value->is_string()) return;
        std::string expected;
        for (const char* known : values) {
            if (value->get<std::string>() == known) return;
            expected += (expected.empty() ? "" : " or ") + std::string(known);
        }
        wrong(key, *value, expected);
    }
    /// Every key, and those among them that nobody asked for and that are not known to decide nothing.
    void listKeys(const std::string& prefix, std::set<std::string>& said, std::vector<std::string>& unknown) const {
        for (const auto& [key, value] : m_json.items()) {
            said.insert(prefix + key);
            if (!m_asked.contains(key) && !decidesNothing(key) && !value.is_null())
                unknown.push_back(prefix + printable(key, 60));
        }
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
    std::pair<std::string, const Json*> find(std::initializer_list<const char*> keys) {
        for (const char* key : keys) m_asked.insert(key);
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
    std::set<std::string> m_asked;  ///< keys that were looked for
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

/// Keys whose one value is what the program computes; another is refused.
struct OneValue {
    const char* key;
    std::initializer_list<const char*> values;
};
const OneValue kOneValue[] = {
    {"activation_fn", {"gelu-approximate", "geglu-approximate"}},  // DiTTransformer2DModel
    {"norm_type", {"ada_norm_zero"}},
    {"act_fn", {"silu"}},  // AutoencoderKL
    {"qk_norm", {"rms_norm", "True", "true"}},
};

/// What a classifier does to a picture: under the same keys in timm's pretrained_cfg and in our own metadata.
void readPreprocessing(Reader& reader, ModelConfig& config) {
    reader.reals(config.mean, "mean");
    reader.reals(config.std, "std");
    reader.positive(config.std, "std");
    reader.oneOf("interpolation", {"bicubic", "bilinear", "lanczos", ""});
    reader.text(config.interpolation, {"interpolation"});
    reader.text(config.cropMode, {"crop_mode"});
    reader.real(config.cropFraction, {"crop_pct"});
}

/// timm's arguments of a VisionTransformer: in its configuration or in its model_args.
void readVariant(Reader& reader, ModelConfig& config) {
    reader.pool(config.globalPool);
    reader.text(config.actLayer, {"act_layer"});
    reader.text(config.normLayer, {"norm_layer"});
    reader.flag(config.classToken, "class_token");
    reader.flag(config.noEmbedClass, "no_embed_class");
    reader.flag(config.qkvBias, "qkv_bias");
    reader.flag(config.qkNorm, "qk_norm");
    reader.flag(config.preNorm, "pre_norm");
    reader.flag(config.fcNorm, "fc_norm");
    reader.count(config.registers, {"reg_tokens"});
    reader.whole(config.width, {"embed_dim", "hidden_size"});
    reader.finite(config.mlpRatio, "mlp_ratio");
    reader.finite(config.layerScale, "init_values");
    reader.real(config.normEps, {"layer_norm_eps", "norm_eps"});
    reader.whole(config.heads, {"heads", "num_heads", "num_attention_heads"});
    reader.whole(config.layers, {"layers", "depth", "num_layers"});
    reader.whole(config.patch, {"patch", "patch_size"});
    reader.sides(config.image, {"image_size", "img_size"});
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
    reader.whole(config.headDim, {"head_dim", "attention_head_dim"});
    reader.whole(config.inChannels, {"in_channels"});
    reader.whole(config.outChannels, {"out_channels"});
    reader.count(config.classes, {"classes", "num_classes", "num_embeds_ada_norm"});
    reader.real(config.theta, {"theta", "rope_theta"});
    reader.sides(config.grid, {"grid"});
    reader.sides(config.latent, {"sample_size"});
    reader.text(config.mapTokens, {"map_tokens"});
    reader.texts(config.classNames, "label_names");
    reader.texts(config.classNames, "class_names");
    reader.text(config.pathType, {"path_type"});
    reader.text(config.prediction, {"prediction"});
    reader.text(config.time, {"time"});
    reader.share(config.classDropout, "class_dropout_prob");
    reader.flag(config.learnSigma, "learn_sigma");
    reader.whole(config.positionSide, {"pos_embed_max_size"});
    reader.whole(config.singleLayers, {"num_single_layers"});
    reader.flag(config.guidanceEmbeds, "guidance_embeds");
    reader.flag(config.quantConv, "use_post_quant_conv");
    readVariant(reader, config);
    readPreprocessing(reader, config);
    for (const OneValue& one : kOneValue) reader.oneOf(one.key, one.values);
    reader.listKeys("", config.said, config.unknown);
    for (const char* nested : {"pretrained_cfg", "model_args"}) {
        const auto inner = json->find(nested);
        if (inner == json->end() || !inner->is_object()) continue;
        Reader within(*inner, where);
        if (std::string_view(nested) == "pretrained_cfg") {
            readPreprocessing(within, config);
            if (config.image == Grid{}) within.input(config.image, config.inChannels);
        } else {
            readVariant(within, config);
        }
        within.listKeys(std::string(nested) + ".", config.said, config.unknown);
        if (within.error()) return failure(*within.error());
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
