// SPDX-License-Identifier: Apache-2.0
#include "core/model/lora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "core/checkpoint/table_contents.h"

namespace ropescope {
namespace {

using Json = nlohmann::json;
using Targets = std::unordered_map<std::string, FlowTarget>;

/// What a file holds for one of its modules.
struct Halves {
    std::string down, up, alpha;  ///< tensor names
};

enum class Part { None, Down, Up, Alpha, Map, OtherKind };

/// The module and the part that a tensor of the file is for.
std::pair<std::string, Part> partOf(const std::string& name) {
    for (const char* kind :
         {"dora_scale", "lora_magnitude_vector", "lokr_", "hada_", "oft_", "lora_mid", "lora_B.bias", "lora_up.bias"})
        if (name.find(kind) != std::string::npos) return {name, Part::OtherKind};
    for (const char* whole : {".diff", ".diff_b"})
        if (name.ends_with(whole)) return {name, Part::OtherKind};
    if (name.find("learnable_rot.") != std::string::npos) return {name, Part::Map};
    static const std::pair<const char*, Part> ends[] = {
        {".lora_A.weight", Part::Down},    {".lora_down.weight", Part::Down}, {".lora_A.default.weight", Part::Down},
        {".lora_B.weight", Part::Up},      {".lora_up.weight", Part::Up},     {".lora_B.default.weight", Part::Up},
        {".lora.down.weight", Part::Down}, {".lora.up.weight", Part::Up},     {".alpha", Part::Alpha}};
    if (name.find(".processor.") != std::string::npos)  // X-Labs
        for (const auto& [end, part] : {std::pair(".down.weight", Part::Down), std::pair(".up.weight", Part::Up)})
            if (name.ends_with(end)) return {name.substr(0, name.size() - std::string_view(end).size()), part};
    for (const auto& [end, part] : ends)
        if (name.ends_with(end)) return {name.substr(0, name.size() - std::string_view(end).size()), part};
    return {name, Part::None};
}

std::string flattened(std::string module) {
    std::replace(module.begin(), module.end(), '.', '_');
    return module;
}

/// Known modules under the names that kohya's trainer makes of them, dots as underscores.
Targets withFlatNames(Targets targets) {
    Targets flat;
    for (const auto& [module, target] : targets) flat.emplace(flattened(module), target);
    targets.merge(flat);
    return targets;
}

/// X-Labs names changes of FLUX by its processors: 1 of the picture, 2 of the text; of a single block queries, keys and
/// values without the MLP that stands in the same weight.
std::optional<FlowTarget> findProcessor(const Targets& targets, const std::string& module) {
    static const std::pair<const char*, const char*> known[] = {
        {".processor.qkv_lora1", ".img_attn.qkv"}, {".processor.proj_lora1", ".img_attn.proj"},
        {".processor.qkv_lora2", ".txt_attn.qkv"}, {".processor.proj_lora2", ".txt_attn.proj"},
        {".processor.qkv_lora", ".linear1"},       {".processor.proj_lora", ".linear2"}};
    for (const auto& [end, own] : known) {
        if (!module.ends_with(end)) continue;
        const auto found = targets.find(module.substr(0, module.size() - std::string_view(end).size()) + own);
        if (found == targets.end()) return std::nullopt;
        FlowTarget target = found->second;
        if (std::string_view(own) == ".linear1") target.joined = true, target.part = 0, target.span = 3;
        return target;
    }
    return std::nullopt;
}

std::optional<FlowTarget> find(const Targets& targets, std::string module) {
    for (const std::string_view prefix : {"base_model.model.", "model.diffusion_model.", "diffusion_model.",
                                          "transformer.", "lora_unet_", "lora_transformer_"})
        if (module.starts_with(prefix)) module.erase(0, prefix.size());
    const auto found = targets.find(module);
    return found == targets.end() ? findProcessor(targets, module) : std::optional(found->second);
}

/// Scales that stand outside the tensors: diffusers' metadata or PEFT's configuration beside the file.
struct Scales {
    Json config = Json::object();

