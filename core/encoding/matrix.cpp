// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/matrix.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

namespace ropescope {
namespace {

/// softplus(this) = 1.
double softplusOne() {
    return std::log(std::expm1(1.0));
}

at::Tensor aboveFloor(const at::Tensor& raw) {
    return at::softplus(raw) + kSingularFloor;
}

at::Tensor eyeLike(const at::Tensor& matrix) {
    return at::eye(matrix.size(-1), matrix.options());
}

at::Tensor skew(const at::Tensor& x) {
    return (x - x.mT()) * 0.5;
}

at::Tensor cayley(const at::Tensor& s) {
    const at::Tensor k = skew(s), one = eyeLike(k);
    // (I-K) and (I+K)^-1 commute.
    return at::linalg_solve(one + k, one - k);
}

at::Tensor householder(const at::Tensor& v) {
    at::Tensor product = eyeLike(v).expand({v.size(0), v.size(2), v.size(2)});
    for (std::int64_t i = 0; i < v.size(1); ++i) {
        const at::Tensor one = v.select(1, i);
        const at::Tensor unit = (one / one.norm(2, {-1}, true)).unsqueeze(-1);
        product = product - 2 * at::matmul(at::matmul(product, unit), unit.mT());
    }
    return product;
}

at::Tensor givens(const at::Tensor& angle) {
    const std::int64_t heads = angle.size(0), d = 2 * angle.size(2);
    at::Tensor product = at::eye(d, angle.options()).expand({heads, d, d});
    for (std::int64_t round = 0; round < angle.size(1); ++round) {
        const at::Tensor cos = angle.select(1, round).cos().unsqueeze(1),
                         sin = angle.select(1, round).sin().unsqueeze(1);
        // Columns are turned: product <- product G. Odd rounds pair the features one place on.
        const at::Tensor shifted = round % 2 ? product.roll(-1, 2) : product;
        const at::Tensor pairs = shifted.unflatten(2, {d / 2, 2});
        const at::Tensor a = pairs.select(3, 0), b = pairs.select(3, 1);
        const at::Tensor turned = at::stack({a * cos + b * sin, b * cos - a * sin}, 3).flatten(2);
        product = round % 2 ? turned.roll(1, 2) : turned;
    }
    return product;
}

at::Tensor lu(const WeightTable& p) {
    const at::Tensor lower = p.at("lower").tril(-1) + eyeLike(p.at("lower"));
    return at::matmul(lower, p.at("upper").triu(1) + at::diag_embed(aboveFloor(p.at("diagonal"))));
}

at::Tensor lowRank(const WeightTable& p) {
    const at::Tensor product = at::matmul(p.at("B"), p.at("C").mT());
    return product + eyeLike(product);
}

/// Rows 2k, 2k+1: real and imaginary part of mode k+1; the last two: modes 0 and D/2.
at::Tensor fourierBasis(std::int64_t d) {
    at::Tensor basis = at::empty({d, d}, at::kDouble);
    auto b = basis.accessor<double, 2>();
    for (std::int64_t n = 0; n < d; ++n) {
        for (std::int64_t k = 0; k + 1 < d / 2; ++k) {
            // Reduced before it is multiplied: large products would cost digits.
            const double angle = 2 * std::numbers::pi * static_cast<double>((k + 1) * n % d) / static_cast<double>(d);
            b[2 * k][n] = std::sqrt(2.0 / static_cast<double>(d)) * std::cos(angle);
            b[2 * k + 1][n] = -std::sqrt(2.0 / static_cast<double>(d)) * std::sin(angle);
        }
        b[d - 2][n] = 1 / std::sqrt(static_cast<double>(d));
        b[d - 1][n] = (n % 2 ? -1 : 1) / std::sqrt(static_cast<double>(d));
    }
    return basis;
}

/// Parameters with a leading dimension of heads, types checked.
WeightTable byHead(MatrixKind kind, const WeightTable& parameters) {
    WeightTable all;
    for (const MatrixParameter& p : matrixParameters(kind, 4)) {
        const at::Tensor& t = parameters.at(p.name);
        if (t.scalar_type() != at::kFloat && t.scalar_type() != at::kDouble)
            throw std::invalid_argument("matrices are made in float32 or float64");
        all[p.name] = t.dim() == static_cast<std::int64_t>(p.shape.size()) ? t.unsqueeze(0) : t;
    }
    return all;
}

at::Tensor make(MatrixKind kind, const WeightTable& p) {
    switch (kind) {
        case MatrixKind::Svd:
            return haropeMaps(haropeFactors(p.at("A_u"), p.at("A_v"), p.at("sigma")), Convention::Same).query;
        case MatrixKind::Full:
            return p.at("W");
        case MatrixKind::Diagonal:
            return at::diag_embed(aboveFloor(p.at("gamma")));
        case MatrixKind::Exponential:
            return at::matrix_exp(skew(p.at("X")));
        case MatrixKind::Cayley:
            return cayley(p.at("S"));
        case MatrixKind::Householder:
            return householder(p.at("v"));
        case MatrixKind::Givens:
            return givens(p.at("angle"));
        case MatrixKind::Lu:
            return lu(p);
        case MatrixKind::LowRank:
            return lowRank(p);
        case MatrixKind::Circulant: {
            const at::Tensor& c = p.at("c");
            return fourierBasis(c.size(-1)).to(c.options()).expand({c.size(0), c.size(-1), c.size(-1)});
        }
        case MatrixKind::None:
            break;
    }
    throw std::invalid_argument("no matrix");
}

}  // namespace

WeightTable initialMatrix(MatrixKind kind, int count, int headDim, at::Generator& generator) {
    WeightTable w;
    for (const MatrixParameter& p : matrixParameters(kind, headDim)) {
        std::vector<std::int64_t> shape = {count};
        shape.insert(shape.end(), p.shape.begin(), p.shape.end());
        w[p.name] = at::zeros(shape);
    }
    switch (kind) {
        case MatrixKind::Svd:
            w.at("sigma").fill_(softplusOne());
            break;
        case MatrixKind::Full:
            w.at("W").copy_(at::eye(headDim));
            break;
        case MatrixKind::Diagonal:
            w.at("gamma").fill_(softplusOne());
            break;
        case MatrixKind::Lu:
            w.at("diagonal").fill_(softplusOne());
            break;
        case MatrixKind::LowRank:
            w.at("C").normal_(0, 1 / std::sqrt(static_cast<double>(headDim)), generator);
            break;
        case MatrixKind::Householder: {
            // Equal neighbours cancel: a reflection done twice.
            at::Tensor& v = w.at("v");
            const at::Tensor half = at::empty({count, v.size(1) / 2, headDim}).normal_(0, 1, generator);
            v.copy_(half.repeat_interleave(2, 1));
            break;
        }
        default:
            break;
    }
    return w;
}

at::Tensor matrixOf(MatrixKind kind, const WeightTable& parameters) {
    return make(kind, byHead(kind, parameters));
}

HeadMaps matrixMaps(MatrixKind kind, const WeightTable& parameters, Convention convention) {
    const WeightTable p = byHead(kind, parameters);
    if (kind == MatrixKind::Svd) return haropeMaps(haropeFactors(p.at("A_u"), p.at("A_v"), p.at("sigma")), convention);
    const at::Tensor m = make(kind, p);
    if (convention == Convention::Same || (convention == Convention::Inverse && isOrthogonal(kind))) return {m, m};
    if (convention != Convention::Inverse) throw std::invalid_argument("maps need a convention: same or inverse");
    if (kind == MatrixKind::Diagonal) return {m, at::diag_embed(aboveFloor(p.at("gamma")).reciprocal())};
    return {m, at::linalg_inv(m).mT()};
}

at::Tensor storedSingularValues(MatrixKind kind, const WeightTable& parameters) {
    const WeightTable p = byHead(kind, parameters);
    if (kind == MatrixKind::Svd) return aboveFloor(p.at("sigma"));
    if (kind == MatrixKind::Diagonal) return aboveFloor(p.at("gamma"));
    if (isOrthogonal(kind)) {
        const at::Tensor m = make(kind, p);
        return at::ones({m.size(0), m.size(1)}, m.options());
    }
    return at::linalg_svdvals(make(kind, p));
}

at::Tensor circulantFrequencies(const at::Tensor& c) {
    const std::int64_t d = c.size(-1);
    const at::Tensor imaginary = at::imag(at::fft_fft(c)).narrow(-1, 1, d / 2 - 1) * 2;  // [H,2,P-1]
    const at::Tensor still = at::zeros({c.size(0), 2, 1}, c.options());
    return at::cat({imaginary, still}, -1).flip(1).mT();  // stored column first, used row first
}

at::Tensor circulantParameters(const at::Tensor& frequency) {
    const std::int64_t modes = frequency.size(1) - 1, d = 2 * frequency.size(1);
    // FFT(c)_k = i w_k / 2 for 0 < k < D/2 and its conjugate beyond: c is real and odd.
    const at::Tensor half = frequency.mT().flip(1).narrow(2, 0, modes) * 0.5;
    at::Tensor imaginary = at::zeros({frequency.size(0), 2, d}, frequency.options());
    imaginary.narrow(2, 1, modes).copy_(half);
    imaginary.narrow(2, d / 2 + 1, modes).copy_(-half.flip(2));
    return at::real(at::fft_ifft(at::complex(at::zeros_like(imaginary), imaginary)));
}

}  // namespace ropescope
