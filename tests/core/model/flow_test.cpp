// SPDX-License-Identifier: Apache-2.0
// FLUX, SD3, SD3.5 and autoencoders against outputs that diffusers recorded, under both families of names.
#include <filesystem>
#include <fstream>

#include "core/data/safetensors.h"
#include "core/model/flux.h"
#include "core/model/mmdit.h"
#include "core/model/vae.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

struct Opened {
    TensorTable table;
    ModelCard card;
};

Opened opened(const std::string& path) {
    ModelRef ref;
    ref.path = path;
    TensorTable table = TensorTable::open(path).value();
    const auto card = recognise(table, ref);
    if (!card) throw std::runtime_error(card.error().message());
    if (const auto complete = checkComplete(table, *card); !complete)
        throw std::runtime_error(complete.error().message());
    return {table, *card};
}

at::Tensor expected(const std::string& name, const std::string& tensor) {
    return goldenTensor(goldenPath(name + ".expected.safetensors"), tensor).to(at::kFloat);
}

at::Tensor fluxOutput(const Opened& model, const std::string& name, std::uint64_t budget = kPlenty,
                      at::ScalarType type = at::kFloat, const JointTaps& taps = {}) {
    const auto shape = fluxShape(model.card);
    if (!shape) throw std::runtime_error(shape.error().message());
    WeightStore weights(model.table, type, at::kCPU, budget);
    const auto in = [&](const char* tensor) { return expected(name, tensor); };
    return fluxForward(weights, *shape,
                       {in("hidden_states"), in("encoder_hidden_states"), in("pooled_projections"), in("timestep"),
                        in("guidance"), in("img_ids"), in("txt_ids")},
                       taps);
}

at::Tensor mmditOutput(const Opened& model, const std::string& name, std::uint64_t budget = kPlenty,
                       const JointTaps& taps = {}) {
    const auto shape = mmditShape(model.card);
    if (!shape) throw std::runtime_error(shape.error().message());
    WeightStore weights(model.table, at::kFloat, at::kCPU, budget);
    const auto in = [&](const char* tensor) { return expected(name, tensor); };
    return mmditForward(weights, *shape,
                        {in("hidden_states"), in("encoder_hidden_states"), in("pooled_projections"), in("timestep")},
                        taps);
}

TEST(Flow, FluxEqualsDiffusersUnderBothNames) {
    for (const char* name : {"flux_tiny", "flux_tiny_native", "flux_tiny_harope_inverse", "flux_tiny_harope_same"}) {
        SCOPED_TRACE(name);
        const Opened model = opened(goldenPath(std::string(name) + ".safetensors"));
        EXPECT_EQ(model.card.architecture, "flux");
        EXPECT_EQ(model.card.layers, 3);
        EXPECT_EQ(model.card.jointLayers, 1);
        EXPECT_EQ(model.card.headDim, 8);
        expectClose(fluxOutput(model, name), expected(name, "out").to(at::kDouble));
    }
    // The maps are far from the identity, and the conventions from each other.
    EXPECT_GT((expected("flux_tiny", "out") - expected("flux_tiny_harope_inverse", "out")).abs().max().item<double>(),
              1e-2);
    EXPECT_GT((expected("flux_tiny_harope_same", "out") - expected("flux_tiny_harope_inverse", "out"))
                  .abs()
                  .max()
                  .item<double>(),
              1e-2);
}

TEST(Flow, Sd3EqualsDiffusersUnderBothNames) {
    for (const char* name :
         {"sd3_tiny", "sd3_tiny_native", "sd35_tiny", "sd35_tiny_native", "sd35_tiny_harope_inverse"}) {
        SCOPED_TRACE(name);
        const Opened model = opened(goldenPath(std::string(name) + ".safetensors"));
        EXPECT_EQ(model.card.architecture, "mmdit");
        expectClose(mmditOutput(model, name), expected(name, "out").to(at::kDouble));
    }
}

TEST(Flow, AutoencodersEqualDiffusersUnderBothNames) {
    for (const char* name : {"vae_tiny", "vae_tiny_native", "vae16_tiny", "vae16_tiny_native"}) {
        SCOPED_TRACE(name);
        const Opened model = opened(goldenPath(std::string(name) + ".safetensors"));
        const Vae vae = loadVae(model.table, model.card, at::kCPU, at::kFloat).value();
        EXPECT_EQ(vae.downsample, 4);
        EXPECT_NEAR(model.card.latentScale, name[3] == '1' ? 0.3611 : 0.18215, 1e-12);
        expectClose(decode(vae, expected(name, "latents")), expected(name, "out").to(at::kDouble));
        const Encoded encoded = encode(vae, expected(name, "image"));
        expectClose(encoded.mean, expected(name, "out_mean").to(at::kDouble));
        expectClose(encoded.logVariance, expected(name, "out_logvar").to(at::kDouble));
    }
}

