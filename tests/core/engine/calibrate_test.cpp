// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/calibrate.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <stop_token>

#include "core/engine/machine/media_library.h"
#include "core/engine/measure/classify.h"
#include "core/engine/measure/compare.h"
#include "core/engine/network/painter_network.h"
#include "core/engine/run/generate.h"
#include "core/engine/run/run.h"
#include "core/model/dit.h"
#include "core/probe/model_heads.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

class Calibrate : public InFolder {};
class CompareHeads : public InFolder {};

ModelRef fixture(const std::string& file = kFixture) {
    ModelRef ref;
    ref.path = file;
    ref.convention = Convention::Inverse;
    ref.grid = {4, 4};
    ref.theta = 10000;
    return ref;
}

CalibrateRequest small(int images = 2) {
    CalibrateRequest request;
    request.model = fixture();
    request.compute.device = "cpu";
    request.compute.threads = 1;
    request.images = images;
    request.steps = 4;
    request.seed = 11;
    request.labels = {1, 2};
    return request;
}

const MeasuredNumber& number(const CalibrationReport& report, const std::string& key) {
    for (const MeasuredNumber& n : report.numbers)
        if (n.key == key) return n;
    throw std::out_of_range(key);
}

TEST_F(Calibrate, EveryHeadHasNumbersCurvesAndStandardErrors) {
    std::vector<double> shares;
    JobContext context;
    context.onShare = [&](double done, const std::string&) { shares.push_back(done); };
    const auto report = calibrate(small(), context);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->images, 2);
    EXPECT_EQ(report->times.size(), 4u);
    EXPECT_GT(report->times[0], report->times[3]);
    ASSERT_EQ(report->curves.size(), 6u);
    for (const MeasuredNumber& n : report->numbers) {
        ASSERT_EQ(n.mean.size(), 6u);
        ASSERT_EQ(n.stepMean.size(), 24u);
        for (int i = 0; i < 6; ++i) EXPECT_TRUE(std::isfinite(n.mean[i]) && std::isfinite(n.error[i])) << n.key;
    }
    ASSERT_FALSE(shares.empty());
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
    EXPECT_DOUBLE_EQ(shares.back(), 1);
    // The same question again is answered from memory.
    const auto again = calibrate(small(), {});
    EXPECT_EQ(again->seconds, report->seconds);
}

void expectFieldsOfGenerating(const CalibrateRequest& request) {
    const auto report = calibrate(request, {});
    ASSERT_TRUE(report) << report.error().message();
    std::map<HeadId, std::vector<double>> sums;
    std::map<HeadId, double> entropies;
    for (int i = 0; i < request.images; ++i) {
        GenerateRequest one;
        one.model = request.model, one.compute = request.compute;
        one.steps = request.steps, one.guidance = request.guidance;
        one.labels = {request.labels[i]};
        one.seed = request.seed + i;
        one.record = RecordFields::All;
        const auto result = generate(one, {});
        ASSERT_TRUE(result) << result.error().message();
        for (const StepFields& step : result->fields)
            for (const HeadField& field : step.heads) {
                sums[field.id].resize(field.sum.size());
                for (std::size_t b = 0; b < field.sum.size(); ++b) sums[field.id][b] += field.sum[b] / 8;
                entropies[field.id] += field.entropy / 8;
            }
    }
    for (std::size_t h = 0; h < report->curves.size(); ++h) {
        const HeadField& field = report->curves[h].field;
        // Float32 networks, one folded and one not.
        for (std::size_t b = 0; b < field.sum.size(); ++b) EXPECT_NEAR(field.sum[b], sums[field.id][b], 1e-4);
        EXPECT_NEAR(field.entropy, entropies[field.id], 1e-3);
        EXPECT_NEAR(number(*report, "data_attention_entropy").mean[h], entropies[field.id], 1e-3);
    }
}

TEST_F(Calibrate, FieldsAreThoseThatGeneratingRecords) {
    expectFieldsOfGenerating(small());
}

