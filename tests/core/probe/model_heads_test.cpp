// SPDX-License-Identifier: Apache-2.0
#include "core/probe/model_heads.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "core/data/safetensors.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kH = 3, kD = 8, kC = kH * kD;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// One layer of a HARoPE model as a file, from float64 tensors by name (without the prefix).
class ModelHeads : public testing::Test {
protected:
    void SetUp() override {
        m_file =
            std::filesystem::temp_directory_path() / ("model_heads_" + std::to_string(::getpid()) + ".safetensors");
        m_tensors = {{"learnable_rot.A_u", draw({kH, kD, kD}, 1)},
                     {"learnable_rot.A_v", draw({kH, kD, kD}, 2)},
                     {"learnable_rot.sigma", draw({kH, kD}, 3)},
                     {"qkv.weight", draw({3 * kC, kC}, 4)},
                     {"qkv.bias", draw({3 * kC}, 5)}};
        m_card.path = m_file;
        m_card.architecture = "dit";
        m_card.encoding = "harope";
        m_card.convention = Convention::Inverse;
        m_card.layers = 1, m_card.heads = kH, m_card.headDim = kD, m_card.width = kC;
        m_card.grid = {4, 4};
        m_card.theta = 100;
    }
    void TearDown() override { std::filesystem::remove(m_file); }

    Result<std::vector<LoadedHead>> load(HeadRange range = {}) {
        std::map<std::string, Array> arrays;
        for (const auto& [name, tensor] : m_tensors)
            arrays["blocks.0.attn." + name] = makeArray(flat(tensor), tensor.sizes().vec());
        EXPECT_TRUE(writeSafetensors(m_file, arrays).has_value());
        const Result<TensorTable> table = TensorTable::open(m_file);
        if (!table) return failure(table.error());
        return loadHeads(*table, m_card, 0, range);
    }
    std::vector<LoadedHead> sound() {
        const Result<std::vector<LoadedHead>> heads = load();
        EXPECT_TRUE(heads.has_value());
        for (const LoadedHead& h : *heads) EXPECT_EQ(h.problem, "");
        return *heads;
    }
    /// Only these heads are marked, with all those words; the others equal the clean file's.
    void expectMarked(const std::vector<int>& marked, const std::vector<std::string>& words,
                      const std::vector<LoadedHead>& clean) {
        const Result<std::vector<LoadedHead>> heads = load();
        ASSERT_TRUE(heads.has_value());
        for (int h = 0; h < kH; ++h) {
            const bool bad = std::find(marked.begin(), marked.end(), h) != marked.end();
            EXPECT_EQ(!(*heads)[h].problem.empty(), bad) << h << (*heads)[h].problem;
            if (bad)
                for (const std::string& w : words)
                    EXPECT_NE((*heads)[h].problem.find(w), std::string::npos) << (*heads)[h].problem;
            else
                EXPECT_TRUE(at::equal((*heads)[h].value.map.query, clean[h].value.map.query));
        }
    }

    std::filesystem::path m_file;
    std::map<std::string, at::Tensor> m_tensors;
    ModelCard m_card;
};

TEST_F(ModelHeads, ARangeOfHeadsIsThoseHeads) {
    m_card.convention = Convention::Same;
    m_tensors["qkv.weight"][(kH - 1) * kD][3] = std::nan("");
    const Result<std::vector<LoadedHead>> all = load(), last = load({1, kH - 1});
    ASSERT_TRUE(all && last);
    ASSERT_EQ(last->size(), static_cast<std::size_t>(kH - 1));
    for (int i = 0; i + 1 < kH; ++i) {
        const LoadedHead &own = (*last)[i], &same = (*all)[i + 1];
        EXPECT_EQ(own.problem, same.problem);
        EXPECT_EQ(own.problem.empty(), i + 2 < kH);
        if (!own.problem.empty()) continue;
        EXPECT_TRUE(at::allclose(own.value.map.query, same.value.map.query, 1e-14, 1e-14));
        EXPECT_TRUE(at::equal(own.value.content.cross, same.value.content.cross));
        // The factors give the polar factor that an SVD of the map finds.
        const auto [u, s, vt] = at::linalg_svd(own.value.map.query, false);
        EXPECT_TRUE(at::allclose(own.value.polar, at::matmul(u, vt), 1e-12, 1e-12));
    }
    EXPECT_NE(all->back().problem.find("[" + std::to_string((kH - 1) * kD) + ",3]"), std::string::npos)
        << all->back().problem;
    EXPECT_THROW((void)load({1, kH}), std::out_of_range);
}

