// SPDX-License-Identifier: Apache-2.0
#include "core/model/lora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "core/model/lora_names.h"
#include "core/model/lora_scales.h"

namespace ropescope {
namespace {

using Kind = WeightChange::Kind;

std::string textOf(const at::Tensor& t) {
    std::string out;
    for (std::int64_t i = 0; i < t.dim(); ++i) {
        out += i ? ',' : '[';
        out += std::to_string(t.size(i));
    }
    return t.dim() > 0 ? out + "]" : "[]";
}

/// The rows of a weight that a target covers: joined parts are as high as the model is wide, the last part of a single
/// block's takes what is left.
struct Rows {
    std::int64_t first = 0, count = 0;
};
Rows rowsOf(const FlowTarget& target, const std::vector<std::int64_t>& weight) {
    if (!target.joined) return {0, weight[0]};
    const std::int64_t width = weight[1], first = target.part * width;
    return {first, target.part < 3 ? target.span * width : weight[0] - 3 * width};
}

/// B A, (A1 B1)(A2 B2), kron(W1, W2) or the difference itself; [rows, in] or [rows].
at::Tensor deltaOf(const WeightChange& c) {
    at::Tensor delta;
    switch (c.kind) {
        case Kind::LowRank:
            delta = at::matmul(c.factors[1], c.factors[0]);
            break;
        case Kind::Hadamard:
            delta = at::matmul(c.factors[0], c.factors[1]) * at::matmul(c.factors[2], c.factors[3]);
            break;
        case Kind::Kronecker:
            delta = at::kron(c.factors[0], c.factors[1]);
            break;
        case Kind::Difference:
            delta = c.factors[0];
            break;
    }
    if (!c.swappedHalves) return delta;
    const std::vector<at::Tensor> parts = delta.chunk(2, 0);
    return at::cat({parts[1], parts[0]}, 0);
}

/// Trainers write their alpha into the metadata too; without tensors of it no loader follows that, and it is said.
std::string trainersAlpha(const TensorTable& file) {
    const auto said = file.metadata().find("ss_network_alpha");
    if (said == file.metadata().end()) return {};
    return " beside its layers; ss_network_alpha " + printable(said->second, 20) + " in the metadata is not followed";
}

/// Reads one file's changes.
class Reader {
public:
    Reader(const TensorTable& model, const LoraTargets& targets, const TensorTable& file, const LoraRef& ref,
           LoraSet& set)
        : m_model(model), m_targets(targets), m_file(file), m_ref(ref), m_set(set) {}

    Result<void> run() {
        auto scales = LoraScales::read(m_file);
        if (!scales) return failure(scales.error());
        m_scales = std::move(*scales);
        const auto modules = modulesOf(m_file, m_targets);
        if (!modules) return failure(modules.error());
        std::map<std::string, FlowTarget> found;
        const auto match = matchModules(m_model, m_targets, m_ref.path, *modules, found);
        if (!match) return failure(match.error());
        m_alphas = std::ranges::any_of(modules->all, [](const auto& m) { return m.second.contains(LoraPart::Alpha); });
        for (const auto& [module, target] : found)
            if (auto added = add(module, modules->all.at(module), target); !added) return added;
        std::string note = describeMatch(*match);
        note += m_alphas                    ? "; scale: alpha / rank"
                : m_scales.source().empty() ? "; scale: 1, as the file says no alpha" + trainersAlpha(m_file)
                                            : "; scale: from " + m_scales.source();
        m_set.notes.push_back(std::move(note));
        return {};
    }

private:
    [[nodiscard]] tl::unexpected<Error> refused(std::string code, const std::string& tensor, std::string reason,
                                                std::string found, std::string expected) const {
        return loraRefusal(std::move(code), m_ref.path, tensor, std::move(reason), std::move(found),
                           std::move(expected));
    }

    Result<at::Tensor> read(const std::string& name) const {
        const auto values = m_file.readFloat(name);
        if (!values) return failure(values.error());
        at::Tensor t = at::from_blob(const_cast<float*>(values->data()), m_file.find(name)->shape, at::kFloat).clone();
        if (!at::isfinite(t).all().item<bool>()) return refused("LO-03", name, "values are not finite", "", "numbers");
        // Kohya's trainers keep linear layers of some networks as 1x1 convolutions.
        if (t.dim() == 4 && t.size(2) == 1 && t.size(3) == 1) t = t.flatten(1);
        return t;
    }

    /// The factors of a change and its rank, 0 where it has none.
    struct Factors {
        Kind kind = Kind::LowRank;
        std::vector<at::Tensor> factors;
        std::int64_t rank = 0;
    };