    explicit Scales(const TensorTable& file) {
        std::string text;
        if (const auto own = file.metadata().find("lora_adapter_metadata"); own != file.metadata().end()) {
            text = own->second;
        } else {
            std::ifstream beside(std::filesystem::path(file.path()).parent_path() / "adapter_config.json");
            text.assign(std::istreambuf_iterator<char>(beside), {});
        }
        Json json = Json::parse(text, nullptr, false);
        if (!json.is_object()) return;
        for (auto& [key, value] : json.items()) config[key.starts_with("transformer.") ? key.substr(12) : key] = value;
    }
    /// The module's own pattern, else the common value.
    [[nodiscard]] std::optional<double> number(const char* key, const char* pattern, const std::string& module) const {
        if (const auto all = config.find(pattern); all != config.end() && all->is_object())
            for (const auto& [name, value] : all->items())
                if (value.is_number() && (module == name || module.ends_with("." + name))) return value.get<double>();
        const auto common = config.find(key);
        if (common == config.end() || !common->is_number()) return std::nullopt;
        return common->get<double>();
    }
    [[nodiscard]] double of(const std::string& module, std::int64_t rank) const {
        const double alpha = number("lora_alpha", "alpha_pattern", module).value_or(static_cast<double>(rank));
        const auto root = config.find("use_rslora");
        const bool stabilised = root != config.end() && root->is_boolean() && root->get<bool>();
        return alpha / (stabilised ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
    }
};

struct Modules {
    std::map<std::string, Halves> all;
    int maps = 0;
};

tl::unexpected<Error> refusal(std::string code, const std::string& path, const std::string& tensor, std::string reason,
                              std::string found, std::string expected) {
    return failure({ErrorKind::Refused, std::move(code), place({path, tensor}), std::move(reason), std::move(found),
                    std::move(expected), "Leave it out or choose another file"});
}

bool isOfText(const std::string& module) {
    return module.starts_with("lora_te") || module.starts_with("text_encoder");
}

/// The file's modules, text encoders' too. Weights that would stand in the place of the model's are refused.
Result<Modules> modulesOf(const TensorTable& file, const Targets& targets) {
    Modules modules;
    for (const TensorEntry& entry : file.tensors()) {
        const auto [module, part] = partOf(entry.name);
        if (part == Part::OtherKind && isOfText(entry.name)) {  // left out, whatever it is
            modules.all[entry.name.substr(0, entry.name.find(".lora"))];
            continue;
        }
        if (part == Part::OtherKind)
            return refusal("LO-04", file.path(), entry.name, "this kind of change is not supported", "",
                           "plain LoRA pairs");
        if (part == Part::Map) ++modules.maps;
        if (part == Part::Down) modules.all[module].down = entry.name;
        if (part == Part::Up) modules.all[module].up = entry.name;
        if (part == Part::Alpha) modules.all[module].alpha = entry.name;
        const std::string name = entry.name.substr(0, entry.name.rfind('.'));
        const bool whole = entry.name.find("modules_to_save") != std::string::npos || find(targets, name);
        if (part == Part::None && whole)
            return refusal("LO-04", file.path(), entry.name, "a whole weight in the place of the model's", "",
                           "plain LoRA pairs");
    }
    return modules;
}

/// The modules that change the model, by their names in the file, and what is said of the others. Errors: LO-01 when
/// there is none.
Result<LoraMatch> matched(const TensorTable& model, const Targets& targets, const std::string& path,
                          const Modules& modules, std::map<std::string, FlowTarget>& found) {
    LoraMatch match{path, 0, 0, 0, modules.maps, {}, {}};
    for (const auto& [module, halves] : modules.all) {
        if (isOfText(module)) {
            ++match.ofText;
            continue;
        }
        ++match.all;
        if (const std::optional<FlowTarget> target = find(targets, module)) {
            ++match.matched;
            found.emplace(module, *target);
        } else if (match.unmatched.empty()) {
            match.unmatched = module;
        }
    }
    if (match.matched > 0) return match;
    const std::string first = match.unmatched.empty() ? "" : ", the first is " + printable(match.unmatched, 80);
    const std::string text = match.ofText > 0 ? ", and " + std::to_string(match.ofText) + " of text encoders" : "";
    return refusal("LO-01", path, "", "no layer of the file belongs to this model",
                   "0 of " + std::to_string(match.all) + first + text,
                   "a LoRA for a " + std::string(model.find("img_in.weight") ? "FLUX" : "SD3"));
}

class Reader {
public:
    Reader(const TensorTable& model, const Targets& targets, const TensorTable& file, const LoraRef& ref, LoraSet& set)
        : m_model(model), m_targets(targets), m_file(file), m_ref(ref), m_set(set), m_scales(file) {}

    Result<void> run() {
        const auto modules = modulesOf(m_file, m_targets);
        if (!modules) return failure(modules.error());
        std::map<std::string, FlowTarget> found;
        const auto match = matched(m_model, m_targets, m_ref.path, *modules, found);
        if (!match) return failure(match.error());
        for (const auto& [module, target] : found)
            if (auto added = add(module, modules->all.at(module), target); !added) return added;
        m_set.notes.push_back(describeMatch(*match));
        return {};
    }

private:
    [[nodiscard]] tl::unexpected<Error> refused(std::string code, const std::string& tensor, std::string reason,
                                                std::string found, std::string expected) const {
        return refusal(std::move(code), m_ref.path, tensor, std::move(reason), std::move(found), std::move(expected));
    }

    Result<at::Tensor> read(const std::string& name) const {
        const auto values = m_file.readFloat(name);
        if (!values) return failure(values.error());
        const at::Tensor t =
            at::from_blob(const_cast<float*>(values->data()), m_file.find(name)->shape, at::kFloat).clone();
        if (!at::isfinite(t).all().item<bool>()) return refused("LO-03", name, "values are not finite", "", "numbers");
        return t;
    }

