// SPDX-License-Identifier: Apache-2.0
#include "core/data/variation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "core/data/enum_names.h"
#include "core/data/matrix_kind.h"
#include "core/data/model_card.h"

namespace ropescope {
namespace {

constexpr double kLargestAmount = 1e3;

Error unfit(const std::string& where, std::string reason, std::string found, std::string expected, std::string advice) {
    return {ErrorKind::Usage,    "variation",      where, std::move(reason), std::move(found),
            std::move(expected), std::move(advice)};
}

std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.6g", value);
    return text.data();
}

std::string entryOf(const std::string& where, std::size_t index) {
    return where + " > change " + std::to_string(index + 1);
}

/// Every amount that a change can take.
std::vector<double> amountsOf(const HeadChange& change) {
    return change.curve.empty() ? std::vector<double>{change.amount} : change.curve;
}

Result<void> checkAmounts(const HeadChange& change, const std::string& where) {
    for (const double amount : amountsOf(change))
        if (!(std::abs(amount) <= kLargestAmount))
            return failure(unfit(where, "a value that is not finite, or beyond 1000", number(amount), "a number",
                                 "Give another value"));
    if (change.kind == ChangeKind::SingularValue && !(change.amount > 0))
        return failure(unfit(where, "singular values are positive", number(change.amount), "a number above 0",
                             "Give another value"));
    return {};
}

std::string sizesText(int layers, int heads, int headDim) {
    return std::to_string(layers) + " layers of " + std::to_string(heads) + " heads of " + std::to_string(headDim);
}

Result<void> checkModel(const VariationModel& made, const ModelCard& card, const std::string& where) {
    const auto differs = [&](const std::string& what, const std::string& found, const std::string& expected) {
        return failure(unfit(where, "made for " + made.name + ", not for " + card.name + ": another " + what, found,
                             expected, "Open the model that it was made for, or leave \"model\" out of the file"));
    };
    if (made.layers > 0 && (made.layers != card.layers || made.heads != card.heads || made.headDim != card.headDim))
        return differs("size", sizesText(card.layers, card.heads, card.headDim),
                       sizesText(made.layers, made.heads, made.headDim));
    if (!made.encoding.empty() && made.encoding != card.encoding)
        return differs("positional encoding", card.encoding, made.encoding);
    const std::string own(enumName(card.convention));
    if (!made.convention.empty() && made.convention != own && own != "unknown")
        return differs("convention", own, made.convention);
    return {};
}

Result<void> checkPlace(const HeadChange& change, const ModelCard& card, const std::string& where) {
    const bool layer = change.layer < card.layers && change.layer >= -1;
    const bool head = change.head < card.heads && change.head >= -1;
    if (layer && head && (change.layer >= 0 || change.head < 0)) return {};
    return failure(unfit(where, card.name + " has no such head", headsText(change),
                         "L0 to L" + std::to_string(card.layers - 1) + ", H0 to H" + std::to_string(card.heads - 1),
                         "Name heads that it has, or \"all\""));
}

Result<void> checkMapChange(const HeadChange& change, const ModelCard& card, const std::string& where) {
    if (!findMapNames(card.encoding))
        return failure(unfit(where, "the heads of " + card.name + " have no maps: its positions are " + card.encoding,
                             changeText(change), "frequencies, positions-off or output-off",
                             "Choose a change that such heads have"));
    const bool whole = card.sharing == MapSharing::Head || (change.head < 0 && card.sharing == MapSharing::Layer) ||
                       (change.head < 0 && change.layer < 0);
    if (!whole)
        return failure(unfit(where,
                             card.sharing == MapSharing::Layer
                                 ? "the heads of a layer share one map and change together"
                                 : "all heads of the model share one map",
                             headsText(change),
                             card.sharing == MapSharing::Layer && change.layer >= 0
                                 ? "L" + std::to_string(change.layer)
                                 : std::string(card.sharing == MapSharing::Layer ? "a layer, or all" : "all"),
                             "Change all heads that share the map"));
    if (change.kind == ChangeKind::PositionOnly && card.convention == Convention::Inverse)
        return failure(unfit(where,
                             "position-only is of the same map alone: under the inverse map tau = 0 already "
                             "keeps the content term",
                             "position-only", "tau=0", "Use the dial"));
    if (change.kind == ChangeKind::SingularValue && isOrthogonal(card.matrix))
        return failure(unfit(where, "the maps are orthogonal: their singular values are 1 by construction",
                             changeText(change), "another change", "Choose another change"));
    if (change.kind == ChangeKind::SingularValue && (change.index < 0 || change.index >= card.headDim))
        return failure(unfit(where, "no such singular value", std::to_string(change.index),
                             "0 to " + std::to_string(card.headDim - 1), "Give another index"));
    const bool inside = change.from.layer >= 0 && change.from.layer < card.layers && change.from.head >= 0 &&
                        change.from.head < card.heads;
    if (change.kind == ChangeKind::Transplant && change.donor.empty() && !inside)
        return failure(unfit(where, card.name + " has no such head to take a map from", change.from.name(),
                             "L0.H0 to L" + std::to_string(card.layers - 1) + ".H" + std::to_string(card.heads - 1),
                             "Name a head that it has"));
    return {};
}

/// Transplants inside the model that lead back to where they began: which map is meant is not defined.
Result<void> checkCycles(const std::vector<HeadChange>& changes, const ModelCard& card, const std::string& where) {
    std::map<HeadId, HeadId> from;
    for (const HeadChange& change : changes) {
        if (!change.on || change.kind != ChangeKind::Transplant || !change.donor.empty()) continue;
        for (int layer = 0; layer < card.layers; ++layer)
            for (int head = 0; head < card.heads; ++head)
                if (change.touches({layer, head}) && change.from != HeadId{layer, head})
                    from[{layer, head}] = change.from;
    }
    for (const auto& [start, donor] : from) {
        std::string way = start.name();
        std::set<HeadId> seen = {start};
        for (HeadId at = donor;; at = from.at(at)) {
            way += " from " + at.name();
            if (!seen.insert(at).second)
                return failure(unfit(where, "transplants in a circle", way, "donors that keep their own map",
                                     "Switch one of them off"));
            if (!from.contains(at)) break;
        }
    }
    return {};
}

}  // namespace

