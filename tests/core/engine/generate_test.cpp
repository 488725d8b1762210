// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/generate.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/data/picture_settings.h"
#include "core/data/safetensors.h"
#include "core/model/vae.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

const std::string kHarope = goldenPath("harope_dit_tiny.pt");
const std::string kHaropeExpected = goldenPath("harope_dit_tiny.expected.safetensors");

GenerateRequest haropeRequest(Convention convention) {
    GenerateRequest r;
    r.model.path = kHarope;
    r.model.convention = convention;
    r.compute.device = "cpu";
    r.compute.threads = 1;
    r.labels = {2};
    r.steps = 10;
    r.guidance = 1.5;
    r.noiseFile = kHaropeExpected;
    return r;
}

at::Tensor tensorOf(const Array& a) {
    return at::from_blob(const_cast<std::byte*>(a.bytes.data()), a.shape, at::kFloat).clone();
}

at::Tensor latentsOf(const GenerateRequest& request) {
    const auto result = generate(request, {});
    if (!result) throw std::runtime_error(result.error().message());
    return tensorOf(result->latents);
}

std::string temporary(const std::string& name) {
    return (std::filesystem::path(testing::TempDir()) / name).string();
}

std::string writeStepNoise() {
    const std::string path = temporary("ropescope_step_noise.safetensors");
    const at::Tensor noise = goldenTensor(kHaropeExpected, "ddpm_noises").to(at::kFloat).contiguous();
    const std::span<const float> values(noise.const_data_ptr<float>(), noise.numel());
    EXPECT_TRUE(writeSafetensors(path, {{"anything", makeArray(values, noise.sizes().vec())}}));
    return path;
}

TEST(Generate, EqualsTheRecordedDdimLatentsOfBothConventions) {
    for (const auto& [convention, version] : {std::pair{Convention::Same, "v1."}, {Convention::Inverse, "v2."}}) {
        SCOPED_TRACE(version);
        expectClose(latentsOf(haropeRequest(convention)),
                    goldenTensor(kHaropeExpected, std::string(version) + "ddim10_cfg1.5"));
    }
}

TEST(Generate, LargerPicturesByExtrapolationSayTheirMethod) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.noiseFile.clear();
    r.steps = 2, r.size = {16, 12};
    const at::Tensor plain = latentsOf(r);
    r.extrapolate = {Extrapolation::Yarn, {4, 4}};
    const auto result = generate(r, {});
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_GT((tensorOf(result->latents) - plain).abs().max().item<double>(), 1e-3);
    const auto recipe = nlohmann::json::parse(result->images[0].recipe);
    EXPECT_EQ(recipe.at("extrapolation"), "yarn");
    EXPECT_EQ(recipe.at("trained_grid"), "4x4");
    const auto carried = settingsOfTexts("p.png", {{"ropescope", result->images[0].recipe}});
    ASSERT_TRUE(carried) << carried.error().message();
    EXPECT_TRUE(at::equal(latentsOf(carried->settings), tensorOf(result->latents)));
    EXPECT_NE(recipe.at("command").get<std::string>().find("--extrapolation yarn"), std::string::npos);
    // At the trained size no method changes anything.
    r.size = {8, 8};
    const at::Tensor trained = latentsOf(r);
    r.extrapolate.method = Extrapolation::None;
    EXPECT_TRUE(at::equal(latentsOf(r), trained));
}

TEST(Generate, AbsolutePositionsAreResizedOnRequestOnly) {
    GenerateRequest r;
    r.model.path = goldenPath("dit_ape_tiny.pt");
    r.model.heads = 3;
    r.compute = {"cpu", Precision::Fp32, 1};
    r.steps = 1, r.size = {16, 16};
    const auto refused = generate(r, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("--extrapolation interpolation"), std::string::npos);
    r.extrapolate.method = Extrapolation::NtkAware;
    EXPECT_EQ(generate(r, {}).error().exitCode(), 2);
    r.extrapolate.method = Extrapolation::Interpolation;
    EXPECT_EQ(latentsOf(r).sizes(), at::IntArrayRef({1, 4, 16, 16}));
}

