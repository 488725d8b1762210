// SPDX-License-Identifier: Apache-2.0
// The command line as a user meets it: exit codes, one line of error on stderr, results on stdout.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = std::string(ROPESCOPE_SOURCE_DIR) + "/tests/golden/";

struct Outcome {
    int code = -1;
    std::string out, err;
    long residentKiB = 0;
};

std::string content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class Commands : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-commands-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
    }
    void TearDown() override { fs::remove_all(m_folder); }

    [[nodiscard]] Outcome run(std::vector<std::string> arguments) const {
        const std::string out = (m_folder / "out").string(), err = (m_folder / "err").string();
        arguments.insert(arguments.begin(), std::string(ROPESCOPE_BIN_DIR) + "/ropescope-engine");
        const pid_t child = ::fork();
        if (child == 0) {
            ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
            ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
            std::vector<char*> argv;
            for (std::string& argument : arguments) argv.push_back(argument.data());
            argv.push_back(nullptr);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        Outcome outcome;
        int status = 0;
        rusage usage{};
        ::wait4(child, &status, 0, &usage);
        outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        outcome.out = content(out);
        outcome.err = content(err);
        outcome.residentKiB = usage.ru_maxrss;
        return outcome;
    }

    fs::path m_folder;
};

TEST_F(Commands, InfoAsJson) {
    const Outcome info = run({"info", kGolden + "harope_dit_tiny.pt", "--json"});
    ASSERT_EQ(info.code, 0) << info.err;
    const auto json = nlohmann::json::parse(info.out);
    EXPECT_EQ(json["format"], "torch-zip");
    EXPECT_EQ(json["architecture"], "dit");
    EXPECT_EQ(json["encoding"], "harope");
    EXPECT_EQ(json["convention"], "inverse");
    EXPECT_EQ(json["layers"], 2);
    EXPECT_EQ(json["heads"], 3);
    EXPECT_EQ(json["head_dim"], 16);
    EXPECT_EQ(json["grid"], (std::vector<int>{16, 16}));
    EXPECT_FALSE(json["notes"].empty());
    EXPECT_EQ(json["training_args"]["model"], "DiT-B/2");
}

TEST_F(Commands, OptionsReachTheReaders) {
    const Outcome info = run({"info", kGolden + "dit_ape_tiny.pt", "--json", "--heads", "3", "--grid", "2x8"});
    ASSERT_EQ(info.code, 0) << info.err;
    const auto json = nlohmann::json::parse(info.out);
    EXPECT_EQ(json["heads"], 3);
    EXPECT_EQ(json["grid"], (std::vector<int>{2, 8}));
}

TEST_F(Commands, ExitCodes) {
    std::ofstream(m_folder / "broken.safetensors") << "1234567";
    const std::string broken = (m_folder / "broken.safetensors").string(), good = kGolden + "harope_dit_tiny.pt";
    EXPECT_EQ(run({"check", good}).code, 0);
    EXPECT_EQ(run({"check", kGolden + "harope_dit_tiny.expected.safetensors"}).code, 0) << "sound, though no model";
    for (const char* command : {"check", "info"}) {
        const Outcome refused = run({command, broken});
        EXPECT_EQ(refused.code, 1);
        EXPECT_TRUE(refused.err.starts_with("[ST-01] " + broken)) << refused.err;
        EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1);
        EXPECT_TRUE(refused.out.empty());
    }
    const std::string picture = (m_folder / "x.png").string();
    EXPECT_EQ(run({"generate", broken, "--out", picture}).code, 1) << "told before the heavy library is needed";
    const Outcome heads = run({"check", kGolden + "dit_ape_tiny.pt"});
    EXPECT_EQ(heads.code, 2);
    EXPECT_NE(heads.err.find("--heads"), std::string::npos);
    const Outcome open = run({"info", kGolden + "dit_ape_tiny.pt"});
    EXPECT_EQ(open.code, 0) << "a header that can be read is told";
    EXPECT_NE(open.out.find("--heads"), std::string::npos) << open.out;
    EXPECT_EQ(run({}).code, 2);
    EXPECT_EQ(run({"fly"}).code, 2);
    EXPECT_EQ(run({"info"}).code, 2);
    EXPECT_EQ(run({"info", good, "--convention", "both"}).code, 2);
    EXPECT_EQ(run({"info", good, "--convention", "1"}).code, 2) << "a word, not its number";
    EXPECT_EQ(run({"info", good, "--grid", "16"}).code, 2);
    EXPECT_EQ(run({"generate", good}).code, 2) << "--out is required";
    EXPECT_EQ(run({"generate", good, "--out", "/no/such/folder/x.png"}).code, 1);
}

