// SPDX-License-Identifier: Apache-2.0
// Prompts through complete tiny folders and files of FLUX and SD3, against diffusers' pictures.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "core/engine/measure/attention.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/text_prompt.h"
#include "core/engine/run/decoder.h"
#include "core/engine/run/generate.h"
#include "tests/core/engine/tiny_pipelines.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

/// Complete folders as diffusers writes them, of the parts in tests/golden.
class DrawFolder : public InFolder {
protected:
    void part(const std::string& from, const std::string& to) const {
        std::filesystem::create_directories(path("m"));
        std::filesystem::copy(goldenPath("text/" + from), path("m/" + to), std::filesystem::copy_options::recursive);
    }
    void weights(const std::string& name, const std::string& to) const {
        const std::string folder = path("m/" + to);
        std::filesystem::create_directories(folder);
        std::filesystem::copy_file(goldenPath(name + ".safetensors"), folder + "/diffusion_pytorch_model.safetensors");
        std::filesystem::copy_file(goldenPath(name + ".config.json"), folder + "/config.json");
    }
    GenerateRequest command(const std::string& noise) const {
        const at::Tensor own = goldenTensor(goldenPath("text/expected.safetensors"), noise).to(at::kFloat);
        writeWeights(path("noise.safetensors"), {{"noise", own}});
        const auto prompts = nlohmann::json::parse(std::ifstream(goldenPath("text/prompts.json")));
        GenerateRequest c;
        c.model.path = path("m");
        c.compute.device = "cpu";
        c.compute.threads = 1;
        c.noiseFile = path("noise.safetensors");
        c.text.prompt = prompts["prompt"], c.text.negative = prompts["negative"];
        c.guidance = 3.5;
        c.steps = 3;
        return c;
    }
    static at::Tensor expected(const std::string& name) {
        return goldenTensor(goldenPath("text/expected.safetensors"), name);
    }
};

TEST_F(DrawFolder, FluxMakesThePromptsPicture) {
    weights("flux_tiny", "transformer");
    part("clip_flux", "text_encoder"), part("tokenizer", "tokenizer");
    part("t5", "text_encoder_2"), part("tokenizer_2", "tokenizer_2");
    GenerateRequest c = command("flux_noise");
    std::vector<std::string> notes;
    JobContext context;
    context.onNote = [&](const std::string& note) { notes.push_back(note); };
    const auto done = generate(c, context);
    if (!done && done.error().code == "no-text") GTEST_SKIP() << done.error().message();
    ASSERT_TRUE(done) << done.error().message();
    expectClose(tensorOf(done->latents), expected("flux_latents"));
    ASSERT_EQ(notes.size(), 3u);
    EXPECT_NE(notes[1].find("of 77 tokens"), std::string::npos) << notes[1];
    EXPECT_NE(notes[2].find("of 512 tokens"), std::string::npos) << notes[2];
    // A projection in the file is not for FLUX.
    const std::string clip = path("m/text_encoder/model.safetensors");
    Tensors own = readWeights(clip);
    own["text_projection.weight"] = at::zeros({8, 8});
    writeWeights(clip, own);
    const auto projected = generate(c, {});
    ASSERT_TRUE(projected) << projected.error().message();
    expectClose(tensorOf(projected->latents), expected("flux_latents"));
    std::filesystem::remove_all(path("m/tokenizer_2"));
    EXPECT_EQ(generate(c, {}).error().code, "CF-05");
    std::filesystem::remove_all(path("m/text_encoder"));
    const auto missing = generate(c, {});
    EXPECT_NE(missing.error().message().find("text_encoder"), std::string::npos) << missing.error().message();
}

TEST_F(DrawFolder, Sd3MakesThePromptsPictureAgainstTheNegativeOne) {
    weights("sd35_tiny", "transformer"), weights("vae_tiny", "vae");
    part("clip_l", "text_encoder"), part("tokenizer", "tokenizer");
    part("clip_g", "text_encoder_2"), part("tokenizer_bang", "tokenizer_2");
    part("t5", "text_encoder_3"), part("tokenizer_2", "tokenizer_3");
    GenerateRequest c = command("sd3_noise");
    c.guidance = 4;
    const auto done = generate(c, {});
    if (!done && done.error().code == "no-text") GTEST_SKIP() << done.error().message();
    ASSERT_TRUE(done) << done.error().message();
    expectClose(tensorOf(done->latents), expected("sd3_latents"));
    const Array& pixels = done->images[0].pixels;
    const at::Tensor found =
        at::from_blob(const_cast<std::byte*>(pixels.bytes.data()), pixels.shape, at::kByte).permute({2, 0, 1});
    EXPECT_LE((found.to(at::kDouble) - expected("sd3_picture")[0]).abs().max().item<double>(), 2);
    EXPECT_NE(done->images[0].recipe.find("negative_prompt"), std::string::npos);
    // Without T5 zeros stand in its place; a T5 of another width is refused.
    std::filesystem::rename(path("m/text_encoder_3"), path("m/away"));
    EXPECT_TRUE(generate(c, {}));
    std::filesystem::remove_all(path("m/text_encoder_2"));
    part("clip_flux", "text_encoder_2");
    const auto wide = generate(c, {});
    const auto told = tokensOf({c.model, "", "a cat"});
    EXPECT_EQ(told.error().code, "text-encoder") << "known before anything runs";
    ASSERT_FALSE(wide);
    EXPECT_EQ(wide.error().code, "text-encoder") << wide.error().message();
}