TEST_F(Calibrate, ChangedHeadsAreMeasuredAsTheyDraw) {
    CalibrateRequest request = small();
    request.model.changes.resize(2);
    HeadChange &dial = request.model.changes[0], &off = request.model.changes[1];
    dial.curve = {1, 0};
    off.kind = ChangeKind::OutputOff, off.layer = 0, off.head = 1;
    expectFieldsOfGenerating(request);
    const auto stored = calibrate(small(), {}), changed = calibrate(request, {});
    ASSERT_TRUE(stored && changed);
    EXPECT_NE(stored->curves.back().field.sum, changed->curves.back().field.sum);
}

TEST_F(Calibrate, OnlyTheHeadsAskedForAreMeasured) {
    CalibrateRequest request = small(1);
    const auto all = calibrate(request, {});
    request.heads = {{1, 2}, {1, 0}};
    const auto some = calibrate(request, {});
    ASSERT_TRUE(all && some);
    ASSERT_EQ(some->curves.size(), 2u);
    EXPECT_EQ(some->curves[0].id, (HeadId{1, 0}));
    EXPECT_TRUE(std::isnan(number(*some, "data_mean_distance").mean[4]));
    // Layers that are not measured attend by another function: float32 round-off.
    EXPECT_NEAR(number(*some, "data_mean_distance").mean[3], number(*all, "data_mean_distance").mean[3], 1e-4);
    for (std::size_t p = 0; p < all->curves[5].energy.size(); ++p)
        EXPECT_NEAR(some->curves[1].energy[p], all->curves[5].energy[p], 1e-5);
}

/// A ViT shown three pictures, one of them in a folder of its own, beside a broken one and a text.
CalibrateRequest onFolder(const std::filesystem::path& folder) {
    const Array source = TensorTable::open(goldenPath("pil_resize.safetensors")).value().read("source").value();
    std::filesystem::create_directories(folder / "sub");
    for (const auto& [name, shift] : {std::pair{"a.png", 0}, {"b.PNG", 60}, {"sub/c.png", 120}}) {
        Array shifted = source;
        for (std::uint8_t& v : shifted.as<std::uint8_t>()) v = static_cast<std::uint8_t>(v + shift);
        EXPECT_TRUE(openMediaLibrary().value()->writePng(folder / name, shifted, {}));
    }
    std::ofstream(folder / "broken.jpg") << "no picture";
    std::ofstream(folder / "notes.txt") << "no picture either";
    CalibrateRequest request;
    request.model.path = goldenPath("vit_harope_svd_inverse_all.safetensors");
    request.compute.device = "cpu";
    request.compute.threads = 1;
    request.folder = folder;
    return request;
}

TEST_F(Calibrate, AClassifierIsMeasuredOnTheFieldsThatClassifyingRecords) {
    const CalibrateRequest request = onFolder(m_folder);
    const auto report = calibrate(request, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->images, 3);
    EXPECT_NE(report->source.find("3 pictures of"), std::string::npos);
    EXPECT_NE(report->source.find("1 more could not be read"), std::string::npos) << report->source;
    EXPECT_TRUE(report->times.empty());
    ASSERT_FALSE(report->curves.empty());
    for (const HeadCalibration& head : report->curves) {
        std::vector<double> sum(head.field.sum.size(), 0.0);
        double entropy = 0, classShare = 0;
        for (const char* name : {"a.png", "b.PNG", "sub/c.png"}) {
            ClassifyRequest one;
            one.model = request.model, one.compute = request.compute;
            one.image = path(name);
            one.heads = {head.id};
            const auto seen = classify(one);
            ASSERT_TRUE(seen) << seen.error().message();
            for (std::size_t b = 0; b < sum.size(); ++b) sum[b] += seen->heads[0].field.sum[b] / 3;
            entropy += seen->heads[0].field.entropy / 3, classShare += seen->heads[0].classShare / 3;
        }
        // Means of float32 numbers in another order.
        for (std::size_t b = 0; b < sum.size(); ++b) EXPECT_NEAR(head.field.sum[b], sum[b], 1e-6);
        EXPECT_NEAR(head.field.entropy, entropy, 1e-5);
        const std::size_t at = head.id.layer * report->heads + head.id.head;
        EXPECT_NEAR(number(*report, "data_other_share").mean[at], classShare, 1e-5);
        EXPECT_GT(number(*report, "data_offset_share").error[at], 0) << "three different pictures";
    }
}

