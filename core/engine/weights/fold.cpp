// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/fold.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/data/matrix_kind.h"
#include "core/data/safetensors.h"
#include "core/engine/network/variation.h"
#include "core/engine/weights/convert.h"
#include "core/engine/weights/export_tensors.h"
#include "core/probe/model_heads.h"

namespace ropescope {
namespace {

Error cannot(const ModelCard& card, const std::string& tensor, std::string reason, std::string advice) {
    return {ErrorKind::Refused, "fold", place({card.path, tensor}), std::move(reason), "", "", std::move(advice)};
}

/// What is measured on the way.
struct Folding {
    double farthest = 0;  ///< largest |M - I| entry of all maps
    double rounding = 0;  ///< largest error of a stored projection over its largest entry
    std::string type;     ///< of the folded projections
};

class Folder {
public:
    Folder(const TensorTable& table, const ModelCard& card, const EncodingSpec& spec, const ExportCommand& command)
        : m_table(table), m_card(card), m_spec(spec), m_command(command) {}

    Result<ExportFile> run() {
        for (int layer = 0; layer < m_card.layers; ++layer)
            if (auto done = foldLayer(layer); !done) return failure(done.error());
        if (auto done = copyOthers(); !done) return failure(done.error());
        if (storesFrequencies()) storeFrequencies();
        ModelCard plain = m_card;
        if (m_spec.encoding->hasMaps()) plain.encoding = "axial";
        if (storesFrequencies()) plain.encoding = "mixed";
        plain.convention = Convention::None;
        plain.rotaryLayout = RotaryLayout::Interleaved;
        m_file.metadata = describe(m_table, plain);
        m_file.metadata["ropescope.folded_from"] = std::filesystem::path(m_card.path).filename().string() + " (" +
                                                   m_card.encoding + ", fingerprint " + m_card.fingerprint + ")";
        if (m_spec.changes) m_file.metadata["ropescope.variation"] = variationJson(m_command.model);
        const std::string names = m_card.architecture == "vit"   ? m_card.naming == "rope-vit" ? "naver" : "timm"
                                  : m_card.naming == "diffusers" ? "diffusers"
                                                                 : "dit";
        if (auto renamed = renameTensors(m_file, plain, names); !renamed) return failure(renamed.error());
        return std::move(m_file);
    }

    [[nodiscard]] const Folding& measured() const { return m_measured; }

private:
    [[nodiscard]] std::string prefix(int layer) const { return "blocks." + std::to_string(layer) + ".attn."; }

    Result<WeightTable> positionWeights(int layer) {
        WeightTable weights;
        for (const MatrixParameter& parameter : positionTensors(prefix(layer), m_spec)) {
            std::string name = parameter.name;
            if (!m_table.find(name)) name = name.substr(prefix(layer).size());
            Result<at::Tensor> tensor = readExact(m_table, name);
            if (!tensor) return failure(tensor.error());
            if (!tensor->isfinite().all().item<bool>())
                return failure(cannot(m_card, name, "values are not finite", "Fold a sound checkpoint"));
            weights[parameter.name] = *tensor;
            m_used.push_back(name);
        }
        return weights;
    }

    Result<void> foldLayer(int layer) {
        const std::string name = prefix(layer);
        const auto weights = positionWeights(layer);
        if (!weights) return failure(weights.error());
        const LayerPositions positions = layerPositions(*weights, name, m_spec, layer);
        if (positions.frequency.defined()) m_frequencies.push_back(positions.turning());
        if (positions.output.defined())
            if (auto done = switchOutputs(name + "proj.weight", positions.output); !done) return done;
        if (!positions.maps.query.defined()) return {};
        const at::Tensor one = at::eye(m_card.headDim, at::kDouble);
        for (const at::Tensor& map : {positions.maps.query, positions.maps.key})
            m_measured.farthest = std::max(m_measured.farthest, (map - one).abs().max().item<double>());
        for (const char* part : {"qkv.weight", "qkv.bias"})
            if (auto done = foldTensor(name + part, positions.maps); !done) return done;
        return {};
    }

    [[nodiscard]] bool storesFrequencies() const {
        return m_spec.encoding->frequencies == Frequencies::Learned ||
               (m_spec.changes && m_spec.changes->ofFrequencies());
    }

    /// Columns are ordered head, feature.
    Result<void> switchOutputs(const std::string& name, const at::Tensor& output) {
        Result<at::Tensor> tensor = readExact(m_table, name);
        if (!tensor) return failure(tensor.error());
        const std::int64_t rows = tensor->size(0);
        const at::Tensor all = tensor->view({rows, m_card.heads, m_card.headDim}) * output.view({1, -1, 1});
        m_file.arrays[name] = arrayAs(all.view({rows, -1}), m_command.dtype.value_or(m_table.find(name)->dtype));
        m_used.push_back(name);
        return {};
    }

