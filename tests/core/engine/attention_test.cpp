// SPDX-License-Identifier: Apache-2.0
// Single tokens' attention against the probabilities that the networks' own taps give.
#include "core/engine/measure/attention.h"

#include <c10/core/InferenceMode.h>

#include "core/engine/machine/media_library.h"
#include "core/engine/measure/forward.h"
#include "core/engine/measure/preprocess.h"
#include "core/engine/network/prompt.h"
#include "core/engine/run/generate.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/run_memory.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

AttentionRequest flux() {
    AttentionRequest r;
    r.run.model.path = goldenPath("flux_tiny.safetensors");
    r.run.compute.device = "cpu";
    r.run.compute.threads = 1;
    r.run.text.embeddings = goldenPath("pipelines.safetensors");
    r.run.noiseFile = goldenPath("pipelines_flux_noise.safetensors");
    r.run.steps = 4;
    r.run.guidance = 2.5;
    r.step = 2;
    r.head = {1, 1};
    return r;
}

AttentionReport asked(const AttentionRequest& request) {
    auto report = attentionOf(request, {});
    if (!report) throw std::runtime_error(report.error().message());
    return std::move(*report);
}

/// Probabilities [H,T+N,T+N] of the conditional pass on the latents before `step`.
at::Tensor probabilities(const AttentionRequest& request) {
    const c10::InferenceMode inference;
    auto run = Run::start(request.run, {});
    for (int i = 0; i < request.step; ++i)
        if (const auto done = run->step(); !done) throw std::runtime_error(done.error().message());
    const auto painter = openPainter(request.run.model, request.run.compute, request.run.text.memory, at::kCPU, {});
    const auto prompt = readPrompt(request.run, **painter, {});
    at::Tensor out;
    PassHooks hooks;
    hooks.taps.attention = [&](int layer, const at::Tensor& alpha, std::int64_t) {
        if (layer == request.head.layer) out = alpha[0].to(at::kDouble);
    };
    (void)(*painter)->predict(run->latents().narrow(0, 0, 1),
                              run->plan().times[request.step * run->plan().evaluationsPerStep()], prompt->text,
                              prompt->pooled, request.run.guidance, hooks);
    return out;
}

void expectNear(const std::vector<float>& found, const at::Tensor& expected) {
    ASSERT_EQ(static_cast<std::int64_t>(found.size()), expected.numel());
    for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found[i], expected[static_cast<std::int64_t>(i)].item<double>(), 2e-6) << i;
}

TEST(Attention, RowsColumnsAndSharesAreThoseOfTheNetwork) {
    for (const HeadId head : {HeadId{0, 0}, HeadId{1, 1}, HeadId{2, 0}}) {  // joint and single layers
        AttentionRequest r = flux();
        r.head = head;
        r.patches = {3}, r.words = {1, 4};
        const at::Tensor alpha = probabilities(r)[head.head];
        const AttentionReport report = asked(r);
        const std::int64_t text = report.shares.text, n = report.grid.tokens();
        ASSERT_EQ(text + n, alpha.size(0));
        const at::Tensor rows = (alpha[1] + alpha[4] + alpha[text + 3]) / 3;
        const at::Tensor cols = alpha.select(1, 1) + alpha.select(1, 4) + alpha.select(1, text + 3);
        expectNear(report.looks.text, rows.narrow(0, 0, text));
        expectNear(report.looks.image, rows.narrow(0, text, n));
        expectNear(report.seen.text, cols.narrow(0, 0, text));
        expectNear(report.seen.image, cols.narrow(0, text, n));
        EXPECT_NEAR(report.shares.imageToText, alpha.narrow(0, text, n).narrow(1, 0, text).sum(1).mean().item<double>(),
                    2e-6);
        EXPECT_NEAR(report.shares.textToImage, alpha.narrow(0, 0, text).narrow(1, text, n).sum(1).mean().item<double>(),
                    2e-6);
        EXPECT_GT(report.entropy, 0);
    }
}