    Result<std::vector<at::Tensor>> readAll(const std::string& module, const LoraParts& parts,
                                            std::initializer_list<std::pair<LoraPart, const char*>> wanted) const {
        std::vector<at::Tensor> all;
        for (const auto& [part, word] : wanted) {
            const auto name = parts.find(part);
            if (name == parts.end())
                return refused("LO-03", module, "one half of the change is missing", "no " + std::string(word),
                               "all its parts");
            auto t = read(name->second);
            if (!t) return failure(t.error());
            if (t->dim() != 2)
                return refused("LO-03", name->second, "the change does not fit its layer", textOf(*t), "a matrix");
            all.push_back(std::move(*t));
        }
        return all;
    }

    /// W1 or W2 of a Kronecker product, itself or of two factors.
    Result<at::Tensor> kronecker(const std::string& module, const LoraParts& parts, LoraPart whole, LoraPart a,
                                 LoraPart b, std::int64_t& rank) const {
        if (parts.contains(whole)) {
            if (parts.contains(a) || parts.contains(b))
                return refused("LO-03", module, "a factor both whole and in parts", "", "one of them");
            const auto one = readAll(module, parts, {{whole, "factor"}});
            if (!one) return failure(one.error());
            return one->front();
        }
        const auto two = readAll(module, parts, {{a, "first half of a factor"}, {b, "second half of a factor"}});
        if (!two) return failure(two.error());
        if ((*two)[0].size(1) != (*two)[1].size(0))
            return refused("LO-03", module, "the change does not fit its layer",
                           textOf((*two)[0]) + ", " + textOf((*two)[1]), "[n,r] and [r,m]");
        rank = (*two)[1].size(0);
        return at::matmul((*two)[0], (*two)[1]);
    }

    Result<Factors> factorsOf(const std::string& module, const LoraParts& parts) const {
        const auto has = [&](LoraPart part) { return parts.contains(part); };
        if (has(LoraPart::Hada1A) || has(LoraPart::Hada1B) || has(LoraPart::Hada2A) || has(LoraPart::Hada2B)) {
            auto all = readAll(module, parts,
                               {{LoraPart::Hada1A, "hada_w1_a"},
                                {LoraPart::Hada1B, "hada_w1_b"},
                                {LoraPart::Hada2A, "hada_w2_a"},
                                {LoraPart::Hada2B, "hada_w2_b"}});
            if (!all) return failure(all.error());
            const auto& f = *all;
            const bool fits = f[0].size(1) == f[1].size(0) && f[2].size(1) == f[3].size(0) &&
                              f[0].size(0) == f[2].size(0) && f[1].size(1) == f[3].size(1);
            if (!fits)
                return refused("LO-03", module, "the change does not fit its layer",
                               textOf(f[0]) + ", " + textOf(f[1]) + ", " + textOf(f[2]) + ", " + textOf(f[3]),
                               "[n,r], [r,m] twice");
            return Factors{Kind::Hadamard, f, f[1].size(0)};
        }
        if (has(LoraPart::Kron1) || has(LoraPart::Kron1A) || has(LoraPart::Kron1B) || has(LoraPart::Kron2) ||
            has(LoraPart::Kron2A) || has(LoraPart::Kron2B)) {
            Factors out{Kind::Kronecker, {}, 0};
            std::int64_t second = 0;
            const auto w1 = kronecker(module, parts, LoraPart::Kron1, LoraPart::Kron1A, LoraPart::Kron1B, out.rank);
            if (!w1) return failure(w1.error());
            const auto w2 = kronecker(module, parts, LoraPart::Kron2, LoraPart::Kron2A, LoraPart::Kron2B, second);
            if (!w2) return failure(w2.error());
            if (second > 0) out.rank = second;
            out.factors = {*w1, *w2};
            return out;
        }
        if (has(LoraPart::Diff)) {
            const auto one = readAll(module, parts, {{LoraPart::Diff, "diff"}});
            if (!one) return failure(one.error());
            return Factors{Kind::Difference, *one, 0};
        }
        if (has(LoraPart::DiffBias) && !has(LoraPart::Down) && !has(LoraPart::Up)) return Factors{};
        const auto both = readAll(module, parts, {{LoraPart::Down, "A"}, {LoraPart::Up, "B"}});
        if (!both) return failure(both.error());
        const auto& f = *both;
        const std::int64_t rank = f[0].size(0);
        if (rank < 1 || f[1].size(1) != rank)
            return refused("LO-03", module, "the change does not fit its layer",
                           "A " + textOf(f[0]) + ", B " + textOf(f[1]), "A [r,in], B [out,r]");
        return Factors{Kind::LowRank, f, rank};
    }