TEST_F(Commands, HelpOfEverySubcommand) {
    for (const char* command : {"info", "check", "inspect", "forward", "classify", "generate", "fold", "convert",
                                "calibrate", "compare", "attention", "serve"}) {
        const Outcome help = run({command, "--help"});
        EXPECT_EQ(help.code, 0) << command;
        EXPECT_NE(help.out.find(command), std::string::npos) << help.out;
    }
    EXPECT_NE(run({"--version"}).out.find("own CUDA kernels"), std::string::npos);
}

#ifdef ROPESCOPE_HAS_CORE
TEST_F(Commands, TextToImageModelsAskForText) {
    const Outcome classes =
        run({"generate", kGolden + "sd3_tiny.safetensors", "--class", "3", "--out", (m_folder / "a.png").string()});
    EXPECT_EQ(classes.code, 2);
    EXPECT_NE(classes.err.find("--prompt"), std::string::npos) << classes.err;
}

/// EX-06: what is read is never written over, found before any work.
TEST_F(Commands, InputsAreNotWrittenOver) {
    fs::create_directories(m_folder / "m/transformer");
    const std::string weights = (m_folder / "m/transformer/diffusion_pytorch_model.safetensors").string();
    fs::copy_file(kGolden + "flux_tiny.safetensors", weights);
    fs::copy_file(kGolden + "flux_tiny.config.json", m_folder / "m/transformer/config.json");
    const std::string lora = (m_folder / "lora.safetensors").string(), folder = (m_folder / "m").string();
    fs::copy_file(kGolden + "lora_tiny_kohya.safetensors", lora);
    const std::string before = content(weights);
    const auto refused = [&](const std::vector<std::string>& arguments) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, 1) << outcome.err;
        EXPECT_NE(outcome.err.find("[EX-06]"), std::string::npos) << outcome.err;
        EXPECT_EQ(content(weights), before);
    };
    const std::vector<std::string> generate = {"generate", folder,  "--embeddings", kGolden + "pipelines.safetensors",
                                               "--size",   "32x32", "--steps",      "1",
                                               "--lora",   lora};
    const auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> all = generate;
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    refused(with({"--out", weights}));
    refused(with({"--out", lora}));
    refused(with({"--out", (m_folder / "a.png").string(), "--field", weights}));
    refused({"inspect", folder, "--out", weights});
    refused({"forward", weights, "--in", kGolden + "pipelines.safetensors", "--out", weights});
    refused({"attention", folder, "--embeddings", kGolden + "pipelines.safetensors", "--out", weights});
    const std::string twice = (m_folder / "x").string();
    EXPECT_EQ(run(with({"--out", twice, "--latents-out", twice})).code, 2);
    EXPECT_EQ(run(with({"--out", twice})).code, 0) << "another name is written";
    const std::string beside = (m_folder / "m/transformer/a.png").string();  // a result, though in the model's folder
    EXPECT_EQ(run(with({"--out", beside})).code, 0);
    EXPECT_EQ(run(with({"--out", beside})).code, 0);
}