TEST(Generate, EqualsTheRecordedDdpmLatentsOfBothConventions) {
    for (const auto& [convention, version] : {std::pair{Convention::Same, "v1."}, {Convention::Inverse, "v2."}}) {
        SCOPED_TRACE(version);
        GenerateRequest r = haropeRequest(convention);
        r.sampler = Sampler::Ddpm;
        r.stepNoiseFile = writeStepNoise();
        expectClose(latentsOf(r), goldenTensor(kHaropeExpected, std::string(version) + "ddpm10_cfg1.5"));
    }
}

TEST(Generate, EqualsTheRecordedLatentsWithAbsolutePositions) {
    GenerateRequest r = haropeRequest(Convention::Unknown);
    r.model.path = goldenPath("dit_ape_tiny.pt");
    r.model.heads = 3;
    r.guidance = 4;
    r.noiseFile = goldenPath("dit_ape_tiny.expected.safetensors");
    expectClose(latentsOf(r), goldenTensor(r.noiseFile, "ddim10_cfg4"));
}

TEST(Generate, HalfTypesStayNear) {
    // The recorded latents reach hundreds because the weights are random; ten guided steps add up the roundings.
    for (const auto& [precision, share] : {std::pair{Precision::Bf16, 0.05}, {Precision::Fp16, 0.01}}) {
        GenerateRequest r = haropeRequest(Convention::Inverse);
        r.compute.precision = precision;
        expectClose(latentsOf(r), goldenTensor(kHaropeExpected, "v2.ddim10_cfg1.5"), share);
    }
}

TEST(Generate, RecordingChangesNothingAndFillsEveryStep) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.record = RecordFields::All;
    std::vector<GenerateProgress> progress;
    JobContext context;
    context.onProgress = [&](const GenerateProgress& p) { progress.push_back(p); };
    const GenerateResult result = generate(r, context).value();
    expectClose(tensorOf(result.latents), goldenTensor(kHaropeExpected, "v2.ddim10_cfg1.5"));
    ASSERT_EQ(progress.size(), 10u);
    ASSERT_EQ(result.fields.size(), 10u);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(progress[i].step, i + 1);
        EXPECT_EQ(progress[i].preview.shape, (std::vector<std::int64_t>{8, 8, 3}));
        EXPECT_EQ(result.fields[i].time, 900 - 100 * i);
        ASSERT_EQ(result.fields[i].heads.size(), 6u);
        for (const HeadField& head : result.fields[i].heads) {
            EXPECT_EQ(head.grid, (Grid{4, 4}));
            EXPECT_NEAR(std::accumulate(head.sum.begin(), head.sum.end(), 0.0), 1, 1e-5);
            EXPECT_GT(head.entropy, 0);
            EXPECT_LT(head.entropy, std::log(16.0) + 1e-6);
        }
    }
    EXPECT_EQ(progress.back().secondsLeft, 0);
}

TEST(Generate, RecordsTheConditionalHalfOnly) {
    GenerateRequest guided = haropeRequest(Convention::Inverse);
    guided.record = RecordFields::Listed;
    guided.recordHeads = {{1, 2}};
    GenerateRequest plain = guided;
    plain.guidance = 1;
    const auto a = generate(guided, {}).value().fields[0].heads, b = generate(plain, {}).value().fields[0].heads;
    ASSERT_EQ(a.size(), 1u);
    EXPECT_EQ(a[0].id, (HeadId{1, 2}));
    for (std::size_t i = 0; i < a[0].sum.size(); ++i) EXPECT_NEAR(a[0].sum[i], b[0].sum[i], 1e-6);
}

TEST(Generate, ImageOfABatchEqualsTheSameSeedAlone) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.noiseFile.clear();
    r.sampler = Sampler::Ddpm;
    r.seed = 40;
    r.batch = 3;
    r.labels = {0, 4, 4};
    const at::Tensor batch = latentsOf(r);
    r.seed = 42;
    r.batch = 1;
    r.labels = {4};
    expectClose(latentsOf(r)[0], batch[2].to(at::kDouble));
}

