// SPDX-License-Identifier: Apache-2.0
#include "core/data/codec.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <type_traits>

#include "core/data/enum_names.h"

namespace ropescope {
namespace {

using Json = nlohmann::json;
using Arrays = std::map<std::string, Array>;

template <class T>
inline constexpr bool kIsTensor =
    std::is_same_v<T, Array> || std::is_same_v<T, std::vector<double>> || std::is_same_v<T, std::vector<float>>;
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsTextMap = std::is_same_v<T, std::map<std::string, std::string>>;
template <class T>
inline constexpr bool kIsScalar = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string>;

std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
}

// ---------------------------------------------------------------------------------------------------- encoder

Json scalarToJson(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return value;
}

class Encoder {
public:
    /// `lists`: numbers as lists in the JSON, not as arrays beside it.
    Encoder(Json& node, std::string path, Arrays& arrays, bool lists = false)
        : m_node(node), m_path(std::move(path)), m_arrays(arrays), m_lists(lists) {}

    template <class T>
    void operator()(const char* name, T& value) {
        if constexpr (kIsTensor<T>) {
            if constexpr (kIsVector<T>)
                if (m_lists) return writeList(m_node[name], value);
            m_arrays.emplace(join(m_path, name), asArray(value));
        } else {
            m_node[name] = toJson(value, join(m_path, name));
        }
    }

private:
    template <class T>
    static void writeList(Json& node, const std::vector<T>& value) {
        node = Json::array();
        for (const T number : value) node.push_back(scalarToJson(number));
    }
    /// An array that was never set has no shape of its own on the wire: it travels as one of no elements.
    static Array asArray(const Array& value) {
        return value.shape.empty() && value.bytes.empty() ? Array{value.dtype, {0}, {}} : value;
    }
    template <class T>
    static Array asArray(const std::vector<T>& value) {
        return makeArray(std::span<const T>(value), {static_cast<std::int64_t>(value.size())});
    }

    template <class T>
    Json toJson(T& value, const std::string& path) {
        if constexpr (std::is_enum_v<T>) {
            return std::string(enumName(value));
        } else if constexpr (std::is_floating_point_v<T>) {
            return scalarToJson(value);
        } else if constexpr (kIsScalar<T> || kIsTextMap<T>) {
            return value;
        } else if constexpr (kIsVector<T>) {
            Json list = Json::array();
            for (std::size_t i = 0; i < value.size(); ++i)
                list.push_back(toJson(value[i], join(path, std::to_string(i))));
            return list;
        } else {
            Json object = Json::object();
            Encoder inner(object, path, m_arrays, m_lists);
            fields(inner, value);
            return object;
        }
    }

    Json& m_node;
    std::string m_path;
    Arrays& m_arrays;
    bool m_lists;
};

// ---------------------------------------------------------------------------------------------------- decoder

/// What all nested decoders share: the arrays not yet taken and the first thing that was wrong.
struct Decoding {
    Arrays arrays;
    std::string wrong;  ///< empty while all is well
    std::string where;
    bool lenient = false;  ///< missing fields keep their defaults, unknown ones are left alone; numbers are lists
};

class Decoder {
public:
    Decoder(const Json& node, std::string path, Decoding& state)
        : m_node(node), m_path(std::move(path)), m_state(state) {}

    template <class T>
    void operator()(const char* name, T& value) {
        if (!m_state.wrong.empty()) return;
        const std::string path = join(m_path, name);
        if constexpr (kIsTensor<T>) {
            if constexpr (kIsVector<T>)
                if (m_state.lenient) return readList(name, path, value);
            takeArray(path, value);
        } else {
            const auto found = m_node.find(name);
            if (found == m_node.end()) return m_state.lenient ? void() : refuse(path, "missing field");
            ++m_seen;
            fromJson(*found, path, value);
        }
    }

    /// After all fields: anything left over is refused.
    void finish() {
        if (m_state.wrong.empty() && !m_state.lenient && m_seen != m_node.size()) refuse(m_path, "unknown field");
    }

private:
    void refuse(const std::string& path, std::string why) {
        if (m_state.wrong.empty()) m_state.wrong = std::move(why), m_state.where = path;
    }

    std::optional<Array> take(const std::string& path) {
        auto node = m_state.arrays.extract(path);
        if (node) return std::move(node.mapped());
        refuse(path, "missing tensor");
        return std::nullopt;
    }

