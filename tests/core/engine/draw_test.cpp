// SPDX-License-Identifier: Apache-2.0
// FLUX and SD3 from given embeddings, against the pictures of diffusers' pipelines.
#include "core/engine/draw.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "core/data/picture_settings.h"
#include "core/engine/attention.h"
#include "core/engine/decoder.h"
#include "core/engine/flow_inputs.h"
#include "core/engine/text_prompt.h"
#include "core/sampling/flow_schedule.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

const std::string kExpected = goldenPath("pipelines.expected.safetensors");

GenerateRequest sd3() {
    GenerateRequest c;
    c.model.path = goldenPath("sd35_tiny.safetensors");
    c.compute.device = "cpu";
    c.compute.threads = 1;
    c.text.embeddings = c.noiseFile = goldenPath("pipelines.safetensors");
    c.vae = goldenPath("vae_tiny.safetensors");
    c.steps = 5;
    c.guidance = 4;
    return c;
}

GenerateRequest flux() {
    GenerateRequest c = sd3();
    c.model.path = goldenPath("flux_tiny.safetensors");
    c.noiseFile = goldenPath("pipelines_flux_noise.safetensors");
    c.vae.clear();
    c.steps = 4;
    c.guidance = 2.5;
    return c;
}

at::Tensor tensorOf(const Array& a) {
    return at::from_blob(const_cast<std::byte*>(a.bytes.data()), a.shape, at::kFloat).clone();
}

GenerateResult drawn(const GenerateRequest& command) {
    auto result = drawFromText(command, {});
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

TEST(Draw, Sd3EqualsDiffusersByEulerAndHeun) {
    for (const Sampler sampler : {Sampler::Euler, Sampler::Heun}) {
        GenerateRequest c = sd3();
        c.sampler = sampler;
        const GenerateResult result = drawn(c);
        expectClose(tensorOf(result.latents),
                    goldenTensor(kExpected, sampler == Sampler::Euler ? "sd3_euler" : "sd3_heun"));
        if (sampler == Sampler::Heun) continue;
        const Array& pixels = result.images[0].pixels;
        ASSERT_EQ(pixels.shape, (std::vector<std::int64_t>{24, 32, 3}));
        const at::Tensor found =
            at::from_blob(const_cast<std::byte*>(pixels.bytes.data()), pixels.shape, at::kByte).permute({2, 0, 1});
        const at::Tensor reference = goldenTensor(kExpected, "sd3_euler_picture")[0];
        EXPECT_LE((found.to(at::kDouble) - reference).abs().max().item<double>(), 2);
    }
}

TEST(Draw, StepsGoThroughTheAutoencoderOnRequest) {
    const GenerateRequest c = sd3();
    const GenerateResult result = drawn(c);
    // Euler ends at the clean estimate of its last step: that step decoded is the picture.
    const auto last = decodeStep({c, c.steps - 1, c.vae}, {});
    ASSERT_TRUE(last) << last.error().message();
    EXPECT_EQ(last->pixels, result.images[0].pixels);
    const auto first = decodeStep({c, 0, c.vae}, {});
    ASSERT_TRUE(first);
    EXPECT_EQ(first->pixels.shape, last->pixels.shape);
    EXPECT_NE(first->pixels, last->pixels);
    EXPECT_NE(decodeStep({c, c.steps, c.vae}, {}).error().message().find("not kept"), std::string::npos);
    GenerateRequest other = c;
    other.steps = 6;
    EXPECT_NE(decodeStep({other, 0, c.vae}, {}).error().message().find("not kept"), std::string::npos);
    EXPECT_NE(decodeStep({c, 0, ""}, {}).error().message().find("no autoencoder"), std::string::npos);
    EXPECT_EQ(decodeStep({c, 0, goldenPath("flux_tiny.safetensors")}, {}).error().kind, ErrorKind::Usage);
}

TEST(Draw, FluxEqualsDiffusersUnderBothNames) {
    for (const char* name : {"flux_tiny", "flux_tiny_native"}) {
        GenerateRequest c = flux();
        c.model.path = goldenPath(std::string(name) + ".safetensors");
        expectClose(tensorOf(drawn(c).latents), goldenTensor(kExpected, "flux_euler"));
        c.text.trueGuidance = 3;
        const GenerateResult against = drawn(c);
        expectClose(tensorOf(against.latents), goldenTensor(kExpected, "flux_true"));
        EXPECT_NE(against.images[0].recipe.find("--true-guidance 3"), std::string::npos);
    }
}

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
    const auto done = drawFromText(c, context);
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
    const auto projected = drawFromText(c, {});
    ASSERT_TRUE(projected) << projected.error().message();
    expectClose(tensorOf(projected->latents), expected("flux_latents"));
    std::filesystem::remove_all(path("m/tokenizer_2"));
    EXPECT_EQ(drawFromText(c, {}).error().code, "CF-05");
    std::filesystem::remove_all(path("m/text_encoder"));
    const auto missing = drawFromText(c, {});
    EXPECT_NE(missing.error().message().find("text_encoder"), std::string::npos) << missing.error().message();
}

