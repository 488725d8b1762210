// SPDX-License-Identifier: Apache-2.0
// LoRAs and HARoPE adapters over a tiny FLUX, against peft and diffusers.
#include "core/model/lora.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/data/safetensors.h"
#include "core/model/flux.h"
#include "core/probe/model_heads.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

class Lora : public InFolder {
protected:
    static ModelRef base() {
        ModelRef ref;
        ref.path = goldenPath("flux_tiny.safetensors");
        return ref;
    }
    static at::Tensor output(const ModelRef& ref) {
        const TensorTable table = TensorTable::open(ref).value();
        const auto card = recognise(table, ref);
        if (!card) throw std::runtime_error(card.error().message());
        auto changes = readLoras(table, ref.loras);
        if (!changes) throw std::runtime_error(changes.error().message());
        WeightStore weights(table, at::kFloat, at::kCPU, 1 << 30, std::move(*changes));
        const auto in = [](const char* name) {
            return goldenTensor(goldenPath("flux_tiny.expected.safetensors"), name).to(at::kFloat);
        };
        return fluxForward(weights, fluxShape(*card).value(),
                           {in("hidden_states"), in("encoder_hidden_states"), in("pooled_projections"), in("timestep"),
                            in("guidance"), in("img_ids"), in("txt_ids")});
    }
    static at::Tensor expected(const std::string& name) {
        return goldenTensor(goldenPath(name + ".expected.safetensors"), "out");
    }
    Error refusal(const std::map<std::string, Array>& tensors) {
        EXPECT_TRUE(writeSafetensors(path("lora.safetensors"), tensors));
        const auto set = readLoras(TensorTable::open(base()).value(), {{path("lora.safetensors"), 1}});
        EXPECT_FALSE(set);
        return set ? Error{} : set.error();
    }
    static Array filled(std::vector<std::int64_t> shape) {
        std::int64_t n = 1;
        for (const std::int64_t side : shape) n *= side;
        const std::vector<float> ones(static_cast<std::size_t>(n), 1.f);
        return makeArray(std::span<const float>(ones), std::move(shape));
    }
};

TEST_F(Lora, EqualsPeftUnderDiffusersAndKohyasNames) {
    for (const auto& [name, strength] : {std::pair{"lora_tiny_diffusers", 0.7}, {"lora_tiny_kohya", 1.0}}) {
        SCOPED_TRACE(name);
        ModelRef ref = base();
        ref.loras = {{goldenPath(std::string(name) + ".safetensors"), strength}};
        expectClose(output(ref), expected(name));
        EXPECT_GT((expected(name) - expected("flux_tiny")).abs().max().item<double>(), 0.1);
    }
}

TEST_F(Lora, OriginalPrefixesAreTheSameLayers) {
    const TensorTable peft = TensorTable::openPlain(goldenPath("lora_tiny_diffusers.safetensors")).value();
    for (const std::string prefix : {"diffusion_model.", "model.diffusion_model."}) {
        SCOPED_TRACE(prefix);
        std::map<std::string, Array> renamed;
        for (const TensorEntry& entry : peft.tensors()) {
            ASSERT_TRUE(entry.name.starts_with("transformer.")) << entry.name;
            const std::vector<float> values = peft.readFloat(entry.name).value();
            renamed[prefix + entry.name.substr(12)] = makeArray(std::span<const float>(values), entry.shape);
        }
        ASSERT_TRUE(writeSafetensors(path("renamed.safetensors"), renamed, peft.metadata()));
        ModelRef ref = base();
        ref.loras = {{path("renamed.safetensors"), 0.7}};
        expectClose(output(ref), expected("lora_tiny_diffusers"));
    }
}