TEST(Generate, NoiseIsThatOfTorch) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.noiseFile.clear();
    r.steps = 1;
    r.seed = 7;
    r.sampler = Sampler::Ddim;  // one step at time 0: x / sqrt(abar) - ... keeps the noise nearly as it is
    const auto first = latentsOf(r), again = latentsOf(r);
    EXPECT_TRUE(first.equal(again));
    r.seed = 8;
    EXPECT_FALSE(first.equal(latentsOf(r)));
}

TEST(Generate, AnAutoencoderMakesThePicture) {
    GenerateRequest request = haropeRequest(Convention::Inverse);
    request.vae = goldenPath("vae_tiny.safetensors");
    const auto result = generate(request, {});
    ASSERT_TRUE(result) << result.error().message();
    const TensorTable table = TensorTable::open(request.vae).value();
    ModelRef ref;
    ref.path = request.vae;
    const Vae vae = loadVae(table, recognise(table, ref).value(), at::kCPU, at::kFloat).value();
    const Array& pixels = result->images[0].pixels;
    const at::Tensor expected = (decode(vae, tensorOf(result->latents) / 0.18215)[0] * 127.5 + 127.5).clamp(0, 255);
    ASSERT_EQ(pixels.shape, (std::vector<std::int64_t>{expected.size(1), expected.size(2), 3}));
    const at::Tensor found =
        at::from_blob(const_cast<std::byte*>(pixels.bytes.data()), pixels.shape, at::kByte).permute({2, 0, 1});
    EXPECT_LE((found.to(at::kFloat) - expected).abs().max().item<double>(), 0.51);
    EXPECT_EQ(result->note, "");
    EXPECT_NE(result->images[0].recipe.find("--vae"), std::string::npos);
    request.vae = goldenPath("vae16_tiny.safetensors");
    const auto other = generate(request, {});
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message().find("16 channels"), std::string::npos) << other.error().message();
    request.vae = goldenPath("sd3_tiny.safetensors");
    EXPECT_EQ(generate(request, {}).error().exitCode(), 2);
}

TEST(Generate, StopsWithinOneStep) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    int steps = 0;
    context.onProgress = [&](const GenerateProgress&) {
        if (++steps == 3) source.request_stop();
    };
    const auto result = generate(r, context);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().exitCode(), 130);
    EXPECT_EQ(steps, 3);
}

TEST(Generate, StopsWhenLatentsAreNotFinite) {
    // GP-07
    GenerateRequest r = haropeRequest(Convention::Inverse);
    const std::string path = temporary("ropescope_nan_noise.safetensors");
    std::vector<float> values(4 * 8 * 8, 0.5f);
    values[17] = std::nanf("");
    ASSERT_TRUE(writeSafetensors(path, {{"noise", makeArray(std::span<const float>(values), {1, 4, 8, 8})}}));
    r.noiseFile = path;
    const auto result = generate(r, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, "GP-07");
    EXPECT_NE(result.error().message().find("step 1"), std::string::npos);
}

TEST(Generate, RefusesSettingsThatDoNotFit) {
    const auto code = [](auto change) {
        GenerateRequest r = haropeRequest(Convention::Inverse);
        r.noiseFile.clear();
        change(r);
        const auto result = generate(r, {});
        return result ? 0 : result.error().exitCode();
    };
    EXPECT_EQ(code([](GenerateRequest& r) { r.steps = 0; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.steps = 999; }), 2);  // no integer stride
    EXPECT_EQ(code([](GenerateRequest& r) { r.labels = {6}; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.labels = {1, 2}; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.batch = 0; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.size = {9, 8}; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.size = {200000, 200000}; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.guidance = std::nan(""); }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.sampler = Sampler::Euler; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.compute.device = "tpu"; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.record = RecordFields::Listed, r.recordHeads = {{2, 0}}; }), 2);
    EXPECT_EQ(code([](GenerateRequest& r) { r.noiseFile = "/no/such/file"; }), 1);
    EXPECT_EQ(code([](GenerateRequest& r) { r.model.path = "/no/such/file"; }), 1);
}

