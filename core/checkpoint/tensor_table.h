// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/array.h"
#include "core/data/error.h"
#include "core/data/model.h"
#include "core/data/model_card.h"
#include "core/data/tensors_report.h"

namespace ropescope {

struct WeightFactor;

/// Where one tensor lies. Only this table crosses from the readers into the rest of the program.
struct TensorEntry {
    std::string name;  ///< as the model names it (container prefix such as "ema." removed)
    DType dtype = DType::F32;
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;    ///< in elements; empty when contiguous
    std::uint64_t offset = 0;             ///< first element, bytes from the start of the file
    std::uint64_t length = 0;             ///< bytes from `offset` that the tensor may touch
    int file = 0;                         ///< 0: the file itself; else one of its index, from 1
    std::vector<TensorEntry> parts = {};  ///< not empty: dense tensors whose rows follow each other make this one
    std::string stored = {};              ///< as the file names it; empty where it is `name`
    std::shared_ptr<const WeightFactor> factor = {};  ///< numbers that the stored values are multiplied by on reading
    [[nodiscard]] std::int64_t elements() const;
    [[nodiscard]] const std::string& fileName() const { return stored.empty() ? name : stored; }
};

/// One number, one a row, one a column or one a block: any shape whose sides divide those of the weight.
struct WeightFactor {
    TensorEntry values;
    std::int64_t rows = 0;      ///< of the whole weight that it belongs to
    std::int64_t firstRow = 0;  ///< of that weight, where the entry begins
};

/// An opened weight file: names, shapes and places of its tensors, nothing read yet.
///
/// Copyable handle (shares the file descriptor); reading is thread-safe (pread).
class TensorTable {
public:
    /// Opens by content, not by suffix: safetensors or PyTorch zip; the files of an index (*.index.json); of a folder
    /// as diffusers and timm write it, the weights in it. Of several copies of the weights the one asked for is
    /// taken (chooseCopy). Reads headers only: a 24 GB file costs <= 300 ms and <= 64 MB. Errors: Refused with the
    /// codes of tests/corpus.
    [[nodiscard]] static Result<TensorTable> open(const std::string& path, const std::string& choice = "ema");

    /// The same, and, where the model names one, the HARoPE maps of its adapter among its tensors. Errors: LO-01 when
    /// no map of the adapter belongs to a block of the model, TC-10 when the model has maps already.
    [[nodiscard]] static Result<TensorTable> open(const ModelRef& ref);

    /// A file whose names are its own: nothing is chosen, renamed or joined. For files that hold no model.
    [[nodiscard]] static Result<TensorTable> openPlain(const std::string& path);

    /// One part of a file that holds a whole pipeline: the tensors whose names begin with the first of `prefixes`
    /// that the file has, without it, under the models' own names. Errors: those of open(); TC-05 when it has none.
    [[nodiscard]] static Result<TensorTable> openPart(const std::string& path,
                                                      std::initializer_list<std::string_view> prefixes);

    [[nodiscard]] const std::string& path() const;
    [[nodiscard]] const std::string& format() const;                ///< safetensors | torch-zip | folder
    [[nodiscard]] const std::vector<TensorEntry>& tensors() const;  ///< file order
    [[nodiscard]] const TensorEntry* find(std::string_view name) const;
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const;      ///< safetensors __metadata__
    [[nodiscard]] const std::map<std::string, std::string>& trainingArgs() const;  ///< container's args, as text
    [[nodiscard]] const std::vector<std::string>& notes() const;   ///< what was chosen or ignored, in words
    [[nodiscard]] const std::vector<std::string>& copies() const;  ///< of the weights, where there are several
    [[nodiscard]] const std::string& copy() const;                 ///< the one taken
    /// timm | rope-vit | diffusers, where names were changed to the model's own; else empty.
    [[nodiscard]] const std::string& naming() const;
    [[nodiscard]] bool renamedScales() const;       ///< layer scales were under timm's ls1.gamma, not gamma_1
    [[nodiscard]] bool isAuthorsContainer() const;  ///< {model, ema, opt, args}
    [[nodiscard]] std::uint64_t fileSize() const;

