// SPDX-License-Identifier: Apache-2.0
// What people's programs put around the names of weights comes off, and never in silence.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/checkpoint/names.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"
#include "tests/corpus/corpus_case.h"
#include "tests/corpus/towers.h"

namespace ropescope::corpus {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, Array>;

const fs::path kGolden = fs::path(ROPESCOPE_SOURCE_DIR) / "tests/golden";

class Wrappers : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-wrappers-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
    }
    void TearDown() override { fs::remove_all(m_folder); }

    [[nodiscard]] std::string write(const Arrays& arrays,
                                    const std::map<std::string, std::string>& metadata = {}) const {
        const std::string path = (m_folder / "file.safetensors").string();
        EXPECT_TRUE(writeSafetensors(path, arrays, metadata));
        return path;
    }
    fs::path m_folder;
};

/// A model's tensors under its own or its file's names.
struct Golden {
    std::string name;
    Arrays arrays;
    std::map<std::string, std::string> metadata;
    ModelRef ref;  ///< heads, configuration
};

Golden golden(const std::string& file, int heads = 0) {
    Golden g{file, {}, {}, {}};
    const std::string path = (kGolden / file).string();
    // A container gives its weights, a flat file its own names.
    const TensorTable table =
        file.ends_with(".pt") ? TensorTable::open(path).value() : TensorTable::openPlain(path).value();
    for (const TensorEntry& entry : table.tensors()) g.arrays[entry.name] = table.read(entry.name).value();
    g.metadata = table.metadata();
    g.ref.heads = heads;
    const fs::path config = kGolden / (fs::path(file).parent_path() / fs::path(file).stem()).concat(".config.json");
    if (fs::exists(config)) g.ref.config = config.string();
    if (file == "harope_dit_tiny.pt") g.ref.convention = Convention::Inverse;
    return g;
}

std::vector<Golden> models() {
    std::vector<Golden> all = {golden("harope_dit_tiny.pt"), golden("dit_ape_tiny.pt", 3),
                               golden("rope_vit_mixed_tiny.pt", 2)};
    for (const fs::path& folder : {kGolden, kGolden / "relatives"})
        for (const auto& entry : fs::directory_iterator(folder)) {
            const std::string name = entry.path().filename().string();
            const bool model = name.starts_with("flux_tiny") || name.starts_with("sd3") || name.starts_with("vae") ||
                               name.starts_with("vit_") || folder != kGolden;
            if (!model || !name.ends_with(".safetensors") || name.ends_with(".expected.safetensors")) continue;
            all.push_back(golden(fs::relative(entry.path(), kGolden).string()));
        }
    return all;
}

/// Everything that decides what is computed.
std::string summary(const ModelCard& c) {
    return c.architecture + " " + c.encoding + " " + std::to_string(c.layers) + " " + std::to_string(c.heads) + " " +
           std::to_string(c.width) + " " + std::to_string(c.grid.rows) + "x" + std::to_string(c.grid.cols) + " " +
           c.objective + " " + std::to_string(c.classes) + " " + std::to_string(c.theta);
}

void expectSame(const TensorTable& found, const TensorTable& wanted, const std::string& what) {
    ASSERT_EQ(found.tensors().size(), wanted.tensors().size()) << what;
    for (const TensorEntry& entry : wanted.tensors()) {
        ASSERT_NE(found.find(entry.name), nullptr) << what << ": " << entry.name;
        ASSERT_TRUE(found.read(entry.name).value() == wanted.read(entry.name).value()) << what << ": " << entry.name;
    }
}

TEST_F(Wrappers, RandomTowersAroundEveryModelAreTheSameModel) {
    std::mt19937 random(20261130);
    int towers = 0;
    for (Golden& g : models()) {
        g.ref.path = write(g.arrays, g.metadata);
        const TensorTable plain = TensorTable::open(g.ref).value();
        const auto card = recognise(plain, g.ref);
        ASSERT_TRUE(card) << g.name << ": " << card.error().message();
        const fs::path kept = m_folder / "plain.safetensors";
        fs::rename(g.ref.path, kept);
        g.ref.path = kept.string();
        const TensorTable wanted = TensorTable::open(g.ref).value();
        for (int round = 0; round < 6; ++round, ++towers) {
            const Tower tower(random);
            const std::string what = g.name + " as " + tower.wrapped("blocks.0.attn.qkv.weight");
            Arrays wrapped;
            for (const auto& [name, array] : g.arrays) wrapped[tower.wrapped(name)] = array;
            // What training keeps beside the weights is no hindrance.
            const Array one = makeArray(std::vector<float>{1}, {1});
            wrapped["optimizer.state.0.exp_avg"] = wrapped["global_step"] = one;
            ModelRef ref = g.ref;
            ref.path = write(wrapped, g.metadata);
            const auto table = TensorTable::open(ref);
            ASSERT_TRUE(table) << what << ": " << table.error().message();
            expectSame(*table, wanted, what);
            if (HasFatalFailure()) return;
            const auto own = recognise(*table, ref);
            ASSERT_TRUE(own) << what << ": " << own.error().message();
            EXPECT_EQ(summary(*own), summary(*card)) << what;
        }
    }
    EXPECT_GE(towers, 250);
}