TEST_F(Lora, TwoAddUpAndNoneLeavesEveryBit) {
    const at::Tensor plain = output(base());
    ModelRef ref = base();
    ref.loras = {{goldenPath("lora_tiny_kohya.safetensors"), 0.5}, {goldenPath("lora_tiny_kohya.safetensors"), 0.5}};
    expectClose(output(ref), expected("lora_tiny_kohya"));
    ref.loras = {{goldenPath("lora_tiny_kohya.safetensors"), 0}};
    EXPECT_TRUE(at::equal(output(ref), plain));
    ref.loras.clear();
    EXPECT_TRUE(at::equal(output(ref), plain));
}

TEST_F(Lora, SaysHowManyLayersMatchAndRefusesWhatDoesNotFit) {
    const TensorTable model = TensorTable::open(base()).value();
    const auto set = readLoras(model, {{goldenPath("lora_tiny_diffusers.safetensors"), 1}});
    ASSERT_TRUE(set) << set.error().message();
    ASSERT_EQ(set->notes.size(), 1u);
    EXPECT_NE(set->notes[0].find("7 of 7 layers match"), std::string::npos) << set->notes[0];
    ModelRef asked = base();
    asked.loras = {{goldenPath("lora_tiny_diffusers.safetensors"), 1}, {goldenPath("vae_tiny.safetensors"), 1}};
    const auto matches = matchLoras({asked});
    ASSERT_TRUE(matches) << matches.error().message();
    EXPECT_EQ(matches->loras[0].matched, 7);
    EXPECT_EQ(matches->loras[0].all, 7);
    EXPECT_TRUE(matches->loras[0].problem.empty());
    EXPECT_NE(matches->loras[1].problem.find("LO-01"), std::string::npos) << matches->loras[1].problem;
    const std::string q = "transformer.transformer_blocks.0.attn.to_q";
    const Array a = filled({2, 16}), b = filled({16, 2});
    EXPECT_EQ(refusal({{"unet.down.0.lora_A.weight", a}, {"unet.down.0.lora_B.weight", b}}).code, "LO-01");
    EXPECT_EQ(refusal({{q + ".lora_A.weight", a}}).code, "LO-03");
    ASSERT_TRUE(writeSafetensors(path("some.safetensors"), {{q + ".lora_A.weight", a},
                                                            {q + ".lora_B.weight", b},
                                                            {"transformer.other.lora_A.weight", a},
                                                            {"lora_te1_x.lora_down.weight", a}}));
    const auto some = readLoras(model, {{path("some.safetensors"), 1}});
    ASSERT_TRUE(some) << some.error().message();
    EXPECT_NE(some->notes[0].find("1 of 2 layers match, not transformer.other; left out: 1 for text encoders"),
              std::string::npos)
        << some->notes[0];
    EXPECT_EQ(refusal({{q + ".lora_A.weight", a}, {q + ".lora_B.weight", filled({16, 3})}}).code, "LO-03");
    EXPECT_EQ(refusal({{q + ".lora_A.weight", filled({2, 15})}, {q + ".lora_B.weight", b}}).code, "LO-03");
    EXPECT_EQ(refusal({{q + ".lora_A.weight", a}, {q + ".lora_B.weight", b}, {q + ".dora_scale", filled({15})}}).code,
              "LO-03");
    EXPECT_EQ(refusal({{"diffusion_model.double_blocks.0.img_attn.proj.diff", filled({16, 15})}}).code, "LO-03");
    std::vector<float> zero(1, 0.f);
    EXPECT_EQ(refusal({{q + ".lora_A.weight", a},
                       {q + ".lora_B.weight", b},
                       {q + ".alpha", makeArray(std::span<const float>(zero), {1})}})
                  .code,
              "LO-03");
}

