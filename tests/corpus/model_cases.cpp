// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "core/data/safetensors.h"
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

using Arrays = std::map<std::string, Array>;

Array filled(std::vector<std::int64_t> shape, DType type = DType::F32) {
    Array array{type, std::move(shape), {}};
    array.bytes.resize(static_cast<std::size_t>(array.elements()) * dtypeSize(type));
    return array;
}

/// A complete HARoPE DiT: one layer, two heads of four features, patch 2, one channel, three classes.
Arrays completeDit() {
    return {{"x_embedder.proj.weight", filled({8, 1, 2, 2})},
            {"x_embedder.proj.bias", filled({8})},
            {"t_embedder.mlp.0.weight", filled({8, 256})},
            {"t_embedder.mlp.0.bias", filled({8})},
            {"t_embedder.mlp.2.weight", filled({8, 8})},
            {"t_embedder.mlp.2.bias", filled({8})},
            {"y_embedder.embedding_table.weight", filled({4, 8})},
            {"blocks.0.attn.learnable_rot.A_u", filled({2, 4, 4})},
            {"blocks.0.attn.learnable_rot.A_v", filled({2, 4, 4})},
            {"blocks.0.attn.learnable_rot.sigma", filled({2, 4})},
            {"blocks.0.attn.qkv.weight", filled({24, 8})},
            {"blocks.0.attn.qkv.bias", filled({24})},
            {"blocks.0.attn.proj.weight", filled({8, 8})},
            {"blocks.0.attn.proj.bias", filled({8})},
            {"blocks.0.mlp.fc1.weight", filled({32, 8})},
            {"blocks.0.mlp.fc1.bias", filled({32})},
            {"blocks.0.mlp.fc2.weight", filled({8, 32})},
            {"blocks.0.mlp.fc2.bias", filled({8})},
            {"blocks.0.adaLN_modulation.1.weight", filled({48, 8})},
            {"blocks.0.adaLN_modulation.1.bias", filled({48})},
            {"final_layer.linear.weight", filled({4, 8})},
            {"final_layer.linear.bias", filled({4})},
            {"final_layer.adaLN_modulation.1.weight", filled({16, 8})},
            {"final_layer.adaLN_modulation.1.bias", filled({16})}};
}

const std::map<std::string, std::string> kMetadata = {
    {"ropescope.config",
     R"({"architecture":"dit","encoding":"harope","heads":2,"head_dim":4,"patch":2,"in_channels":1,)"
     R"("out_channels":1,"classes":3,"grid":[3,3],"objective":"flow"})"},
    {"harope.convention", "same"}};

Case model(std::string name, const Arrays& arrays, std::string code, std::string says = {}) {
    const auto blob = encodeSafetensors(arrays, kMetadata);
    return {std::move(name),
            ".safetensors",
            {reinterpret_cast<const char*>(blob.data()), blob.size()},
            std::move(code),
            std::move(says)};
}

Case changed(std::string name, const std::string& tensor, Array array, std::string code, std::string says) {
    Arrays arrays = completeDit();
    arrays[tensor] = std::move(array);
    return model(std::move(name), arrays, std::move(code), std::move(says));
}

/// A flat file of random types and shapes.
Case randomFile(std::mt19937& random, int index) {
    static constexpr DType kTypes[] = {DType::F64,    DType::F32, DType::F16, DType::BF16, DType::F8E4M3,
                                       DType::F8E5M2, DType::I64, DType::I32, DType::I16,  DType::I8,
                                       DType::U64,    DType::U32, DType::U16, DType::U8,   DType::Bool};
    static constexpr const char* kNames[] = {"a", "layer.0.weight", "päth/with \"marks\"", "\n", "", "x y", "model.w"};
    Arrays arrays;
    const std::size_t count = random() % 6;
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<std::int64_t> shape(random() % 5);
        for (auto& side : shape) side = random() % 5;
        arrays[kNames[random() % 7] + std::to_string(i)] = filled(shape, kTypes[random() % 15]);
    }
    std::map<std::string, std::string> metadata;
    if (random() % 2) metadata = {{"format", "pt"}, {"text", std::string(random() % 5000, 'x')}};
    const auto blob = encodeSafetensors(arrays, metadata);
    return {"good safetensors " + std::to_string(index),
            index % 3 ? ".safetensors" : ".pt",
            {reinterpret_cast<const char*>(blob.data()), blob.size()},
            {},
            {}};
}