TEST_F(DrawFolder, ReplacedPartsAreReadAgain) {
    weights("flux_tiny", "transformer");
    GenerateRequest c = command("flux_noise");
    c.text.embeddings = path("words.safetensors");
    const auto embeddings = [&](double factor) {
        Tensors both;
        for (const char* name : {"encoder_hidden_states", "pooled_projections"})
            both[name] = factor * goldenTensor(goldenPath("pipelines.safetensors"), name);
        writeWeights(c.text.embeddings, both);
    };
    embeddings(1);
    const Array before = drawn(c).latents;
    EXPECT_EQ(drawn(c).latents, before);
    AttentionRequest question{c, 1, {1, 1}, {2}, {0}, {}};
    const auto looks = [&] { return attentionOf(question, {}).value().looks.image; };
    const std::vector<float> saw = looks();
    // The same size, inside the folder.
    const std::string file = path("m/transformer/diffusion_pytorch_model.safetensors");
    const TensorTable plain = TensorTable::openPlain(file).value();
    std::map<std::string, Array> changed;
    for (const TensorEntry& entry : plain.tensors()) {
        std::vector<float> values = plain.readFloat(entry.name).value();
        if (entry.name == "x_embedder.weight") std::ranges::transform(values, values.begin(), std::negate());
        changed[entry.name] = makeArray(std::span<const float>(values), entry.shape);
    }
    ASSERT_TRUE(writeSafetensors(file, changed));
    const std::vector<float> after = looks();
    EXPECT_NE(after, saw);
    EXPECT_NE(drawn(c).latents, before);
    embeddings(2);
    EXPECT_NE(looks(), after);
}

TEST_F(DrawFolder, EncodersTakeTheMemoryThatWeightsHold) {
    weights("sd35_tiny", "transformer");
    WeightStore store(TensorTable::open(path("m")).value(), at::kFloat, at::kCPU, 1 << 30);
    (void)store.block("joint_blocks.0.");
    const std::uint64_t kept = store.keptBytes();
    ASSERT_GT(kept, 0u);
    constexpr std::uint64_t kLimit = 4'000'000'000;
    EXPECT_EQ(makeRoom(store, 1000, kLimit), kLimit - kept) << "there is room: the rest";
    EXPECT_EQ(store.keptBytes(), kept);
    EXPECT_EQ(makeRoom(store, kLimit - kept, kLimit), kLimit) << "there is none: everything";
    EXPECT_EQ(store.keptBytes(), 0u);
    EXPECT_TRUE(store.block("joint_blocks.0.").size() > 0) << "read again";
}

TEST_F(DrawFolder, PicturesAreDecodedAsAWholeWhereMemoryAllows) {
    const auto decoder = decoderFor(goldenPath("vae_tiny.safetensors"), "", 4, at::kCPU, {0.18215, 0});
    ASSERT_TRUE(decoder && *decoder);
    at::manual_seed(3);
    const at::Tensor latents = at::randn({4, 72, 80});
    const DecodedPicture whole = decoded(**decoder, latents, 0, {});
    EXPECT_FALSE(whole.tiled);
    EXPECT_TRUE(at::equal(whole.pixels, decode((*decoder)->vae, latents.unsqueeze(0) / (*decoder)->scale)[0]));
    const DecodedPicture tiled = decoded(**decoder, latents, 1, {});
    EXPECT_TRUE(tiled.tiled);
    EXPECT_EQ(tiled.pixels.sizes(), whole.pixels.sizes());
    std::stop_source source;
    source.request_stop();
    EXPECT_FALSE(decoded(**decoder, latents, 0, source.get_token()).pixels.defined());
}

