// SPDX-License-Identifier: Apache-2.0
// LoRAs and HARoPE adapters over a tiny FLUX, against peft and diffusers.
#include "core/model/lora.h"

#include <algorithm>
#include <cmath>
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

/// Numbers that differ from each other, the same for the same seed.
Array numbers(std::vector<std::int64_t> shape, int seed) {
    std::int64_t n = 1;
    for (const std::int64_t side : shape) n *= side;
    std::vector<float> values(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = 0.1f * std::sin(0.7f * static_cast<float>(i) + 1.3f * static_cast<float>(seed));
    return makeArray(std::span<const float>(values), std::move(shape));
}
at::Tensor matrix(const Array& a) {
    return at::from_blob(const_cast<std::byte*>(a.bytes.data()), a.shape, at::kFloat).clone();
}
Array scalar(float value) {
    return makeArray(std::vector<float>{value}, {});
}

/// LoHa, LoKr, differences, biases and DoRA by their formulas, each on a projection of FLUX that is stored joined.
TEST_F(Lora, KindsOfLyCorisAndPeft) {
    const TensorTable model = TensorTable::open(base()).value();
    const std::string name = "double_blocks.0.img_attn.qkv";
    const auto values = [&](const std::string& tensor) {
        const auto own = model.readFloat(tensor).value();
        return at::from_blob(const_cast<float*>(own.data()), model.find(tensor)->shape, at::kFloat).clone();
    };
    const at::Tensor weight = values(name + ".weight"), bias = values(name + ".bias");
    const std::string k = "lora_unet_transformer_blocks_0_attn_to_k";  // rows 16 to 31
    const auto changedBy = [&](const std::map<std::string, Array>& tensors, double strength, const std::string& which) {
        EXPECT_TRUE(writeSafetensors(path("lora.safetensors"), tensors));
        const auto set = readLoras(model, {{path("lora.safetensors"), strength}});
        if (!set) throw std::runtime_error(set.error().message());
        const auto found = set->changes.find(name + which);
        if (found == set->changes.end()) throw std::runtime_error("no change of " + which);
        return changed(which == ".bias" ? bias : weight, found->second, set->strengths);
    };
    const auto expected = [&](const at::Tensor& delta) {
        at::Tensor own = weight.clone();
        own.narrow(0, 16, 16).add_(delta);
        return own;
    };
    const auto close = [](const at::Tensor& a, const at::Tensor& b) {
        return (a - b).abs().max().item<double>() < 1e-6;
    };
    const Array a1 = numbers({16, 3}, 1), b1 = numbers({3, 16}, 2), a2 = numbers({16, 3}, 3), b2 = numbers({3, 16}, 4);
    const at::Tensor hada = at::matmul(matrix(a1), matrix(b1)) * at::matmul(matrix(a2), matrix(b2));
    EXPECT_TRUE(close(changedBy({{k + ".hada_w1_a", a1},
                                 {k + ".hada_w1_b", b1},
                                 {k + ".hada_w2_a", a2},
                                 {k + ".hada_w2_b", b2},
                                 {k + ".alpha", scalar(6)}},
                                0.5, ".weight"),
                      expected(hada * (6.0 / 3 * 0.5))));
    const Array w1 = numbers({4, 2}, 5), w2a = numbers({4, 2}, 6), w2b = numbers({2, 8}, 7), w2 = numbers({4, 8}, 8);
    EXPECT_TRUE(close(
        changedBy({{k + ".lokr_w1", w1}, {k + ".lokr_w2_a", w2a}, {k + ".lokr_w2_b", w2b}, {k + ".alpha", scalar(1)}},
                  1, ".weight"),
        expected(at::kron(matrix(w1), at::matmul(matrix(w2a), matrix(w2b))) / 2)));
    EXPECT_TRUE(close(changedBy({{k + ".lokr_w1", w1}, {k + ".lokr_w2", w2}, {k + ".alpha", scalar(99)}}, 1, ".weight"),
                      expected(at::kron(matrix(w1), matrix(w2)))))
        << "whole factors have no rank, so alpha says nothing";
    const Array diff = numbers({16, 16}, 9), diffBias = numbers({16}, 10);
    EXPECT_TRUE(close(changedBy({{k + ".diff", diff}, {k + ".diff_b", diffBias}}, 0.5, ".weight"),
                      expected(matrix(diff) * 0.5)));
    at::Tensor shifted = bias.clone();
    shifted.narrow(0, 16, 16).add_(matrix(diffBias) * 0.5);
    EXPECT_TRUE(close(changedBy({{k + ".diff", diff}, {k + ".diff_b", diffBias}}, 0.5, ".bias"), shifted));
    const Array down = numbers({2, 16}, 11), up = numbers({16, 2}, 12), upBias = numbers({16}, 13);
    shifted = bias.clone();
    shifted.narrow(0, 16, 16).add_(matrix(upBias) * 2.0);
    const std::string peft = "base_model.model.transformer_blocks.0.attn.to_k";
    EXPECT_TRUE(close(changedBy({{peft + ".lora_A.x.weight", down},
                                 {peft + ".lora_B.x.weight", up},
                                 {peft + ".lora_B.x.bias", upBias},
                                 {peft + ".alpha", scalar(4)}},
                                1, ".bias"),
                      shifted));
    const at::Tensor rows = weight.narrow(0, 16, 16) + at::matmul(matrix(up), matrix(down));
    for (const bool column : {false, true}) {
        const Array length = numbers(column ? std::vector<std::int64_t>{1, 16} : std::vector<std::int64_t>{16, 1}, 14);
        const at::Tensor norm = rows.square().sum(column ? 0 : 1, true).sqrt();
        at::Tensor own = weight.clone();
        own.narrow(0, 16, 16).copy_(rows * (matrix(length) / norm));
        EXPECT_TRUE(
            close(changedBy({{k + ".lora_down.weight", down}, {k + ".lora_up.weight", up}, {k + ".dora_scale", length}},
                            1, ".weight"),
                  own))
            << column;
    }
    EXPECT_EQ(refusal({{k + ".a1.weight", down}, {k + ".b1.weight", up}}).code, "LO-04");
    EXPECT_EQ(refusal({{k + ".oft_blocks", down}}).code, "LO-04");
    EXPECT_EQ(
        refusal({{k + ".lora_down.weight", down}, {k + ".lora_up.weight", up}, {k + ".lora_mid.weight", up}}).code,
        "LO-04");
    EXPECT_EQ(refusal({{k + ".hada_w1_a", a1}, {k + ".hada_w1_b", b1}, {k + ".hada_w2_a", a2}}).code, "LO-03");
    ASSERT_TRUE(writeSafetensors(
        path("dora.safetensors"),
        {{k + ".lora_down.weight", down}, {k + ".lora_up.weight", up}, {k + ".dora_scale", numbers({16, 1}, 14)}}));
    EXPECT_EQ(readLoras(model, {{path("dora.safetensors"), 0.5}}).error().code, "LO-04") << "at strength 1 only";
}

/// One layer under every name that trainers give it.
TEST_F(Lora, NamesInAllTheirForms) {
    const TensorTable model = TensorTable::open(base()).value();
    const Array down = numbers({2, 16}, 1), up = numbers({16, 2}, 2);
    for (const std::string pair :
         {"transformer.transformer_blocks.0.attn.to_out.0|.lora_A.weight|.lora_B.weight",
          "transformer.transformer_blocks.0.attn.to_out|.lora_A.weight|.lora_B.weight",
          "transformer._orig_mod.transformer_blocks.0.attn.to_out.0|.lora_A.default_0.weight|.lora_B.default_0.weight",
          "base_model.model.module.transformer_blocks.0.attn.to_out.0|.lora_A.my.adapter.weight|.lora_B.my.adapter."
          "weight",
          "transformer_blocks.0.attn.to_out.0|.lora.down.weight|.lora.up.weight",
          "unet.transformer_blocks.0.attn.to_out.0|.lora_A|.lora_B",
          "lora_unet_double_blocks_0_img_attn_proj|.lora_down.weight|.lora_up.weight",
          "lora_unet_double_blocks_0_img_attn_proj_|.lora_down.weight|.lora_up.weight",
          "lora_unet__double_blocks_0__img_attn_proj|.lora_down.weight|.lora_up.weight",
          "lora_unet__orig_mod_double_blocks_0_img_attn_proj|.lora_down.weight|.lora_up.weight",
          "lora_transformer_transformer_blocks_0_attn_to_out_0|.lora_down.weight|.lora_up.weight",
          "lycoris_transformer_blocks_0_attn_to_out_0|.lora_down.weight|.lora_up.weight",
          "double_blocks.0.processor.proj_lora1|.down.weight|.up.weight",
          "diffusion_model.double_blocks.0.img_attn.proj|.lora_A.weight|.lora_B.weight",
          "model.diffusion_model.double_blocks.0.img_attn.proj|.lora_down.weight|.lora_up.weight"}) {
        const std::size_t first = pair.find('|'), second = pair.find('|', first + 1);
        const std::string module = pair.substr(0, first);
        ASSERT_TRUE(writeSafetensors(
            path("l.safetensors"),
            {{module + pair.substr(first + 1, second - first - 1), down}, {module + pair.substr(second + 1), up}}));
        const auto set = readLoras(model, {{path("l.safetensors"), 1}});
        ASSERT_TRUE(set) << pair << ": " << set.error().message();
        ASSERT_TRUE(set->changes.contains("double_blocks.0.img_attn.proj.weight")) << pair;
    }
    const std::string q = "transformer.transformer_blocks.0.attn.to_q";
    const Error several = refusal({{q + ".lora_A.a.weight", down},
                                   {q + ".lora_B.a.weight", up},
                                   {q + ".lora_A.b.weight", down},
                                   {q + ".lora_B.b.weight", up}});
    EXPECT_EQ(several.code, "LO-05");
    EXPECT_NE(several.message().find("a, b"), std::string::npos) << several.message();
    EXPECT_EQ(refusal({{q + ".lora_A.weight", down},
                       {q + ".lora_B.weight", up},
                       {"lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight", down},
                       {"lora_unet_transformer_blocks_0_attn_to_q.lora_up.weight", up}})
                  .code,
              "LO-05");
}

/// Scales that stand in the header: single keys, diffusers' JSON, patterns as PEFT reads them.
TEST_F(Lora, ScalesOfTheMetadata) {
    const TensorTable model = TensorTable::open(base()).value();
    const std::string q = "transformer.transformer_blocks.0.attn.to_q";
    const auto scale = [&](const std::map<std::string, std::string>& metadata) -> double {
        EXPECT_TRUE(writeSafetensors(
            path("l.safetensors"),
            {{q + ".lora_A.weight", numbers({4, 16}, 1)}, {q + ".lora_B.weight", numbers({16, 4}, 2)}}, metadata));
        const auto set = readLoras(model, {{path("l.safetensors"), 1}});
        if (!set) throw std::runtime_error(set.error().code);
        return set->changes.begin()->second.front().scale;
    };
    EXPECT_EQ(scale({}), 1);
    EXPECT_EQ(scale({{"transformer.lora_alpha", "2"}, {"transformer.r", "4"}}), 0.5);
    EXPECT_EQ(scale({{"lora_alpha", "8"}}), 2);
    EXPECT_EQ(scale({{"lora_alpha", "8"}, {"use_rslora", "True"}}), 4);
    const auto json = [](const std::string& text) {
        return std::map<std::string, std::string>{{"lora_adapter_metadata", text}};
    };
    EXPECT_EQ(scale(json(R"({"transformer.lora_alpha": 4, "transformer.alpha_pattern": {".*attn\\.to_[qk]": 2}})")),
              0.5);
    EXPECT_EQ(scale(json(R"({"transformer.lora_alpha": 4, "transformer.alpha_pattern": {"to_q": 1, "attn.to_q": 2}})")),
              0.25)
        << "the first that fits";
    EXPECT_EQ(scale(json(R"({"transformer.lora_alpha": 4, "transformer.alpha_pattern": {"o_q": 1}})")), 1)
        << "whole parts of the name";
    for (const char* bad : {R"({"r": 4, )", R"({"transformer.lora_alpha": "many"})",
                            R"({"transformer.alpha_pattern": {"(": 1}})", R"({"transformer.use_rslora": "perhaps"})"})
        EXPECT_THROW((void)scale(json(bad)), std::runtime_error) << bad;
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
    EXPECT_EQ(set->strengths, std::vector<double>{3});
    for (const WeightChange& c : changes) {
        const bool query = c.firstRow == 0;
        EXPECT_EQ(c.firstRow, query ? 0 : 16);
        EXPECT_NEAR(c.scale, query ? 8 / std::sqrt(2.0) : 2 / std::sqrt(4.0), 1e-12);
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