TEST_F(Commands, MistakesAreToldBeforeAnyWork) {
    const std::string flux = kGolden + "flux_tiny.safetensors", out = (m_folder / "a.png").string();
    const std::string words = kGolden + "pipelines.safetensors";
    const auto told = [&](std::vector<std::string> arguments, const std::string& text) {
        arguments.insert(arguments.begin() + 1, flux);
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
    };
    told({"generate", "--embeddings", words, "--seed", "-1", "--out", out}, "a seed is 0 to");
    told({"generate", "--embeddings", words, "--seed", "18446744073709551616", "--out", out}, "a seed is 0 to");
    told({"generate", "--embeddings", words, "--prompt", "a cat", "--out", out}, "excludes");
    told({"generate", "--embeddings", words, "--memory", "much", "--out", out}, "6.5GB");
    told({"generate", "--embeddings", words, "--negative", "blur", "--out", out}, "--true-guidance");
    told({"generate", "--embeddings", words, "--noise", kGolden + "pipelines_flux_noise.safetensors", "--batch", "3",
          "--out", out},
         "another number of images");
    told({"info", "--lora", "nothere"}, "no such file");
    const Outcome none = run({"attention", kGolden + "harope_dit_tiny.pt", "--convention", "inverse", "--class", "1",
                              "--steps", "2", "--words", "cat"});
    EXPECT_EQ(none.code, 2);
    EXPECT_NE(none.err.find("reads no text"), std::string::npos) << none.err;
    EXPECT_EQ(run({"generate", flux, "--embeddings", words, "--size", "32x32", "--steps", "1", "--memory", "1.5GB",
                   "--out", out})
                  .code,
              0);
}

TEST_F(Commands, CalibrateAndCompareWriteWhatTheySay) {
    const std::string model = kGolden + "harope_dit_tiny.pt", file = (m_folder / "numbers").string();
    const Outcome none = run({"calibrate", model});
    EXPECT_EQ(none.code, 2) << none.err;
    const Outcome measured = run({"calibrate", model, "--images", "2", "--steps", "3", "--class", "1", "--device",
                                  "cpu", "--json", "--out", file});
    ASSERT_EQ(measured.code, 0) << measured.err;
    const auto json = nlohmann::json::parse(measured.out);
    EXPECT_EQ(json["images"], 2);
    ASSERT_EQ(json["numbers"][0]["mean"].size(), 2u);
    EXPECT_EQ(json["numbers"][0]["mean"][1].size(), 3u);
    const std::string bytes = content(file);
    const auto tensors = decodeSafetensors(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(tensors) << tensors.error().message();
    EXPECT_EQ(tensors->arrays.at("step.data_mean_distance").shape, (std::vector<std::int64_t>{3, 2, 3}));
    // The container says image_size 256: a grid of 16x16.
    EXPECT_EQ(tensors->arrays.at("layer.1.kernel_data").shape, (std::vector<std::int64_t>{3, 31, 31}));
    EXPECT_EQ(tensors->arrays.at("number.data_mean_distance").as<double>()[4], json["numbers"][9]["mean"][1][1]);
    const Outcome compared = run({"compare", model, model, "--metric", "plane", "--json"});
    ASSERT_EQ(compared.code, 0) << compared.err;
    const auto matrix = nlohmann::json::parse(compared.out)["matrix"];
    ASSERT_EQ(matrix.size(), 12u);
    EXPECT_NEAR(matrix[0][6].get<double>(), 1, 1e-12);
    EXPECT_TRUE(matrix[0][7].is_null());
    EXPECT_EQ(run({"compare", model, "--metric", "plane", "--json"}).code, 2);
    EXPECT_EQ(run({"compare", model, "--metric", "colour", "--json"}).code, 2);
}

/// Options arrive where they should: the recorded final latents of the reference implementation come out.
TEST_F(Commands, GenerateEqualsTheReference) {
    const std::string file = content(kGolden + "harope_dit_tiny.expected.safetensors");
    const auto reference = decodeSafetensors(std::as_bytes(std::span(file)));
    ASSERT_TRUE(reference);
    const auto& arrays = reference->arrays;
    const std::string noise = (m_folder / "noise").string(), steps = (m_folder / "steps").string();
    ASSERT_TRUE(writeSafetensors(noise, {{"noise", arrays.at("noise")}}));
    ASSERT_TRUE(writeSafetensors(steps, {{"only", arrays.at("ddpm_noises")}}));
    const std::string label = std::to_string(arrays.at("label").as<std::int64_t>()[0]);
    for (const std::string sampler : {"ddim", "ddpm"}) {
        for (const auto& [convention, key] : {std::pair("inverse", "v2."), std::pair("same", "v1.")}) {
            const std::string latents = (m_folder / "latents").string(), picture = (m_folder / "x.png").string();
            const Outcome done = run({"generate",      kGolden + "harope_dit_tiny.pt",
                                      "--convention",  convention,
                                      "--class",       label,
                                      "--steps",       "10",
                                      "--sampler",     sampler,
                                      "--guidance",    "1.5",
                                      "--noise",       noise,
                                      "--step-noise",  steps,
                                      "--latents-out", latents,
                                      "--out",         picture,
                                      "--device",      "cpu",
                                      "--threads",     "1"});
            ASSERT_EQ(done.code, 0) << done.err;
            EXPECT_EQ(done.out, picture + "\n");
            EXPECT_TRUE(content(picture).starts_with("\x89PNG"));
            const std::string written = content(latents);
            const auto result = decodeSafetensors(std::as_bytes(std::span(written)));
            ASSERT_TRUE(result);
            const auto got = result->arrays.at("latents").as<float>();
            const auto want = arrays.at(key + sampler + "10_cfg1.5").as<float>();
            ASSERT_EQ(got.size(), want.size());
            float largest = 1;
            for (const float value : want) largest = std::max(largest, std::abs(value));
            for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4f * largest) << i;
        }
    }
}