/// FLUX.1 Fill, Canny and Depth: told before the prompt is read, and still to be inspected.
TEST_F(DrawFolder, ModelsThatTakeAPictureBesideNoiseAreRefused) {
    Tensors tensors = readWeights(goldenPath("flux_tiny_native.safetensors"));
    const std::vector<std::int64_t> in = tensors.at("img_in.weight").sizes().vec();
    tensors["img_in.weight"] = at::zeros({in[0], in[1] + 8});
    writeWeights(path("fill.safetensors"), tensors);
    GenerateRequest c = flux();
    c.model.path = path("fill.safetensors");
    std::filesystem::copy_file(goldenPath("flux_tiny_native.config.json"), path("fill.config.json"));
    const auto card = openCard(c.model);
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_EQ(card->inChannels, card->outChannels + 8);
    const auto refused = generate(c, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "needs-picture") << refused.error().message();
}

TEST_F(DrawFolder, NoiseMayBeTheOnlyTensorOfItsFile) {
    GenerateRequest c = sd3();
    const Array before = drawn(c).latents;
    writeWeights(path("other.safetensors"), {{"latents", goldenTensor(c.noiseFile, "noise")}});
    c.noiseFile = path("other.safetensors");
    EXPECT_EQ(drawn(c).latents, before);
}

/// One file as Stability AI publishes them: transformer, text encoders and VAE under prefixes.
TEST_F(DrawFolder, OneFileWithAllPartsMakesTheSamePicture) {
    const GenerateRequest c = command("sd3_noise");
    std::map<std::string, Array> all;
    const auto add = [&](const std::string& from, const std::string& prefix) {
        const TensorTable part = TensorTable::openPlain(from).value();
        for (const TensorEntry& entry : part.tensors()) all[prefix + entry.name] = part.read(entry.name).value();
    };
    add(goldenPath("sd35_tiny_native.safetensors"), "model.diffusion_model.");
    add(goldenPath("vae_tiny_native.safetensors"), "first_stage_model.");
    for (const auto& [folder, kind] :
         {std::pair("clip_l", "clip_l"), std::pair("clip_g", "clip_g"), std::pair("t5", "t5xxl")}) {
        add(goldenPath(std::string("text/") + folder + "/model.safetensors"),
            std::string("text_encoders.") + kind + ".transformer.");
        std::filesystem::create_directories(path("words"));
        std::filesystem::copy_file(goldenPath(std::string("text/") + folder + "/config.json"),
                                   path(std::string("words/") + kind + ".json"));
    }
    ASSERT_TRUE(writeSafetensors(path("one.safetensors"), all));
    auto config = nlohmann::json::parse(std::ifstream(goldenPath("sd35_tiny_native.config.json")));
    config["norm_num_groups"] =
        nlohmann::json::parse(std::ifstream(goldenPath("vae_tiny.config.json")))["norm_num_groups"];
    std::ofstream(path("one.config.json")) << config;
    std::filesystem::copy(goldenPath("text/tokenizer"), path("words/tokenizer"));
    std::filesystem::copy(goldenPath("text/tokenizer_2"), path("words/tokenizer_3"));
    GenerateRequest one = c;
    one.model.path = path("one.safetensors");
    one.text.encoders = path("words");
    one.guidance = 4;
    const auto done = generate(one, {});
    if (!done && done.error().code == "no-text") GTEST_SKIP() << done.error().message();
    ASSERT_TRUE(done) << done.error().message();
    expectClose(tensorOf(done->latents), expected("sd3_latents"));
    EXPECT_EQ(done->images[0].pixels.shape[0], 24);  // decoded, by the VAE inside
    // Encoders as files of a folder.
    for (const auto& [folder, file] :
         {std::pair("clip_l", "clip_l.safetensors"), std::pair("clip_g", "clip_g.safetensors"),
          std::pair("t5", "t5xxl_fp16.safetensors")})
        std::filesystem::copy_file(goldenPath(std::string("text/") + folder + "/model.safetensors"),
                                   path(std::string("words/") + file));
    // Of two the whole one is taken, whatever order the folder has.
    std::filesystem::copy_file(goldenPath("text/clip_l/model.safetensors"), path("words/t5xxl_fp8_e4m3fn.safetensors"));
    one.model.path = goldenPath("sd35_tiny_native.safetensors");
    const auto told = tokensOf({one.model, one.text.encoders, "a cat"});
    ASSERT_TRUE(told) << told.error().message();
    EXPECT_EQ(told->parts.back().encoder, "t5xxl_fp16");
    const auto files = generate(one, {});
    ASSERT_TRUE(files) << files.error().message();
    expectClose(tensorOf(files->latents), expected("sd3_latents"));
    std::filesystem::remove(path("words/clip_g.safetensors"));
    const auto missing = generate(one, {});
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message().find("clip_g"), std::string::npos) << missing.error().message();
}

}  // namespace
}  // namespace ropescope
