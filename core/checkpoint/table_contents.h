// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <unordered_map>

#include "core/checkpoint/input_file.h"
#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// What a reader finds out about a file; behind TensorTable.
struct TensorTable::Contents {
    explicit Contents(InputFile opened) : file(std::move(opened)) {}

    InputFile file;                 ///< the weights, or the index of several files
    std::vector<InputFile> shards;  ///< those files, in order of their names
    [[nodiscard]] const InputFile& fileOf(const TensorEntry& entry) const {
        return entry.file == 0 ? file : shards[static_cast<std::size_t>(entry.file) - 1];
    }
    std::string format;
    std::vector<TensorEntry> tensors;
    std::map<std::string, std::string> metadata;
    std::map<std::string, std::string> trainingArgs;
    std::vector<std::string> notes;
    std::string naming;  ///< whose names the file uses where they are not the models' own
    bool authorsContainer = false;
    bool packedGates = false;                           ///< fc1, fc2 of gated MLPs became w12, w3
    bool renamedScales = false;                         ///< ls1.gamma became gamma_1
    bool scaled = false;                                ///< weights have factors (attachFactors)
    std::vector<std::string> copies;                    ///< names of all copies of the weights, where there are several
    std::string copy;                                   ///< of the one taken
    std::vector<std::string> objects;                   ///< what the file holds as objects, which are not read
    std::vector<std::pair<std::string, Error>> broken;  ///< tensors that cannot be read, by their names in the file
    std::unordered_map<std::string_view, std::size_t> byName;  ///< views into `tensors`, filled last
};

/// Readers of the formats: fill format, tensors, metadata, trainingArgs, notes.
[[nodiscard]] Result<void> readSafetensorsFile(TensorTable::Contents& contents);
[[nodiscard]] Result<void> readTorchZip(TensorTable::Contents& contents);

/// Files beside the index that `contents.file` is, safetensors or PyTorch zips. Errors: FO-01 .. FO-03.
[[nodiscard]] Result<void> readSharded(TensorTable::Contents& contents);

/// Finds all copies of the weights in a file, keeps the one asked for ("ema": the averaged one, "model": the other, or
/// a name) under the model's own names, without wrappers, and leaves out what training keeps beside them. Notes all of
/// it. Errors: Usage "weights" where several copies fit or none, TC-12 where two tensors reach one name.
[[nodiscard]] Result<void> chooseCopy(TensorTable::Contents& contents, const std::string& choice);

/// Factors of weights in 8 bits ("X.scale_weight", "X.weight_scale" of "X.weight") go into the entries that they belong
/// to, so that they travel with them; factors of inputs and markers, which change nothing here, are left out.
/// Errors: TC-12 two factors for one weight.
[[nodiscard]] Result<void> attachFactors(TensorTable::Contents& contents);

/// Gives tensors the names that the models use and notes it: frequencies of all layers in one tensor (timm's
/// "rope.freqs" [2,L,H,P], rope-vit's "freqs" [2,L,H*P]) become one view per layer ("blocks.i.attn.freqs").
void useModelNames(TensorTable::Contents& contents);
/// The same for DiT, FLUX, SD3 and autoencoders under diffusers' names: the names of their first release, with queries,
/// keys and values of a stream in one tensor and maps under "attn.learnable_rot." of their block. Of a file with a
/// whole pipeline the transformer is taken.
void useFlowNames(TensorTable::Contents& contents);

/// Maps that a file holds multiplied out (learnable_rot.M, in the row-vector convention of the released code: q M^T,
/// k M^-1) become full matrices; M_inv, which says the same, is left out and tells that they are inverse maps.
void useBakedMaps(TensorTable::Contents& contents);

/// The HARoPE maps of an adapter file, under any of its naming schemes, among the tensors of a FLUX or SD3; what its
/// metadata says of them replaces the model's. Errors: LO-01, TC-10.
[[nodiscard]] Result<void> addAdapter(TensorTable::Contents& model, const TensorTable::Contents& adapter);

/// The name that a ViT's file has for the tensor `own`.
[[nodiscard]] std::string timmName(const TensorTable::Contents& contents, const std::string& own);
/// diffusers' name of the tensor `own` of a DiT, FLUX or SD3; of one that is joined, the part that the file lacks.
[[nodiscard]] std::string diffusersName(const TensorTable& table, const std::string& own);

/// How many numbers of a factor lie over the rows and over the columns of its weight.
struct FactorTiles {
    std::int64_t down = 1, across = 1;
};
/// Of a factor of this shape over a weight of rows x cols; nothing where it does not fit.
[[nodiscard]] std::optional<FactorTiles> tilesOf(const std::vector<std::int64_t>& shape, std::int64_t rows,
                                                 std::int64_t cols);

/// Where a low-rank change of diffusers' module `name` ("transformer_blocks.0.attn.to_q") or of an original one acts.
struct FlowTarget {
    std::string name;            ///< of the original weight
    int part = 0;                ///< of its joined parts, which all have the model's width but the last one
    bool joined = false;         ///< the module is that part; else it is the whole
    int span = 1;                ///< parts that it covers, from that one
    bool swappedHalves = false;  ///< diffusers keeps the two halves of its rows the other way round
};
/// By module name, dotted, of all modules with weights of rank 2 that a FLUX or SD3 of these tensors has.
[[nodiscard]] std::unordered_map<std::string, FlowTarget> flowTargets(const TensorTable::Contents& contents);

}  // namespace ropescope