TEST_F(ModelHeads, MapsAreMadeOfTheFilesFactorsAndContentHoldsTheBias) {
    const std::vector<LoadedHead> heads = sound();
    const auto expm = [&](const char* name, int h) {
        const at::Tensor a = m_tensors[name][h];
        return at::matrix_exp((a - a.mT()) / 2);
    };
    for (int h = 0; h < kH; ++h) {
        const at::Tensor s = at::softplus(m_tensors["learnable_rot.sigma"][h]) + 1e-6;
        const at::Tensor m = at::matmul(expm("learnable_rot.A_u", h) * s, expm("learnable_rot.A_v", h).mT());
        EXPECT_TRUE(at::allclose(heads[h].value.map.query, m, 1e-12, 1e-12));
        EXPECT_TRUE(at::allclose(heads[h].value.map.key, at::linalg_inv(m).mT(), 1e-9, 1e-9));
        EXPECT_TRUE(at::allclose(heads[h].value.stored, s, 1e-14, 0));
        const auto projection = [&](std::int64_t row) {
            const at::Tensor bias = m_tensors["qkv.bias"].narrow(0, row, kD).unsqueeze(1);
            return at::cat({m_tensors["qkv.weight"].narrow(0, row, kD), bias}, 1);
        };
        const ContentMoments expected = momentsOf(projection(h * kD), projection(kC + h * kD));
        EXPECT_TRUE(at::allclose(heads[h].value.content.query, expected.query, 1e-12, 1e-12));
        EXPECT_TRUE(at::allclose(heads[h].value.content.key, expected.key, 1e-12, 1e-12));
        EXPECT_TRUE(at::allclose(heads[h].value.content.cross, expected.cross, 1e-12, 1e-12));
    }
    EXPECT_EQ(heads[0].value.planes.frequency, axialPlaneFrequencies(kD, 100));
}

TEST_F(ModelHeads, OneMapSharedByTheLayerIsGivenToEveryHead) {
    for (bool leading : {true, false}) {
        for (const char* name : {"learnable_rot.A_u", "learnable_rot.A_v", "learnable_rot.sigma"}) {
            at::Tensor& t = m_tensors[name];
            const at::Tensor one = t.dim() > (name[14] == 's' ? 1 : 2) ? t[0] : t;
            t = leading ? one.unsqueeze(0) : one;
        }
        const std::vector<LoadedHead> heads = sound();
        for (int h = 1; h < kH; ++h) {
            EXPECT_TRUE(at::equal(heads[h].value.map.query, heads[0].value.map.query));
            EXPECT_FALSE(at::equal(heads[h].value.content.query, heads[0].value.content.query));
        }
    }
    m_tensors["learnable_rot.A_v"].flatten()[kD + 3] = kNan;  // bad for all of them
    expectMarked({0, 1, 2}, {"[TC-01]", "A_v", "[1,3]"}, {});
}

TEST_F(ModelHeads, ValuesThatAreNotFiniteMarkTheirHeadWithCountAndPlace) {
    const std::vector<LoadedHead> clean = sound();
    at::Tensor& a = m_tensors["learnable_rot.A_u"];
    const at::Tensor good = a.clone();
    a[1][2][5] = kNan, a[1][7][0] = INFINITY;
    expectMarked({1}, {"[TC-01]", "learnable_rot.A_u", "found 2 of 64", "[1,2,5]"}, clean);
    a = at::full_like(good, kNan);
    expectMarked({0, 1, 2}, {"found 64 of 64"}, clean);
    a = good;
    m_tensors["qkv.weight"][kC + 2 * kD + 1][4] = -INFINITY;
    expectMarked({2}, {"qkv.weight", "found 1 of 192", "[41,4]"}, clean);
    m_tensors["qkv.weight"] = draw({3 * kC, kC}, 4);
    m_tensors["qkv.bias"][3] = kNan;
    expectMarked({0}, {"qkv.bias", "[3]"}, clean);
    m_tensors["qkv.bias"] = draw({3 * kC}, 5);
    m_tensors["qkv.weight"][2 * kC + 1][0] = kNan;  // values are no business of positions
    expectMarked({}, {}, clean);
}