TEST_F(DrawFolder, Sd3MakesThePromptsPictureAgainstTheNegativeOne) {
    weights("sd35_tiny", "transformer"), weights("vae_tiny", "vae");
    part("clip_l", "text_encoder"), part("tokenizer", "tokenizer");
    part("clip_g", "text_encoder_2"), part("tokenizer_bang", "tokenizer_2");
    part("t5", "text_encoder_3"), part("tokenizer_2", "tokenizer_3");
    GenerateRequest c = command("sd3_noise");
    c.guidance = 4;
    const auto done = drawFromText(c, {});
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
    EXPECT_TRUE(drawFromText(c, {}));
    std::filesystem::remove_all(path("m/text_encoder_2"));
    part("clip_flux", "text_encoder_2");
    const auto wide = drawFromText(c, {});
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
    AttentionRequest question{c, 1, {1, 1}, {2}, {0}};
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
    const auto done = drawFromText(one, {});
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
    const auto files = drawFromText(one, {});
    ASSERT_TRUE(files) << files.error().message();
    expectClose(tensorOf(files->latents), expected("sd3_latents"));
    std::filesystem::remove(path("words/clip_g.safetensors"));
    const auto missing = drawFromText(one, {});
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message().find("clip_g"), std::string::npos) << missing.error().message();
}

TEST(Draw, LevelsAreThoseOfThePublishedSchedules) {
    const auto near = [](const std::vector<FlowStep>& steps, std::vector<std::pair<int, double>> expected) {
        for (const auto& [i, value] : expected) EXPECT_NEAR(steps[i].time, value, 1e-6) << i;
        EXPECT_EQ(steps.back().next, 0);
    };
    near(shiftedFlowSteps(28, fluxShift(4096), FlowSpacing::Even),
         {{0, 1}, {1, 0.988409}, {2, 0.976222}, {3, 0.963394}, {26, 0.195455}, {27, 0.104721}});
    near(shiftedFlowSteps(28, 3, FlowSpacing::TrainedEnds),
         {{0, 1}, {1, 0.987381}, {2, 0.974108}, {25, 0.199827}, {26, 0.110906}, {27, 0.008929}});
    near(shiftedFlowSteps(4, 1, FlowSpacing::Even), {{0, 1}, {1, 0.75}, {2, 0.5}, {3, 0.25}});
    EXPECT_FALSE(planFlow(Sampler::Ddim, shiftedFlowSteps(2, 1, FlowSpacing::Even)));
    EXPECT_THROW((void)shiftedFlowSteps(2, 0, FlowSpacing::Even), std::invalid_argument);
}