TEST_F(Calibrate, FoldersAreForClassifiersAndHoldPictures) {
    CalibrateRequest request = onFolder(m_folder);
    request.images = 1;
    const auto one = calibrate(request, {});
    ASSERT_TRUE(one) << one.error().message();
    EXPECT_EQ(one->images, 1);
    request.folder = path("none");
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 1);
    std::filesystem::create_directories(path("empty"));
    request.folder = path("empty");
    EXPECT_NE(calibrate(request, {}).error().message().find("no picture"), std::string::npos);
    std::filesystem::copy_file(path("broken.jpg"), path("empty/broken.jpg"));
    EXPECT_EQ(calibrate(request, {}).error().code.substr(0, 2), "IM");
    request = small();
    request.folder = path("");
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2) << "a DiT is measured on what it draws";
}

TEST_F(Calibrate, WhatDoesNotFitIsNamedAndAStopEndsIt) {
    CalibrateRequest request = small();
    request.images = 0;
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2);
    request = small();
    request.model.path = goldenPath("vit_tiny_patch16_rope_224.safetensors");  // needs a folder
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2);
    request = small();
    request.heads = {{2, 0}};
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2);
    request = small();
    request.seed = 99;
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    context.onShare = [&](double, const std::string&) { source.request_stop(); };
    EXPECT_EQ(calibrate(request, context).error().exitCode(), 130);
}

TEST_F(Calibrate, TheTapsHearTheProjectionsAndTakeTheProductsPlace) {
    const auto table = TensorTable::open(kFixture);
    const auto shape = ditShape(recognise(*table, fixture()).value());
    ASSERT_TRUE(shape) << shape.error().message();
    const WeightTable weights = loadDitWeights(*table, *shape).value();
    const Tensors inputs = readWeights(kGolden + "harope_dit_tiny.expected.safetensors");
    const at::Tensor x = inputs.at("x").to(at::kFloat), t = inputs.at("t").to(at::kFloat);
    const at::Tensor y = inputs.at("y").to(at::kLong);
    std::vector<at::Tensor> heard(shape->layers), product(shape->layers);
    DitTaps taps;
    taps.projected = [&](int layer, const at::Tensor& q, const at::Tensor&) { heard[layer] = q.clone(); };
    taps.queryKey = [&](int layer, at::Tensor& q, at::Tensor&) { product[layer] = q.clone(); };
    taps.attend = [](int, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
        return at::scaled_dot_product_attention(q, k, v);
    };
    const at::Tensor plain = ditForward(weights, *shape, x, t, y);
    const at::Tensor tapped = ditForward(weights, *shape, x, t, y, taps);
    EXPECT_LE((plain - tapped).abs().max().item<double>(), 1e-5 * std::max(1.0, plain.abs().max().item<double>()));
    for (int layer = 0; layer < shape->layers; ++layer) {
        const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
        const LayerPositions positions = layerPositions(weights, prefix, shape->positions(), layer);
        const at::Tensor mapped = at::matmul(heard[layer], positions.maps.query.to(at::kFloat).mT());
        const at::Tensor turned = rotate(mapped, rotaryTable(positions.frequency, {4, 4}));
        EXPECT_LE((turned - product[layer]).abs().max().item<double>(), 1e-5);
    }
}

// ---- models that take text

const char* const kPainters[] = {"flux_tiny_harope_inverse", "sd35_tiny_harope_inverse", "flux_tiny", "sd35_tiny"};

CalibrateRequest painted(const std::string& name, int images = 2) {
    CalibrateRequest request;
    request.model.path = goldenPath(name + ".safetensors");
    request.compute.device = "cpu";
    request.compute.threads = 1;
    request.images = images;
    request.steps = 3;
    request.guidance = 3;
    request.seed = 5;
    request.text.embeddings = goldenPath("pipelines.safetensors");
    request.size = {48, 64};  // 3x4 tokens
    return request;
}

GenerateRequest drawing(const CalibrateRequest& request, int image) {
    GenerateRequest one;
    one.model = request.model, one.compute = request.compute, one.text = request.text, one.size = request.size;
    one.steps = request.steps, one.guidance = request.guidance, one.seed = request.seed + image;
    return one;
}

