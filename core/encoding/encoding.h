// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/error.h"
#include "core/encoding/changes.h"
#include "core/encoding/matrix.h"
#include "core/encoding/rotary.h"

namespace ropescope {

enum class PositionTable { None, Added };         ///< Added: pos_embed is added to the patch tokens once
enum class Frequencies { None, Fixed, Learned };  ///< what turns queries and keys

struct EncodingSpec;

/// One positional encoding: everything that models, trainer, probes and contract tests need to know of it.
struct Encoding {
    std::string_view name;  ///< as in ModelCard::encoding
    PositionTable added;
    int axes;  ///< position axes: 2 (row, column), 1 (the flattened index r W + c), 0 where nothing turns
    Frequencies frequencies;
    /// Fixed or initial frequencies [H or 1, P, axes], float64, radians per token; null where nothing turns.
    at::Tensor (*frequency)(const EncodingSpec& spec, at::Generator* generator);
    const MapNames* map = nullptr;  ///< where its matrix is kept and what it may be; null without a matrix
    bool conventions = false;       ///< same-map or inverse-map has to be said
    int ladder = 0;                 ///< fixed frequencies theta^(-2i/D_a), D_a = D / ladder; 0: no such ladder
    [[nodiscard]] bool hasMaps() const { return map != nullptr; }
    [[nodiscard]] bool turns() const { return frequencies != Frequencies::None; }
};

/// An encoding with all choices made, for one model.
struct EncodingSpec {
    const Encoding* encoding = nullptr;
    int heads = 0;
    int headDim = 0;
    double theta = 10000;
    Convention convention = Convention::None;  ///< None is Same for orthogonal encodings
    MatrixKind matrix = MatrixKind::None;
    MapSharing sharing = MapSharing::Head;
    AxisOrder order = AxisOrder::RowFirst;
    /// Of the file. Matrices are stored in its order; projections in memory and all that is made of both are
    /// interleaved.
    RotaryLayout layout = RotaryLayout::Interleaved;
    int firstHead = 0;                 ///< number of the first of `heads`, where only some of a layer's heads are read
    HeadChangesPtr changes = nullptr;  ///< of a variation; null: as stored
};

/// What one attention does to its queries and keys: q' = R(position) B_q q, k' = R(position) B_k k.
struct LayerPositions {
    HeadMaps maps;              ///< [H or 1, D, D]; undefined tensors without a map
    at::Tensor frequency;       ///< [H or 1, P, axes]; undefined where nothing turns
    at::Tensor factor;          ///< [P] on cosines and sines; undefined: 1 (core/encoding/extrapolation.h)
    at::Tensor frequencyScale;  ///< [H] on the frequencies, of a variation; undefined: 1
    at::Tensor output;          ///< [H] on the heads' outputs, 0 where one is switched off; undefined: 1
    /// What must be orthogonal of the stored maps, [H or 1, D, D] each: U and V, or the map itself; empty: nothing.
    std::vector<at::Tensor> orthogonal;
    std::map<int, HeadMap> changed;  ///< maps that a variation changed, by index of the head
    /// Frequencies with their scale, [H or 1, P, axes].
    [[nodiscard]] at::Tensor turning() const;
};

/// All encodings: none, absolute, rope1d, axial, mixed, string, rethinking, video, harope, harope_mixed. A new one is a
/// file here and a row of this table; the contract tests (relative property, folding, start) loop over it.
[[nodiscard]] std::span<const Encoding> encodings();

/// The row of that name. Errors: Usage, with the known names.
[[nodiscard]] Result<const Encoding*> findEncoding(std::string_view name);

/// rotaryTable of frequency and factor.
[[nodiscard]] RotaryTable rotaryTable(const LayerPositions& positions, Grid grid, Grid origin = {});

/// The tensors of the attention whose weights begin with `prefix` ("blocks.0.attn."): full name and the shape of one
/// head's part. Learned frequencies are "freqs" [2,H,P], index 0 the column's (x), 1 the row's (y), as rope-vit has it;
/// they are listed with shape {2,P} and stored [2,H,P] or [2,1,P].
[[nodiscard]] std::vector<MatrixParameter> positionTensors(const std::string& prefix, const EncodingSpec& spec);

/// Parameters of a new attention, float32: plain RoPE at the start (mixed: drawn directions; circulant STRING: its own
/// basis). MapSharing::Model: the matrix is made for layer 0 only, under its name without `prefix`.
[[nodiscard]] WeightTable initialPositions(const std::string& prefix, const EncodingSpec& spec,
                                           at::Generator& generator);

/// Maps and frequencies of that attention; float64, except that weights which need a gradient keep their type.
/// A matrix is looked for under `prefix` and then, shared by the model, without it (std::out_of_range). `layer` tells
/// which changes of spec.changes apply; every map of the program comes from here. Throws RefusedChange.
[[nodiscard]] LayerPositions layerPositions(const WeightTable& weights, const std::string& prefix,
                                            const EncodingSpec& spec, int layer);

/// The stored map of one head (an index inside the parameters), ready to be changed or transplanted.
[[nodiscard]] HeadMap storedMap(const WeightTable& weights, const std::string& prefix, const EncodingSpec& spec,
                                int index);

/// The parameters of the matrix, names without prefix; empty without a matrix.
[[nodiscard]] WeightTable matrixWeights(const WeightTable& weights, const std::string& prefix,
                                        const EncodingSpec& spec);

/// Where the features of an interleaved head lie in a half-split one, [D] int64: 0, D/2, 1, D/2 + 1, ...
[[nodiscard]] at::Tensor halfSplitOrder(int headDim);
/// Maps between half-split features as maps between interleaved ones.
[[nodiscard]] at::Tensor interleavedMap(const at::Tensor& map);

/// Every layer turns alike and all heads too, so that one table serves the model: frequencies that are neither learned
/// nor changed.
[[nodiscard]] bool sharesRotation(const EncodingSpec& spec);

/// Is this the name of a parameter of an encoding (matrix or frequencies), of whatever layer?
[[nodiscard]] bool isPositionParameter(std::string_view name);

}  // namespace ropescope