TEST_F(ModelHeads, OverflowOnTheWayMarksTheHead) {
    const std::vector<LoadedHead> clean = sound();
    m_tensors["learnable_rot.A_u"][0][0][1] = 1e20;
    m_tensors["learnable_rot.sigma"][2][0] = 1e200;
    m_tensors["learnable_rot.sigma"][2][1] = 1e200;  // finite, and so is the map: drawn
    const Result<std::vector<LoadedHead>> heads = load();
    ASSERT_TRUE(heads.has_value());
    EXPECT_NE((*heads)[0].problem.find("[TC-03]"), std::string::npos) << (*heads)[0].problem;
    EXPECT_EQ((*heads)[1].problem, "");
    EXPECT_TRUE(at::allclose((*heads)[1].value.map.query, clean[1].value.map.query, 1e-12, 1e-12));
    EXPECT_EQ((*heads)[2].problem, "");
}

TEST_F(ModelHeads, MissingAndMisshapenTensorsMarkTheHeadsAndSayWhy) {
    const std::vector<LoadedHead> clean = sound();
    const at::Tensor good = m_tensors["qkv.weight"];
    m_tensors.erase("qkv.weight");
    expectMarked({0, 1, 2}, {"[TC-05]", "qkv.weight"}, clean);
    m_tensors["qkv.weight"] = draw({kC, 3 * kC}, 4);
    expectMarked({0, 1, 2}, {"[TC-07]", "found [24,72]", "expected [72,24]"}, clean);
    m_tensors["qkv.weight"] = good;
    m_tensors["learnable_rot.sigma"] = draw({2, kD}, 3);
    expectMarked({0, 1, 2}, {"[TC-07]", "sigma", "found [2,8]"}, clean);
    m_tensors["learnable_rot.sigma"] = draw({kH, kD}, 3);
    m_tensors.erase("qkv.bias");  // some models have none
    const at::Tensor query = m_tensors["qkv.weight"].narrow(0, 0, kD);
    EXPECT_TRUE(at::allclose(sound()[0].value.content.query, at::matmul(query, query.mT()), 1e-12, 1e-12));
}

TEST_F(ModelHeads, EncodingsWithoutMapsGiveTheIdentity) {
    for (const char* name : {"axial", "absolute", "none"}) {
        m_card.encoding = name;
        m_card.convention = Convention::None;
        for (const LoadedHead& h : sound()) {
            EXPECT_FALSE(h.value.hasMap());
            EXPECT_TRUE(at::equal(h.value.map.query, at::eye(kD, at::kDouble)));
            EXPECT_EQ(h.value.planes.count(), std::string(name) == "axial" ? kD / 2 : 0);
        }
    }
}

TEST_F(ModelHeads, BehindANormTheProjectionsSayNothingAboutContent) {
    m_tensors["q_norm.weight"] = at::ones({kD}, at::kDouble);
    EXPECT_FALSE(sound()[0].value.hasContent());
}

TEST_F(ModelHeads, AnUnknownConventionIsAskedFor) {
    m_card.convention = Convention::Unknown;
    const Result<std::vector<LoadedHead>> heads = load();
    ASSERT_FALSE(heads.has_value());
    EXPECT_EQ(heads.error().exitCode(), 2);
    EXPECT_NE(heads.error().message().find("--convention"), std::string::npos);
}

TEST_F(ModelHeads, OtherArchitecturesAndImpossibleSizesAreRefused) {
    m_card.headDim = 7;
    EXPECT_FALSE(load().has_value());
    m_card.headDim = kD, m_card.theta = 0;
    EXPECT_FALSE(load().has_value());
    m_card.theta = 100, m_card.architecture = "vae";
    const Result<std::vector<LoadedHead>> heads = load();
    ASSERT_FALSE(heads.has_value());
    EXPECT_EQ(heads.error().exitCode(), 1);
}

}  // namespace
}  // namespace ropescope
