// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/error.h"
#include "core/data/head_id.h"

// How an opened model differs from its files: low-rank changes, an adapter, changes of heads. Nothing here changes a
// file; what is made of a source and a variation is cached by both. Definitions: core/encoding/README.md.

namespace ropescope {

struct ModelCard;

/// A low-rank change of a model's weights, from a file, times a strength.
struct LoraRef {
    std::string path;
    double strength = 1;
    bool operator==(const LoraRef&) const = default;
};

/// What is done to a head.
enum class ChangeKind {
    Dial,           ///< tau times the map's generators and the logarithms of its singular values
    PositionOnly,   ///< A becomes expm(tau log W) (A^T A)^1/2, W A's orthogonal polar factor; same-map alone
    SingularValue,  ///< one singular value is set
    Identity,       ///< the map becomes I
    Transplant,     ///< the map of another head, as stored
    Frequencies,    ///< its frequencies are multiplied by a factor
    PositionsOff,   ///< its frequencies become 0: every pair of tokens as at offset 0
    OutputOff,      ///< its output becomes 0
};

struct HeadChange {
    bool on = true;
    ChangeKind kind = ChangeKind::Dial;
    int layer = -1;             ///< -1: all
    int head = -1;              ///< -1: all of the layer
    double amount = 1;          ///< Dial, PositionOnly: tau; SingularValue: the value; Frequencies: the factor
    std::vector<double> curve;  ///< Dial, PositionOnly: tau over a run, at equal distances from its first step to its
                                ///< last, straight lines between; empty: `amount` at all steps
    int index = 0;      ///< SingularValue: which, in the order of the Spectrum (the file's, where it stores them)
    std::string donor;  ///< Transplant: the other model's file; empty: this model
    HeadId from;        ///< Transplant: the head whose map is taken
    bool operator==(const HeadChange&) const = default;
    /// Does it change the map before the rotary turn?
    [[nodiscard]] bool ofMap() const { return kind <= ChangeKind::Transplant; }
    [[nodiscard]] bool ofFrequencies() const {
        return kind == ChangeKind::Frequencies || kind == ChangeKind::PositionsOff;
    }
    [[nodiscard]] bool touches(HeadId id) const {
        return on && (layer < 0 || layer == id.layer) && (head < 0 || head == id.head);
    }
    [[nodiscard]] bool touchesLayer(int of) const { return on && (layer < 0 || layer == of); }
};

/// What the changes of a variation were made for; 0 and empty: not said.
struct VariationModel {
    std::string name;
    int layers = 0, heads = 0, headDim = 0;
    std::string encoding, convention;
    bool operator==(const VariationModel&) const = default;
};

struct Variation {
    std::string adapter;              ///< FLUX, SD3: optional file with HARoPE maps for these weights
    std::vector<LoraRef> loras;       ///< FLUX, SD3: added in this order
    std::vector<HeadChange> changes;  ///< of heads, applied in this order
    VariationModel madeFor;
    bool operator==(const Variation&) const = default;
    [[nodiscard]] bool changesHeads() const;
};

/// tau (or another amount) at a share 0..1 of a run.
[[nodiscard]] double amountAt(const HeadChange& change, double progress);
/// Does any change that is on follow a curve over the run?
[[nodiscard]] bool followsRun(const std::vector<HeadChange>& changes);

/// "all", "L3" or "L3.H1".
[[nodiscard]] std::string headsText(const HeadChange& change);
/// "output-off", "tau=0.5", "identity", ... (the words of `sweep --change`).
[[nodiscard]] std::string changeText(const HeadChange& change);
/// The other way. Errors: Usage with the known words.
[[nodiscard]] Result<HeadChange> changeFromText(const std::string& text);

/// Do the changes fit the model? Errors: Usage "variation", place `where`: made for another model (both are named, with
/// what does not fit), no such layer or head, values that are not finite or not positive, maps where the model has
/// none, a shared map changed for one head alone, position-only under the inverse map, a cycle of transplants.
[[nodiscard]] Result<void> checkVariation(const Variation& variation, const ModelCard& card, const std::string& where);

/// A variation file: JSON {"ropescope_variation": 1, "model": {..}, "adapter": .., "loras": [..], "changes": [{"heads":
/// "L3.H1", "do": "dial", "tau": 0.5, "on": true}, ..]}. Errors: Usage "variation" naming the file, the entry and what
/// was expected. Paths inside are relative to the file's folder.
[[nodiscard]] Result<Variation> readVariation(const std::string& path);
[[nodiscard]] Result<Variation> variationFromJson(std::string_view text, const std::string& where);
[[nodiscard]] std::string variationJson(const Variation& variation);

template <class V>
void fields(V& v, LoraRef& l) {
    v("path", l.path), v("strength", l.strength);
}
template <class V>
void fields(V& v, HeadChange& c) {
    v("on", c.on), v("kind", c.kind), v("layer", c.layer), v("head", c.head), v("amount", c.amount),
        v("curve", c.curve), v("index", c.index), v("donor", c.donor), v("from", c.from);
}
template <class V>
void fields(V& v, VariationModel& m) {
    v("name", m.name), v("layers", m.layers), v("heads", m.heads), v("head_dim", m.headDim), v("encoding", m.encoding),
        v("convention", m.convention);
}

}  // namespace ropescope
