// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/changes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/encoding/encoding.h"

namespace ropescope {
namespace {

/// Square roots until the angles are below pi / 2^kRoots = 0.05; the series then ends below 1e-17.
constexpr int kRoots = 6;
constexpr double kHalfCircle = 1e-6;  ///< singular values of I + W below this: a turn by pi

[[noreturn]] void refuse(std::string reason, std::string found, std::string expected) {
    throw RefusedChange({ErrorKind::Refused, "variation", "", std::move(reason), std::move(found), std::move(expected),
                         "Choose another change for this head"});
}

at::Tensor eyeLike(const at::Tensor& m) {
    return at::eye(m.size(-1), m.options());
}

/// A map without generators.
HeadMap plain(const at::Tensor& matrix) {
    HeadMap map;
    map.matrix = matrix;
    return map;
}

/// U diag(exp(values)) V^T between interleaved features.
at::Tensor product(const HeadMap& map, const at::Tensor& logValues) {
    const at::Tensor all =
        at::matmul(at::matrix_exp(map.generatorU) * logValues.exp(), at::matrix_exp(map.generatorV).mT());
    return map.halfSplit ? interleavedMap(all) : all;
}

struct Polar {
    at::Tensor rotation;         ///< W, orthogonal
    at::Tensor values, vectors;  ///< of P = (M^T M)^1/2 = vectors diag(values) vectors^T
    /// P^power.
    [[nodiscard]] at::Tensor power(double exponent) const {
        return at::matmul(vectors * values.pow(exponent), vectors.mT());
    }
};

/// M = W P.
Polar polar(const at::Tensor& m) {
    const auto [x, s, yt] = at::linalg_svd(m, false);
    return {at::matmul(x, yt), s, yt.mT().contiguous()};
}

HeadMap scaled(const HeadMap& map, double tau) {
    if (map.generated()) return {map.generatorU * tau, map.generatorV * tau, map.logValues * tau, map.halfSplit, {}};
    if (tau == 0) return plain(eyeLike(map.matrix));  // whether or not W has a logarithm
    const Polar parts = polar(map.matrix);
    const at::Tensor turn = at::matrix_exp(rotationLogarithm(parts.rotation) * tau);
    return plain(at::matmul(turn, parts.power(tau)));
}

HeadMap positionOnly(const HeadMap& map, double tau) {
    const Polar parts = polar(map.query());
    const at::Tensor size = parts.power(1);
    if (tau == 0) return plain(size);
    return plain(at::matmul(at::matrix_exp(rotationLogarithm(parts.rotation) * tau), size));
}

HeadMap withValue(HeadMap map, int index, double value) {
    if (map.generated()) {
        map.logValues = map.logValues.clone();
        map.logValues[index] = std::log(value);
        return map;
    }
    auto [x, s, yt] = at::linalg_svd(map.matrix, false);
    s = s.clone();
    s[index] = value;
    return plain(at::matmul(x * s, yt));
}

HeadMap changedOnce(const HeadMap& map, const HeadChange& change, const HeadChanges& all, std::size_t place) {
    const double amount = amountAt(change, all.progress);
    switch (change.kind) {
        case ChangeKind::Dial:
            return amount == 1 ? map : scaled(map, amount);
        case ChangeKind::PositionOnly:
            return amount == 1 ? map : positionOnly(map, amount);
        case ChangeKind::SingularValue:
            return withValue(map, change.index, amount);
        case ChangeKind::Identity:
            return plain(eyeLike(map.generated() ? map.generatorU : map.matrix));
        case ChangeKind::Transplant:
            return all.donors.at(place);
        default:
            return map;
    }
}

}  // namespace

at::Tensor HeadMap::query() const {
    if (!generated()) return matrix;
    return product(*this, logValues);
}

at::Tensor HeadMap::key(Convention convention) const {
    if (convention != Convention::Inverse) return query();
    if (!generated()) return at::linalg_inv(matrix).mT();
    return product(*this, -logValues);
}

at::Tensor HeadMap::singularValues() const {
    return generated() ? logValues.exp() : at::linalg_svdvals(matrix);
}

bool HeadChanges::touchMap(HeadId id) const {
    return std::ranges::any_of(list, [&](const HeadChange& c) { return c.ofMap() && c.touches(id); });
}
bool HeadChanges::touchLayer(int layer) const {
    return std::ranges::any_of(list, [&](const HeadChange& c) { return c.touchesLayer(layer); });
}
bool HeadChanges::ofFrequencies() const {
    return std::ranges::any_of(list, [](const HeadChange& c) { return c.ofFrequencies(); });
}

HeadChangesPtr changesAt(const HeadChangesPtr& changes, double progress) {
    if (!changes || changes->progress == progress || !followsRun(changes->list)) return changes;
    auto moved = std::make_shared<HeadChanges>(*changes);
    moved->progress = progress;
    return moved;
}

HeadChangesPtr frequencyChanges(const HeadChangesPtr& changes) {
    if (!changes || !changes->ofFrequencies()) return nullptr;
    auto left = std::make_shared<HeadChanges>(*changes);
    std::erase_if(left->list, [](const HeadChange& c) { return !c.ofFrequencies(); });
    left->donors.clear();
    return left;
}

HeadMap changedMap(HeadMap map, const HeadChanges& changes, HeadId id) {
    for (std::size_t i = 0; i < changes.list.size(); ++i)
        if (changes.list[i].ofMap() && changes.list[i].touches(id)) map = changedOnce(map, changes.list[i], changes, i);
    if (!map.query().isfinite().all().item<bool>())
        refuse(id.name() + ": the changed map is not finite", "infinity or NaN", "numbers");
    return map;
}

double frequencyFactor(const HeadChanges& changes, HeadId id) {
    double factor = 1;
    for (const HeadChange& change : changes.list) {
        if (!change.touches(id)) continue;
        if (change.kind == ChangeKind::Frequencies) factor *= change.amount;
        if (change.kind == ChangeKind::PositionsOff) factor = 0;
    }
    return factor;
}

double outputFactor(const HeadChanges& changes, HeadId id) {
    const auto off = [&](const HeadChange& c) { return c.kind == ChangeKind::OutputOff && c.touches(id); };
    return std::ranges::any_of(changes.list, off) ? 0 : 1;
}

at::Tensor rotationLogarithm(const at::Tensor& rotation) {
    if (at::linalg_det(rotation).item<double>() < 0)
        refuse("the map's rotation mirrors, so it has no real logarithm", "det W = -1", "det W = 1");
    const at::Tensor one = eyeLike(rotation);
    at::Tensor root = rotation;
    for (int i = 0; i < kRoots; ++i) {
        // The principal square root of a rotation is the orthogonal factor of I + W.
        const auto [x, s, yt] = at::linalg_svd(one + root, false);
        if (s.min().item<double>() < kHalfCircle)
            refuse("the map turns a plane by half a circle, so its logarithm is not unique", "an eigenvalue of -1",
                   "angles below pi");
        root = at::matmul(x, yt);
    }
    // log W = 2 artanh C with the Cayley transform C = (W - I)(W + I)^-1, which is skew.
    const at::Tensor c = at::linalg_solve((root + one).mT(), (root - one).mT()).mT(), square = at::matmul(c, c);
    at::Tensor power = c, sum = c;
    for (const double odd : {3.0, 5.0, 7.0, 9.0, 11.0}) {
        power = at::matmul(power, square);
        sum = sum + power / odd;
    }
    const at::Tensor log = sum * (2 * std::exp2(kRoots));
    return (log - log.mT()) * 0.5;
}

}  // namespace ropescope
