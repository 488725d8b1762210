// SPDX-License-Identifier: Apache-2.0
// Files as people's trainers and programs save them, each with its outcome, and what is nearly right.
#include "core/checkpoint/dit_tensors.h"
#include "core/checkpoint/vit_tensors.h"
#include "core/data/safetensors.h"
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

using Arrays = std::map<std::string, Array>;
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

Array filled(std::vector<std::int64_t> shape, DType type = DType::F32) {
    Array array{type, std::move(shape), {}};
    array.bytes.resize(static_cast<std::size_t>(array.elements()) * dtypeSize(type));
    return array;
}

Arrays zeros(const Shapes& shapes) {
    Arrays arrays;
    for (const auto& [name, shape] : shapes) arrays[name] = filled(shape);
    return arrays;
}

/// Width 8, two layers, two heads of four features, patch 2, one channel, three classes.
DitSizes ditSizes() {
    DitSizes s;
    s.layers = 2, s.width = 8, s.headDim = 4, s.hidden = 32, s.patch = 2, s.inChannels = 1, s.outChannels = 1;
    s.labelRows = 4;
    return s;
}

ViTSizes vitSizes() {
    ViTSizes s;
    s.layers = 2, s.width = 8, s.headDim = 4, s.hidden = 32, s.patch = 2, s.inChannels = 1, s.classes = 3;
    s.positionRows = 10;  // 3x3 and the class token
    return s;
}

class Cases {
public:
    void add(const std::string& name, const Arrays& arrays, const std::string& config, std::string code,
             std::string says = {}, int exit = 1) {
        std::map<std::string, std::string> metadata;
        if (!config.empty()) metadata["ropescope.config"] = config;
        const auto blob = encodeSafetensors(arrays, metadata);
        m_all.push_back({name,
                         ".safetensors",
                         {reinterpret_cast<const char*>(blob.data()), blob.size()},
                         std::move(code),
                         std::move(says),
                         0,
                         exit});
    }
    [[nodiscard]] std::vector<Case> take() { return std::move(m_all); }

private:
    std::vector<Case> m_all;
};

const std::string kDit = R"({"architecture":"dit","heads":2,"objective":"flow","encoding":"axial","grid":[3,3])";
const std::string kVit = R"({"architecture":"vit","heads":2,"encoding":"absolute")";

std::string dit(const std::string& more = {}) {
    return kDit + more + "}";
}
std::string vit(const std::string& more = {}) {
    return kVit + more + "}";
}

Arrays renamed(const Arrays& arrays, const std::string& prefix) {
    Arrays out;
    for (const auto& [name, array] : arrays) out[prefix + name] = array;
    return out;
}

void wrappers(Cases& cases) {
    const Arrays base = zeros(ditTensors(ditSizes()));
    for (const char* prefix :
         {"module.", "_orig_mod.", "module._orig_mod.", "model.", "net.", "ema_model.", "backbone.", "transformer.",
          "base_model.model.", "model.diffusion_model.", "state_dict.", "model_state_dict.module.",
          "_fsdp_wrapped_module._checkpoint_wrapped_module.", "student.module.", "denoiser._orig_mod."})
        cases.add(std::string("WR-01 ") + prefix, renamed(base, prefix), dit(), "");
    for (const char* wrapper : {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}) {
        Arrays inside;
        for (const auto& [name, array] : base) {
            std::string own = name;
            if (own.starts_with("blocks.1.")) own.insert(9, std::string(wrapper) + ".");
            inside[own] = array;
        }
        cases.add(std::string("WR-02 inside ") + wrapper, inside, dit(), "");
    }
    for (const auto& [raw, averaged] : {std::pair{"model.", "ema."},
                                        {"model.", "model_ema."},
                                        {"student.", "teacher."},
                                        {"state_dict.", "state_dict_ema."},
                                        {"", "ema_model."}}) {
        Arrays both = renamed(base, raw);
        both.merge(renamed(base, averaged));
        cases.add(std::string("WR-03 ") + raw + " and " + averaged, both, dit(), "");
    }
    for (const auto& [one, other] : {std::pair{"net1.", "net2."}, {"model.", "best."}, {"a.model.", "b.model."}}) {
        Arrays both = renamed(base, one);
        both.merge(renamed(base, other));
        cases.add(std::string("WR-04 ") + one + " or " + other, both, dit(), "weights", "--weights", 2);
    }
    Arrays twice = base;
    twice["blocks.0._orig_mod.attn.proj.bias"] = filled({8});
    cases.add("WR-05 one name twice", twice, dit(), "TC-12", "blocks.0.attn.proj.bias");
    for (const char* beside : {"optimizer.state.0.exp_avg", "projectors.0.weight", "mask_token", "global_step",
                               "n_averaged", "optimizer_states.0.m", "lr_scheduler.last", "ema.num_updates"}) {
        Arrays more = base;
        more[beside] = filled({1});
        cases.add(std::string("WR-06 beside ") + beside, more, dit(), "");
    }
}