TEST_F(Wrappers, AveragedCopyIsTakenAndAllAreListed) {
    const Golden g = golden("dit_ape_tiny.pt", 3);
    struct Names {
        const char *raw, *averaged;
    };
    for (const auto& [raw, averaged] : {Names{"model.", "ema."},
                                        {"model.", "model_ema."},
                                        {"state_dict.", "state_dict_ema."},
                                        {"net.", "ema_model."},
                                        {"student.", "teacher."},
                                        {"student.backbone.", "teacher.backbone."},
                                        {"module.model.", "module.ema."},
                                        {"", "ema."},
                                        {"ema.online_model.model.", "ema.ema_model.model."},
                                        {"state_dict.model.", "state_dict.model_ema."},
                                        {"", "_orig_mod.ema_model.module."}}) {
        Arrays both;
        for (const auto& [name, array] : g.arrays) {
            both[raw + name] = array;
            Array other = array;
            for (float& v : other.as<float>()) v += 1;
            both[averaged + name] = other;
        }
        ModelRef ref = g.ref;
        ref.path = write(both);
        const std::string what = std::string(raw) + " beside " + averaged;
        const auto value = [&](const std::string& weights) {
            ref.weights = weights;
            const auto table = TensorTable::open(ref);
            EXPECT_TRUE(table) << what << ": " << table.error().message();
            return table ? table->readFloat("blocks.0.attn.qkv.bias").value()[0] : 0.0f;
        };
        const float own = g.arrays.at("blocks.0.attn.qkv.bias").as<float>()[0];
        EXPECT_EQ(value("ema"), own + 1) << what;
        EXPECT_EQ(value("model"), own) << what;
        ref.weights = "ema";
        const TensorTable table = TensorTable::open(ref).value();
        ASSERT_EQ(table.copies().size(), 2u) << what;
        EXPECT_NE(table.notes().front().find("the averaged copy"), std::string::npos) << table.notes().front();
        for (const std::string& copy : table.copies()) EXPECT_NE(value(copy), 0) << copy;
        ref.weights = "other";
        EXPECT_EQ(TensorTable::open(ref).error().code, "weights") << what;
    }
}

TEST_F(Wrappers, CopiesThatAreNotToldApartAreAskedFor) {
    const Golden g = golden("dit_ape_tiny.pt", 3);
    Arrays both;
    for (const auto& [name, array] : g.arrays) both["net1." + name] = both["net2." + name] = array;
    ModelRef ref = g.ref;
    ref.path = write(both);
    const auto asked = TensorTable::open(ref);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().exitCode(), 2);
    EXPECT_NE(asked.error().message().find("net1, net2"), std::string::npos) << asked.error().message();
    const auto card = describeFile(ref);
    ASSERT_TRUE(card) << "its header can be read";
    EXPECT_FALSE(card->problem.empty());
    ref.weights = "net2";
    EXPECT_TRUE(TensorTable::open(ref));
}

TEST_F(Wrappers, TwoTensorsForOneNameAreRefused) {
    const Golden g = golden("dit_ape_tiny.pt", 3);
    Arrays twice = g.arrays;
    twice["blocks.0._orig_mod.attn.qkv.bias"] = twice.at("blocks.0.attn.qkv.bias");
    ModelRef ref = g.ref;
    ref.path = write(twice);
    const auto refused = TensorTable::open(ref);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "TC-12");
    EXPECT_NE(refused.error().message().find("blocks.0.attn.qkv.bias"), std::string::npos);
}

/// Stable Diffusion's trainers keep averages under names without dots.
TEST_F(Wrappers, AveragesWithoutDots) {
    const Golden g = golden("dit_ape_tiny.pt", 3);
    Arrays both;
    for (const auto& [name, array] : g.arrays) {
        both["model.diffusion_model." + name] = array;
        Array other = array;
        for (float& v : other.as<float>()) v += 1;
        std::string flat = "diffusion_model." + name;
        std::erase(flat, '.');
        both["model_ema." + flat] = other;
    }
    both["model_ema.num_updates"] = makeArray(std::vector<float>{5}, {});
    both["first_stage_model.encoder.conv_in.weight"] = makeArray(std::vector<float>{5}, {1});
    ModelRef ref = g.ref;
    ref.path = write(both);
    const auto table = TensorTable::open(ref);
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_EQ(table->readFloat("blocks.0.attn.qkv.bias").value()[0],
              g.arrays.at("blocks.0.attn.qkv.bias").as<float>()[0] + 1);
    ref.weights = "model";
    EXPECT_EQ(TensorTable::open(ref)->readFloat("blocks.0.attn.qkv.bias").value()[0],
              g.arrays.at("blocks.0.attn.qkv.bias").as<float>()[0]);
}