    Result<double> scaleOf(const std::string& module, const LoraParts& parts, const Factors& f) const {
        const auto own = parts.find(LoraPart::Alpha);
        if (f.rank == 0) return 1.0;  // differences and whole Kronecker factors have none
        if (own == parts.end()) {
            if (m_alphas)
                return refused("LO-03", module + ".alpha", "other changes of the file have an alpha, this one has none",
                               "", "one for each");
            return m_scales.of(module, f.rank);
        }
        const auto alpha = m_file.readDouble(own->second);
        if (!alpha) return failure(alpha.error());
        if (alpha->size() != 1 || !std::isfinite(alpha->front()) || alpha->front() == 0)
            return refused("LO-03", own->second, "alpha is no usable number", "", "one finite number, not 0");
        return alpha->front() / m_scales.divisor(f.rank);
    }

    Result<void> add(const std::string& module, const LoraParts& parts, const FlowTarget& target) {
        auto f = factorsOf(module, parts);
        if (!f) return failure(f.error());
        const auto scale = scaleOf(module, parts, *f);
        if (!scale) return failure(scale.error());
        const std::vector<std::int64_t> weight = m_model.find(target.name)->shape;
        const Rows rows = rowsOf(target, weight);
        if (auto done = addBias(module, parts, target, rows, *scale); !done) return done;
        if (f->factors.empty()) return {};
        WeightChange change{f->kind,    std::move(f->factors), *scale, m_number, rows.first,
                            rows.count, target.swappedHalves,  {}};
        const std::vector<std::int64_t> made = shapeOf(change);
        if (made != std::vector{rows.count, weight[1]})
            return refused("LO-03", module, "the change does not fit its layer",
                           "it makes [" + std::to_string(made[0]) + "," + std::to_string(made[1]) + "]",
                           "[" + std::to_string(rows.count) + "," + std::to_string(weight[1]) + "]");
        std::vector<WeightChange>& all = m_set.changes[target.name];
        if (parts.contains(LoraPart::Magnitude))
            if (auto done = addMagnitude(parts, all, change); !done) return done;
        all.push_back(std::move(change));
        return {};
    }

    /// Rows and columns of what the factors make.
    static std::vector<std::int64_t> shapeOf(const WeightChange& c) {
        switch (c.kind) {
            case Kind::LowRank:
                return {c.factors[1].size(0), c.factors[0].size(1)};
            case Kind::Hadamard:
                return {c.factors[0].size(0), c.factors[1].size(1)};
            case Kind::Kronecker:
                return {c.factors[0].size(0) * c.factors[1].size(0), c.factors[0].size(1) * c.factors[1].size(1)};
            case Kind::Difference:
                return c.factors[0].sizes().vec();
        }
        return {};
    }

    /// What a change adds to the layer's bias: a difference, or the bias of B.
    Result<void> addBias(const std::string& module, const LoraParts& parts, const FlowTarget& target, Rows rows,
                         double scale) {
        for (const LoraPart part : {LoraPart::DiffBias, LoraPart::UpBias}) {
            const auto name = parts.find(part);
            if (name == parts.end()) continue;
            const auto values = read(name->second);
            if (!values) return failure(values.error());
            const std::string bias = target.name.substr(0, target.name.size() - 6) + "bias";
            if (!m_model.find(bias) || values->numel() != rows.count)
                return refused("LO-03", name->second, "the layer has no such bias", textOf(*values),
                               "[" + std::to_string(rows.count) + "] of " + bias + " of " + printable(module, 60));
            const double own = part == LoraPart::UpBias ? scale : 1;
            m_set.changes[bias].push_back({Kind::Difference,
                                           {values->reshape({-1})},
                                           own,
                                           m_number,
                                           rows.first,
                                           rows.count,
                                           target.swappedHalves,
                                           {}});
        }
        return {};
    }

