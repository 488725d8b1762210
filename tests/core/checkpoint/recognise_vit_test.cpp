// SPDX-License-Identifier: Apache-2.0
// What a header says of a ViT and of diffusers' DiT.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/checkpoint/tensor_table.h"
#include "core/checkpoint/vit_tensors.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, Array>;
using Texts = std::map<std::string, std::string>;

class RecogniseViT : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-vit-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
    }
    void TearDown() override { fs::remove_all(m_folder); }

    TensorTable table(const Arrays& arrays, const Texts& metadata = {}) const {
        const std::string path = (m_folder / "vit.safetensors").string();
        EXPECT_TRUE(writeSafetensors(path, arrays, metadata));
        return TensorTable::open(path).value();
    }
    Result<ModelCard> card(const Arrays& arrays, const Texts& metadata = {}, ModelRef ref = withHeads(2)) const {
        ref.path = (m_folder / "vit.safetensors").string();
        return recognise(table(arrays, metadata), ref);
    }
    /// The message of a check; empty when the file is complete.
    std::string complaint(const Arrays& arrays, const Texts& metadata = {}) const {
        const auto known = card(arrays, metadata);
        if (!known) return known.error().message();
        const auto complete = checkComplete(table(arrays, metadata), *known);
        return complete ? "" : complete.error().message();
    }
    static ModelRef withHeads(int heads) {
        ModelRef ref;
        ref.heads = heads;
        return ref;
    }

    fs::path m_folder;
};

Array zeros(std::vector<std::int64_t> shape) {
    Array array{DType::F32, std::move(shape), {}};
    array.bytes.resize(static_cast<std::size_t>(array.elements()) * 4);
    return array;
}

/// Width 16, two layers, two heads of 8, patch 4, five classes.
Arrays smallViT(int positionRows, bool layerScale) {
    ViTSizes sizes;
    sizes.layers = 2, sizes.width = 16, sizes.hidden = 40, sizes.patch = 4, sizes.inChannels = 3, sizes.classes = 5;
    sizes.positionRows = positionRows, sizes.layerScale = layerScale;
    Arrays arrays;
    for (const auto& [name, shape] : vitTensors(sizes)) arrays[name] = zeros(shape);
    return arrays;
}

Arrays withMaps(Arrays arrays) {
    for (int i = 0; i < 2; ++i) {
        const std::string prefix = "blocks." + std::to_string(i) + ".attn.learnable_rot.";
        arrays[prefix + "A_u"] = arrays[prefix + "A_v"] = zeros({2, 8, 8});
        arrays[prefix + "sigma"] = zeros({2, 8});
    }
    return arrays;
}

TEST_F(RecogniseViT, TheFourKindsOfPositions) {
    const auto plain = card(smallViT(10, false));
    ASSERT_TRUE(plain) << plain.error().message();
    EXPECT_EQ(plain->encoding, "absolute");
    EXPECT_EQ(plain->grid, (Grid{3, 3})) << "nine patches and the class token";
    EXPECT_EQ(plain->mlpHidden, 40);
    EXPECT_TRUE(plain->classToken);
    EXPECT_EQ(complaint(smallViT(10, false)), "");

    const auto both = card(smallViT(9, true));
    ASSERT_TRUE(both);
    EXPECT_EQ(both->encoding, "axial");
    EXPECT_EQ(both->axisOrder, AxisOrder::ColumnFirst);
    EXPECT_EQ(both->theta, 100);
    EXPECT_EQ(both->grid, (Grid{3, 3}));
    EXPECT_EQ(both->preprocessing.mean.front(), 0.485);

    EXPECT_EQ(card(smallViT(0, false))->encoding, "none");
    EXPECT_EQ(card(withMaps(smallViT(0, true)))->encoding, "harope");
}

TEST_F(RecogniseViT, FrequenciesOfAllLayersBecomeOnePartEach) {
    Array all = zeros({2, 2, 2, 4});  // [2,L,H,P]
    for (std::size_t i = 0; i < 32; ++i) all.as<float>()[i] = static_cast<float>(i);
    for (const bool raw : {false, true}) {
        Arrays arrays = smallViT(0, true);
        all.shape = raw ? std::vector<std::int64_t>{2, 2, 8} : std::vector<std::int64_t>{2, 2, 2, 4};
        arrays[raw ? "freqs" : "rope.freqs"] = all;
        const TensorTable read = table(arrays);
        EXPECT_EQ(read.naming(), raw ? "rope-vit" : "timm");
        const std::vector<float> second = read.readFloat("blocks.1.attn.freqs").value();
        ASSERT_EQ(second.size(), 16u);
        EXPECT_EQ(second[0], 8) << "axis 0 of layer 1 follows axis 0 of layer 0";
        EXPECT_EQ(second[8], 24);
        const auto known = card(arrays);
        ASSERT_TRUE(known) << known.error().message();
        EXPECT_EQ(known->encoding, "mixed");
        EXPECT_EQ(known->headDim, 8);
        EXPECT_EQ(complaint(arrays), "");
    }
}

TEST_F(RecogniseViT, ClassTokenRuleFromTheMetadataElseAsked) {
    const Arrays arrays = withMaps(smallViT(0, true));
    EXPECT_EQ(card(arrays)->mapTokens, MapTokens::Unknown);
    EXPECT_EQ(card(arrays, {{"harope.apply", "all"}})->mapTokens, MapTokens::All);
    EXPECT_EQ(card(arrays, {{"harope.apply", "patches"}})->mapTokens, MapTokens::PatchesOnly);
    EXPECT_EQ(card(arrays, {{"harope.apply", "image"}})->mapTokens, MapTokens::PatchesOnly);
    ModelRef ref = withHeads(2);
    ref.mapTokens = MapTokens::All;
    EXPECT_EQ(card(arrays, {{"harope.apply", "patches"}}, ref)->mapTokens, MapTokens::All);
}