/// A checkpoint of random views, some transposed, expanded or tied, flat or wrapped.
Case randomCheckpoint(std::mt19937& random, int index) {
    std::map<std::string, std::string> storages;
    std::string dict = "}";
    const std::size_t count = 1 + random() % 5;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t rows = 1 + random() % 4, cols = 1 + random() % 4, skipped = random() % 3;
        PickledTensor t{.key = std::to_string(i),
                        .type = "FloatStorage",
                        .count = rows * cols + skipped,
                        .offset = skipped,
                        .shape = {rows, cols},
                        .strides = {cols, 1}};
        if (random() % 3 == 0) t.shape = {cols, rows}, t.strides = {1, cols};
        if (random() % 3 == 0) t.shape = {7, cols}, t.strides = {0, 1};
        storages[t.key] = std::string(static_cast<std::size_t>(t.count) * 4, '\2');
        dict += pickledText("tensor." + std::to_string(i)) + pickled(t) + "s";
        if (random() % 4 == 0) dict += pickledText("tied." + std::to_string(i)) + pickled(t) + "s";
    }
    const std::string body =
        random() % 2 ? dict : "}" + pickledText("state_dict") + dict + "s" + pickledText("epoch") + "K\7s";
    return {"good checkpoint " + std::to_string(index), ".pt", torchFile(body, storages), {}, {}};
}

}  // namespace

std::vector<Case> modelCases() {
    std::vector<Case> all = {model("TC-00 complete", completeDit(), "")};
    for (const auto& [name, array] : completeDit()) {
        Arrays arrays = completeDit();
        arrays.erase(name);
        // A model without biases of queries, keys and values is another sound one.
        const bool sound = name == "blocks.0.attn.qkv.bias";
        all.push_back(model("TC-05 without " + name, arrays, sound ? "" : "TC-05", sound ? "" : name));
    }
    Arrays half = completeDit();
    std::erase_if(half, [](const auto& entry) { return entry.first.find("mlp") != std::string::npos; });
    all.push_back(model("TC-05 many missing", half, "TC-05", "8 tensors are missing"));
    const std::string fc1 = "blocks.0.mlp.fc1.weight", rot = "blocks.0.attn.learnable_rot.";
    all.push_back(changed("TC-07 transposed", fc1, filled({8, 32}), "TC-07", "found [8,32], expected [32,8]"));
    all.push_back(changed("TC-07 wrong shape", fc1, filled({31, 8}), "TC-07", fc1));
    all.push_back(changed("TC-07 flat", fc1, filled({256}), "TC-07", "[256]"));
    all.push_back(changed("TC-07 floats as integers", fc1, filled({32, 8}, DType::I32), "TC-07", "I32"));
    all.push_back(changed("TC-07 map not square", rot + "A_u", filled({2, 4, 5}), "TC-07", "not square"));
    all.push_back(changed("TC-07 map of other size", rot + "A_v", filled({2, 5, 5}), "TC-07", "A_v"));
    all.push_back(changed("TC-08 maps for other heads", rot + "A_u", filled({3, 4, 4}), "TC-08", "3 x 4"));
    all.push_back(changed("TC-06 one more tensor", "extra.thing", filled({3}), "TC-10", "extra.thing"));
    Arrays prefixed;
    for (const auto& [name, array] : completeDit()) prefixed["module." + name] = array;
    all.push_back(model("TC-06 prefix", prefixed, ""));
    return all;
}

std::vector<Case> goodFiles() {
    std::mt19937 random(20251123);
    std::vector<Case> all;
    for (int i = 0; i < 15; ++i) all.push_back(randomFile(random, i));
    for (int i = 0; i < 15; ++i) all.push_back(randomCheckpoint(random, i));
    return all;
}

}  // namespace ropescope::corpus
