// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/variation.h"

#include <ATen/ATen.h>

#include "core/checkpoint/tensor_table.h"
#include "core/data/enum_names.h"
#include "core/encoding/model_encoding.h"

namespace ropescope {
namespace {

constexpr const char* kPlace = "variation";

Error unfit(const HeadChange& change, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Usage, "variation",         place({kPlace, headsText(change), change.donor}), std::move(reason),
            std::move(found), std::move(expected), "Choose another head to take a map from"};
}

Result<WeightTable> readParameters(const TensorTable& table, const std::string& prefix, const EncodingSpec& spec) {
    WeightTable weights;
    for (const MatrixParameter& parameter : positionTensors(prefix, spec)) {
        std::string name = parameter.name;
        if (!table.find(name)) name = name.substr(prefix.size());  // shared by the model
        const TensorEntry* entry = table.find(name);
        if (!entry)
            return failure({ErrorKind::Usage, "variation", place({table.path(), parameter.name}),
                            "the layer has no map to take", "", "a layer with maps", "Choose another head"});
        const Result<std::vector<double>> values = table.readDouble(name);
        if (!values) return failure(values.error());
        const at::Tensor own = at::from_blob(const_cast<double*>(values->data()), entry->shape, at::kDouble).clone();
        if (!own.isfinite().all().item<bool>())
            return failure({ErrorKind::Refused, "TC-01", place({table.path(), name}), "values are not finite", "",
                            "numbers", "Choose another head to take a map from"});
        weights[parameter.name] = own;
    }
    return weights;
}

/// The map that a transplant takes.
Result<HeadMap> readDonor(const HeadChange& change, const ModelRef& ref, const ModelCard& card) {
    ModelRef donor = withoutChanges(ref);
    if (!change.donor.empty() && change.donor != ref.path) {
        donor = {};
        donor.path = change.donor;
    }
    const auto table = TensorTable::open(donor);
    if (!table) return failure(table.error());
    auto other = recognise(*table, donor);
    if (!other) return failure(other.error());
    if (other->convention == Convention::Unknown) other->convention = card.convention;  // nothing says another
    if (!findMapNames(other->encoding))
        return failure(unfit(change, "the donor has no maps: its positions are " + other->encoding, other->encoding,
                             "harope, string or rethinking"));
    if (change.from.layer >= other->layers || change.from.head >= other->heads)
        return failure(unfit(change, "the donor has no such head", change.from.name(),
                             "L0.H0 to " + HeadId{other->layers - 1, other->heads - 1}.name()));
    if (other->headDim != card.headDim)
        return failure(unfit(change, "the donor's heads have another size",
                             std::to_string(other->headDim) + " features", std::to_string(card.headDim)));
    if (other->convention != card.convention)
        return failure(unfit(change, "the donor's maps enter in another way", std::string(enumName(other->convention)),
                             std::string(enumName(card.convention))));
    const auto spec = encodingOf(*other);
    if (!spec) return failure(spec.error());
    const std::string prefix = other->attention(change.from.layer);
    const auto weights = readParameters(*table, prefix, *spec);
    if (!weights) return failure(weights.error());
    return storedMap(*weights, prefix, *spec, change.from.head);
}

}  // namespace

Result<HeadChangesPtr> headChanges(const ModelRef& ref, const ModelCard& card) {
    if (!ref.changesHeads()) return HeadChangesPtr();
    if (auto fits = checkVariation(ref, card, kPlace); !fits) return failure(fits.error());
    auto changes = std::make_shared<HeadChanges>();
    for (const HeadChange& change : ref.changes) {
        if (!change.on) continue;
        if (change.kind == ChangeKind::Transplant) {
            auto donor = readDonor(change, ref, card);
            if (!donor) return failure(donor.error());
            changes->donors[changes->list.size()] = std::move(*donor);
        }
        changes->list.push_back(change);
    }
    return changes;
}

}  // namespace ropescope