TEST_F(RecogniseViT, EachDefectHasOneMessage) {
    Arrays missing = smallViT(10, false);
    missing.erase("blocks.1.mlp.fc2.weight");
    EXPECT_NE(complaint(missing).find("[TC-05]"), std::string::npos);
    EXPECT_NE(complaint(missing).find("blocks.1.mlp.fc2.weight"), std::string::npos);
    Arrays surplus = smallViT(10, false);
    surplus["blocks.0.attn.temperature"] = zeros({2});
    EXPECT_NE(complaint(surplus).find("[TC-10]"), std::string::npos);
    EXPECT_NE(complaint(surplus).find("temperature"), std::string::npos);
    Arrays normed = smallViT(10, false);
    normed["blocks.0.attn.q_norm.weight"] = zeros({8});
    EXPECT_NE(complaint(normed).find("blocks.0.attn.k_norm.weight"), std::string::npos) << complaint(normed);
    Arrays two = withMaps(smallViT(0, true));
    two["rope.freqs"] = zeros({2, 2, 2, 4});
    EXPECT_EQ(complaint(two, {{"harope.convention", "same"}}), "");
    EXPECT_EQ(card(two)->encoding, "harope_mixed") << "a kind of its own";
    Arrays odd = smallViT(0, true);
    const auto refused = card(odd, {}, withHeads(8));
    ASSERT_FALSE(refused) << "two features cannot be planes of two axes";
    EXPECT_EQ(refused.error().code, "TC-08");
}

TEST_F(RecogniseViT, NonSquareTablesFitTheGridThatIsSaid) {
    ModelRef ref = withHeads(2);
    ref.grid = {3, 5};
    EXPECT_EQ(card(smallViT(16, false), {}, ref)->grid, (Grid{3, 5}));
    const auto open = card(smallViT(16, false));  // 4x4 without a row for the class token, or 3x5 with one
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().exitCode(), 2);
    EXPECT_NE(open.error().message().find("--grid"), std::string::npos) << open.error().message();
    ref.path = (m_folder / "vit.safetensors").string();
    ref.grid = {};
    EXPECT_EQ(recognise(table(smallViT(16, false)), ref, {12, 20})->grid, (Grid{3, 5})) << "a picture that fits";
    const std::string config = R"({"architecture":"vit","encoding":"absolute","heads":2,"img_size":[12,20]})";
    EXPECT_EQ(card(smallViT(16, false), {{"ropescope.config", config}}, {})->grid, (Grid{3, 5}));
}

TEST_F(RecogniseViT, OwnFilesSayEverything) {
    const std::string config =
        R"({"architecture":"vit","encoding":"harope","heads":2,"grid":[3,3],"theta":50,"map_tokens":"patches",)"
        R"("class_names":["a","b","c","d","e"],"mean":[0.1,0.2,0.3],"std":[1,2,3],"interpolation":"bilinear",)"
        R"("crop_pct":0.8,"image_size":12})";
    const auto own =
        card(withMaps(smallViT(0, false)), {{"ropescope.config", config}, {"harope.convention", "same"}}, {});
    ASSERT_TRUE(own) << own.error().message();
    EXPECT_EQ(own->theta, 50);
    EXPECT_EQ(own->axisOrder, AxisOrder::RowFirst);
    EXPECT_EQ(own->mapTokens, MapTokens::PatchesOnly);
    EXPECT_EQ(own->classNames.size(), 5u);
    EXPECT_EQ(own->preprocessing.cropFraction, 0.8);
    EXPECT_EQ(own->preprocessing.interpolation, "bilinear");
    EXPECT_EQ(own->preprocessing.std[2], 3);
    EXPECT_EQ(own->preprocessing.size, (Grid{12, 12}));
}

TEST_F(RecogniseViT, PublishedWidthsTellTheHeads) {
    Arrays arrays = {{"patch_embed.proj.weight", zeros({192, 3, 16, 16})}, {"head.weight", zeros({10, 192})}};
    arrays["blocks.0.attn.qkv.weight"] = zeros({576, 192});
    arrays["cls_token"] = zeros({1, 1, 192});
    EXPECT_EQ(card(arrays, {}, {})->heads, 3);
    const auto asked = card(smallViT(10, false), {}, {});
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().exitCode(), 2);
}

TEST_F(RecogniseViT, DiffusersFolder) {
    const fs::path golden = fs::path(ROPESCOPE_SOURCE_DIR) / "tests/golden/dit_diffusers_tiny";
    for (const fs::path& path : {golden, golden / "transformer/diffusion_pytorch_model.safetensors"}) {
        ModelRef ref;
        ref.path = path.string();
        const auto known = openCard(ref);
        ASSERT_TRUE(known) << known.error().message();
        EXPECT_EQ(known->architecture, "dit");
        EXPECT_EQ(known->naming, "diffusers");
        EXPECT_EQ(known->name, "dit_diffusers_tiny");
        EXPECT_EQ(known->format, path == golden ? "folder" : "safetensors");
        EXPECT_EQ(known->encoding, "absolute");
        EXPECT_EQ(known->heads, 2);
        EXPECT_EQ(known->grid, (Grid{4, 4}));
        EXPECT_EQ(known->classes, 6);
        EXPECT_TRUE(checkFile(ref));
    }
}

}  // namespace
}  // namespace ropescope