TEST_F(Lora, PeftsConfigurationGivesTheScale) {
    const std::string q = "base_model.model.transformer_blocks.0.attn.to_q";
    std::ofstream(path("adapter_config.json")) << R"({"r": 2, "lora_alpha": 8, "use_rslora": true,
        "alpha_pattern": {"attn.to_k": 2}})";
    const std::string k = "base_model.model.transformer_blocks.0.attn.to_k";
    ASSERT_TRUE(writeSafetensors(path("adapter_model.safetensors"), {{q + ".lora_A.weight", filled({2, 16})},
                                                                     {q + ".lora_B.weight", filled({16, 2})},
                                                                     {k + ".lora_A.weight", filled({4, 16})},
                                                                     {k + ".lora_B.weight", filled({16, 4})}}));
    const auto set = readLoras(TensorTable::open(base()).value(), {{path("adapter_model.safetensors"), 3}});
    ASSERT_TRUE(set) << set.error().message();
    const auto& changes = set->changes.at("double_blocks.0.img_attn.qkv.weight");
    ASSERT_EQ(changes.size(), 2u);
    for (const WeightChange& c : changes) {
        const bool query = c.firstRow == 0;
        EXPECT_EQ(c.firstRow, query ? 0 : 16);
        EXPECT_NEAR(c.scale, 3 * (query ? 8 / std::sqrt(2.0) : 2 / std::sqrt(4.0)), 1e-12);
    }
}

TEST_F(Lora, AnAdapterOfMapsIsTheModelThatHoldsThem) {
    const TensorTable mapped = TensorTable::open(goldenPath("flux_tiny_harope_inverse.safetensors")).value();
    for (const std::string prefix : {"transformer.", "base_model.model.", "native"}) {
        SCOPED_TRACE(prefix);
        std::map<std::string, Array> maps;
        for (const TensorEntry& entry : mapped.tensors()) {
            const std::size_t at = entry.name.find("attn.learnable_rot.");
            if (at == std::string::npos) continue;
            const bool single = entry.name.starts_with("single");
            const std::string number = entry.name.substr(14, entry.name.find('.', 14) - 14);
            std::string name = prefix + (single ? "single_transformer_blocks." : "transformer_blocks.") + number + "." +
                               entry.name.substr(at);
            if (prefix == "native") name = entry.name.substr(0, at) + entry.name.substr(at + 5);
            maps[name] = mapped.read(entry.name).value();
        }
        ASSERT_EQ(maps.size(), 9u);
        ASSERT_TRUE(writeSafetensors(path("maps.safetensors"), maps, {{"harope.convention", "inverse"}}));
        ModelRef ref = base();
        ref.adapter = path("maps.safetensors");
        EXPECT_EQ(openCard(ref).value().encoding, "harope");
        expectClose(output(ref), expected("flux_tiny_harope_inverse"));
        ref.path = goldenPath("flux_tiny_native.safetensors");
        expectClose(output(ref), expected("flux_tiny_harope_inverse"));
        ref.path = goldenPath("flux_tiny_harope_same.safetensors");
        EXPECT_EQ(TensorTable::open(ref).error().code, "TC-10") << "it has maps already";
        ref.path = goldenPath("sd3_tiny.safetensors");
        ref.adapter = goldenPath("lora_tiny_kohya.safetensors");
        EXPECT_EQ(TensorTable::open(ref).error().code, "LO-01");
    }
}

TEST_F(Lora, MapsMayBeLearnedInSomeLayersAlone) {
    const std::string file = goldenPath("flux_tiny_harope_inverse.safetensors");
    const TensorTable mapped = TensorTable::open(file).value();
    std::map<std::string, Array> some;
    for (const TensorEntry& entry : mapped.tensors())
        if (entry.name.starts_with("double_blocks.") && entry.name.find("learnable_rot.") != std::string::npos)
            some[entry.name] = mapped.read(entry.name).value();
    ASSERT_FALSE(some.empty());
    ASSERT_TRUE(writeSafetensors(path("some.safetensors"), some, {{"harope.convention", "inverse"}}));
    ModelRef ref = base();
    ref.adapter = path("some.safetensors");
    const TensorTable table = TensorTable::open(ref).value();
    const auto card = recognise(table, ref);
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_TRUE(checkComplete(table, *card)) << checkComplete(table, *card).error().message();
    EXPECT_TRUE(std::ranges::any_of(card->notes, [](const auto& n) { return n == "maps in 1 of 3 layers"; }));
    const at::Tensor out = output(ref);
    EXPECT_GT((out - expected("flux_tiny")).abs().max().item<double>(), 1e-3);
    EXPECT_GT((out - expected("flux_tiny_harope_inverse")).abs().max().item<double>(), 1e-3);
    // A layer without maps is one whose maps do nothing.
    const auto heads = loadHeads(table, *card, 2);
    ASSERT_TRUE(heads) << heads.error().message();
    for (const LoadedHead& head : *heads) EXPECT_TRUE(head.problem.empty()) << head.problem;
}