/// A pickle of nested dicts: containers, wrappers, an optimizer, counters and objects.
TEST_F(Wrappers, ContainersOfTrainers) {
    const auto dict = [](const std::string& inside) { return "}" + inside; };
    const auto entry = [](const std::string& key, const std::string& value) { return pickledText(key) + value + "s"; };
    const auto weights = [&](const std::string& prefix, const std::string& storage) {
        std::string all;
        for (const char* name : {"blocks.0.attn.qkv.weight", "blocks.1.attn.qkv.weight"})
            all += entry(prefix + name, pickled({.key = storage}));
        return dict(all);
    };
    const auto first = [&](const std::string& body, const std::string& choice = "ema") -> Result<float> {
        std::map<std::string, std::string> storages;
        for (const char* key : {"0", "1"}) {
            const float value = key[0] == '0' ? 1.0f : 2.0f;
            for (int i = 0; i < 4; ++i) storages[key].append(reinterpret_cast<const char*>(&value), 4);
        }
        const std::string path = (m_folder / "file.pt").string();
        std::ofstream(path, std::ios::binary | std::ios::trunc) << torchFile(body, storages);
        const auto table = TensorTable::open(path, choice);
        if (!table) return failure(table.error());
        return table->readFloat("blocks.1.attn.qkv.weight").value()[0];
    };
    const std::string raw = weights("", "0"), averaged = weights("", "1"), wrapped = weights("module._orig_mod.", "0");
    const std::string moments = dict(entry("state", dict(entry("exp_avg", pickled({.key = "1"})))));
    struct Container {
        std::string body;
        float value;
    };
    const Container containers[] = {
        {dict(entry("model_state_dict", raw) + entry("optimizer_state_dict", moments) + entry("epoch", "K\7")), 1},
        {dict(entry("module", raw) + entry("optimizer", moments)), 1},
        {dict(entry("state_dict", wrapped)), 1},
        {dict(entry("model", raw) + entry("model_ema", averaged)), 2},
        {dict(entry("model", raw) + entry("state_dict_ema", averaged) + entry("opt", moments)), 2},
        {dict(entry("student", raw) + entry("teacher", averaged)), 2},
        {dict(entry("ema", wrapped)), 1},
        {dict(entry("net", dict(entry("ema_model", averaged) + entry("online_model", raw)))), 2},
        {raw, 1},
        {wrapped, 1},
        {dict(entry("model", raw) + entry("lr_scheduler", moments) + entry("rng_state", pickled({.key = "1"}))), 1},
    };
    for (const Container& c : containers) {
        const auto value = first(c.body);
        ASSERT_TRUE(value) << value.error().message();
        EXPECT_EQ(*value, c.value);
    }
    EXPECT_EQ(first(dict(entry("model", raw) + entry("model_ema", averaged)), "model").value(), 1);
    EXPECT_EQ(first(dict(entry("a", raw) + entry("b", averaged))).error().code, "weights");
}

TEST(Names, WrappersRootsAndPatterns) {
    EXPECT_EQ(withoutWrappers("module._orig_mod.blocks.0._fsdp_wrapped_module.attn.weight"), "blocks.0.attn.weight");
    EXPECT_EQ(withoutWrappers("module"), "");
    EXPECT_EQ(withoutWrappers("ff.net.0.proj.weight"), "ff.net.0.proj.weight");
    EXPECT_EQ(blockRoot("state_dict.module.blocks.0.x")->raw, "state_dict.module.");
    EXPECT_EQ(blockRoot("state_dict.module.blocks.0.x")->clean, "state_dict.");
    EXPECT_FALSE(blockRoot("down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.weight"));
    EXPECT_FALSE(blockRoot("blocks.norm.weight"));
    EXPECT_EQ(withoutRoot("base_model.model.transformer_blocks.0.attn.to_q"), "transformer_blocks.0.attn.to_q");
    EXPECT_EQ(withoutRoot("transformer._orig_mod.x_embedder"), "x_embedder");
    EXPECT_EQ(flatName("lora_unet__x"), "lora_unet_x");
    EXPECT_EQ(flatName("double_blocks_0__orig_mod_img_attn_proj_"), "double_blocks_0_img_attn_proj");
    EXPECT_TRUE(isAveraged("teacher.backbone."));
    EXPECT_FALSE(isAveraged("ema.online_model."));
    EXPECT_FALSE(isAveraged("schema."));
    EXPECT_TRUE(matchesPattern("blocks.0.attn.gate", "blocks.*.gate"));
    EXPECT_TRUE(matchesPattern("a", "?"));
    EXPECT_FALSE(matchesPattern("blocks.0.attn.gate", "blocks.*.gat"));
    EXPECT_TRUE(matchesPattern("", "*"));
}

}  // namespace
}  // namespace ropescope::corpus