TEST(Draw, TheSeedsNoiseAndTheRecipe) {
    GenerateRequest c = flux();
    c.noiseFile.clear();
    c.size = {48, 64};
    c.seed = 7;
    c.text.shift = 2.0;
    c.model.loras = {{goldenPath("lora_tiny_kohya.safetensors"), 0.5}};
    const GenerateResult result = drawn(c);
    EXPECT_EQ(result.latents.shape, (std::vector<std::int64_t>{1, 2, 6, 8}));
    EXPECT_EQ(drawn(c).latents, result.latents);
    const auto recipe = nlohmann::json::parse(result.images[0].recipe);
    EXPECT_EQ(recipe["seed"], 7);
    EXPECT_EQ(recipe["shift"], 2.0);
    EXPECT_EQ(recipe["loras"][0]["strength"], 0.5);
    EXPECT_EQ(recipe["size"], "48x64");
    const std::string line = recipe["command"];
    for (const char* part :
         {" --seed 7 ", " --shift 2 ", " --size 48x64 ", "lora_tiny_kohya.safetensors:0.5", " --embeddings "})
        EXPECT_NE(line.find(part), std::string::npos) << line;
    // What the picture carries makes it again.
    const auto carried = settingsOfTexts("p.png", {{"ropescope", result.images[0].recipe}});
    ASSERT_TRUE(carried) << carried.error().message();
    EXPECT_TRUE(carried->complete);
    EXPECT_EQ(drawn(carried->settings).latents, result.latents);
    c.model.loras.clear();
    EXPECT_NE(drawn(c).latents, result.latents);
}

TEST(Draw, PicturesOfABatchAreThoseOfTheirSeeds) {
    GenerateRequest c = flux();
    c.noiseFile.clear();
    c.size = {32, 48};
    c.seed = 3;
    c.batch = 2;
    c.sampler = Sampler::Dpmpp2m;
    const GenerateResult both = drawn(c);
    ASSERT_EQ(both.images.size(), 2u);
    EXPECT_EQ(both.images[1].seed, 4u);
    const auto second = settingsOfTexts("p.png", {{"ropescope", both.images[1].recipe}});
    ASSERT_TRUE(second);
    EXPECT_EQ(second->settings.batch, 1);
    // A batch of two and one picture may add up in another order.
    expectClose(tensorOf(drawn(second->settings).latents)[0], tensorOf(both.latents)[1].to(at::kDouble), 1e-5);
}

TEST(Draw, RefusesBeforeTheFirstStep) {
    {  // guidance without its other side
        GenerateRequest c = sd3();
        Tensors alone;
        for (const char* name : {"encoder_hidden_states", "pooled_projections"})
            alone[name] = goldenTensor(goldenPath("pipelines.safetensors"), name);
        const std::string file =
            std::filesystem::temp_directory_path() / ("ropescope_alone_" + std::to_string(::getpid()) + ".safetensors");
        writeWeights(file, alone);
        c.text.embeddings = file;
        const auto refused = drawFromText(c, {});
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message().find("negative_encoder_hidden_states"), std::string::npos)
            << refused.error().message();
        c.guidance = 1;
        EXPECT_TRUE(drawFromText(c, {}));
        std::filesystem::remove(file);
    }
    const auto refused = [](const GenerateRequest& c, const std::string& words) {
        int steps = 0;
        JobContext context;
        context.onProgress = [&](const GenerateProgress&) { ++steps; };
        const auto result = drawFromText(c, context);
        ASSERT_FALSE(result);
        EXPECT_NE(result.error().message().find(words), std::string::npos) << result.error().message();
        EXPECT_EQ(steps, 0);
    };
    GenerateRequest c = flux();
    c.noiseFile.clear();
    c.size = {50, 64};
    refused(c, "multiples of 16");
    c = sd3();
    c.noiseFile.clear();
    refused(c, "at most 128 a side");  // a table of 8 x 8 patches of 2 latents
    c = sd3();
    c.vae = goldenPath("vae16_tiny.safetensors");
    refused(c, "16 channels");
    c = sd3();
    c.text.embeddings = goldenPath("flux_tiny.expected.safetensors");  // a batch of two
    refused(c, "encoder_hidden_states: wrong shape");
    c = sd3();
    c.model.path = goldenPath("dit_ape_tiny.pt");
    c.model.heads = 3;
    refused(c, "takes no text");
    c = flux();
    c.sampler = Sampler::Ddpm;
    refused(c, "euler, heun");
    c = flux();
    c.text.memory = 1'000'000'001;
    refused(c, "two blocks");
    std::stop_source source;
    source.request_stop();
    JobContext context;
    context.stop = source.get_token();
    EXPECT_EQ(drawFromText(flux(), context).error().exitCode(), 130);
}

}  // namespace
}  // namespace ropescope
