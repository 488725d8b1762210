// SPDX-License-Identifier: Apache-2.0
// Every head changed in turn: the numbers are those of single runs, and a stopped sweep goes on.
#include "core/engine/measure/sweep.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <stop_token>

#include "core/data/picture_distance.h"
#include "core/engine/machine/media_library.h"
#include "core/engine/measure/classify.h"
#include "core/engine/measure/sweep_parts.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/run/generate.h"
#include "core/training/classifier.h"
#include "tests/core/engine/weight_files.h"

namespace ropescope {
namespace {

constexpr int kPictureL2 = 0, kLatentL2 = 2, kAnswer = 3, kRightDrop = 4;

HeadChange changeOf(const std::string& text) {
    return changeFromText(text).value();
}

SweepRequest ditSweep(const std::string& change) {
    SweepRequest r;
    r.run.model.path = kFixture;
    r.run.model.convention = Convention::Same;
    r.run.compute.device = "cpu", r.run.compute.threads = 1;
    r.run.steps = 3, r.run.guidance = 1;
    r.change = changeOf(change);
    r.classes = {1, 2}, r.seeds = {5, 9};
    return r;
}

SweepReport done(const SweepRequest& request, const ReadTestSet& read = {}) {
    auto report = sweep(request, {}, read);
    if (!report) throw std::runtime_error(report.error().message());
    return std::move(*report);
}

Error refusal(const SweepRequest& request) {
    const auto report = sweep(request, {}, {});
    if (report) throw std::runtime_error("not refused");
    return report.error();
}

GenerateResult drawn(GenerateRequest run, int label, std::uint64_t seed) {
    run.labels = {label}, run.seed = seed;
    auto result = generate(run, {});
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

at::Tensor latentsOf(const GenerateResult& r) {
    return at::from_blob(const_cast<std::byte*>(r.latents.bytes.data()), r.latents.shape, at::kFloat).to(at::kDouble);
}

double relative(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / a.norm()).item<double>();
}

std::string bytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(SweepNumbers, MeanAndErrorByHand) {
    const std::vector<double> values = {1, 2, 3, 5, 6, 10};  // means over both groups: 3, 4, 6.5
    const MeanAndError both = meanAndError(values, 2, 3);
    EXPECT_DOUBLE_EQ(both.mean, 4.5);
    EXPECT_DOUBLE_EQ(both.error, std::sqrt((1.5 * 1.5 + 0.5 * 0.5 + 2.0 * 2.0) / 2 / 3));
    const MeanAndError one = meanAndError(values, 6, 1);
    EXPECT_DOUBLE_EQ(one.mean, 4.5);
    EXPECT_TRUE(std::isnan(one.error)) << "one seed says nothing of others";
    EXPECT_TRUE(std::isnan(meanAndError(std::vector<double>{1, std::nan("")}, 1, 2).mean));
}

TEST(SweepHeads, HeadsThatShareAMapChangeTogether) {
    ModelCard card;
    card.name = "model", card.encoding = "harope", card.convention = Convention::Same;
    card.layers = 2, card.heads = 3, card.headDim = 8, card.matrix = MatrixKind::Full;
    const auto names = [&](const std::string& change, std::vector<HeadId> heads) {
        SweepRequest r;
        r.change = changeOf(change), r.heads = std::move(heads);
        std::string text;
        const std::vector<HeadChange> changes = sweepHeads(r, card).value();
        for (const HeadChange& one : changes) text += headsText(one) + " ";
        return text;
    };
    EXPECT_EQ(names("tau=0.5", {}), "L0.H0 L0.H1 L0.H2 L1.H0 L1.H1 L1.H2 ");
    EXPECT_EQ(names("tau=0.5", {{1, -1}, {0, 2}, {1, 0}}), "L1.H0 L1.H1 L1.H2 L0.H2 ") << "each once";
    card.sharing = MapSharing::Layer;
    EXPECT_EQ(names("tau=0.5", {}), "L0 L1 ");
    EXPECT_EQ(names("output-off", {{1, -1}}), "L1.H0 L1.H1 L1.H2 ") << "an output is a head's own";
    SweepRequest one;
    one.change = changeOf("identity"), one.heads = {{0, 1}};
    EXPECT_EQ(sweepHeads(one, card).error().kind, ErrorKind::Usage);
    card.sharing = MapSharing::Model;
    EXPECT_EQ(names("tau=0.5", {}), "all ");
}

TEST(Sweep, TauOneChangesNoBitOfAnyHead) {
    for (const Convention convention : {Convention::Same, Convention::Inverse}) {
        SweepRequest request = ditSweep("tau=1");
        request.run.model.convention = convention;
        request.run.guidance = 2, request.run.sampler = Sampler::Ddpm;
        const SweepReport report = done(request);
        EXPECT_EQ(report.numbers, (std::vector<std::string>{"picture_l2", "picture_ssim", "latent_l2"}));
        const ModelCard card = openCard(request.run.model).value();
        ASSERT_EQ(std::ssize(report.rows), card.layers * card.heads);
        for (const SweepRow& row : report.rows) {
            EXPECT_EQ(row.mean[kPictureL2], 0) << headsText(row.change);
            EXPECT_EQ(row.mean[kLatentL2], 0) << headsText(row.change);
            EXPECT_EQ(row.error[kLatentL2], 0);
        }
    }
}

/// What generate says of one picture of a head; the sweep draws all at once.
TEST(Sweep, AHeadsNumbersAreThoseOfSingleRuns) {
    SweepRequest request = ditSweep("output-off");
    request.run.model.changes = {changeOf("frequencies=0.5")};  // stays changed in all
    request.heads = {{1, 1}};
    const SweepReport report = done(request);
    ASSERT_EQ(report.rows.size(), 1u);
    EXPECT_EQ(report.pictures, 4);
    GenerateRequest changed = request.run;
    changed.model = withChange(request.run.model, report.rows[0].change);
    std::vector<double> latents, pictures;
    for (const int label : request.classes)
        for (const std::uint64_t seed : request.seeds) {
            const GenerateResult a = drawn(request.run, label, seed), b = drawn(changed, label, seed);
            latents.push_back(relative(latentsOf(a), latentsOf(b)));
            pictures.push_back(pictureDistance(a.images[0].pixels, b.images[0].pixels).value());
        }
    const MeanAndError expected = meanAndError(latents, 2, 2);
    EXPECT_GT(expected.mean, 1e-3) << "the head does something";
    EXPECT_NEAR(report.rows[0].mean[kLatentL2], expected.mean, 1e-4 * expected.mean);
    EXPECT_NEAR(report.rows[0].error[kLatentL2], expected.error, 1e-3 * expected.mean);
    EXPECT_NEAR(report.rows[0].mean[kPictureL2], meanAndError(pictures, 2, 2).mean, 1e-3);
    request.classes = {2}, request.seeds = {9};
    EXPECT_NEAR(done(request).rows[0].mean[kLatentL2], latents[3], 1e-12 * latents[3]) << "the very same run";
}

TEST(Sweep, TheBatchChangesNoNoise) {
    SweepRequest request = ditSweep("identity");
    request.run.sampler = Sampler::Ddpm, request.heads = {{0, 0}};
    const SweepReport together = done(request);
    request.batch = 3;
    const SweepReport apart = done(request);
    const double mean = together.rows[0].mean[kLatentL2];
    EXPECT_GT(mean, 1e-4);
    EXPECT_NEAR(apart.rows[0].mean[kLatentL2], mean, 1e-3 * mean);
}

class SweepFiles : public InFolder {
protected:
    [[nodiscard]] SweepRequest request(const std::string& name, const std::string& change = "output-off") const {
        SweepRequest r = ditSweep(change);
        r.out = path(name);
        return r;
    }
    /// Stops at the first word about `head`; the heads that were heard of.
    static std::string stopAt(const SweepRequest& request, const std::string& head, Result<SweepReport>& result) {
        std::stop_source source;
        JobContext context;
        context.stop = source.get_token();
        std::string heard;
        context.onShare = [&](double, const std::string& word) {
            heard += word.substr(0, word.find(',')) + " ";
            if (word.starts_with(head)) source.request_stop();
        };
        result = sweep(request, context, {});
        return heard;
    }
    void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
};

TEST_F(SweepFiles, AStoppedSweepGoesOnToTheSameTable) {
    (void)done(request("whole.csv"));
    const SweepRequest parted = request("parted.csv");
    Result<SweepReport> result;
    (void)stopAt(parted, "L0.H1", result);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().exitCode(), 130);
    EXPECT_NE(result.error().message().find("goes on"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(path("parted.csv"))) << "a table is whole";
    const std::string heard = stopAt(parted, "nothing", result);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(result->before, 1);
    EXPECT_EQ(heard.find("L0.H0"), std::string::npos) << "it is not drawn again: " << heard;
    EXPECT_EQ(bytesOf(path("parted.csv")), bytesOf(path("whole.csv")));
    EXPECT_EQ(bytesOf(path("parted.safetensors")), bytesOf(path("whole.safetensors")));
    EXPECT_EQ(stopAt(parted, "nothing", result), "") << "nothing is left to draw";
    ASSERT_TRUE(result);
    EXPECT_GT(result->before, 1);
}

TEST_F(SweepFiles, TheTableSaysHowItWasMade) {
    SweepRequest r = request("table.csv", "tau=0.25");
    r.heads = {{1, 0}};
    const SweepReport report = done(r);
    const std::string text = bytesOf(r.out), head = text.substr(0, text.find('\n'));
    EXPECT_EQ(head,
              "head,layer,index,change,picture_l2,picture_l2_error,picture_ssim,picture_ssim_error,latent_l2,"
              "latent_l2_error,steps,guidance,sampler,classes,seeds");
    EXPECT_NE(text.find("\nL1.H0,1,0,tau=0.25,"), std::string::npos) << text;
    EXPECT_NE(text.find(",3,1,"), std::string::npos) << "steps and guidance";
    EXPECT_NE(text.find(",1 2,5 9\n"), std::string::npos);
    const auto kept = readSafetensorsFile(path("table.safetensors"));
    ASSERT_TRUE(kept) << kept.error().message();
    const Array& latents = kept->arrays.at("latent_l2");
    EXPECT_EQ(latents.shape, (std::vector<std::int64_t>{1, 2, 2}));
    EXPECT_EQ(meanAndError(latents.as<double>(), 2, 2).mean, report.rows[0].mean[kLatentL2]);
    EXPECT_EQ(kept->metadata.at("change"), "tau=0.25");
    EXPECT_EQ(kept->metadata.at("seeds"), "5 9");
}

TEST_F(SweepFiles, OtherSettingsNeitherGoOnNorOverwrite) {
    SweepRequest r = request("table.csv");
    r.heads = {{0, 0}};
    (void)done(r);
    const std::string before = bytesOf(r.out);
    const auto expectRefused = [&](const SweepRequest& other, const std::string& what) {
        const Error error = refusal(other);
        EXPECT_EQ(error.code, "sweep-settings") << what;
        EXPECT_NE(error.message().find("--restart"), std::string::npos);
        EXPECT_NE(error.message().find(what), std::string::npos) << error.message();
        EXPECT_EQ(bytesOf(r.out), before);
    };
    SweepRequest other = r;
    other.change = changeOf("identity");
    expectRefused(other, "change");
    EXPECT_NE(refusal(other).message().find("output-off"), std::string::npos) << "what it holds";
    other.restart = true;
    (void)done(other);
    EXPECT_NE(bytesOf(r.out), before);
    other.restart = false;
    (void)done(other);
    (void)done([&] { return r.restart = true, r; }());
    r.restart = false;
    other = r, other.run.steps = 4;
    expectRefused(other, "steps");
    other = r, other.run.guidanceChannels = GuidanceChannels::All;
    expectRefused(other, "run");
    other = r, other.seeds = {5};
    expectRefused(other, "seeds");
    other = r, other.heads = {{0, 1}};
    expectRefused(other, "heads");
    other = r, other.batch = 1, other.run.compute.threads = 2;
    EXPECT_EQ(done(other).before, 1) << "how it is computed may differ";
    write("foreign.csv", "my own table");
    other.out = path("foreign.csv");
    EXPECT_EQ(refusal(other).code, "sweep-settings");
    write("foreign.safetensors", "no tensors");
    EXPECT_EQ(refusal(other).code, "sweep-settings");
    EXPECT_EQ(bytesOf(other.out), "my own table");
}

TEST_F(SweepFiles, AChangedModelFileIsNoticed) {
    std::filesystem::copy_file(kFixture, path("model.pt"));
    SweepRequest r = request("table.csv");
    r.run.model.path = path("model.pt"), r.heads = {{0, 0}};
    (void)done(r);
    const auto time = std::filesystem::last_write_time(path("model.pt"));
    std::filesystem::last_write_time(path("model.pt"), time + std::chrono::seconds(5));
    EXPECT_NE(refusal(r).message().find("files"), std::string::npos);
}

/// A judge of 8x8 pictures with random weights, as evaluate stores one.
class SweepJudge : public InFolder {
protected:
    [[nodiscard]] Classifier judgeOf(int channels, int classes) const {
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(3);
        Classifier judge;
        const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
            judge.weights[name + ".bias"] = at::randn({shape[0]}, generator);
            judge.weights[name + ".weight"] = at::randn(shape, generator) * 0.05;
        };
        add("conv1", {32, channels, 3, 3}), add("conv2", {64, 32, 3, 3});
        add("hidden", {128, 64 * (m_side / 4) * (m_side / 4)}), add("classes", {classes, 128});
        if (!saveClassifier(path("judge.safetensors"), judge)) throw std::runtime_error("not written");
        return judge;
    }
    int m_side = 8;
};

at::Tensor signalOf(const Array& pixels) {
    const auto bytes = at::from_blob(const_cast<std::byte*>(pixels.bytes.data()), pixels.shape, at::kByte);
    return (bytes.to(at::kFloat) / 127.5 - 1).permute({2, 0, 1}).unsqueeze(0).contiguous();
}

TEST_F(SweepJudge, CountsAnswersThatChange) {
    SweepRequest request = ditSweep("output-off");
    request.classes = {1}, request.seeds = {5}, request.heads = {{0, 0}, {0, 1}, {1, 0}};
    request.classifier = path("judge.safetensors");
    const GenerateResult before = drawn(request.run, 1, 5);
    m_side = static_cast<int>(before.images[0].pixels.shape[0]);
    const ModelCard card = openCard(request.run.model).value();
    const Classifier judge = judgeOf(3, card.classes);
    const SweepReport report = done(request);
    ASSERT_EQ(report.numbers.size(), 5u);
    const auto shares = [&](const GenerateResult& r) {
        const at::Tensor features = classifierFeatures(judge.weights, signalOf(r.images[0].pixels));
        return at::softmax(classifierScores(judge.weights, features).to(at::kDouble), 1)[0];
    };
    for (const SweepRow& row : report.rows) {
        GenerateRequest changed = request.run;
        changed.model = withChange(request.run.model, row.change);
        const at::Tensor a = shares(before), b = shares(drawn(changed, 1, 5));
        EXPECT_EQ(row.mean[kAnswer], a.argmax().item<int>() != b.argmax().item<int>());
        EXPECT_NEAR(row.mean[kRightDrop], (a[1] - b[1]).item<double>(), 1e-6);
        EXPECT_NE(row.mean[kRightDrop], 0);
    }
    (void)judgeOf(3, card.classes + 1);
    EXPECT_TRUE(std::isnan(done(request).rows[0].mean[kRightDrop])) << "other classes: no asked one";
    (void)judgeOf(1, card.classes);
    EXPECT_EQ(refusal(request).code, "classifier") << "grey alone";
    m_side *= 2;
    (void)judgeOf(3, card.classes);
    EXPECT_EQ(refusal(request).code, "classifier") << "another size";
}

TEST(Sweep, RefusesWhatDoesNotFit) {
    SweepRequest r = ditSweep("output-off");
    r.heads = {{9, 0}};
    const Error error = refusal(r);
    EXPECT_EQ(error.kind, ErrorKind::Usage);
    EXPECT_NE(error.message().find("L9.H0"), std::string::npos) << error.message();
    r.heads = {{9, -1}};
    EXPECT_EQ(refusal(r).code, "variation");
    r = ditSweep("output-off"), r.classes.clear();
    EXPECT_EQ(refusal(r).place, "--classes");
    r = ditSweep("output-off"), r.classes = {1, 100000};
    EXPECT_EQ(refusal(r).kind, ErrorKind::Usage);
    r = ditSweep("output-off"), r.seeds.clear();
    EXPECT_EQ(refusal(r).place, "--seeds");
    r = ditSweep("output-off"), r.prompts = {"a cat"};
    EXPECT_EQ(refusal(r).place, "--prompts");
    r = ditSweep("output-off"), r.folder = "/tmp";
    EXPECT_EQ(refusal(r).place, "--folder");
    r = ditSweep("output-off"), r.run.model.path = kGolden + "sd35_tiny.safetensors";
    EXPECT_EQ(refusal(r).place, "--classes") << "it takes text";
}

TEST(Sweep, ATextToImageModelPromptByPrompt) {
    SweepRequest r = ditSweep("tau=1");
    r.run.model = {};
    r.run.model.path = kGolden + "sd35_tiny_harope_inverse.safetensors";
    r.run.text.embeddings = kGolden + "pipelines.safetensors";
    r.run.size = {64, 64}, r.run.steps = 2, r.run.guidance = 4;
    r.classes.clear(), r.heads = {{0, 0}, {1, 1}};
    for (const SweepRow& row : done(r).rows) EXPECT_EQ(row.mean[kLatentL2], 0) << headsText(row.change);
    r.change = changeOf("output-off");
    const SweepReport report = done(r);
    EXPECT_EQ(report.pictures, 2);
    GenerateRequest changed = r.run;
    changed.model = withChange(r.run.model, report.rows[1].change);
    double sum = 0;
    for (const std::uint64_t seed : r.seeds)
        sum += relative(latentsOf(drawn(r.run, 0, seed)), latentsOf(drawn(changed, 0, seed)));
    EXPECT_GT(sum, 0);
    EXPECT_NEAR(report.rows[1].mean[kLatentL2], sum / 2, 1e-9);
}

/// Labelled pictures of a ViT that answers right where `wrong` does not say otherwise.
class SweepClasses : public InFolder {
protected:
    void SetUp() override {
        InFolder::SetUp();
        const c10::InferenceMode inference;
        m_request.run.model.path = kGolden + "vit_tiny_patch16_rope_mixed_224.safetensors";
        m_request.run.compute.device = "cpu", m_request.run.compute.threads = 1;
        m_request.change = changeOf("output-off");
        m_request.data = "set";
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(4);
        m_set.images = at::randint(0, 256, {20, 3, 64, 64}, generator, at::kByte);
        m_set.labels = answers({}).clone();
        for (int i = 0; i < 20; i += 3) m_set.labels[i] = (m_set.labels[i].item<int>() + 1) % 11;
    }
    [[nodiscard]] at::Tensor answers(const std::vector<HeadChange>& changes) const {
        const c10::InferenceMode inference;
        ModelRef ref = m_request.run.model;
        ref.changes = changes;
        const auto model = loadModel(ref, at::kCPU, Precision::Fp32).value();
        return model->vit->forward(m_set.images.to(at::kFloat) / 127.5 - 1).argmax(1);
    }
    [[nodiscard]] ReadTestSet reader() const {
        return [this](const std::string&) -> Result<LabelledPictures> { return m_set; };
    }
    SweepRequest m_request;
    LabelledPictures m_set;
};

TEST_F(SweepClasses, TheDropIsThatOfAPlainLoop) {
    m_request.batch = 7;
    const SweepReport report = done(m_request, reader());
    ASSERT_EQ(report.numbers, (std::vector<std::string>{"accuracy", "accuracy_drop", "answer_change"}));
    EXPECT_EQ(report.pictures, 20);
    const at::Tensor before = answers({}).eq(m_set.labels).to(at::kDouble);
    bool changes = false;
    for (const SweepRow& row : report.rows) {
        const at::Tensor best = answers({row.change}), after = best.eq(m_set.labels).to(at::kDouble);
        const at::Tensor drop = before - after;
        EXPECT_NEAR(row.mean[0], after.mean().item<double>(), 1e-12) << headsText(row.change);
        EXPECT_NEAR(row.mean[1], drop.mean().item<double>(), 1e-12);
        EXPECT_NEAR(row.error[1], drop.std().item<double>() / std::sqrt(20.0), 1e-12);
        EXPECT_NEAR(row.mean[2], best.ne(answers({})).to(at::kDouble).mean().item<double>(), 1e-12);
        changes = changes || row.mean[2] > 0;
    }
    EXPECT_TRUE(changes) << "some head decides some answer";
    EXPECT_NEAR(before.mean().item<double>(), 13.0 / 20, 1e-12);
    m_request.images = 5;
    EXPECT_EQ(done(m_request, reader()).pictures, 5);
}

TEST_F(SweepClasses, AFoldersNamesAreTheClasses) {
    const auto media = openMediaLibrary();
    if (!media) GTEST_SKIP() << media.error().message();
    m_request.data.clear(), m_request.folder = path("pictures"), m_request.heads = {{0, 0}};
    ClassifyRequest asked;
    asked.model = m_request.run.model, asked.compute = m_request.run.compute;
    double right = 0;
    for (int i = 0; i < 6; ++i) {
        const at::Tensor pixels = m_set.images[i].permute({1, 2, 0}).contiguous();
        const std::string folder = path("pictures/" + std::to_string(m_set.labels[i].item<int>()));
        std::filesystem::create_directories(folder);
        const std::string file = folder + "/" + std::to_string(i) + ".png";
        ASSERT_TRUE((*media)->writePng(
            file, makeArray(std::span(pixels.const_data_ptr<std::uint8_t>(), pixels.numel()), pixels.sizes().vec()),
            ""));
        asked.image = file;
        right += classify(asked).value().top[0].index == m_set.labels[i].item<int>();
    }
    const SweepReport report = done(m_request);
    EXPECT_EQ(report.pictures, 6);
    EXPECT_NEAR(report.rows[0].mean[0] + report.rows[0].mean[1], right / 6, 1e-12) << "accuracy of the unchanged";
    std::filesystem::create_directories(path("pictures/cat"));
    std::filesystem::copy_file(asked.image, path("pictures/cat/0.png"));
    EXPECT_EQ(refusal(m_request).code, "labelled-pictures");
}

TEST_F(SweepClasses, RefusesWhatDoesNotFit) {
    m_request.data.clear();
    EXPECT_EQ(refusal(m_request).place, "--folder");
    m_request.folder = path("nowhere");
    EXPECT_EQ(refusal(m_request).code, "labelled-pictures");
    m_request.folder.clear(), m_request.data = "set";
    m_set.images = m_set.images.narrow(1, 0, 1);
    EXPECT_EQ(sweep(m_request, {}, reader()).error().code, "labelled-pictures");
}

}  // namespace
}  // namespace ropescope
