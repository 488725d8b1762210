// SPDX-License-Identifier: Apache-2.0
// Single tokens' attention against the probabilities that the networks' own taps give.
#include "core/engine/attention.h"

#include <c10/core/InferenceMode.h>

#include "core/engine/draw.h"
#include "core/engine/drawing.h"
#include "core/engine/generate.h"
#include "core/engine/run_memory.h"
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
    auto setup = setUpDrawing(request.run, {});
    const auto prompt = readPrompt(request.run, *setup->painter, {});
    const auto x = drawSteps(request.run, *setup, *prompt, request.step, {}, {});
    at::Tensor out;
    JointTaps taps;
    taps.attention = [&](int layer, const at::Tensor& alpha, std::int64_t) {
        if (layer == request.head.layer) out = alpha[0].to(at::kDouble);
    };
    (void)setup->painter->predict(x->narrow(0, 0, 1),
                                  setup->plan.times[request.step * setup->plan.evaluationsPerStep()], prompt->text,
                                  prompt->pooled, request.run.guidance, taps);
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
    ASSERT_TRUE(drawFromText(r.run, {}));
    const AttentionReport kept = asked(r);
    AttentionRequest other = flux();
    other.run.noiseFile.clear();
    other.run.size = {32, 32};
    ASSERT_TRUE(drawFromText(other.run, {}));  // the run before is forgotten
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
    ASSERT_TRUE(drawFromText(r.run, {}));
    ASSERT_TRUE(keptStep(r.run, 2).defined());
    GenerateRequest other = r.run;
    other.steps = 5;
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    context.onShare = [&](double, const std::string& words) {
        if (words.starts_with("reading weights")) source.request_stop();
    };
    EXPECT_EQ(drawFromText(other, context).error().kind, ErrorKind::Cancelled);
    EXPECT_TRUE(keptStep(r.run, 2).defined());
    EXPECT_TRUE(keptClean(r.run, 2).defined());
    ASSERT_TRUE(drawFromText(other, {}));
    EXPECT_FALSE(keptStep(r.run, 2).defined());
    EXPECT_TRUE(keptClean(other, 4).defined());
}

TEST(Attention, FieldsOfARunCarryTheShares) {
    AttentionRequest r = flux();
    GenerateRequest run = r.run;
    run.record = RecordFields::Listed;
    run.recordHeads = {r.head};
    const auto result = drawFromText(run, {});
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
    EXPECT_EQ(drawFromText(r.run, {})->latents, result->latents);
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
        for (const HeadField& field : result->fields[step].heads)
            if (field.id == r.head) EXPECT_NEAR(all.entropy, field.entropy, 1e-4);
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
    r.step = 4;
    refused(r, "no such step");
    r = flux(), r.head = {9, 0};
    refused(r, "no such head");
    r = flux(), r.head = {0, 7};
    refused(r, "no such head");
    r = flux(), r.patches = {1000};
    refused(r, "no such token");
    r = flux(), r.words = {-1};
    refused(r, "no such token");
    r = flux();
    r.run.model.path = goldenPath("vit_tiny_patch16_224.safetensors");
    refused(r, "draws nothing");
    std::stop_source source;
    source.request_stop();
    JobContext context;
    context.stop = source.get_token();
    r = flux(), r.run.seed = 99, r.run.noiseFile.clear(), r.run.size = {32, 32};
    EXPECT_EQ(attentionOf(r, context).error().kind, ErrorKind::Cancelled);
}

}  // namespace
}  // namespace ropescope