TEST_F(Lora, SaysWhatElseAFileHolds) {
    const TensorTable model = TensorTable::open(base()).value();
    const std::string q = "transformer.transformer_blocks.0.attn.to_q";
    const Array a = filled({2, 16}), b = filled({16, 2});
    ASSERT_TRUE(writeSafetensors(path("both.safetensors"),
                                 {{q + ".lora_A.weight", a},
                                  {q + ".lora_B.weight", b},
                                  {"transformer.transformer_blocks.0.attn.learnable_rot.sigma", filled({2, 8})}}));
    const auto set = readLoras(model, {{path("both.safetensors"), 1}});
    ASSERT_TRUE(set) << set.error().message();
    EXPECT_NE(set->notes[0].find("1 tensors of maps left alone"), std::string::npos) << set->notes[0];
    ModelRef ref = base();
    ref.adapter = path("both.safetensors");
    const TensorTable joined = TensorTable::open(ref).value();
    EXPECT_TRUE(std::ranges::any_of(
        joined.notes(), [](const auto& n) { return n.starts_with("2 other tensors of the adapter left alone"); }));
    // Weights that would replace the model's are no low-rank change.
    EXPECT_EQ(refusal({{q + ".lora_A.weight", a}, {q + ".lora_B.weight", b}, {"transformer.proj_out.weight", a}}).code,
              "LO-04");
    EXPECT_EQ(
        refusal(
            {{q + ".lora_A.weight", a}, {q + ".lora_B.weight", b}, {"base_model.model.x.modules_to_save.weight", a}})
            .code,
        "LO-04");
}

TEST_F(Lora, WhatIsForTextEncodersMayBeOfAnyKind) {
    const std::string q = "transformer.transformer_blocks.0.attn.to_q";
    ASSERT_TRUE(writeSafetensors(path("l.safetensors"), {{q + ".lora_A.weight", filled({2, 16})},
                                                         {q + ".lora_B.weight", filled({16, 2})},
                                                         {"text_encoder.x.q_proj.lora_magnitude_vector", filled({16})},
                                                         {"lora_te1_text_projection.lora_B.bias", filled({16})}}));
    const auto set = readLoras(TensorTable::open(base()).value(), {{path("l.safetensors"), 1}});
    ASSERT_TRUE(set) << set.error().message();
    EXPECT_NE(set->notes[0].find("1 of 1 layers match; left out: 2 for text encoders"), std::string::npos)
        << set->notes[0];
}

TEST_F(Lora, AFolderStandsForItsFile) {
    std::filesystem::create_directories(path("peft"));
    std::filesystem::copy_file(goldenPath("lora_tiny_diffusers.safetensors"), path("peft/adapter_model.safetensors"));
    ModelRef ref = base();
    ref.loras = {{path("peft"), 0.7}};
    expectClose(output(ref), expected("lora_tiny_diffusers"));
    std::filesystem::remove(path("peft/adapter_model.safetensors"));
    EXPECT_FALSE(readLoras(TensorTable::open(base()).value(), ref.loras));
}