TEST(Generate, RecipeHoldsEverySettingAndTheCommand) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.noiseFile.clear();
    r.seed = 11;
    r.size = {8, 8};
    r.batch = 2;
    const GenerateResult result = generate(r, {}).value();
    ASSERT_EQ(result.images.size(), 2u);
    EXPECT_EQ(result.images[1].seed, 12u);
    EXPECT_NE(result.note.find("no VAE"), std::string::npos);
    const auto recipe = nlohmann::json::parse(result.images[1].recipe);
    EXPECT_EQ(recipe["seed"], 12);
    EXPECT_EQ(recipe["label"], 2);
    EXPECT_EQ(recipe["steps"], 10);
    EXPECT_EQ(recipe["guidance"], 1.5);
    EXPECT_EQ(recipe["guided_channels"], 3);
    EXPECT_EQ(recipe["sampler"], "ddim");
    EXPECT_EQ(recipe["size"], "8x8");
    EXPECT_EQ(recipe["convention"], "inverse");
    EXPECT_EQ(recipe["model"], kHarope);
    EXPECT_EQ(recipe["model_fingerprint"].get<std::string>().size(), 64u);
    EXPECT_FALSE(recipe["version"].get<std::string>().empty());
    const std::string command = recipe["command"];
    EXPECT_NE(command.find(" --convention inverse --class 2 --seed 12 --steps 10 --guidance 1.5 --guidance-channels 3"
                           " --sampler ddim --size 8x8 --precision fp32 --out IMAGE.png"),
              std::string::npos)
        << command;
}

/// The fixture's weights as a safetensors file, after a change.
template <class Change>
std::string changedCopy(const std::string& name, const Change& change) {
    const TensorTable table = TensorTable::open(kHarope).value();
    std::map<std::string, Array> arrays;
    for (const TensorEntry& entry : table.tensors()) arrays[entry.name] = table.read(entry.name).value();
    change(arrays);
    const std::string path = temporary(name);
    EXPECT_TRUE(writeSafetensors(path, arrays));
    return path;
}

Error refusalOf(const std::string& path) {
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.model.path = path;
    const auto result = generate(r, {});
    return result ? Error{} : result.error();
}

TEST(Generate, RefusesAnIncompleteModelListingWhatIsMissing) {
    const Error error = refusalOf(changedCopy("ropescope_missing.safetensors", [](auto& arrays) {
        arrays.erase("blocks.1.attn.proj.bias");
        arrays.erase("blocks.1.mlp.fc2.weight");
    }));
    EXPECT_EQ(error.code, "TC-05");
    EXPECT_NE(error.message().find("blocks.1.attn.proj.bias"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("blocks.1.mlp.fc2.weight"), std::string::npos) << error.message();
}

TEST(Generate, RefusesAWrongShapeNamingFoundAndExpected) {
    const Error error = refusalOf(changedCopy("ropescope_shape.safetensors", [](auto& arrays) {
        arrays["blocks.0.attn.proj.weight"].shape = {24, 96};
    }));
    EXPECT_EQ(error.code, "TC-07");
    EXPECT_NE(error.found.find("24"), std::string::npos) << error.message();
    EXPECT_NE(error.expected.find("48"), std::string::npos) << error.message();
}

TEST(Generate, AChangedFileIsReadAnew) {
    const std::string path = changedCopy("ropescope_anew.safetensors", [](auto&) {});
    GenerateRequest r = haropeRequest(Convention::Inverse);
    r.model.path = path;
    const at::Tensor before = latentsOf(r);
    (void)changedCopy("ropescope_anew.safetensors", [](auto& arrays) {
        for (float& v : arrays["final_layer.linear.bias"].template as<float>()) v += 1;
    });
    EXPECT_FALSE(before.equal(latentsOf(r)));
}

}  // namespace
}  // namespace ropescope