    /// DoRA's magnitudes belong to the base weight with this one change at its own strength.
    Result<void> addMagnitude(const LoraParts& parts, const std::vector<WeightChange>& before, WeightChange& change) {
        const std::string& name = parts.at(LoraPart::Magnitude);
        if (m_ref.strength != 1 || !before.empty())
            return refused(
                "LO-04", name, "DoRA is applied alone and at strength 1 only",
                m_ref.strength != 1 ? "strength " + std::to_string(m_ref.strength) : "another change before it",
                "strength 1, first");
        const auto values = m_file.readFloat(name);
        if (!values) return failure(values.error());
        const std::vector<std::int64_t> shape = m_file.find(name)->shape, made = shapeOf(change);
        const auto count = static_cast<std::int64_t>(values->size());
        const bool row = count == made[0] && (shape.size() == 1 || shape[0] == made[0]);
        const bool column = count == made[1] && shape.size() == 2 && shape[1] == made[1];
        if ((!row && !column) || !std::ranges::all_of(*values, [](float v) { return std::isfinite(v); }))
            return refused("LO-03", name, "the magnitudes do not fit the layer", std::to_string(count) + " numbers",
                           "one a row [" + std::to_string(made[0]) + ",1] or one a column");
        const at::Tensor t = at::tensor(*values, at::kFloat);
        change.magnitude = row ? t.view({-1, 1}) : t.view({1, -1});
        if (change.swappedHalves && row) {
            const std::vector<at::Tensor> halves = change.magnitude.chunk(2, 0);
            change.magnitude = at::cat({halves[1], halves[0]}, 0);
        }
        return {};
    }

    const TensorTable& m_model;
    const LoraTargets& m_targets;
    const TensorTable& m_file;
    const LoraRef& m_ref;
    LoraSet& m_set;
    LoraScales m_scales;
    bool m_alphas = false;                                    ///< the file has alpha tensors
    int m_number = static_cast<int>(m_set.strengths.size());  ///< of the file
};

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
        for (const WeightChange& c : all)
            for (const at::Tensor& t : c.factors) sum += t.nbytes();
    return sum;
}

Result<LoraSet> readLoras(const TensorTable& model, const std::vector<LoraRef>& loras) {
    LoraSet set;
    if (loras.empty()) return set;
    const LoraTargets targets(model.contents());
    for (const LoraRef& lora : loras) {
        const auto file = TensorTable::openPlain(fileOf(lora.path));
        if (!file) return failure(file.error());
        if (auto read = Reader(model, targets, *file, lora, set).run(); !read) return failure(read.error());
        set.strengths.push_back(lora.strength);
    }
    return set;
}

Result<LorasReport> matchLoras(const LorasRequest& request) {
    ModelRef bare = request.model;
    bare.loras.clear();
    const auto model = TensorTable::open(bare);
    if (!model) return failure(model.error());
    const LoraTargets targets(model->contents());
    const auto one = [&](const std::string& path) -> Result<LoraMatch> {
        const auto file = TensorTable::openPlain(fileOf(path));
        if (!file) return failure(file.error());
        if (const auto scales = LoraScales::read(*file); !scales) return failure(scales.error());
        const auto modules = modulesOf(*file, targets);
        if (!modules) return failure(modules.error());
        std::map<std::string, FlowTarget> found;
        return matchModules(*model, targets, path, *modules, found);
    };
    LorasReport report;
    for (const LoraRef& lora : request.model.loras) {
        auto match = one(lora.path);
        if (match) {
            report.loras.push_back(std::move(*match));
            continue;
        }
        LoraMatch bad;
        bad.path = lora.path, bad.problem = match.error().message();
        report.loras.push_back(std::move(bad));
    }
    return report;
}

bool LoraSet::dials() const {
    return std::ranges::none_of(changes, [](const auto& of) {
        return std::ranges::any_of(of.second, [](const WeightChange& c) { return c.magnitude.defined(); });
    });
}

std::string describeMatch(const LoraMatch& match) {
    std::string text = printable(match.path) + ": " + std::to_string(match.matched) + " of " +
                       std::to_string(match.all) + " layers match";
    if (!match.unmatched.empty()) text += ", not " + printable(match.unmatched, 80);
    if (match.ofText > 0) text += "; left out: " + std::to_string(match.ofText) + " for text encoders";
    if (!match.kinds.empty()) text += "; " + match.kinds;
    if (match.maps > 0)
        text += "; " + std::to_string(match.maps) + " tensors of maps left alone: give the file as adapter too";
    return text;
}

at::Tensor changed(const at::Tensor& weight, const std::vector<WeightChange>& changes,
                   const std::vector<double>& strengths) {
    at::Tensor out = weight.to(at::kFloat, false, true);
    for (const WeightChange& c : changes) {
        at::Tensor rows = out.narrow(0, c.firstRow, c.rows);
        rows.add_(deltaOf(c), c.scale * strengths.at(c.file));
        if (!c.magnitude.defined()) continue;
        const std::int64_t along = c.magnitude.size(1) == 1 ? 1 : 0;
        rows.mul_(c.magnitude / rows.square().sum(along, true).sqrt());
    }
    return out;
}

}  // namespace ropescope