TEST(Attention, ATokenGivenTwiceIsOne) {
    AttentionRequest once = flux(), twice = flux();
    once.words = {1, 4}, once.patches = {3};
    twice.words = {4, 1, 1}, twice.patches = {3, 3};
    const AttentionReport a = asked(once), b = asked(twice);
    EXPECT_EQ(a.looks.image, b.looks.image);
    EXPECT_EQ(a.seen.text, b.seen.text);
}

TEST(Attention, ANewStartOfTheEngineGivesTheSame) {
    AttentionRequest r = flux();
    r.patches = {5};
    ASSERT_TRUE(generate(r.run, {}));
    const AttentionReport kept = asked(r);
    AttentionRequest other = flux();
    other.run.noiseFile.clear();
    other.run.size = {32, 32};
    ASSERT_TRUE(generate(other.run, {}));  // the run before is forgotten
    EXPECT_FALSE(keptStep(r.run, r.step).defined());
    AttentionRequest elsewhere = r;
    elsewhere.head = {0, 0};  // the layer asked about before is forgotten too
    (void)asked(elsewhere);
    EXPECT_TRUE(keptStep(r.run, r.step).defined()) << "the next question needs no second run";
    const AttentionReport anew = asked(r);
    EXPECT_EQ(kept.looks.image, anew.looks.image);
    EXPECT_EQ(kept.seen.text, anew.seen.text);
    EXPECT_EQ(kept.time, anew.time);
}

TEST(Attention, ARunThatEndsBeforeItsFirstStepLeavesTheLastOne) {
    const AttentionRequest r = flux();
    ASSERT_TRUE(generate(r.run, {}));
    ASSERT_TRUE(keptStep(r.run, 2).defined());
    GenerateRequest other = r.run;
    other.steps = 5;
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    context.onShare = [&](double, const std::string& words) {
        if (words.starts_with("reading weights")) source.request_stop();
    };
    EXPECT_EQ(generate(other, context).error().kind, ErrorKind::Cancelled);
    EXPECT_TRUE(keptStep(r.run, 2).defined());
    EXPECT_TRUE(keptClean(r.run, 2).defined());
    ASSERT_TRUE(generate(other, {}));
    EXPECT_FALSE(keptStep(r.run, 2).defined());
    EXPECT_TRUE(keptClean(other, 4).defined());
}

TEST(Attention, FieldsOfARunCarryTheShares) {
    AttentionRequest r = flux();
    GenerateRequest run = r.run;
    run.record = RecordFields::Listed;
    run.recordHeads = {r.head};
    const auto result = generate(run, {});
    ASSERT_TRUE(result) << result.error().message();
    ASSERT_EQ(result->fields.size(), 4u);
    const StepFields& step = result->fields[2];
    ASSERT_EQ(step.heads.size(), 1u);
    const AttentionReport report = asked(r);
    EXPECT_EQ(step.heads[0].id, r.head);
    EXPECT_NEAR(step.heads[0].shares.imageToText, report.shares.imageToText, 1e-6);
    EXPECT_NEAR(step.heads[0].shares.textToImage, report.shares.textToImage, 1e-6);
    EXPECT_NEAR(step.heads[0].entropy, report.entropy, 1e-5);
    EXPECT_EQ(step.time, report.time);
    double sum = 0;
    for (const float share : step.heads[0].sum) sum += share;
    EXPECT_NEAR(sum + report.shares.imageToText, 1, 1e-5);
    // Recording changes nothing.
    EXPECT_EQ(generate(r.run, {})->latents, result->latents);
}