    /// Rows are ordered which, head, feature.
    Result<void> foldTensor(const std::string& name, const HeadMaps& maps) {
        if (!m_table.find(name) && name.ends_with("bias")) return {};  // some models have none
        Result<at::Tensor> tensor = readExact(m_table, name);
        if (!tensor) return failure(tensor.error());
        const std::int64_t d = m_card.headDim, h = m_card.heads;
        if (tensor->size(0) != 3 * h * d)
            return failure(cannot(m_card, name, "the projection has another number of rows than three per feature",
                                  "Export a complete model"));
        at::Tensor rows = tensor->view({3, h, d, -1});
        if (m_spec.layout == RotaryLayout::HalfSplit) {
            const at::Tensor turned = rows.narrow(0, 0, 2).index_select(2, halfSplitOrder(static_cast<int>(d)));
            rows = at::cat({turned, rows.narrow(0, 2, 1)});
        }
        const at::Tensor folded = at::stack({at::matmul(maps.query, rows[0]), at::matmul(maps.key, rows[1]), rows[2]});
        if (!folded.isfinite().all().item<bool>())
            return failure(cannot(m_card, name, "the folded projection is not finite", "Fold a sound checkpoint"));
        const DType own = m_table.find(name)->dtype;
        const DType type = m_command.dtype.value_or(own == DType::F64 ? DType::F64 : DType::F32);
        m_file.arrays[name] = arrayAs(folded.reshape(tensor->sizes()), type);
        noteRounding(folded, type);
        m_used.push_back(name);
        return {};
    }

    void noteRounding(const at::Tensor& exact, DType type) {
        const at::ScalarType to = type == DType::F64    ? at::kDouble
                                  : type == DType::F16  ? at::kHalf
                                  : type == DType::BF16 ? at::kBFloat16
                                                        : at::kFloat;
        const double off = (exact.to(to).to(at::kDouble) - exact).abs().max().item<double>();
        m_measured.rounding = std::max(m_measured.rounding, off / std::max(1e-300, exact.abs().max().item<double>()));
        m_measured.type = dtypeName(type);
    }

    Result<void> copyOthers() {
        for (const TensorEntry& entry : m_table.tensors()) {
            if (std::ranges::find(m_used, entry.name) != m_used.end()) continue;
            if (std::ranges::find(m_card.waived, entry.name) != m_card.waived.end()) continue;
            // A record of outputs is no weight.
            const bool record = entry.name.starts_with("selfcheck.");
            Result<Array> array = readAs(m_table, entry.name, record ? std::nullopt : m_command.dtype);
            if (!array) return failure(array.error());
            m_file.arrays[entry.name] = std::move(*array);
        }
        return {};
    }

    /// [H or 1,P,2] row first in use; [2,H,P] column first in files.
    void storeFrequencies() {
        const DType type = m_command.dtype.value_or(DType::F32);
        std::vector<at::Tensor> all;
        for (const at::Tensor& f : m_frequencies)
            all.push_back(f.expand({m_card.heads, f.size(1), 2}).permute({2, 0, 1}).flip(0));
        for (int layer = 0; layer < m_card.layers; ++layer)
            m_file.arrays[prefix(layer) + "freqs"] = arrayAs(all[layer], type);
    }

    const TensorTable& m_table;
    const ModelCard& m_card;
    const EncodingSpec& m_spec;
    const ExportCommand& m_command;
    ExportFile m_file;
    std::vector<std::string> m_used;  ///< tensors that are folded or go away
    std::vector<at::Tensor> m_frequencies;
    Folding m_measured;
};

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

}  // namespace

Result<std::string> foldModel(const ExportCommand& command) {
    const at::NoGradGuard noGrad;
    const auto table = TensorTable::open(command.model);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, command.model);
    if (!card) return failure(card.error());
    if (!findMapNames(card->encoding) && !command.model.changesHeads())
        return failure(cannot(*card, "", "there are no maps to fold: its positions are " + card->encoding,
                              "It needs no folding; convert writes it as safetensors"));
    if (card->architecture != "dit" && card->architecture != "vit")
        return failure(cannot(*card, "", "only DiTs and ViTs are folded, this is a " + card->architecture,
                              "Keep the maps; its norms of queries and keys stand before them"));
    if (card->variant.headNorm != Norm::None)
        return failure(cannot(*card, "", "queries and keys are normalised between the projection and the map",
                              "Keep the maps; no projection can hold them"));
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    Result<EncodingSpec> spec = encodingOf(*card);
    if (!spec) return failure(spec.error());
    const auto changes = headChanges(command.model, *card);
    if (!changes) return failure(changes.error());
    spec->changes = *changes;
    if (followsRun(command.model.changes))
        return failure(cannot(*card, "", "a change follows a curve over the sampling steps",
                              "Fold one setting of it; no weights hold a curve"));
    if (*changes && (*changes)->ofFrequencies() && spec->encoding->axes != 2)
        return failure(cannot(*card, "", "changed frequencies of 1-D positions have no form in a file",
                              "Leave these changes out"));
    if (card->architecture == "vit" && card->classToken && card->mapTokens != MapTokens::All)
        return failure(cannot(*card, "",
                              card->mapTokens == MapTokens::PatchesOnly
                                  ? "the class token shares the projections, but the maps pass it by"
                                  : "the file does not say whether its maps turn the class token",
                              card->mapTokens == MapTokens::PatchesOnly
                                  ? "Keep the maps; no projection can hold them"
                                  : "Add --map-tokens all if they turn all tokens"));
    Folder folder(*table, *card, *spec, command);
    const Result<ExportFile> file = folder.run();
    if (!file) return failure(file.error());
    if (auto written = writeSafetensors(command.out, file->arrays, file->metadata); !written)
        return failure(written.error());
    const Folding& m = folder.measured();
    return command.out + ": " + std::to_string(card->layers) + " layers of " + card->encoding +
           " folded; maps differ from the identity by at most " + number(m.farthest) + ", projections stored as " +
           m.type + " are off by at most " + number(m.rounding) + " of the largest entry";
}

}  // namespace ropescope
