// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/heads.h"

#include <cmath>
#include <stop_token>

#include "core/model/dit.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

class Heads : public InFolder {};

ModelRef fixture(Convention convention, const std::string& file = kFixture) {
    ModelRef ref;
    ref.path = file;
    ref.convention = convention;
    ref.grid = {4, 4};
    ref.theta = 10000;
    return ref;
}

AtlasReport atlasOf(const ModelRef& ref) {
    const Result<AtlasReport> atlas = reportAtlas({ref}, {});
    if (!atlas) throw std::runtime_error(atlas.error().message());
    return *atlas;
}

TEST_F(Heads, ComeInTheOrderAskedForAndAsTheyAreReady) {
    std::vector<HeadId> seen;
    JobContext context;
    context.onHead = [&](const HeadReport& r) { seen.push_back(r.id); };
    const std::vector<HeadId> asked = {{1, 2}, {0, 0}, {1, 0}};
    const Result<HeadsReport> report = reportHeads({fixture(Convention::Same), asked}, context);
    ASSERT_TRUE(report.has_value()) << report.error().message();
    EXPECT_EQ(seen, asked);
    for (std::size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(report->heads[i].id, asked[i]);
}

TEST_F(Heads, AHeadTheModelLacksIsAUsageErrorAndAStopEndsTheJob) {
    const Result<HeadsReport> none = reportHeads({fixture(Convention::Same), {{2, 0}}}, {});
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().exitCode(), 2);
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    context.onHead = [&](const HeadReport&) { source.request_stop(); };
    const Result<HeadsReport> stopped = reportHeads({fixture(Convention::Same), {{0, 0}, {0, 1}}}, context);
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().exitCode(), 130);
    EXPECT_FALSE(reportAtlas({fixture(Convention::Same)}, context).has_value());
}

/// Layers of FLUX are counted joint ones first; a third of its planes never turns on an image.
TEST_F(Heads, FluxAndSd3ShowTheirMaps) {
    ModelRef ref;
    ref.path = goldenPath("flux_tiny_harope_inverse.safetensors");
    const Result<HeadsReport> report = reportHeads({ref, {{0, 1}, {2, 0}}}, {});
    ASSERT_TRUE(report.has_value()) << report.error().message();
    const TensorTable table = TensorTable::open(ref.path).value();
    for (const auto& [head, prefix] : {std::pair{0, "double_blocks.0.attn."}, {1, "single_blocks.1.attn."}}) {
        const HeadReport& r = report->heads[head];
        EXPECT_EQ(r.problem, "");
        EXPECT_TRUE(r.hasMap);
        const auto sigma = table.readDouble(std::string(prefix) + "learnable_rot.sigma").value();
        for (int d = 0; d < 8; ++d)
            EXPECT_NEAR(r.spectrum.stored[d], std::log1p(std::exp(sigma[r.id.head * 8 + d])) + 1e-6, 1e-9);
        EXPECT_EQ(r.planeAxis, (std::vector<double>{-1, 0, 0, 1}));  // axes of 2, 4 and 2 features
        EXPECT_TRUE(r.kernelWeights.a.empty()) << "behind norms the projections say nothing of the content";
        EXPECT_FALSE(r.kernelWhite.a.empty());
    }
    ref.path = goldenPath("sd35_tiny_harope_inverse.safetensors");
    const Result<HeadsReport> sd = reportHeads({ref, {{1, 1}}}, {});
    ASSERT_TRUE(sd.has_value()) << sd.error().message();
    EXPECT_TRUE(sd->heads[0].hasMap);
    EXPECT_EQ(atlasOf(ref).layers, 2);
    ref.path = goldenPath("sd3_tiny.safetensors");
    EXPECT_EQ(reportHeads({ref, {{0, 0}}}, {}).value().heads[0].problem, "");
}

TEST_F(Heads, AReplacedFileIsReadAnew) {
    Tensors weights = readWeights(kFixture);
    const std::string file = path("model.safetensors");
    writeWeights(file, weights);
    const AtlasReport first = atlasOf(fixture(Convention::Same, file));
    weights["blocks.0.attn.learnable_rot.sigma"] += 1;
    writeWeights(file, weights);
    EXPECT_NE(first.singularValues, atlasOf(fixture(Convention::Same, file)).singularValues);
}

TEST_F(Heads, AtlasAgreesWithTheFullReports) {
    const AtlasReport atlas = atlasOf(fixture(Convention::Inverse));
    ASSERT_EQ(atlas.layers * atlas.heads, 6);
    const Result<HeadsReport> report = reportHeads({fixture(Convention::Inverse), {{1, 1}}}, {});
    for (const HeadNumber& n : atlas.numbers) {
        ASSERT_EQ(n.values.size(), 6u);
        if (n.key == "rope_distance") {
            EXPECT_EQ(n.values[4], report->heads[0].spectrum.ropeDistance);
        }
        if (n.key == "wasserstein") {
            EXPECT_EQ(n.values[4], report->heads[0].energy.wasserstein);
        }
    }
}