TEST_F(Calibrate, PaintersAreMeasuredOnTheFieldsThatGeneratingRecords) {
    for (const char* name : kPainters) {
        SCOPED_TRACE(name);
        const CalibrateRequest request = painted(name);
        const auto report = calibrate(request, {});
        ASSERT_TRUE(report) << report.error().message();
        EXPECT_EQ(report->grid, (Grid{3, 4}));
        EXPECT_EQ(report->times.size(), 3u);
        EXPECT_NE(report->source.find("48x64 pixels"), std::string::npos) << report->source;
        ASSERT_EQ(report->curves.size(), static_cast<std::size_t>(report->layers) * report->heads);
        std::map<HeadId, std::vector<double>> sums;
        std::map<HeadId, double> entropies, text;
        for (int i = 0; i < request.images; ++i) {
            GenerateRequest one = drawing(request, i);
            one.record = RecordFields::All;
            const auto result = generate(one, {});
            ASSERT_TRUE(result) << result.error().message();
            for (const StepFields& step : result->fields)
                for (const HeadField& field : step.heads) {
                    sums[field.id].resize(field.sum.size());
                    for (std::size_t b = 0; b < field.sum.size(); ++b) sums[field.id][b] += field.sum[b] / 6;
                    entropies[field.id] += field.entropy / 6, text[field.id] += field.shares.imageToText / 6;
                }
        }
        for (const HeadCalibration& head : report->curves) {
            const std::size_t at = head.id.layer * report->heads + head.id.head;
            for (std::size_t b = 0; b < head.field.sum.size(); ++b)
                EXPECT_NEAR(head.field.sum[b], sums[head.id][b], 1e-5);
            EXPECT_NEAR(number(*report, "data_attention_entropy").mean[at], entropies[head.id], 1e-4);
            EXPECT_NEAR(number(*report, "data_other_share").mean[at], text[head.id], 1e-4);
            EXPECT_GT(text[head.id], 0.05);
            EXPECT_GT(number(*report, "data_offset_share").error[at], 0) << "two different pictures";
        }
    }
}

/// Queries and keys of every layer in the first pass of a run, [H,T+N,D] float64.
struct Heard {
    std::vector<at::Tensor> q, k, turnedQ;
    std::int64_t text = 0;
};

Heard firstPass(const GenerateRequest& one, int layers) {
    Heard heard{std::vector<at::Tensor>(layers), std::vector<at::Tensor>(layers), std::vector<at::Tensor>(layers)};
    const auto opened = openPainterFor(one, {}).value();
    const Prompt prompt = readPrompt(one, *opened.painter, {}).value();
    const auto run = Run::over(std::make_unique<PainterNetwork>(one, opened.painter, opened.setting), one, {});
    PassHooks hooks;
    hooks.taps.projected = [&](int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
        heard.q[layer] = q[0].to(at::kDouble), heard.k[layer] = k[0].to(at::kDouble), heard.text = text;
    };
    hooks.taps.queryKey = [&](int layer, const at::Tensor& q, const at::Tensor&, std::int64_t) {
        heard.turnedQ[layer] = q[0].to(at::kDouble);
    };
    (void)opened.painter->predict(run->latents(), opened.setting.plan.times[0], prompt.text, prompt.pooled,
                                  one.guidance, hooks);
    return heard;
}

/// sqrt(mean |B_q q|^2 mean |B_k k|^2) of every plane over the tokens [n,D], sum 1.
at::Tensor planeShares(const at::Tensor& q, const at::Tensor& k, const HeadMaps& map) {
    const auto power = [](const at::Tensor& x, const at::Tensor& b) {
        return at::matmul(x, b.mT()).square().mean(0).view({-1, 2}).sum(-1);
    };
    const at::Tensor energy = (power(q, map.query) * power(k, map.key)).sqrt();
    return energy / energy.sum();
}

