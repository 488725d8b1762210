// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/vae_tensors.h"

#include <algorithm>
#include <charconv>

namespace ropescope {
namespace {

using Shape = std::vector<std::int64_t>;
using All = std::map<std::string, std::vector<Shape>>;

constexpr int kMost = 64;  ///< levels, and blocks of a level

/// The number behind `prefix` in a name; -1 where there is none.
int numberAfter(const std::string& name, const std::string& prefix) {
    if (!name.starts_with(prefix)) return -1;
    int number = -1;
    const auto parsed = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    return parsed.ec == std::errc() && number < kMost ? number : -1;
}

class Side {
public:
    Side(const TensorTable& table, All& all, std::string name) : m_table(table), m_all(all), m_name(std::move(name)) {}

    void conv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t size) {
        m_all[name + ".weight"] = {{out, in, size, size}};
        m_all[name + ".bias"] = {{out}};
    }
    void norm(const std::string& name, std::int64_t channels) {
        m_all[name + ".weight"] = m_all[name + ".bias"] = {{channels}};
    }
    /// Channels that a convolution makes; `usual` where it is missing.
    [[nodiscard]] std::int64_t made(const std::string& name, std::int64_t usual) const {
        const TensorEntry *bias = m_table.find(name + ".bias"), *weight = m_table.find(name + ".weight");
        if (bias && bias->shape.size() == 1) return bias->shape[0];
        return weight && weight->shape.size() == 4 ? weight->shape[0] : usual;
    }
    std::int64_t block(const std::string& name, std::int64_t in) {
        const std::int64_t out = made(name + ".conv1", in);
        norm(name + ".norm1", in);
        conv(name + ".conv1", out, in, 3);
        norm(name + ".norm2", out);
        conv(name + ".conv2", out, out, 3);
        if (in != out) conv(name + ".nin_shortcut", out, in, 1);
        return out;
    }
    void middle(std::int64_t c) {
        const std::string attention = m_name + "mid.attn_1";
        block(m_name + "mid.block_1", c);
        block(m_name + "mid.block_2", c);
        const bool has = std::ranges::any_of(m_table.tensors(),
                                             [&](const TensorEntry& t) { return t.name.starts_with(attention + "."); });
        if (!has) return;
        norm(attention + ".norm", c);
        for (const char* which : {".q", ".k", ".v", ".proj_out"}) {
            m_all[attention + which + ".weight"] = {{c, c}, {c, c, 1, 1}};
            m_all[attention + which + ".bias"] = {{c}};
        }
    }
    /// Levels, and blocks of the fullest of them, under "encoder.down." or "decoder.up.".
    [[nodiscard]] std::pair<int, int> counts(const std::string& levels) const {
        int count = 0, blocks = 0;
        for (const TensorEntry& t : m_table.tensors()) {
            const int level = numberAfter(t.name, levels);
            if (level < 0) continue;
            count = std::max(count, level + 1);
            blocks = std::max(blocks, numberAfter(t.name, levels + std::to_string(level) + ".block.") + 1);
        }
        return {count, blocks};
    }

private:
    const TensorTable& m_table;
    All& m_all;
    std::string m_name;
};

std::int64_t sideOf(const TensorTable& table, const std::string& name, std::size_t axis) {
    const TensorEntry* entry = table.find(name);
    return entry && axis < entry->shape.size() ? entry->shape[axis] : 0;
}

}  // namespace

All vaeTensors(const TensorTable& table) {
    All all;
    const auto any = [&](const char* prefix) {
        return std::ranges::any_of(table.tensors(), [&](const TensorEntry& t) { return t.name.starts_with(prefix); });
    };
    const std::int64_t latents = sideOf(table, "decoder.conv_in.weight", 1);
    if (any("decoder.")) {
        Side side(table, all, "decoder.");
        const std::int64_t top = side.made("decoder.conv_in", 0);
        const auto [levels, blocks] = side.counts("decoder.up.");
        side.conv("decoder.conv_in", top, latents, 3);
        side.middle(top);
        std::int64_t c = top;
        for (int level = levels; level-- > 0;) {
            const std::string name = "decoder.up." + std::to_string(level);
            for (int i = 0; i < blocks; ++i) c = side.block(name + ".block." + std::to_string(i), c);
            if (level > 0) side.conv(name + ".upsample.conv", c, c, 3);
        }
        side.norm("decoder.norm_out", c);
        side.conv("decoder.conv_out", side.made("decoder.conv_out", 3), c, 3);
    }
    if (any("encoder.")) {
        Side side(table, all, "encoder.");
        const std::int64_t first = side.made("encoder.conv_in", 0);
        const auto [levels, blocks] = side.counts("encoder.down.");
        side.conv("encoder.conv_in", first, sideOf(table, "encoder.conv_in.weight", 1), 3);
        std::int64_t c = first;
        for (int level = 0; level < levels; ++level) {
            const std::string name = "encoder.down." + std::to_string(level);
            for (int i = 0; i < blocks; ++i) c = side.block(name + ".block." + std::to_string(i), c);
            if (level + 1 < levels) side.conv(name + ".downsample.conv", c, c, 3);
        }
        side.middle(c);
        side.norm("encoder.norm_out", c);
        side.conv("encoder.conv_out", side.made("encoder.conv_out", 2 * latents), c, 3);
    }
    Side both(table, all, "");
    const bool quant = any("quant_conv."), post = any("post_quant_conv.");
    if ((quant || post) && any("decoder.")) both.conv("post_quant_conv", latents, latents, 1);
    if ((quant || post) && any("encoder.")) {
        const std::int64_t out = both.made("encoder.conv_out", 2 * latents);
        both.conv("quant_conv", out, out, 1);
    }
    return all;
}

}  // namespace ropescope