TEST(Flow, TilesJoinWithoutSeamsWhereTheyShowTheSame) {
    const Opened model = opened(goldenPath("vae_tiny.safetensors"));
    const Vae vae = loadVae(model.table, model.card, at::kCPU, at::kFloat).value();
    const at::Tensor latents = at::randn({1, 4, 12, 20});
    expectClose(decodeTiled(vae, latents, 32), decode(vae, latents).to(at::kDouble), 1e-6);
    const at::Tensor tiled = decodeTiled(vae, latents, 8);
    EXPECT_EQ(tiled.sizes(), decode(vae, latents).sizes());
    EXPECT_TRUE(at::isfinite(tiled).all().item<bool>());
    // Weights of the tiles sum to one: tiles that all show the same constant leave it.
    Vae flat = vae;
    flat.weights["decoder.conv_out.weight"].zero_();
    flat.weights["decoder.conv_out.bias"].fill_(0.25);
    EXPECT_LE((decodeTiled(flat, latents, 8) - 0.25).abs().max().item<double>(), 1e-6);
    int asked = 0;
    EXPECT_FALSE(decodeTiled(vae, latents, 8, [&] { return ++asked > 1; }).defined());
}

TEST(Flow, StreamedBlocksComputeTheSameBits) {
    const Opened flux = opened(goldenPath("flux_tiny.safetensors"));
    WeightStore probe(flux.table, at::kFloat, at::kCPU, 0);
    EXPECT_TRUE(probe.streams());
    EXPECT_GT(probe.totalBytes(), 3 * probe.largestBlock() / 2);
    EXPECT_TRUE(at::equal(fluxOutput(flux, "flux_tiny", 0), fluxOutput(flux, "flux_tiny")));
    const Opened sd3 = opened(goldenPath("sd35_tiny.safetensors"));
    EXPECT_TRUE(at::equal(mmditOutput(sd3, "sd35_tiny", 0), mmditOutput(sd3, "sd35_tiny")));
}

/// At times that all types hold: 1000 t is rounded to the type of the run, as the references do.
TEST(Flow, HalfTypesStayNear) {
    const Opened model = opened(goldenPath("flux_tiny.safetensors"));
    const auto in = [](const char* tensor) { return expected("flux_tiny", tensor); };
    const at::Tensor time = at::tensor({0.5f, 0.25f}), guidance = at::tensor({1.0f, 2.0f});
    const auto run = [&](at::ScalarType type) {
        WeightStore weights(model.table, type, at::kCPU, kPlenty);
        return fluxForward(weights, fluxShape(model.card).value(),
                           {in("hidden_states"), in("encoder_hidden_states"), in("pooled_projections"), time, guidance,
                            in("img_ids"), in("txt_ids")});
    };
    const at::Tensor exact = run(at::kFloat).to(at::kDouble);
    for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) expectClose(run(type), exact, 0.1);
}