TEST_F(Calibrate, TheContentOfAPainterIsThatOfItsPicturesTokensBeforeTheMap) {
    for (const char* name : {"flux_tiny_harope_inverse", "sd35_tiny_harope_inverse", "flux_tiny"}) {
        SCOPED_TRACE(name);
        CalibrateRequest request = painted(name, 1);
        request.steps = 1;
        const auto report = calibrate(request, {});
        ASSERT_TRUE(report) << report.error().message();
        const Heard heard = firstPass(drawing(request, 0), report->layers);
        const auto table = TensorTable::open(request.model);
        const ModelCard card = recognise(*table, request.model).value();
        double textMatters = 0;
        for (const HeadCalibration& head : report->curves) {
            const auto [layer, h] = head.id;
            const HeadOperator value = loadHeads(*table, card, layer).value()[h].value;
            const at::Tensor q = heard.q[layer][h], k = heard.k[layer][h];
            const std::int64_t t = heard.text, n = q.size(0) - t;
            const at::Tensor oracle = planeShares(q.narrow(0, t, n), k.narrow(0, t, n), value.map);
            ASSERT_EQ(head.energy.size(), static_cast<std::size_t>(oracle.size(0)));
            for (std::int64_t p = 0; p < oracle.size(0); ++p)
                EXPECT_NEAR(head.energy[p], oracle[p].item<double>(), 1e-5);
            textMatters = std::max(textMatters, (planeShares(q, k, value.map) - oracle).abs().max().item<double>());
            // What is heard is what the layer uses: the picture's first token stands at the origin, nothing turns it.
            const at::Tensor mapped = at::mv(value.map.query, q[t]);
            EXPECT_LE((mapped - heard.turnedQ[layer][h][t]).abs().max().item<double>(), 1e-4);
        }
        EXPECT_GT(textMatters, 1e-3);
    }
}

TEST_F(Calibrate, PaintersNeedATextAndNothingElse) {
    CalibrateRequest request = painted("flux_tiny", 1);
    request.text.embeddings.clear();
    const auto silent = calibrate(request, {});
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().exitCode(), 2);
    EXPECT_NE(silent.error().message().find("--prompts"), std::string::npos) << silent.error().message();
    request = painted("flux_tiny", 1), request.labels = {3};
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2);
    request = painted("flux_tiny", 1), request.folder = path("");
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2);
    request = small(1), request.prompts = {"a cat"};
    EXPECT_EQ(calibrate(request, {}).error().exitCode(), 2) << "a DiT takes no text";
    request = painted("sd35_tiny", 1), request.seed = 77, request.heads = {{1, 1}};
    const auto one = calibrate(request, {});
    ASSERT_TRUE(one) << one.error().message();
    ASSERT_EQ(one->curves.size(), 1u);
    EXPECT_EQ(one->curves[0].id, (HeadId{1, 1}));
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    context.onShare = [&](double, const std::string&) { source.request_stop(); };
    request.seed = 78;
    EXPECT_EQ(calibrate(request, context).error().exitCode(), 130);
}

// ---- comparisons

CompareRequest comparing(CompareMetric metric, std::vector<ModelRef> models = {fixture()}) {
    CompareRequest request;
    request.models = std::move(models);
    request.metric = metric;
    request.measure = small();
    return request;
}

TEST_F(CompareHeads, TheDiagonalIsOneOrZeroAndTheMatrixSymmetric) {
    for (CompareMetric metric :
         {CompareMetric::KernelCorrelation, CompareMetric::FrequencyWasserstein, CompareMetric::FieldCorrelation})
        for (ContentSource content : {ContentSource::Weights, ContentSource::Data}) {
            CompareRequest request = comparing(metric);
            request.content = content;
            const auto report = compareHeads(request, {});
            ASSERT_TRUE(report) << report.error().message();
            ASSERT_EQ(report->names.size(), 6u);
            EXPECT_EQ(report->names[4], "L1.H1");
            ASSERT_EQ(report->matrix.size(), 36u);
            const double self = report->similarity ? 1 : 0;
            double other = 0;
            for (int i = 0; i < 6; ++i)
                for (int j = 0; j < 6; ++j) {
                    const double v = report->matrix[i * 6 + j];
                    EXPECT_NEAR(v, report->matrix[j * 6 + i], 1e-12);
                    if (i == j) {
                        EXPECT_NEAR(v, self, 1e-12);
                    } else {
                        other = std::max(other, std::abs(v - self));
                    }
                }
            EXPECT_GT(other, 1e-6) << "heads differ";
            EXPECT_EQ(report->embedding.size(), 12u);
            EXPECT_GT(report->axisShare[0], 0);
            EXPECT_FALSE(report->definition.empty() || report->title.empty());
            EXPECT_EQ(report->note.empty(), !request.needsData());
        }
}