TEST(Attention, OfAClassConditionalModel) {
    AttentionRequest r;
    r.run.model.path = goldenPath("harope_dit_tiny.pt");
    r.run.model.convention = Convention::Inverse;
    r.run.compute.device = "cpu";
    r.run.compute.threads = 1;
    r.run.steps = 4;
    r.run.labels = {1};
    r.run.seed = 3;
    r.head = {1, 1};
    GenerateRequest recorded = r.run;
    recorded.record = RecordFields::All;
    const auto result = generate(recorded, {});
    ASSERT_TRUE(result) << result.error().message();
    for (const int step : {0, 3}) {
        r.step = step;
        r.patches = {};
        const AttentionReport all = asked(r);
        EXPECT_EQ(all.shares.text, 0);
        EXPECT_TRUE(all.looks.text.empty());
        for (const HeadField& field : result->fields[step].heads) {
            if (field.id == r.head) {
                EXPECT_NEAR(all.entropy, field.entropy, 1e-4);
            }
        }
        // The mean row is the mean of the single rows.
        std::vector<double> mean(all.looks.image.size());
        for (int patch = 0; patch < all.grid.tokens(); ++patch) {
            r.patches = {patch};
            const AttentionReport one = asked(r);
            for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += one.looks.image[i] / all.grid.tokens();
        }
        for (std::size_t i = 0; i < mean.size(); ++i) EXPECT_NEAR(mean[i], all.looks.image[i], 1e-5);
    }
}

TEST(Attention, RefusesWhatIsNotThere) {
    const auto refused = [](const AttentionRequest& request, const std::string& words) {
        const auto report = attentionOf(request, {});
        ASSERT_FALSE(report);
        EXPECT_NE(report.error().message().find(words), std::string::npos) << report.error().message();
    };
    AttentionRequest r = flux();
    r.head = {9, 0};
    refused(r, "no such head");
    r = flux(), r.head = {0, 7};
    refused(r, "no such head");
    r = flux(), r.patches = {1000};
    refused(r, "no such token");
    r = flux(), r.words = {-1};
    refused(r, "no such token");
    r = flux(), r.step = 4;
    refused(r, "found 5, expected 1 to 4");
    r = flux(), r.image = goldenPath("flux_tiny.safetensors");
    refused(r, "only a ViT looks at a picture file");
    std::stop_source source;
    source.request_stop();
    JobContext context;
    context.stop = source.get_token();
    r = flux(), r.run.seed = 99, r.run.noiseFile.clear(), r.run.size = {32, 32};
    EXPECT_EQ(attentionOf(r, context).error().kind, ErrorKind::Cancelled);
}

/// A picture file, and the question about it.
class ViTAttention : public InFolder {
protected:
    AttentionRequest question(const std::string& model) {
        write(0);
        AttentionRequest r;
        r.run.model.path = goldenPath(model);
        r.run.compute.device = "cpu";
        r.run.compute.threads = 1;
        r.image = path("a.png");
        return r;
    }
    void write(int shift) const {
        Array pixels = TensorTable::open(goldenPath("pil_resize.safetensors")).value().read("source").value();
        for (std::uint8_t& v : pixels.as<std::uint8_t>()) v = static_cast<std::uint8_t>(v + shift);
        ASSERT_TRUE(openMediaLibrary().value()->writePng(path("a.png"), pixels, {}));
    }
    /// What forward writes of that layer, [H,N,N].
    at::Tensor written(const AttentionRequest& request) {
        const Preprocessing p = openCard(request.run.model).value().preprocessing;
        const Array picture = openMediaLibrary().value()->readImage(request.image).value();
        const at::Tensor x = normalisedInput(classifierInput(picture, p).value(), p);
        writeWeights(path("in.safetensors"), {{"x", x}});
        ForwardCommand c;
        c.model = request.run.model, c.compute = request.run.compute;
        c.in = path("in.safetensors"), c.out = path("out.safetensors");
        c.attention = true;
        if (auto done = forwardToFile(c); !done) throw std::runtime_error(done.error().message());
        return goldenTensor(c.out, "attention." + std::to_string(request.head.layer))[0];
    }
};

