// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "core/data/message.h"

// Two more visitors over `fields`: one fills a value with distinct content, one writes it out as text to compare.

namespace ropescope::test {

class Filler {
public:
    explicit Filler(int seed) : m_next(seed) {}

    template <class T>
    void operator()(const char*, T& value) {
        fill(value);
    }

    template <class T>
    void fill(T& value) {
        const int n = ++m_next;
        if constexpr (std::is_same_v<T, bool>) {
            value = n % 2 == 0;
        } else if constexpr (std::is_enum_v<T>) {
            value = static_cast<T>(n % 2);
        } else if constexpr (std::is_same_v<T, std::uint64_t>) {
            value = ~std::uint64_t{0} - static_cast<std::uint64_t>(n);
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
            value = std::numeric_limits<std::int64_t>::min() + n;
        } else if constexpr (std::is_floating_point_v<T>) {
            value = static_cast<T>(n % 5 == 0 ? std::nan("") : n % 7 == 0 ? -INFINITY : 1.0 / n);
        } else if constexpr (std::is_arithmetic_v<T>) {
            value = static_cast<T>(-n);
        } else if constexpr (std::is_same_v<T, std::string>) {
            value = "text \"" + std::to_string(n) + "\" \n\t\\ \xC3\xA4";
        } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
            value = {{"", "empty key"}, {"a.b", std::to_string(n)}};
        } else if constexpr (std::is_same_v<T, Array>) {
            value = makeArray(std::vector<float>{1.5f, std::nanf(""), 1.0f * n, -0.0f, 1e-40f, 6}, {2, 3});
        } else {
            fillRest(value);
        }
    }

private:
    template <class T>
    void fillRest(std::vector<T>& list) {
        list.resize(static_cast<std::size_t>(m_next % 4));  // empty lists too
        for (T& value : list) fill(value);
    }
    template <class T>
    void fillRest(T& value) {
        fields(*this, value);
    }
    int m_next;
};

class Writer {
public:
    std::string text;

    template <class T>
    void operator()(const char* name, T& value) {
        text += std::string(name) + ":";
        write(value);
        text += ";";
    }

private:
    template <class T>
    void write(T& value) {
        if constexpr (std::is_enum_v<T>) {
            text += std::to_string(static_cast<int>(value));
        } else if constexpr (std::is_floating_point_v<T>) {
            char digits[40];
            std::snprintf(digits, sizeof digits, "%a", static_cast<double>(value));
            text += std::isnan(value) ? "nan" : digits;
        } else if constexpr (std::is_arithmetic_v<T>) {
            text += std::to_string(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
            text += value;
        } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
            for (const auto& [key, entry] : value) text += key + "=" + entry + ",";
        } else if constexpr (std::is_same_v<T, Array>) {
            text += std::string(dtypeName(value.dtype));
            for (std::int64_t s : value.shape) text += std::to_string(s) + "x";
            for (std::byte b : value.bytes) text += std::to_string(std::to_integer<int>(b)) + ".";
        } else {
            writeRest(value);
        }
    }
    template <class T>
    void writeRest(std::vector<T>& list) {
        text += "[";
        for (T& value : list) write(value), text += ",";
    }
    template <class T>
    void writeRest(T& value) {
        text += "{";
        fields(*this, value);
    }
};

inline std::string written(Body body) {
    Writer writer;
    const auto write = [&](auto& value) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) fields(writer, value);
    };
    std::visit(write, body);
    return writer.text;
}

/// The names of all bodies but the empty one.
inline std::set<std::string> wireTypes() {
    std::set<std::string> types;
    forEachRow(kNotices, [&](const auto& row) { types.emplace(row.name); });
    forEachRow(kExchanges, [&](const auto& row) { types.emplace(row.request), types.emplace(row.reply); });
    return types;
}

/// A message whose body, of that name, has distinct content in every field.
inline Message filled(const std::string& type, int seed) {
    Message message{MessageKind::Hello, 7u + static_cast<unsigned>(seed), "view", bodyFromName(type).value()};
    std::visit(
        [&](auto& value) {
            Filler filler(seed);
            if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) fields(filler, value);
        },
        message.body);
    message.kind = kindOf(message.body);
    return message;
}

}  // namespace ropescope::test