TEST_F(Commands, GenerateAgainstAnotherVariation) {
    const std::string model = kGolden + "harope_dit_tiny.pt", change = (m_folder / "b.json").string();
    std::ofstream(change) << R"({"ropescope_variation": 1, "changes": [{"heads": "L1.H1", "do": "output-off"}]})";
    const std::string picture = (m_folder / "pair.png").string(), table = (m_folder / "pair.csv").string();
    const std::string latents = (m_folder / "latents").string();
    const std::vector<std::string> run2 = {"generate", model,   "--steps",   "2",   "--size",   "8x8",
                                           "--batch",  "2",     "--device",  "cpu", "--record", "L0.H0,L1.H1",
                                           "--out",    picture, "--against", model};
    const auto also = [&](std::vector<std::string> more) {
        more.insert(more.begin(), run2.begin(), run2.end());
        return run(more);
    };
    const Outcome done = also({"--variation-b", change, "--table", table, "--latents-out", latents, "--part-at", "0"});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(done.out, picture + "\n");
    EXPECT_NE(done.err.find("step of parting: step 1 of 2"), std::string::npos) << done.err;
    EXPECT_TRUE(content(picture).starts_with("\x89PNG"));
    EXPECT_NE(content(picture).find("\"against\":"), std::string::npos) << "readable text in the PNG";
    std::ifstream rows(table);
    std::string header, first, second, third;
    std::getline(rows, header), std::getline(rows, first), std::getline(rows, second);
    EXPECT_EQ(header, "step,step_b,log_snr,log_snr_b,latents,clean,field.L0.H0,field.L1.H1,kernel.L0.H0,kernel.L1.H1");
    EXPECT_TRUE(first.starts_with("1,1,")) << first;
    EXPECT_TRUE(second.starts_with("2,2,")) << second;
    EXPECT_FALSE(std::getline(rows, third));
    const std::string written = content(latents);
    const auto both = decodeSafetensors(std::as_bytes(std::span(written)));
    ASSERT_TRUE(both);
    EXPECT_NE(both->arrays.at("latents").bytes, both->arrays.at("against.latents").bytes);

    const Outcome same = also({});
    EXPECT_NE(same.err.find("step of parting: never"), std::string::npos) << same.err;
    EXPECT_EQ(also({"--record", "L0"}).code, 2);
    EXPECT_EQ(also({"--table", picture}).code, 2) << "two results in one file";
    EXPECT_EQ(run({"generate", model, "--out", picture, "--table", table}).code, 2) << "needs --against";
    EXPECT_EQ(also({"--convention-b", "both"}).code, 2);
}

