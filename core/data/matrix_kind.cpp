// SPDX-License-Identifier: Apache-2.0
#include "core/data/matrix_kind.h"

#include <algorithm>
#include <array>

#include "core/data/enum_names.h"

namespace ropescope {
namespace {

using K = MatrixKind;

constexpr std::array<Matrix, 10> kMatrices = {{
    {K::Svd, enumName(K::Svd), false},
    {K::Full, enumName(K::Full), false},
    {K::Diagonal, enumName(K::Diagonal), false},
    {K::Exponential, enumName(K::Exponential), true},
    {K::Cayley, enumName(K::Cayley), true},
    {K::Householder, enumName(K::Householder), true},
    {K::Givens, enumName(K::Givens), true},
    {K::Lu, enumName(K::Lu), false},
    {K::LowRank, enumName(K::LowRank), false},
    {K::Circulant, enumName(K::Circulant), true},
}};

}  // namespace

std::span<const Matrix> matrices() {
    return kMatrices;
}

Result<MatrixKind> findMatrix(std::string_view name) {
    std::string known;
    for (const Matrix& m : kMatrices) {
        if (m.name == name) return m.kind;
        known += (known.empty() ? "" : ", ") + std::string(m.name);
    }
    return failure({ErrorKind::Usage, "matrix", "", "no such matrix parameterization", printable(name), known,
                    "Choose one of the known ones"});
}

bool isOrthogonal(MatrixKind kind) {
    const auto found = std::ranges::find(kMatrices, kind, &Matrix::kind);
    return found != kMatrices.end() && found->orthogonal;
}

std::vector<MatrixParameter> matrixParameters(MatrixKind kind, int headDim) {
    const std::int64_t d = headDim;
    switch (kind) {
        case MatrixKind::Svd:
            return {{"A_u", {d, d}}, {"A_v", {d, d}}, {"sigma", {d}}};
        case MatrixKind::Full:
            return {{"W", {d, d}}};
        case MatrixKind::Diagonal:
            return {{"gamma", {d}}};
        case MatrixKind::Exponential:
            return {{"X", {d, d}}};
        case MatrixKind::Cayley:
            return {{"S", {d, d}}};
        case MatrixKind::Householder:
            return {{"v", {8, d}}};
        case MatrixKind::Givens:
            return {{"angle", {d, d / 2}}};
        case MatrixKind::Lu:
            return {{"lower", {d, d}}, {"upper", {d, d}}, {"diagonal", {d}}};
        case MatrixKind::LowRank:
            return {{"B", {d, std::max<std::int64_t>(1, d / 4)}}, {"C", {d, std::max<std::int64_t>(1, d / 4)}}};
        case MatrixKind::Circulant:
            return {{"c", {2, d}}};
        case MatrixKind::None:
            break;
    }
    return {};
}

std::span<const MapNames> mapNames() {
    static const std::array<MapNames, 3> names = {{
        {"harope",
         "learnable_rot.",
         {K::Svd, K::Full, K::Diagonal, K::Exponential, K::Cayley, K::Householder, K::Givens, K::Lu, K::LowRank}},
        {"string", "string.", {K::Cayley, K::Circulant}},
        {"rethinking", "rethinking.", {K::Exponential, K::Cayley, K::Givens}},
    }};
    return names;
}

const MapNames* findMapNames(std::string_view encoding) {
    const auto all = mapNames();
    const std::string_view own = encoding == "harope_mixed" ? "harope" : encoding;
    const auto found = std::ranges::find(all, own, &MapNames::encoding);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace ropescope
