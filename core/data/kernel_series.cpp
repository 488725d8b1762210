// SPDX-License-Identifier: Apache-2.0
#include "core/data/kernel_series.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

// Offsets along one axis of n tokens: -(n-1) .. n-1.
int offsets(int n) {
    return 2 * n - 1;
}

/// Row and column frequency of every plane. One axis counts tokens along the rows: its offset is row * cols + column.
struct PlaneFrequencies {
    std::vector<double> row, col;
    bool axial = true;  ///< no plane turns with both
};

PlaneFrequencies split(const std::vector<double>& frequency, int axes, Grid grid) {
    if (axes != 1 && axes != 2) throw std::invalid_argument("kernels are drawn for one or two position axes");
    if (frequency.size() % axes != 0) throw std::invalid_argument("frequency must be [P,axes]");
    PlaneFrequencies f;
    for (std::size_t p = 0; p < frequency.size() / axes; ++p) {
        f.row.push_back(axes == 1 ? frequency[p] * grid.cols : frequency[2 * p]);
        f.col.push_back(axes == 1 ? frequency[p] : frequency[2 * p + 1]);
        if (f.row.back() != 0 && f.col.back() != 0) f.axial = false;
    }
    return f;
}

/// cos and sin of omega * offset for every plane and offset, [P, 2n-1] each.
struct Turns {
    std::vector<double> cos, sin;
    int count;
};

Turns turnsOf(const std::vector<double>& omega, int n) {
    Turns t{{}, {}, offsets(n)};
    t.cos.resize(omega.size() * t.count);
    t.sin.resize(t.cos.size());
    for (std::size_t p = 0; p < omega.size(); ++p)
        for (int i = 0; i < n; ++i) {  // cosine is even, sine odd
            const double c = std::cos(omega[p] * i), s = std::sin(omega[p] * i);
            double* const cosRow = &t.cos[p * t.count + n - 1];
            double* const sinRow = &t.sin[p * t.count + n - 1];
            cosRow[i] = cosRow[-i] = c;
            sinRow[i] = s, sinRow[-i] = -s;
        }
    return t;
}

void checkGrid(Grid grid) {
    if (grid.rows < 1 || grid.cols < 1) throw std::invalid_argument("a grid has at least one row and one column");
}

double dot(const double* a, const double* b, int n) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

double inverseOrZero(double x) {
    return x > 0 ? 1 / x : 0;
}

/// Planes that turn with one axis only, and u = (cos - 1, sin) of each at every offset of that axis.
struct AxisPart {
    std::vector<int> index;      ///< positions in the quadratic form
    std::vector<double> values;  ///< [offsets, index.size()]
};

AxisPart axisPart(const Turns& turns, const std::vector<int>& planes, int planeCount) {
    AxisPart part;
    for (int p : planes) part.index.push_back(p);
    for (int p : planes) part.index.push_back(planeCount + p);
    for (int i = 0; i < turns.count; ++i) {
        for (int p : planes) part.values.push_back(turns.cos[p * turns.count + i] - 1);
        for (int p : planes) part.values.push_back(turns.sin[p * turns.count + i]);
    }
    return part;
}

/// rows of `left` times the block of the form between two parts, [offsets, right.index.size()].
std::vector<double> timesForm(const SensitivityForm& form, int size, const AxisPart& left, const AxisPart& right) {
    const std::size_t n = left.index.size(), m = right.index.size(), rows = n == 0 ? 0 : left.values.size() / n;
    std::vector<double> out(rows * m, 0.0);
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < m; ++j)
                out[r * m + j] += left.values[r * n + i] * form.quadratic[left.index[i] * size + right.index[j]];
    return out;
}

/// u^T Q u with u of one axis, per offset.
std::vector<double> ownTerm(const SensitivityForm& form, int size, const AxisPart& part, int count) {
    const std::vector<double> product = timesForm(form, size, part, part);
    const int n = static_cast<int>(part.index.size());
    std::vector<double> out(count, 0.0);
    for (int i = 0; n > 0 && i < count; ++i) out[i] = dot(&product[i * n], &part.values[i * n], n);
    return out;
}

// u^T Q u = own(row) + own(col) + 2 u_row^T Q u_col: one small product instead of a form per offset.
std::vector<double> axialForm(const SensitivityForm& form, const PlaneFrequencies& f, Grid grid) {
    const int planes = static_cast<int>(f.row.size());
    std::vector<int> rowPlanes, colPlanes;
    for (int p = 0; p < planes; ++p) {
        if (f.row[p] != 0) rowPlanes.push_back(p);
        if (f.col[p] != 0) colPlanes.push_back(p);
    }
    const Turns rows = turnsOf(f.row, grid.rows), cols = turnsOf(f.col, grid.cols);
    const AxisPart row = axisPart(rows, rowPlanes, planes), col = axisPart(cols, colPlanes, planes);
    const std::vector<double> ownRow = ownTerm(form, 2 * planes, row, rows.count);
    const std::vector<double> ownCol = ownTerm(form, 2 * planes, col, cols.count);
    const std::vector<double> cross = timesForm(form, 2 * planes, row, col);
    const int m = static_cast<int>(col.index.size());
    std::vector<double> out(rows.count * cols.count);
    for (int i = 0; i < rows.count; ++i)
        for (int j = 0; j < cols.count; ++j) {
            const double both = cross.empty() ? 0 : dot(&cross[i * m], &col.values[j * m], m);
            out[i * cols.count + j] = ownRow[i] + ownCol[j] + 2 * both;
        }
    return out;
}