TEST_F(Commands, ViTForwardAndClassify) {
    const std::string model = kGolden + "vit_tiny_patch16_rope_mixed_224.safetensors";
    const std::string out = (m_folder / "out.safetensors").string();
    const std::string in = kGolden + "vit_tiny_patch16_rope_mixed_224.expected.safetensors";
    const Outcome forward = run({"forward", model, "--in", in, "--out", out, "--device", "cpu", "--threads", "1"});
    ASSERT_EQ(forward.code, 0) << forward.err;
    const std::string found = content(out), recorded = content(in);
    const auto got = decodeSafetensors(std::as_bytes(std::span(found)));
    const auto want = decodeSafetensors(std::as_bytes(std::span(recorded)));
    ASSERT_TRUE(got && want);
    const auto a = got->arrays.at("out").as<float>(), b = want->arrays.at("out").as<float>();
    ASSERT_EQ(a.size(), b.size());
    float largest = 1;
    for (const float value : b) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4f * largest) << i;

    const std::string image = std::string(ROPESCOPE_SOURCE_DIR) + "/resources/pictures/spectrum.png";
    const Outcome seen =
        run({"classify", model, image, image, "--top", "3", "--json", "--device", "cpu", "--threads", "1"});
    ASSERT_EQ(seen.code, 0) << seen.err;
    const auto json = nlohmann::json::parse(seen.out);
    ASSERT_EQ(json.size(), 2u);
    ASSERT_EQ(json[0]["top"].size(), 3u);
    EXPECT_EQ(json[0]["top"], json[1]["top"]);
    EXPECT_EQ(run({"classify", model, model}).code, 1) << "no picture";
    EXPECT_EQ(run({"classify", kGolden + "harope_dit_tiny.pt", image}).code, 1) << "no classifier";
    EXPECT_EQ(run({"info", model, "--map-tokens", "some"}).code, 2);
}

TEST_F(Commands, AttentionOfAViTInAPicture) {
    const std::string model = kGolden + "relatives/vit_reg2.safetensors", out = (m_folder / "a").string();
    const std::string image = (m_folder / "p.png").string();
    fs::copy_file(std::string(ROPESCOPE_SOURCE_DIR) + "/resources/pictures/spectrum.png", image);
    const std::vector<std::string> plain = {"attention", model, "--image", image, "--head", "L1.H0", "--device", "cpu"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), plain.begin(), plain.end());
        return run(more);
    };
    const Outcome done = with({"--patches", "1:0,0:1", "--words", "2", "--out", out});
    ASSERT_EQ(done.code, 0) << done.err;
    const auto json = nlohmann::json::parse(done.out);
    EXPECT_EQ(json["image"], image);
    EXPECT_EQ(json["prefix_tokens"], 3);
    EXPECT_FALSE(json.contains("step")) << "nothing was sampled";
    ASSERT_EQ(json["tokens"].size(), 3u);
    EXPECT_EQ(json["tokens"][2]["text"], "register 2");
    const std::string bytes = content(out);
    const auto tensors = decodeSafetensors(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(tensors) << tensors.error().message();
    double all = 0;
    for (const char* part : {"looks.image", "looks.prefix"})
        for (const float share : tensors->arrays.at(part).as<float>()) all += share;
    EXPECT_NEAR(all, 1, 1e-5);
    EXPECT_EQ(tensors->arrays.at("seen.image").shape, json["grid"].get<std::vector<std::int64_t>>());
    EXPECT_FLOAT_EQ(tensors->arrays.at("seen.prefix").as<float>()[1],
                    json["tokens"][1]["attention_to_chosen"].get<float>());
    const auto told = [&](const Outcome& outcome, const std::string& text) {
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
    };
    told(with({"--patches", "99:0"}), "no such patch");
    told(with({"--words", "3"}), "0 to 2");
    told(with({"--words", "cat"}), "numbers of the prefix tokens");
    told(with({"--steps", "3"}), "excludes");
    told(with({"--step", "1"}), "excludes");
    told(run({"attention", model}), "a ViT looks at a picture");
    const Outcome over = with({"--out", image});
    EXPECT_EQ(over.code, 1);
    EXPECT_NE(over.err.find("[EX-06] " + image), std::string::npos) << over.err;
}