void strangers(Cases& cases) {
    const Arrays base = zeros(ditTensors(ditSizes()));
    for (const char* name :
         {"extra.weight", "blocks.0.attn.gate.weight", "blocks.1.mlp.router.weight", "temperature", "final_layer.scale",
          "blocks.0.adaLN_modulation.0.weight", "x_embedder.norm.weight", "rope.inv_freq",
          "blocks.0.attn.relative_position_bias", "pos_embed_2", "reg_token", "y_embedder.null"}) {
        Arrays more = base;
        more[name] = filled({3});
        cases.add(std::string("ST-30 ") + name, more, dit(), "TC-10", name);
    }
    const Arrays vitBase = zeros(vitTensors(vitSizes()));
    for (const char* name :
         {"blocks.0.attn.rel_pos", "head.scale", "blocks.1.ls3.gamma", "fc.weight", "pre_logits.fc.weight"}) {
        Arrays more = vitBase;
        more[name] = filled({3});
        cases.add(std::string("ST-31 ") + name, more, vit(), "TC-10", name);
    }
}

/// Every variant is complete, and each of its own tensors is missed where it is not there.
template <class Sizes>
void variants(Cases& cases, const std::string& kind, const Sizes& plain, const Sizes& changed,
              const std::string& config, const auto& tensorsOf) {
    const Shapes own = tensorsOf(changed), usual = tensorsOf(plain);
    cases.add("VA-01 " + kind, zeros(own), config, "");
    for (const auto& [name, shape] : own) {
        if (usual.contains(name) || name.find("blocks.0.") == std::string::npos) continue;
        Arrays missing = zeros(own);
        missing.erase(name);
        cases.add("VA-02 " + kind + " without " + name, missing, config, "TC-05", name);
        break;
    }
}

void relatives(Cases& cases) {
    const auto tensors = [](const DitSizes& s) { return ditTensors(s); };
    const auto with = [](auto change) {
        DitSizes s = ditSizes();
        change(s);
        return s;
    };
    const DitSizes plain = ditSizes();
    variants(cases, "DiT with weighted norms", plain,
             with([](DitSizes& s) { s.variant.norm = s.variant.lastNorm = Norm::Rms; }), dit(), tensors);
    variants(cases, "DiT with affine norms", plain,
             with([](DitSizes& s) { s.variant.norm = s.variant.lastNorm = Norm::Layer; }), dit(), tensors);
    variants(cases, "DiT with normed heads", plain, with([](DitSizes& s) { s.variant.headNorm = Norm::Rms; }), dit(),
             tensors);
    variants(cases, "DiT with SwiGLU", plain, with([](DitSizes& s) { s.variant.gated = true; }), dit(), tensors);
    variants(cases, "DiT without bias of qkv", plain, with([](DitSizes& s) { s.variant.qkvBias = false; }), dit(),
             tensors);
    variants(cases, "DiT of time width 64", plain, with([](DitSizes& s) { s.timeWidth = 64; }), dit(), tensors);
    variants(cases, "DiT of MLP ratio 3", plain, with([](DitSizes& s) { s.hidden = 24; }), dit(), tensors);
    variants(cases, "DiT without a row for no class", plain, with([](DitSizes& s) { s.labelRows = 3; }),
             dit(R"(,"classes":3)"), tensors);
    variants(cases, "DiT with a table and axial RoPE", plain, with([](DitSizes& s) { s.positionRows = 9; }), dit(),
             tensors);
    Arrays halves = zeros(ditTensors(ditSizes()));
    halves["feat_rope.freqs_cos"] = filled({9, 4});
    cases.add("VA-03 half a rotary table", halves, dit(), "TC-13", "freqs_sin");
    halves["feat_rope.freqs_sin"] = filled({9, 4});
    cases.add("VA-03 a table that turns nothing", halves, dit(), "TC-13", "feat_rope");
}