    void takeArray(const std::string& path, Array& value) {
        std::optional<Array> array = take(path);
        if (!array) return;
        value = std::move(*array);
        if (value.bytes.empty() && value.shape.size() == 1) value.shape.clear();
    }

    template <class T>
    void takeArray(const std::string& path, std::vector<T>& value) {
        const std::optional<Array> array = take(path);
        if (!array) return;
        constexpr DType type = std::is_same_v<T, double> ? DType::F64 : DType::F32;
        if (array->dtype != type || array->shape.size() != 1 || array->bytes.size() % sizeof(T) != 0) {
            return refuse(path, "wrong tensor type or rank");
        }
        value.resize(array->bytes.size() / sizeof(T));
        if (!value.empty()) std::memcpy(value.data(), array->bytes.data(), array->bytes.size());
    }

    template <class T>
    void readList(const char* name, const std::string& path, std::vector<T>& value) {
        const auto found = m_node.find(name);
        if (found == m_node.end()) return;
        if (!found->is_array()) return refuse(path, "list expected");
        value.assign(found->size(), T{});
        for (std::size_t i = 0; i < value.size() && m_state.wrong.empty(); ++i) {
            double number = 0;
            readDouble((*found)[i], join(path, std::to_string(i)), number);
            value[i] = static_cast<T>(number);
        }
    }

    template <class T>
    void fromJson(const Json& node, const std::string& path, T& value) {
        if constexpr (std::is_same_v<T, std::string>) {
            if (!node.is_string()) return refuse(path, "text expected");
            value = node.get<std::string>();
        } else if constexpr (kIsScalar<T>) {
            readScalar(node, path, value);
        } else if constexpr (kIsTextMap<T>) {
            readTextMap(node, path, value);
        } else if constexpr (kIsVector<T>) {
            if (!node.is_array()) return refuse(path, "list expected");
            value.resize(node.size());
            for (std::size_t i = 0; i < value.size() && m_state.wrong.empty(); ++i) {
                fromJson(node[i], join(path, std::to_string(i)), value[i]);
            }
        } else {
            if (!node.is_object()) return refuse(path, "object expected");
            Decoder inner(node, path, m_state);
            fields(inner, value);
            inner.finish();
        }
    }

    void readTextMap(const Json& node, const std::string& path, std::map<std::string, std::string>& value) {
        if (!node.is_object()) return refuse(path, "object expected");
        for (const auto& [key, text] : node.items()) {
            if (!text.is_string()) return refuse(path, "text expected");
            value[key] = text.template get<std::string>();
        }
    }

    template <class T>
    void readScalar(const Json& node, const std::string& path, T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            if (!node.is_boolean()) return refuse(path, "true or false expected");
            value = node.get<bool>();
        } else if constexpr (std::is_enum_v<T>) {
            readEnum(node, path, value);
        } else if constexpr (std::is_floating_point_v<T>) {
            readDouble(node, path, value);
        } else {
            readInteger(node, path, value);
        }
    }

    template <class E>
    void readEnum(const Json& node, const std::string& path, E& value) {
        constexpr auto names = enumNames(E{});
        for (std::size_t i = 0; node.is_string() && i < names.size(); ++i) {
            if (node.get_ref<const std::string&>() == names[i]) return void(value = static_cast<E>(i));
        }
        refuse(path, "unknown name");
    }

    void readDouble(const Json& node, const std::string& path, double& value) {
        if (node.is_number()) return void(value = node.get<double>());
        const std::string text = node.is_string() ? node.get<std::string>() : std::string();
        constexpr double inf = std::numeric_limits<double>::infinity();
        if (text == "nan") return void(value = std::numeric_limits<double>::quiet_NaN());
        if (text == "inf" || text == "-inf") return void(value = text == "inf" ? inf : -inf);
        refuse(path, "number expected");
    }

    template <class T>
    void readInteger(const Json& node, const std::string& path, T& value) {
        if (node.is_number_unsigned() && std::in_range<T>(node.get<std::uint64_t>())) {
            value = static_cast<T>(node.get<std::uint64_t>());
        } else if (node.is_number_integer() && !node.is_number_unsigned() &&
                   std::in_range<T>(node.get<std::int64_t>())) {
            value = static_cast<T>(node.get<std::int64_t>());
        } else {
            refuse(path, "integer out of range");
        }
    }