std::vector<double> mixedForm(const SensitivityForm& form, const PlaneFrequencies& f, Grid grid) {
    const int planes = static_cast<int>(f.row.size()), size = 2 * planes;
    const Turns r = turnsOf(f.row, grid.rows), c = turnsOf(f.col, grid.cols);
    std::vector<double> out(r.count * c.count), u(size);
    for (int i = 0; i < r.count; ++i)
        for (int j = 0; j < c.count; ++j) {
            for (int p = 0; p < planes; ++p) {
                const double cr = r.cos[p * r.count + i], sr = r.sin[p * r.count + i];
                const double cc = c.cos[p * c.count + j], sc = c.sin[p * c.count + j];
                u[p] = cr * cc - sr * sc - 1;
                u[planes + p] = sr * cc + cr * sc;
            }
            double sum = 0;
            for (int p = 0; p < size; ++p) sum += u[p] * dot(&form.quadratic[p * size], u.data(), size);
            out[i * c.count + j] = sum;
        }
    return out;
}

}  // namespace

std::vector<double> evaluateKernel(const KernelSeries& series, Grid grid) {
    checkGrid(grid);
    const int h = offsets(grid.rows), w = offsets(grid.cols);
    std::vector<double> out(h * w, 0.0);
    if (series.a.empty()) return out;  // no rotary map
    const PlaneFrequencies f = split(series.frequency, series.axes, grid);
    if (series.a.size() != f.row.size() || series.b.size() != f.row.size())
        throw std::invalid_argument("a kernel needs one pair of coefficients per plane");
    const Turns r = turnsOf(f.row, grid.rows), c = turnsOf(f.col, grid.cols);
    std::vector<double> rowSum(h, 0.0), colSum(w, 0.0);  // planes of one axis cost h + w only
    for (std::size_t p = 0; p < f.row.size(); ++p) {
        const double a = series.a[p], b = series.b[p];
        const double *rc = &r.cos[p * h], *rs = &r.sin[p * h], *cc = &c.cos[p * w], *cs = &c.sin[p * w];
        if (f.row[p] != 0 && f.col[p] != 0) {
            for (int i = 0; i < h; ++i) {  // a cos(x+y) + b sin(x+y)
                const double forCos = a * rc[i] + b * rs[i], forSin = b * rc[i] - a * rs[i];
                for (int j = 0; j < w; ++j) out[i * w + j] += forCos * cc[j] + forSin * cs[j];
            }
        } else if (f.row[p] != 0) {
            for (int i = 0; i < h; ++i) rowSum[i] += a * rc[i] + b * rs[i];
        } else {
            for (int j = 0; j < w; ++j) colSum[j] += a * cc[j] + b * cs[j];
        }
    }
    const double factor = inverseOrZero(series.scale);
    for (int i = 0; i < h; ++i)
        for (int j = 0; j < w; ++j) out[i * w + j] = (out[i * w + j] + rowSum[i] + colSum[j]) * factor;
    return out;
}

std::vector<double> evaluateSensitivity(const SensitivityForm& form, Grid grid) {
    checkGrid(grid);
    if (form.quadratic.empty()) return std::vector<double>(offsets(grid.rows) * offsets(grid.cols), 0.0);
    const PlaneFrequencies f = split(form.frequency, form.axes, grid);
    if (form.quadratic.size() != 4 * f.row.size() * f.row.size())
        throw std::invalid_argument("a sensitivity form is [2P,2P]");
    std::vector<double> out = f.axial ? axialForm(form, f, grid) : mixedForm(form, f, grid);
    const double factor = inverseOrZero(form.divisor);
    for (double& v : out) v = std::sqrt(std::max(0.0, v)) * factor;
    return out;
}

std::vector<double> softmaxOfOffsets(const std::vector<double>& values, double beta) {
    std::vector<double> out(values.size());
    double top = -INFINITY, sum = 0;
    for (double v : values) top = std::max(top, beta * v);
    for (std::size_t i = 0; i < values.size(); ++i) sum += out[i] = std::exp(beta * values[i] - top);
    for (double& v : out) v /= sum;
    return out;
}

}  // namespace ropescope