void visionTransformers(Cases& cases) {
    const auto tensors = [](const ViTSizes& s) { return vitTensors(s); };
    const auto with = [](auto change) {
        ViTSizes s = vitSizes();
        change(s);
        return s;
    };
    const ViTSizes plain = vitSizes();
    variants(cases, "ViT with registers", plain,
             with([](ViTSizes& s) { s.variant.registers = 2, s.positionRows = 12; }), vit(), tensors);
    variants(cases, "ViT with registers without places", plain,
             with([](ViTSizes& s) { s.variant.registers = 2, s.positionRows = 9; }), vit(), tensors);
    variants(cases, "ViT distilled", plain, with([](ViTSizes& s) { s.variant.distilled = true, s.positionRows = 11; }),
             vit(), tensors);
    variants(cases, "ViT with fc_norm", plain, with([](ViTSizes& s) { s.variant.normAfter = true; }), vit(), tensors);
    variants(cases, "ViT with attention pooling", plain, with([](ViTSizes& s) { s.variant.pool = Pool::Map; }), vit(),
             tensors);
    variants(cases, "ViT with a norm before", plain, with([](ViTSizes& s) { s.variant.normBefore = true; }), vit(),
             tensors);
    variants(cases, "ViT with layer scale", plain, with([](ViTSizes& s) { s.layerScale = true; }), vit(), tensors);
    variants(cases, "ViT with SwiGLU", plain, with([](ViTSizes& s) { s.variant.gated = true; }), vit(), tensors);
    variants(cases, "ViT with normed heads", plain, with([](ViTSizes& s) { s.variant.headNorm = Norm::Layer; }), vit(),
             tensors);
    variants(cases, "ViT with root mean squares", plain,
             with([](ViTSizes& s) { s.variant.norm = s.variant.lastNorm = Norm::Rms; }), vit(), tensors);
    variants(cases, "ViT without bias of qkv", plain, with([](ViTSizes& s) { s.variant.qkvBias = false; }), vit(),
             tensors);
    variants(cases, "ViT without class token", plain,
             with([](ViTSizes& s) { s.classToken = false, s.positionRows = 9; }), vit(), tensors);
    const auto rows = [&](int count) { return zeros(vitTensors(with([&](ViTSizes& s) { s.positionRows = count; }))); };
    cases.add("GR-01 17 rows", rows(17), vit(), "");
    cases.add("GR-01 16 rows could be 3x5 and a class", rows(16), vit(), "grid-unknown", "--grid", 2);
    cases.add("GR-01 16 rows with a size", rows(16), vit(R"(,"img_size":[6,10])"), "");
    cases.add("GR-01 15 rows", rows(15), vit(), "grid-unknown", "15 patches", 2);
    cases.add("GR-01 14 rows with a grid", rows(14), vit(R"(,"grid":[2,7])"), "");
}

void keys(Cases& cases) {
    const Arrays d = zeros(ditTensors(ditSizes())), v = zeros(vitTensors(vitSizes()));
    for (const auto& [key, value] : {std::pair{"path_type", R"("cubic")"},
                                     {"prediction", R"("x0")"},
                                     {"time", R"("never")"},
                                     {"class_dropout_prob", "2"},
                                     {"norm_layer", R"("batchnorm")"},
                                     {"act_layer", R"("mish")"},
                                     {"rotary_layout", R"("diagonal")"},
                                     {"theta", "0"}})
        cases.add(std::string("CF-10 ") + key, d, dit(std::string(",\"") + key + "\":" + value), "CF-02", key);
    cases.add("CF-10 objective", d, R"({"architecture":"dit","heads":2,"objective":"magic"})", "CF-02", "objective");
    for (const auto& [key, value] : {std::pair{"global_pool", R"("sum")"},
                                     {"interpolation", R"("random")"},
                                     {"std", "[0]"},
                                     {"act_layer", R"("hard_swish")"},
                                     {"norm_layer", R"("groupnorm")"},
                                     {"reg_tokens", "-1"},
                                     {"class_token", R"(1)"},
                                     {"qkv_bias", "0"}})
        cases.add(std::string("CF-11 ") + key + value, v, vit(std::string(",\"") + key + "\":" + value), "CF-02", key);
    for (const auto& [key, value] : {std::pair{"reg_tokens", "4"},
                                     {"class_token", "false"},
                                     {"qkv_bias", "false"},
                                     {"qk_norm", "true"},
                                     {"pre_norm", "true"},
                                     {"fc_norm", "true"},
                                     {"num_classes", "7"},
                                     {"depth", "3"},
                                     {"embed_dim", "16"},
                                     {"mlp_ratio", "2"},
                                     {"init_values", "1e-5"},
                                     {"mean", "[0.1,0.2]"},
                                     {"global_pool", R"("map")"}})
        cases.add(std::string("CF-12 ") + key, v, vit(std::string(",\"") + key + "\":" + value),
                  std::string_view(key) == "global_pool" ? "TC-05" : "CF-03",
                  std::string_view(key) == "num_classes"   ? "classes"
                  : std::string_view(key) == "depth"       ? "layers"
                  : std::string_view(key) == "embed_dim"   ? "width"
                  : std::string_view(key) == "global_pool" ? "attn_pool"
                                                           : key);
    cases.add("CF-12 a head over nothing", v, vit(R"(,"global_pool":"")"), "CF-03", "global_pool");
    cases.add("CF-12 classes of a DiT", d, dit(R"(,"classes":9)"), "CF-03", "classes");
    cases.add("CF-12 learn_sigma", d, dit(R"(,"learn_sigma":true)"), "CF-03", "learn_sigma");
    cases.add("CF-13 unknown keys are told, not refused", d, dit(R"(,"flux_capacitor":1.21)"), "");
    for (const char* pool : {"token", "avg", "avgmax", "max"})
        cases.add(std::string("CF-14 ") + pool, v, vit(std::string(",\"global_pool\":\"") + pool + "\""), "");
}