    const Json& m_node;
    std::string m_path;
    Decoding& m_state;
    std::size_t m_seen = 0;
};

/// Parses once, refusing what a DOM would hide: the same key twice, and nesting that no message has.
Result<Json> parseStrict(const std::string& text) {
    constexpr int kDeepest = 24;
    std::vector<std::set<std::string>> open;
    const char* wrong = nullptr;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > kDeepest) wrong = "nested too deeply";
        if (wrong) return false;
        if (event == Json::parse_event_t::object_start) open.emplace_back();
        if (event == Json::parse_event_t::object_end) open.pop_back();
        if (event == Json::parse_event_t::key && !open.back().insert(parsed.get<std::string>()).second) {
            wrong = "the same key twice";
        }
        return true;
    };
    Json json = Json::parse(text, watch, false);
    if (json.is_discarded() && !wrong) wrong = "not JSON";
    if (wrong) return failure({.code = "WIRE-03", .place = "wire", .reason = wrong});
    return json;
}

template <class V>
void envelope(V& v, Message& m, std::string& type) {
    v("kind", m.kind), v("job", m.job), v("view", m.view), v("type", type);
}

}  // namespace

PackedMessage pack(const Message& message) {
    Message copy = message;  // `fields` serves both directions, so it takes a mutable reference
    PackedMessage packed;
    Json root = Json::object();
    Encoder encoder(root, "", packed.arrays);
    std::string type(bodyName(copy.body));
    envelope(encoder, copy, type);
    std::visit(
        [&](auto& body) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(body)>, std::monostate>) {
                Json value = Json::object();
                Encoder inner(value, "", packed.arrays);
                fields(inner, body);
                root["value"] = std::move(value);
            }
        },
        copy.body);
    packed.json = root.dump(-1, ' ', false, Json::error_handler_t::replace);
    return packed;
}

Result<Message> unpack(PackedMessage packed) {
    Result<Json> root = parseStrict(packed.json);
    if (!root) return tl::unexpected(root.error());
    Decoding state{std::move(packed.arrays), {}, {}, false};
    const auto refused = [&] {
        return failure({.code = "WIRE-02", .place = place({"wire", state.where}), .reason = state.wrong});
    };
    if (!root->is_object()) return failure({.code = "WIRE-02", .place = "wire", .reason = "object expected"});
    Json value = Json::object();
    const bool hasValue = root->contains("value");
    if (hasValue) value = std::move((*root)["value"]), root->erase("value");

    Message message;
    std::string type;
    Decoder decoder(*root, "", state);
    envelope(decoder, message, type);
    decoder.finish();
    if (!state.wrong.empty()) return refused();
    Result<Body> body = bodyFromName(type);
    if (!body) return tl::unexpected(body.error());
    message.body = std::move(*body);
    if (hasValue == type.empty() || !value.is_object()) {
        return failure({.code = "WIRE-02", .place = "wire", .reason = "a body does not match its type"});
    }
    std::visit(
        [&](auto& inside) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(inside)>, std::monostate>) {
                Decoder inner(value, "", state);
                fields(inner, inside);
                inner.finish();
            }
        },
        message.body);
    if (state.wrong.empty() && !state.arrays.empty())
        state.wrong = "unknown tensor", state.where = state.arrays.begin()->first;
    if (!state.wrong.empty()) return refused();
    return message;
}

std::string settingsJson(const GenerateRequest& settings) {
    GenerateRequest copy = settings;
    Json root = Json::object();
    Arrays none;
    Encoder encoder(root, "", none, true);
    fields(encoder, copy);
    return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<GenerateRequest> settingsFromJson(const std::string& json) {
    const auto refused = [](const std::string& where, const std::string& why) {
        return failure({.code = "settings", .place = place({"settings", where}), .reason = why});
    };
    const Result<Json> root = parseStrict(json);
    if (!root) return refused("", root.error().reason);
    if (!root->is_object()) return refused("", "object expected");
    Decoding state{{}, {}, {}, true};
    GenerateRequest settings;
    Decoder decoder(*root, "", state);
    fields(decoder, settings);
    if (!state.wrong.empty()) return refused(state.where, state.wrong);
    return settings;
}

}  // namespace ropescope