TEST_F(CompareHeads, PaintersAreComparedByWhatTheirPicturesTell) {
    for (CompareMetric metric :
         {CompareMetric::KernelCorrelation, CompareMetric::FrequencyWasserstein, CompareMetric::FieldCorrelation}) {
        CompareRequest request = comparing(metric, {painted("flux_tiny").model});
        request.measure = painted("flux_tiny", 1);
        request.content = ContentSource::Data;
        const auto report = compareHeads(request, {});
        ASSERT_TRUE(report) << report.error().message();
        ASSERT_EQ(report->names.size(), 6u);
        double other = 0;
        for (int i = 0; i < 6; ++i) {
            EXPECT_NEAR(report->matrix[i * 7], report->similarity ? 1 : 0, 1e-12);
            other = std::max(other, std::abs(report->matrix[i] - report->matrix[0]));
        }
        EXPECT_GT(other, 1e-6) << "heads differ";
        EXPECT_EQ(report->note.find("left out"), std::string::npos) << report->note;
    }
}

TEST_F(CompareHeads, ACopyIsTheSameModelAndAMarkedHeadIsLeftOut) {
    Tensors weights = readWeights(kFixture);
    weights["blocks.0.attn.learnable_rot.sigma"][1][0] = std::nan("");
    const std::string file = path("copy.safetensors");
    writeWeights(file, weights);
    const auto report = compareHeads(comparing(CompareMetric::KernelCorrelation, {fixture(), fixture(file)}), {});
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_EQ(report->names.size(), 12u);
    EXPECT_EQ(report->names[7], "copy L0.H1");
    EXPECT_EQ(report->models[7], 1);
    for (int i = 0; i < 6; ++i) {
        const double v = report->matrix[i * 12 + 6 + i];
        if (i == 1) {
            EXPECT_TRUE(std::isnan(v));
        } else {
            EXPECT_NEAR(v, 1, 1e-12);
        }
    }
    EXPECT_TRUE(std::isnan(report->embedding[14]));
    EXPECT_FALSE(std::isnan(report->embedding[12]));
    EXPECT_NE(report->note.find("1 heads left out"), std::string::npos) << report->note;
}

TEST_F(CompareHeads, PlaneOverlapIsBetweenTwoStatesOfOneRun) {
    const auto same = compareHeads(comparing(CompareMetric::PlaneOverlap, {fixture(), fixture()}), {});
    ASSERT_TRUE(same) << same.error().message();
    EXPECT_NEAR(same->matrix[6], 1, 1e-12);
    EXPECT_TRUE(std::isnan(same->matrix[7])) << "different heads";
    EXPECT_TRUE(same->embedding.empty());
    EXPECT_EQ(same->about, About::Map);
    Tensors weights = readWeights(kFixture);
    weights["blocks.0.attn.learnable_rot.A_u"][0] *= 0.5;
    const std::string file = path("later.safetensors");
    writeWeights(file, weights);
    const auto moved = compareHeads(comparing(CompareMetric::PlaneOverlap, {fixture(), fixture(file)}), {});
    ASSERT_TRUE(moved) << moved.error().message();
    EXPECT_LT(moved->matrix[6], 0.999);
    EXPECT_NEAR(moved->matrix[12 + 7], 1, 1e-12);
    double sum = 0;
    const std::size_t planes = moved->perPlane.size() / 6;
    for (std::size_t p = 0; p < planes; ++p) sum += moved->perPlane[p];
    EXPECT_NEAR(sum / planes, moved->matrix[6], 1e-12);
    EXPECT_EQ(compareHeads(comparing(CompareMetric::PlaneOverlap), {}).error().exitCode(), 2);
}

}  // namespace
}  // namespace ropescope