    /// The tensor, dense row-major in its own type; F32 where a factor belongs to it. Errors: the file changed, I/O,
    /// unknown name.
    [[nodiscard]] Result<Array> read(std::string_view name) const;
    /// `count` rows (indices of its first dimension) from `first`, [count, ...] in its own type. Reads no more than
    /// they take, but for tensors stored with strides. Throws std::out_of_range for rows the tensor does not have.
    [[nodiscard]] Result<Array> readRows(std::string_view name, std::int64_t first, std::int64_t count) const;
    /// The whole tensor converted to float32 / float64 (from F64, F32, F16, BF16, F8 and integers).
    [[nodiscard]] Result<std::vector<float>> readFloat(std::string_view name) const;
    [[nodiscard]] Result<std::vector<double>> readDouble(std::string_view name) const;

    struct Contents;
    [[nodiscard]] const Contents& contents() const { return *m_contents; }
    explicit TensorTable(std::shared_ptr<const Contents> contents);

private:
    std::shared_ptr<const Contents> m_contents;
};

/// Recognises architecture, encoding, sizes and convention from names and shapes (shapes decide, never names of sizes)
/// and the metadata; `ref` supplies what the file does not say. Every inference is noted in words.
/// Errors: Refused "no known architecture", Usage when heads are needed and not given.
/// `input`: sides of a picture (a DiT: of latents) that is about to go in; tells a grid that the file does not.
[[nodiscard]] Result<ModelCard> recognise(const TensorTable& table, const ModelRef& ref, Grid input = {});

/// Sides of the tensor `x` [B,C,h,w] in a file of inputs; 0x0 where it has none.
[[nodiscard]] Grid inputSides(const std::string& path);

/// What can be said of any file whose header can be read: as recognise(), but what makes it impossible to compute with
/// stands in the card's `problem`, and what is not known stays empty. Errors: the file does not open.
[[nodiscard]] Result<ModelCard> describeFile(const ModelRef& ref);

/// Every tensor with what becomes of it and, where one is named, its values. Errors: as describeFile; TC-05 no such
/// one.
[[nodiscard]] Result<TensorsReport> reportTensors(const TensorsRequest& request);

/// open + recognise. Convention Unknown stays Unknown here; who computes with the maps refuses with exit 2 naming
/// --convention.
[[nodiscard]] Result<ModelCard> openCard(const ModelRef& ref);

/// For who computes with the model: every tensor that it needs is there with its shape and a floating-point type, and
/// none that is not understood, but for those that do no harm and those that `card.waived` names. Errors: CF-03 the
/// configuration disagrees, TC-05 lists the first missing names and their number, TC-07 found and expected, TC-10
/// tensors that are not understood.
[[nodiscard]] Result<void> checkComplete(const TensorTable& table, const ModelCard& card);
/// The same for who looks at heads alone: TC-10 for what is not understood inside an attention or among positions.
[[nodiscard]] Result<void> checkAttention(const TensorTable& table, const ModelCard& card);
/// Names of tensors that nothing uses and that may matter.
[[nodiscard]] std::vector<std::string> strangers(const TensorTable& table, const ModelCard& card);

/// Weights whose numbers are not what they mean are refused by what they are: 4 bits, whole numbers, 8 bits without
/// their factors. Error TC-07.
[[nodiscard]] Result<void> checkStorage(const TensorTable& table);

/// For who computes with the model: CF-03 when its configuration disagrees with its tensors.
[[nodiscard]] Result<void> checkConflicts(const ModelCard& card);

/// The subcommand `check`: the file opens, and if it is a model that is known, it is complete (files that say they hold
/// only a part are taken at their word). Returns what it is, in one line.
[[nodiscard]] Result<std::string> checkFile(const ModelRef& ref);

}  // namespace ropescope