TEST_F(Lora, MapsThatAreMultipliedOutAreTheSameModel) {
    const TensorTable mapped = TensorTable::open(goldenPath("flux_tiny_harope_inverse.safetensors")).value();
    std::map<std::string, Array> baked;
    for (const TensorEntry& entry : mapped.tensors()) {
        const std::size_t at = entry.name.find(".A_u");
        if (at == std::string::npos) continue;
        const std::string block = entry.name.substr(0, at);
        const auto part = [&](const char* name) {
            return goldenTensor(goldenPath("flux_tiny_harope_inverse.safetensors"), block + name).to(at::kDouble);
        };
        const HeadMaps maps =
            haropeMaps(haropeFactors(part(".A_u"), part(".A_v"), part(".sigma")), Convention::Inverse);
        for (const auto& [name, tensor] : {std::pair(".M", maps.query), std::pair(".M_inv", maps.key.mT())}) {
            const at::Tensor dense = tensor.to(at::kFloat).contiguous();
            baked[block + name] =
                makeArray(std::span<const float>(dense.const_data_ptr<float>(), dense.numel()), dense.sizes().vec());
        }
    }
    ASSERT_EQ(baked.size(), 6u);
    ASSERT_TRUE(writeSafetensors(path("maps.safetensors"), baked));
    ModelRef ref = base();
    ref.adapter = path("maps.safetensors");
    const ModelCard card = openCard(ref).value();
    EXPECT_EQ(card.convention, Convention::Inverse);
    EXPECT_EQ(card.matrix, MatrixKind::Full);
    expectClose(output(ref), expected("flux_tiny_harope_inverse"));
}

/// X-Labs keeps queries, keys and values of a block together; diffusers keeps them apart with the same A.
TEST_F(Lora, XLabsNamesChangeTheSameRows) {
    at::manual_seed(1);
    const std::int64_t width = 16, rank = 2;
    const auto drawn = [](std::int64_t rows, std::int64_t columns) { return at::randn({rows, columns}) * 0.2; };
    const auto asArray = [](const at::Tensor& t) {
        const at::Tensor dense = t.contiguous();
        return makeArray(std::span<const float>(dense.const_data_ptr<float>(), dense.numel()), dense.sizes().vec());
    };
    std::map<std::string, Array> theirs, plain;
    const auto add = [&](const std::string& name, const std::vector<std::string>& modules, std::int64_t in) {
        const at::Tensor down = drawn(rank, in), up = drawn(width * static_cast<std::int64_t>(modules.size()), rank);
        theirs[name + ".down.weight"] = asArray(down), theirs[name + ".up.weight"] = asArray(up);
        for (std::size_t i = 0; i < modules.size(); ++i) {
            plain[modules[i] + ".lora_A.weight"] = asArray(down);
            plain[modules[i] + ".lora_B.weight"] = asArray(up.narrow(0, width * static_cast<std::int64_t>(i), width));
        }
    };
    const std::string joint = "transformer_blocks.0.attn.", single = "single_transformer_blocks.1.";
    add("double_blocks.0.processor.qkv_lora1", {joint + "to_q", joint + "to_k", joint + "to_v"}, width);
    add("double_blocks.0.processor.qkv_lora2", {joint + "add_q_proj", joint + "add_k_proj", joint + "add_v_proj"},
        width);
    add("double_blocks.0.processor.proj_lora1", {joint + "to_out.0"}, width);
    add("double_blocks.0.processor.proj_lora2", {joint + "to_add_out"}, width);
    add("single_blocks.1.processor.qkv_lora", {single + "attn.to_q", single + "attn.to_k", single + "attn.to_v"},
        width);
    ASSERT_TRUE(writeSafetensors(path("x.safetensors"), theirs));
    ASSERT_TRUE(writeSafetensors(path("d.safetensors"), plain));
    ModelRef ref = base();
    ref.loras = {{path("x.safetensors"), 0.5}};
    const at::Tensor found = output(ref);
    ref.loras = {{path("d.safetensors"), 0.5}};
    expectClose(found, output(ref));
    EXPECT_GT((found - output(base())).abs().max().item<double>(), 0.01);
}

}  // namespace
}  // namespace ropescope