TEST_F(Heads, TheAtlasIsToldWhileItIsMeasured) {
    std::vector<AtlasProgress> told;
    std::vector<double> shares;
    JobContext context;
    context.onAtlas = [&](const AtlasProgress& p) { told.push_back(p); };
    context.onShare = [&](double done, const std::string&) { shares.push_back(done); };
    const Result<AtlasReport> atlas = reportAtlas({fixture(Convention::Inverse)}, context);
    ASSERT_TRUE(atlas) << atlas.error().message();
    ASSERT_FALSE(told.empty());
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
    EXPECT_EQ(shares.back(), 1);
    const AtlasProgress& first = told.front();
    ASSERT_GE(first.layersReady, 1);
    ASSERT_EQ(first.atlas.numbers.size(), atlas->numbers.size());
    for (std::size_t i = 0; i < atlas->numbers.size(); ++i)
        for (int h = 0; h < first.layersReady * atlas->heads; ++h)
            EXPECT_EQ(first.atlas.numbers[i].values[h], atlas->numbers[i].values[h]) << atlas->numbers[i].key;
    std::stop_source stopped;
    stopped.request_stop();
    context.stop = stopped.get_token();
    EXPECT_EQ(reportAtlas({fixture(Convention::Inverse)}, context).error().exitCode(), 130);
}

// ---- gauge copies of a whole file

/// The skew generator of a rotation: real logarithm through its eigenvalues.
at::Tensor generatorOf(const at::Tensor& rotation) {
    const auto [values, vectors] = at::linalg_eig(rotation);
    const at::Tensor logs = at::complex(at::zeros_like(at::real(values)), at::angle(values));
    return at::real(at::matmul(vectors * logs, at::linalg_inv(vectors))).contiguous();
}

/// A_u, A_v and sigma of a map with positive determinant.
void storeMap(Tensors& w, const std::string& rot, int head, const at::Tensor& map) {
    auto [u, s, vt] = at::linalg_svd(map);
    if (at::linalg_det(u).item<double>() < 0) {  // and so is V's: turn both
        u.select(1, -1).neg_();
        vt.select(0, -1).neg_();
    }
    w[rot + "A_u"][head].copy_(generatorOf(u));
    w[rot + "A_v"][head].copy_(generatorOf(vt.mT()));
    w[rot + "sigma"][head].copy_((s - 1e-6).expm1().log());
}

enum class Side { Left, Right };

/// The same model written differently: maps get a factor that commutes with the rotary map on the left, or pass one on
/// the right to the projections.
Tensors gaugeCopy(Tensors w, Convention convention, Side side) {
    std::uint64_t seed = 500;
    for (int layer = 0; layer < 2; ++layer) {
        const std::string attention = "blocks." + std::to_string(layer) + ".attn.", rot = attention + "learnable_rot.";
        const HaropeFactors f = haropeFactors(w[rot + "A_u"], w[rot + "A_v"], w[rot + "sigma"]);
        const at::Tensor maps = haropeMaps(f, Convention::Same).query;
        const std::int64_t heads = maps.size(0), d = maps.size(1), width = heads * d;
        for (int h = 0; h < heads; ++h, seed += 10) {
            if (side == Side::Left) {
                storeMap(w, rot, h, at::matmul(drawPlaneGauge(d, seed, convention == Convention::Inverse), maps[h]));
                continue;
            }
            const at::Tensor t = drawInvertible(d, seed);
            storeMap(w, rot, h, at::matmul(maps[h], at::linalg_inv(t)));
            const at::Tensor forKeys = convention == Convention::Same ? t : at::linalg_inv(t).mT();
            for (const char* name : {"qkv.weight", "qkv.bias"})
                for (const auto& [row, factor] : {std::pair(h * d, t), std::pair(width + h * d, forKeys)}) {
                    at::Tensor part = w[attention + name].narrow(0, row, d);
                    part.copy_(at::matmul(factor, part));
                }
        }
    }
    return w;
}

at::Tensor forwardOf(const ModelRef& ref) {
    const Result<TensorTable> table = TensorTable::open(ref.path);
    const Result<DitShape> shape = ditShape(recognise(*table, ref).value());
    if (!shape) throw std::runtime_error(shape.error().message());
    const Tensors inputs = readWeights(kGolden + "harope_dit_tiny.expected.safetensors");
    return ditForward(loadDitWeights(*table, *shape).value(), *shape, inputs.at("x").to(at::kFloat),
                      inputs.at("t").to(at::kFloat), inputs.at("y").to(at::kLong));
}

TEST_F(Heads, GaugeCopiesComputeTheSameAndEveryNumberKeepsItsPromise) {
    int changed = 0, kept = 0;
    for (Convention convention : {Convention::Same, Convention::Inverse})
        for (Side side : {Side::Left, Side::Right}) {
            const std::string file = path("copy.safetensors");
            writeWeights(file, gaugeCopy(readWeights(kFixture), convention, side));
            const at::Tensor out = forwardOf(fixture(convention)), moved = forwardOf(fixture(convention, file));
            const double scale = std::max(1.0, out.abs().max().item<double>());
            EXPECT_LE((out - moved).abs().max().item<double>(), 1e-4 * scale);
            const AtlasReport a = atlasOf(fixture(convention)), b = atlasOf(fixture(convention, file));
            for (std::size_t i = 0; i < a.numbers.size(); ++i) {
                const HeadNumber& n = a.numbers[i];
                const bool promised = n.invariant && (side == Side::Left || n.about == About::Head);
                for (std::size_t h = 0; h < n.values.size(); ++h) {
                    const double change = std::abs(n.values[h] - b.numbers[i].values[h]);
                    const double size = std::max(1.0, std::abs(n.values[h]));
                    if (promised) {
                        EXPECT_LE(change, 1e-6 * size) << n.key << " head " << h;
                    }
                    (change <= 1e-6 * size ? kept : changed) += 1;
                }
            }
        }
    EXPECT_GT(changed, 100);  // the gauges were no small ones: unmarked numbers moved
    EXPECT_GT(kept, 100);
}

}  // namespace
}  // namespace ropescope