TEST(Flow, TapsHearEveryLayersJointAttention) {
    const Opened model = opened(goldenPath("flux_tiny_harope_inverse.safetensors"));
    std::vector<int> layers, mapped;
    JointTaps taps;
    taps.maps = [&](int layer, HeadMaps&) { mapped.push_back(layer); };
    taps.attention = [&](int layer, const at::Tensor& attention, std::int64_t text) {
        layers.push_back(layer);
        EXPECT_EQ(text, 5);
        EXPECT_EQ(attention.sizes(), (at::IntArrayRef{2, 2, 17, 17}));
        EXPECT_LE((attention.sum(-1) - 1).abs().max().item<double>(), 1e-5);
    };
    expectClose(fluxOutput(model, "flux_tiny_harope_inverse", kPlenty, at::kFloat, taps),
                expected("flux_tiny_harope_inverse", "out").to(at::kDouble));
    EXPECT_EQ(layers, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(mapped, layers);
}

class FlowFolder : public InFolder {};

/// A diffusers folder whose weights lie in two files.
TEST_F(FlowFolder, ShardsAreOneModel) {
    const TensorTable whole = TensorTable::open(goldenPath("sd3_tiny_native.safetensors")).value();
    std::map<std::string, Array> halves[2];
    std::string map;
    int i = 0;
    for (const TensorEntry& entry : whole.tensors()) {
        const int half = i++ % 2;
        halves[half][entry.name] = whole.read(entry.name).value();
        map += (map.empty() ? "\"" : ",\"") + entry.name + "\":\"part-" + std::to_string(half) + ".safetensors\"";
    }
    std::filesystem::create_directories(path("m/transformer"));
    for (int half = 0; half < 2; ++half)
        ASSERT_TRUE(
            writeSafetensors(path("m/transformer/part-" + std::to_string(half) + ".safetensors"), halves[half]));
    const std::string index = path("m/transformer/diffusion_pytorch_model.safetensors.index.json");
    const auto writeIndex = [&](const std::string& weights) {
        std::ofstream(index) << R"({"metadata":{"total_size":1},"weight_map":{)" << weights << "}}";
    };
    writeIndex(map);
    std::ofstream(path("m/transformer/config.json")) << R"({"num_attention_heads": 2})";
    const Opened model = opened(path("m"));
    EXPECT_EQ(model.card.name, "m");
    expectClose(mmditOutput(model, "sd3_tiny_native"), expected("sd3_tiny_native", "out").to(at::kDouble));
    const auto refusal = [&](const std::string& weights) {
        writeIndex(weights);
        const auto table = TensorTable::open(path("m"));
        return table ? std::string("opened") : table.error().message();
    };
    EXPECT_NE(refusal(R"("a":"../part-0.safetensors")").find("FO-01"), std::string::npos);
    EXPECT_NE(refusal(R"("a":"part-7.safetensors")").find("FO-02"), std::string::npos);
    EXPECT_NE(refusal(map + R"(,"unknown":"part-0.safetensors")").find("unknown in part-0"), std::string::npos);
    EXPECT_NE(refusal(map + "," + map).find("FO-03"), std::string::npos);
    EXPECT_NE(refusal(R"("a":3)").find("FO-03"), std::string::npos);
    writeIndex(map);
    std::filesystem::copy_file(path("m/transformer/part-0.safetensors"), path("m/transformer/part-1.safetensors"),
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_NE(TensorTable::open(path("m")).error().message().find("FO-02"), std::string::npos);
}

TEST_F(FlowFolder, AFolderOfPartsOffersThem) {  // FO-04
    std::filesystem::create_directories(path("m/vae"));
    std::filesystem::create_directories(path("m/text_encoder"));
    for (const char* file : {"m/vae/diffusion_pytorch_model.safetensors", "m/text_encoder/model.safetensors"})
        std::filesystem::copy_file(goldenPath("vae_tiny.safetensors"), path(file));
    const auto refused = TensorTable::open(path("m"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "FO-04");
    EXPECT_NE(refused.error().message().find("text_encoder, vae"), std::string::npos) << refused.error().message();
    // The same weights in two formats.
    std::ofstream(path("m/vae/diffusion_pytorch_model.bin")) << "pickle";
    const auto both = TensorTable::open(path("m/vae"));
    ASSERT_TRUE(both) << both.error().message();
    EXPECT_TRUE(std::ranges::any_of(both->notes(),
                                    [](const std::string& note) { return note.find("left alone") != note.npos; }));
}

TEST_F(FlowFolder, AConfigurationThatDisagreesIsToldAndStopsThePass) {  // CF-03
    std::filesystem::copy_file(goldenPath("flux_tiny.safetensors"), path("f.safetensors"));
    std::string config((std::istreambuf_iterator<char>(std::ifstream(goldenPath("flux_tiny.config.json")).rdbuf())),
                       {});
    const std::size_t at = config.find("\"num_layers\": ");
    ASSERT_NE(at, std::string::npos);
    config.replace(at, 15, "\"num_layers\": 9");
    std::ofstream(path("f.config.json")) << config;
    ModelRef ref;
    ref.path = path("f.safetensors");
    const auto card = openCard(ref);
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_EQ(card->jointLayers, 1);
    ASSERT_EQ(card->conflicts.size(), 1u);
    EXPECT_EQ(checkConflicts(*card).error().code, "CF-03");
    ref.config = goldenPath("flux_tiny.config.json");
    EXPECT_TRUE(checkConflicts(*openCard(ref)));
}

/// Weights in 8 bits with a factor beside them, as ComfyUI writes them.
TEST_F(FlowFolder, ScaledEightBitWeightsAreMultipliedOut) {
    const std::string name = "double_blocks.0.img_attn.qkv.weight";
    const TensorTable whole = TensorTable::open(goldenPath("flux_tiny_native.safetensors")).value();
    std::map<std::string, Array> tensors;
    for (const TensorEntry& entry : whole.tensors()) tensors[entry.name] = whole.read(entry.name).value();
    const at::Tensor own = goldenTensor(goldenPath("flux_tiny_native.safetensors"), name).to(at::kFloat);
    const float scale = own.abs().max().item<float>() / 448;
    const at::Tensor small = (own / scale).to(at::kFloat8_e4m3fn).contiguous();
    Array bytes{DType::F8E4M3, own.sizes().vec(), std::vector<std::byte>(static_cast<std::size_t>(own.numel()))};
    std::memcpy(bytes.bytes.data(), small.const_data_ptr(), bytes.bytes.size());
    tensors[name] = bytes;
    tensors["double_blocks.0.img_attn.qkv.scale_weight"] = makeArray(std::vector<float>{scale}, {1});
    tensors["double_blocks.0.img_attn.qkv.scale_input"] = makeArray(std::vector<float>{1.f}, {1});
    tensors["scaled_fp8"] = makeArray(std::vector<float>{0.f, 0.f}, {2});
    ASSERT_TRUE(writeSafetensors(path("f.safetensors"), tensors));
    std::filesystem::copy_file(goldenPath("flux_tiny_native.config.json"), path("f.config.json"));
    const Opened model = opened(path("f.safetensors"));
    EXPECT_TRUE(checkComplete(model.table, model.card));
    WeightStore weights(model.table, at::kFloat, at::kCPU, 1 << 30);
    const at::Tensor read = weights.block("double_blocks.0.").at("img_attn.qkv.weight");
    expectClose(read, small.to(at::kFloat) * scale, 1e-6);
    // Three bits of mantissa: half a step is 1/16 of a number.
    EXPECT_LT(((read - own).abs() / (own.abs() + scale)).max().item<double>(), 1.0 / 15);
    auto alone = tensors;
    alone.erase(name);
    ASSERT_TRUE(writeSafetensors(path("g.safetensors"), alone));
    EXPECT_FALSE(checkComplete(TensorTable::open(path("g.safetensors")).value(), model.card));
    // The newer names, one factor a row.
    const std::string module = name.substr(0, name.rfind('.'));
    tensors.erase(module + ".scale_weight"), tensors.erase(module + ".scale_input");
    const std::vector<float> factors(static_cast<std::size_t>(own.size(0)), scale);
    tensors[module + ".weight_scale"] = makeArray(std::span<const float>(factors), {own.size(0), 1});
    tensors[module + ".input_scale"] = makeArray(std::vector<float>{1.f}, {1});
    const auto quantised = [&](const std::string& format) {
        const std::string json = R"({"format": ")" + format + "\"}";
        return makeArray(std::vector<std::uint8_t>(json.begin(), json.end()), {static_cast<std::int64_t>(json.size())});
    };
    tensors[module + ".comfy_quant"] = quantised("float8_e4m3fn");
    ASSERT_TRUE(writeSafetensors(path("f.safetensors"), tensors));
    const Opened newer = opened(path("f.safetensors"));
    EXPECT_TRUE(checkStorage(newer.table));
    WeightStore same(newer.table, at::kFloat, at::kCPU, 1 << 30);
    EXPECT_TRUE(at::equal(same.block("double_blocks.0.").at("img_attn.qkv.weight"), read));
    // What is not understood is refused, not read as numbers.
    const auto refused = [&](const std::string& tensor, const Array& array) {
        auto strange = tensors;
        strange[tensor] = array;
        EXPECT_TRUE(writeSafetensors(path("s.safetensors"), strange));
        const auto checked = checkStorage(TensorTable::openPlain(path("s.safetensors")).value());
        EXPECT_FALSE(checked) << tensor;
        return checked ? std::string() : checked.error().code;
    };
    EXPECT_EQ(refused(module + ".comfy_quant", quantised("nvfp4")), "TC-07");
    const std::string number = R"({"format": 1})";
    EXPECT_EQ(refused(module + ".comfy_quant", makeArray(std::vector<std::uint8_t>(number.begin(), number.end()),
                                                         {static_cast<std::int64_t>(number.size())})),
              "TC-07");
    EXPECT_EQ(refused(module + ".weight_scale_2", makeArray(std::vector<float>{1.f}, {1})), "TC-07");
    EXPECT_EQ(refused(name, Array{DType::I8, {4, 4}, std::vector<std::byte>(16)}), "TC-07");
    EXPECT_EQ(refused(module + ".SCB", makeArray(std::vector<float>{1.f}, {1})), "TC-07");
}

TEST_F(FlowFolder, HalfPrecisionVariantsAreFoundWhereThereIsNothingElse) {
    std::filesystem::create_directories(path("m/transformer"));
    const std::string file = path("m/transformer/diffusion_pytorch_model.fp16.safetensors");
    std::filesystem::copy_file(goldenPath("sd35_tiny.safetensors"), file);
    std::filesystem::copy_file(goldenPath("sd35_tiny.config.json"), path("m/transformer/config.json"));
    const Opened model = opened(path("m"));
    EXPECT_EQ(model.card.heads, 2);
    EXPECT_EQ(model.card.name, "m");
    std::filesystem::copy_file(file, path("m/transformer/diffusion_pytorch_model.safetensors"));
    EXPECT_TRUE(opened(path("m")).table.path().ends_with("model.safetensors"));
}

}  // namespace
}  // namespace ropescope