void storedForms(Cases& cases) {
    const Arrays base = zeros(ditTensors(ditSizes()));
    const std::string weight = "blocks.0.attn.qkv.weight";
    for (const char* ending : {".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4", ".absmax",
                               ".quant_map", ".nested_absmax"}) {
        Arrays packed = base;
        packed[weight] = filled({96, 1}, DType::U8);
        packed[weight + ending] = filled({4}, DType::U8);
        cases.add(std::string("QU-01 ") + ending, packed, dit(), "TC-07", "bitsandbytes");
    }
    for (const char* ending :
         {".SCB", ".weight_format", ".qweight", ".qzeros", ".wscales", ".weight_scale_2", ".weight_packed"}) {
        Arrays packed = base;
        packed["blocks.0.attn.qkv" + std::string(ending)] = filled({4});
        cases.add(std::string("QU-02 ") + ending, packed, dit(), "TC-07", "not supported");
    }
    Arrays eight = base;
    for (const char* name : {"blocks.0.attn.qkv", "blocks.1.attn.qkv"}) {
        eight[std::string(name) + ".weight"] = filled({24, 8}, DType::F8E4M3);
        eight[std::string(name) + ".scale_weight"] = filled({});
    }
    cases.add("QU-03 factors", eight, dit(), "");
    Arrays rows = eight, input = eight, missing = eight, twice = eight, lost = eight, whole = base;
    rows["blocks.0.attn.qkv.scale_weight"] = filled({24, 1});
    cases.add("QU-03 a factor a row", rows, dit(), "");
    input["blocks.0.attn.qkv.scale_input"] = filled({});
    cases.add("QU-03 factors of inputs", input, dit(), "");
    Arrays misfit = eight, odd = base;
    misfit["blocks.0.attn.qkv.scale_weight"] = filled({5});
    cases.add("QU-04 a factor that fits nowhere", misfit, dit(), "TC-07", "blocks.0.attn.qkv.scale_weight");
    odd["t_embedder.mlp.0.weight"] = filled({8, 255});
    cases.add("TC-08 an odd width of the time", odd, dit(), "TC-08", "t_embedder.mlp.0.weight");
    missing.erase("blocks.1.attn.qkv.scale_weight");
    cases.add("QU-04 one factor is missing", missing, dit(), "TC-07", "blocks.1.attn.qkv.weight");
    twice["blocks.0.attn.qkv.weight_scale"] = filled({});
    cases.add("QU-04 two factors", twice, dit(), "TC-12", "weight_scale");
    lost["blocks.1.attn.gate.scale_weight"] = filled({});
    cases.add("QU-04 a factor without its weight", lost, dit(), "TC-10", "gate.scale_weight");
    whole[weight] = filled({24, 8}, DType::I8);
    cases.add("QU-05 whole numbers", whole, dit(), "TC-07", "I8");
}

}  // namespace

std::vector<Case> wildCases() {
    Cases cases;
    wrappers(cases);
    strangers(cases);
    relatives(cases);
    visionTransformers(cases);
    keys(cases);
    storedForms(cases);
    return cases.take();
}

}  // namespace ropescope::corpus