bool Variation::changesHeads() const {
    return std::ranges::any_of(changes, [](const HeadChange& c) { return c.on; });
}

double amountAt(const HeadChange& change, double progress) {
    const std::vector<double>& curve = change.curve;
    if (curve.empty()) return change.amount;
    const double at = std::clamp(progress, 0.0, 1.0) * static_cast<double>(curve.size() - 1);
    const auto first = std::min(static_cast<std::size_t>(at), curve.size() - 1);
    const std::size_t next = std::min(first + 1, curve.size() - 1);
    return curve[first] + (at - static_cast<double>(first)) * (curve[next] - curve[first]);
}

bool followsRun(const std::vector<HeadChange>& changes) {
    return std::ranges::any_of(changes, [](const HeadChange& c) { return c.on && c.curve.size() > 1; });
}

std::string headsText(const HeadChange& change) {
    if (change.layer < 0 && change.head < 0) return "all";
    if (change.head < 0) return "L" + std::to_string(change.layer);
    return HeadId{change.layer, change.head}.name();
}

std::string changeText(const HeadChange& change) {
    std::string amount = number(change.amount);
    if (!change.curve.empty()) {
        amount.clear();
        for (const double tau : change.curve) amount += (amount.empty() ? "" : ":") + number(tau);
    }
    switch (change.kind) {
        case ChangeKind::Dial:
            return "tau=" + amount;
        case ChangeKind::PositionOnly:
            return amount == "0" ? "position-only" : "position-only=" + amount;
        case ChangeKind::SingularValue:
            return "s" + std::to_string(change.index) + "=" + amount;
        case ChangeKind::Identity:
            return "identity";
        case ChangeKind::Transplant:
            return "transplant=" + change.from.name() + (change.donor.empty() ? "" : "@" + change.donor);
        case ChangeKind::Frequencies:
            return "frequencies=" + amount;
        case ChangeKind::PositionsOff:
            return "positions-off";
        case ChangeKind::OutputOff:
            return "output-off";
    }
    return {};
}

Result<HeadChange> changeFromText(const std::string& text) {
    HeadChange change;
    const std::size_t equals = text.find('=');
    const std::string word = text.substr(0, equals), rest = equals == std::string::npos ? "" : text.substr(equals + 1);
    const auto read = [](std::string_view from, double& value) {
        const auto read = std::from_chars(from.data(), from.data() + from.size(), value);
        return read.ec == std::errc() && read.ptr == from.data() + from.size() && std::isfinite(value);
    };
    const auto readCurve = [&] {
        std::size_t begin = 0;
        while (begin <= rest.size()) {
            const std::size_t end = std::min(rest.find(':', begin), rest.size());
            double tau = 0;
            if (!read(std::string_view(rest).substr(begin, end - begin), tau)) return false;
            change.curve.push_back(tau);
            begin = end + 1;
        }
        change.amount = change.curve.front();
        if (change.curve.size() == 1) change.curve.clear();
        return true;
    };
    bool good = false;
    if (word == "tau" || word == "position-only") {
        change.kind = word == "tau" ? ChangeKind::Dial : ChangeKind::PositionOnly;
        change.amount = 0;
        good = (word == "position-only" && equals == std::string::npos) || readCurve();
    } else if (word == "frequencies") {
        change.kind = ChangeKind::Frequencies;
        good = read(rest, change.amount);
    } else if (equals == std::string::npos) {
        const std::pair<const char*, ChangeKind> plain[] = {{"identity", ChangeKind::Identity},
                                                            {"positions-off", ChangeKind::PositionsOff},
                                                            {"output-off", ChangeKind::OutputOff}};
        for (const auto& [name, kind] : plain)
            if (word == name) change.kind = kind, good = true;
    }
    if (good) return change;
    return failure({ErrorKind::Usage, "bad-option", "--change", "not a change of a head", printable(text, 60),
                    "output-off, positions-off, identity, tau=X, position-only or frequencies=X", "Give one of these"});
}

Result<void> checkVariation(const Variation& variation, const ModelCard& card, const std::string& where) {
    if (!variation.changesHeads()) return {};
    if (card.layers < 1 || card.heads < 1)
        return failure(unfit(where, card.name + " has no attention heads to change", card.architecture,
                             "a dit, vit, mmdit or flux", "Open a network"));
    if (auto same = checkModel(variation.madeFor, card, where); !same) return same;
    for (std::size_t i = 0; i < variation.changes.size(); ++i) {
        const HeadChange& change = variation.changes[i];
        const std::string entry = entryOf(where, i);
        if (auto checked = checkPlace(change, card, entry); !checked) return checked;
        if (auto checked = checkAmounts(change, entry); !checked) return checked;
        if (change.ofMap())
            if (auto checked = checkMapChange(change, card, entry); !checked) return checked;
        if (change.ofFrequencies() && (card.encoding == "none" || card.encoding == "absolute"))
            return failure(unfit(entry, "nothing turns in " + card.name + ": its positions are " + card.encoding,
                                 changeText(change), "output-off", "Choose a change that such heads have"));
    }
    return checkCycles(variation.changes, card, where);
}

}  // namespace ropescope