TEST_F(ViTAttention, IsWhatForwardWrites) {
    using Pieces = std::vector<std::string>;
    for (const auto& [model, lead] :
         {std::pair{"vit_tiny_patch16_rope_mixed_224.safetensors", Pieces{"class token"}},
          {"relatives/vit_reg2.safetensors", Pieces{"class token", "register 1", "register 2"}},
          {"relatives/vit_distilled.safetensors", Pieces{"class token", "distillation token"}},
          {"relatives/vit_avg_noclass.safetensors", Pieces{}}}) {
        SCOPED_TRACE(model);
        AttentionRequest r = question(model);
        r.head = {1, 1}, r.patches = {3, 4};
        if (!lead.empty()) r.words = {static_cast<int>(lead.size()) - 1};
        const at::Tensor alpha = written(r)[1];
        const auto text = static_cast<std::int64_t>(lead.size());
        const AttentionReport report = asked(r);
        const std::int64_t n = report.grid.tokens();
        ASSERT_EQ(text + n, alpha.size(0));
        at::Tensor rows = alpha[text + 3] + alpha[text + 4];
        at::Tensor cols = alpha.select(1, text + 3) + alpha.select(1, text + 4);
        if (text > 0) rows = rows + alpha[text - 1], cols = cols + alpha.select(1, text - 1);
        rows = rows / (text > 0 ? 3 : 2);
        expectNear(report.looks.text, rows.narrow(0, 0, text));
        expectNear(report.looks.image, rows.narrow(0, text, n));
        expectNear(report.seen.text, cols.narrow(0, 0, text));
        expectNear(report.seen.image, cols.narrow(0, text, n));
        const at::Tensor ofPatches = alpha.narrow(0, text, n);
        EXPECT_NEAR(report.entropy, at::special_entr(ofPatches).sum(1).mean().item<double>(), 1e-5);
        EXPECT_EQ(report.shares.text, text);
        EXPECT_EQ(report.time, 0);
        ASSERT_EQ(report.tokens.parts.size(), text > 0 ? 1u : 0u);
        if (text == 0) continue;
        EXPECT_NEAR(report.shares.imageToText, ofPatches.narrow(1, 0, text).sum(1).mean().item<double>(), 2e-6);
        EXPECT_NEAR(report.shares.textToImage, alpha.narrow(0, 0, text).narrow(1, text, n).sum(1).mean().item<double>(),
                    2e-6);
        EXPECT_EQ(report.tokens.parts[0].pieces, lead);
        EXPECT_EQ(report.tokens.parts[0].first, 0);
        EXPECT_EQ(report.tokens.parts[0].used, text);
    }
}

TEST_F(ViTAttention, ALayerIsComputedOnceForAPicture) {
    AttentionRequest r = question("vit_tiny_patch16_224.safetensors");
    int told = 0;
    JobContext context;
    context.onShare = [&](double, const std::string&) { ++told; };
    const auto first = attentionOf(r, context);
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_EQ(told, 1);
    r.head = {0, 1}, r.patches = {2};
    ASSERT_TRUE(attentionOf(r, context));
    EXPECT_EQ(told, 1) << "another head and another patch of the same layer";
    r.head = {1, 1};
    ASSERT_TRUE(attentionOf(r, context));
    EXPECT_EQ(told, 3) << "two layers to run";
    r.head = {0, 0}, r.patches = {};
    ASSERT_TRUE(attentionOf(r, context));
    write(60);  // another picture under the same name
    const auto other = attentionOf(r, context);
    ASSERT_TRUE(other) << other.error().message();
    EXPECT_NE(other->looks.image, first->looks.image);
}

TEST_F(ViTAttention, RefusesWhatIsNotThere) {
    const auto refused = [](const AttentionRequest& request, const std::string& words) {
        const auto report = attentionOf(request, {});
        ASSERT_FALSE(report);
        EXPECT_NE(report.error().message().find(words), std::string::npos) << report.error().message();
    };
    const AttentionRequest good = question("vit_tiny_patch16_224.safetensors");
    AttentionRequest r = good;
    r.image.clear();
    refused(r, "a ViT looks at a picture");
    r = good, r.image = path("none.png");
    refused(r, "none.png");
    r = good, r.step = 1;
    refused(r, "found 2, expected 1)");
    r = good, r.head = {9, 0};
    refused(r, "no such head");
    r = good, r.words = {1};
    refused(r, "0 to 0");
    r = question("relatives/vit_avg_noclass.safetensors"), r.words = {0};
    refused(r, "found 0, expected none");
    std::stop_source source;
    source.request_stop();
    JobContext context;
    context.stop = source.get_token();
    r = good, r.head = {1, 0};
    EXPECT_EQ(attentionOf(r, context).error().kind, ErrorKind::Cancelled);
}

}  // namespace
}  // namespace ropescope