    Result<void> add(const std::string& module, const Halves& halves, const FlowTarget& target) {
        if (halves.down.empty() || halves.up.empty())
            return refused("LO-03", module, "one half of the change is missing",
                           halves.down.empty() ? "B alone" : "A alone", "A and B");
        auto down = read(halves.down), up = read(halves.up);
        if (!down) return failure(down.error());
        if (!up) return failure(up.error());
        const std::vector<std::int64_t> weight = m_model.find(target.name)->shape;
        const std::int64_t width = weight[1], rank = down->dim() == 2 ? down->size(0) : 0;
        // Joined parts are as high as the model is wide; the last part of a single block's takes what is left.
        const std::int64_t firstRow = target.joined ? target.part * width : 0;
        const std::int64_t rows = !target.joined    ? weight[0]
                                  : target.part < 3 ? target.span * width
                                                    : weight[0] - 3 * width;
        if (rank < 1 || up->dim() != 2 || up->size(1) != rank || down->size(1) != width || up->size(0) != rows)
            return refused("LO-03", module, "the change does not fit its layer",
                           "A " + text(*down) + ", B " + text(*up),
                           "A [r," + std::to_string(width) + "], B [" + std::to_string(rows) + ",r]");
        double scale = m_scales.of(module, rank);
        if (!halves.alpha.empty()) {
            const auto alpha = m_file.readDouble(halves.alpha);
            if (!alpha) return failure(alpha.error());
            if (alpha->size() != 1 || !std::isfinite(alpha->front()) || alpha->front() == 0)
                return refused("LO-03", halves.alpha, "alpha is no usable number", "", "one finite number, not 0");
            scale = alpha->front() / static_cast<double>(rank);
        }
        if (target.swappedHalves) {
            const std::vector<at::Tensor> parts = up->chunk(2, 0);
            up = at::cat({parts[1], parts[0]}, 0);
        }
        m_set.changes[target.name].push_back({*down, *up, scale * m_ref.strength, firstRow});
        return {};
    }

    static std::string text(const at::Tensor& t) {
        std::string out = "[";
        for (std::int64_t i = 0; i < t.dim(); ++i) out += (i ? "," : "") + std::to_string(t.size(i));
        return out + "]";
    }

    const TensorTable& m_model;
    const Targets& m_targets;
    const TensorTable& m_file;
    const LoraRef& m_ref;
    LoraSet& m_set;
    Scales m_scales;
};

}  // namespace

namespace {
/// A folder as PEFT or diffusers writes it stands for the file in it.
std::string fileOf(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) return path;
    for (const char* name : {"adapter_model.safetensors", "pytorch_lora_weights.safetensors"})
        if (const auto file = std::filesystem::path(path) / name; std::filesystem::is_regular_file(file, ignored))
            return file.string();
    return path;
}
}  // namespace

std::uint64_t LoraSet::bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, all] : changes)
        for (const LowRank& c : all) sum += c.down.nbytes() + c.up.nbytes();
    return sum;
}

Result<LoraSet> readLoras(const TensorTable& model, const std::vector<LoraRef>& loras) {
    LoraSet set;
    if (loras.empty()) return set;
    const Targets targets = withFlatNames(flowTargets(model.contents()));
    for (const LoraRef& lora : loras) {
        const auto file = TensorTable::openPlain(fileOf(lora.path));
        if (!file) return failure(file.error());
        if (auto read = Reader(model, targets, *file, lora, set).run(); !read) return failure(read.error());
    }
    return set;
}

Result<LorasReport> matchLoras(const LorasRequest& request) {
    ModelRef bare = request.model;
    bare.loras.clear();
    const auto model = TensorTable::open(bare);
    if (!model) return failure(model.error());
    const Targets targets = withFlatNames(flowTargets(model->contents()));
    const auto one = [&](const std::string& path) -> Result<LoraMatch> {
        const auto file = TensorTable::openPlain(fileOf(path));
        if (!file) return failure(file.error());
        const auto modules = modulesOf(*file, targets);
        if (!modules) return failure(modules.error());
        std::map<std::string, FlowTarget> found;
        return matched(*model, targets, path, *modules, found);
    };
    LorasReport report;
    for (const LoraRef& lora : request.model.loras) {
        const auto match = one(lora.path);
        report.loras.push_back(match ? *match : LoraMatch{lora.path, 0, 0, 0, 0, {}, match.error().message()});
    }
    return report;
}

std::string describeMatch(const LoraMatch& match) {
    std::string text = printable(match.path) + ": " + std::to_string(match.matched) + " of " +
                       std::to_string(match.all) + " layers match";
    if (!match.unmatched.empty()) text += ", not " + printable(match.unmatched, 80);
    if (match.ofText > 0) text += "; left out: " + std::to_string(match.ofText) + " for text encoders";
    if (match.maps > 0)
        text += "; " + std::to_string(match.maps) + " tensors of maps left alone: give the file as adapter too";
    return text;
}

at::Tensor changed(const at::Tensor& weight, const std::vector<LowRank>& changes) {
    at::Tensor out = weight.to(at::kFloat, false, true);
    for (const LowRank& c : changes) out.narrow(0, c.firstRow, c.up.size(0)).add_(at::matmul(c.up, c.down), c.scale);
    return out;
}

}  // namespace ropescope