TEST_F(Commands, SweepWritesATable) {
    const std::string table = (m_folder / "table.csv").string();
    const auto with = [&](const std::string& change, const std::string& heads) {
        return run({"sweep",      kGolden + "harope_dit_tiny.pt",
                    "--change",   change,
                    "--heads",    heads,
                    "--classes",  "1,2",
                    "--seeds",    "0,1",
                    "--steps",    "2",
                    "--guidance", "1",
                    "--size",     "8x8",
                    "--device",   "cpu",
                    "--out",      table});
    };
    const Outcome done = with("output-off", "L0.H0,L1");
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(done.out, table + "\n");
    EXPECT_NE(done.err.find("4 heads, 4 pictures each"), std::string::npos) << done.err;
    const std::string written = content(table);
    EXPECT_TRUE(written.starts_with("head,layer,index,change,picture_l2,")) << written;
    EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 5);
    EXPECT_TRUE(fs::exists(m_folder / "table.safetensors"));
    const Outcome other = with("identity", "L0.H0,L1");
    EXPECT_EQ(other.code, 1);
    EXPECT_TRUE(other.err.find("[sweep-settings] ") != std::string::npos) << other.err;
    EXPECT_EQ(content(table), written);
    EXPECT_EQ(with("output-off", "L9.H0").code, 2);
    EXPECT_EQ(with("output-off", "H0").code, 2);
    const Outcome word = with("off", "all");
    EXPECT_EQ(word.code, 2);
    EXPECT_NE(word.err.find("output-off"), std::string::npos) << word.err;
}

/// Steps count from 1 where a user meets them.
TEST_F(Commands, AttentionCountsStepsFromOne) {
    const auto at = [&](const std::string& step) {
        return run({"attention", kGolden + "harope_dit_tiny.pt", "--convention", "inverse", "--class", "1", "--steps",
                    "2", "--device", "cpu", "--step", step});
    };
    const Outcome last = at("2");
    ASSERT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(nlohmann::json::parse(last.out)["step"], 2);
    const Outcome beyond = at("3");
    EXPECT_EQ(beyond.code, 2);
    EXPECT_NE(beyond.err.find("found 3, expected 1 to 2"), std::string::npos) << beyond.err;
    EXPECT_EQ(at("0").code, 2);
}

#endif

/// The header of a 24 GB model (sparse: the data is a hole) costs little memory; nothing of the data is read.
TEST_F(Commands, InfoOfALargeFileTakesLittleMemory) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
    std::string json = R"({"x_embedder.proj.weight":{"dtype":"F32","shape":[4096,4,2,2],"data_offsets":[0,262144]})";
    std::uint64_t end = 262'144;
    const auto add = [&](const std::string& name, std::uint64_t rows, std::uint64_t cols) {
        const std::uint64_t begin = end;
        end += rows * cols * 4;
        json += ",\"" + name + R"(":{"dtype":"F32","shape":[)" + std::to_string(rows) + "," + std::to_string(cols) +
                R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
    };
    for (int i = 0; i < 60; ++i) {
        const std::string block = "blocks." + std::to_string(i) + ".";
        add(block + "attn.qkv.weight", 3 * 4096, 4096);
        add(block + "mlp.fc1.weight", 3 * 4096, 4096);
        for (int k = 0; k < 15; ++k) add(block + "extra." + std::to_string(k), 16, 4096);
    }
    json += "}";
    const fs::path path = m_folder / "large.safetensors";
    const std::uint64_t length = json.size();
    std::ofstream(path, std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << json;
    fs::resize_file(path, 8 + json.size() + end);
    ASSERT_GT(fs::file_size(path), 24'000'000'000u);
    const Outcome info = run({"info", path.string(), "--json", "--heads", "32"});
    ASSERT_EQ(info.code, 0) << info.err;
    EXPECT_EQ(nlohmann::json::parse(info.out)["layers"], 60);
    EXPECT_LE(info.residentKiB, 64 * 1024);
}

}  // namespace
}  // namespace ropescope
