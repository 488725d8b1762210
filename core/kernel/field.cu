// SPDX-License-Identifier: Apache-2.0
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "core/kernel/field_cuda.h"

// Two passes of Q K^T, none of which keeps more than one tile: row sums of exponentials with the entropy, then the
// field. A work item of the second pass is (head, row offset, column tile pair); it adds exp(s - logSum) over batch
// and grid rows in registers and sums the tile's diagonals at the end. No atomics: results repeat bit by bit.

namespace ropescope {
namespace {

constexpr int kTile = 32;      // tokens per side of a logit tile
constexpr int kDepth = 32;     // features loaded at a time
constexpr int kThreads = 256;  // 32 rows x 8 threads
constexpr int kPerThread = 4;  // columns of one thread: lane, lane + 8, ...
constexpr int kDiagonals = 2 * kTile - 1;

__device__ float asFloat(float x) {
    return x;
}
__device__ float asFloat(__half x) {
    return __half2float(x);
}
__device__ float asFloat(__nv_bfloat16 x) {
    return __bfloat162float(x);
}

struct TileMemory {
    float q[kTile][kDepth + 1];
    float k[kTile][kDepth + 1];
};

/// Logits of `qCount` queries from `q` and `kCount` keys from `k` (dense rows of `dim`): thread (row, lane) gets the
/// columns lane + 8 i.
template <class T>
__device__ void logitTile(TileMemory& memory, const T* q, int qCount, const T* k, int kCount, int dim, float scale,
                          float (&s)[kPerThread]) {
    const int row = threadIdx.x / 8, lane = threadIdx.x % 8;
    for (float& value : s) value = 0;
    for (int d0 = 0; d0 < dim; d0 += kDepth) {
        __syncthreads();
        for (int i = threadIdx.x; i < kTile * kDepth; i += kThreads) {
            const int r = i / kDepth, d = i % kDepth;
            memory.q[r][d] = r < qCount && d0 + d < dim ? asFloat(q[static_cast<long long>(r) * dim + d0 + d]) : 0.0f;
            memory.k[r][d] = r < kCount && d0 + d < dim ? asFloat(k[static_cast<long long>(r) * dim + d0 + d]) : 0.0f;
        }
        __syncthreads();
        for (int d = 0; d < kDepth; ++d) {
            const float a = memory.q[row][d];
            for (int i = 0; i < kPerThread; ++i) s[i] += a * memory.k[lane + 8 * i][d];
        }
    }
    for (float& value : s) value *= scale;
}

/// Grid (tiles of queries, B*H).
template <class T>
__global__ void rowSums(const T* q, const T* k, int tokens, int dim, float scale, float* logSum, float* entropy) {
    __shared__ TileMemory memory;
    const int row = threadIdx.x / 8, lane = threadIdx.x % 8, first = blockIdx.x * kTile;
    const long long matrix = static_cast<long long>(blockIdx.y) * tokens;
    float top = -INFINITY, sum = 0, weighted = 0;  // of this thread's columns; weighted = sum e^(s - top) s
    for (int key = 0; key < tokens; key += kTile) {
        float s[kPerThread];
        logitTile(memory, q + (matrix + first) * dim, min(kTile, tokens - first), k + (matrix + key) * dim,
                  min(kTile, tokens - key), dim, scale, s);
        for (int i = 0; i < kPerThread; ++i) {
            if (key + lane + 8 * i >= tokens) continue;
            if (s[i] > top) {
                const float shrink = __expf(top - s[i]);
                sum *= shrink, weighted *= shrink, top = s[i];
            }
            const float e = __expf(s[i] - top);
            sum += e, weighted += e * s[i];
        }
    }
    for (int step = 4; step > 0; step /= 2) {
        const float otherTop = __shfl_xor_sync(0xffffffff, top, step),
                    otherSum = __shfl_xor_sync(0xffffffff, sum, step);
        const float otherWeighted = __shfl_xor_sync(0xffffffff, weighted, step);
        const float joint = fmaxf(top, otherTop);
        // A thread without columns holds -inf and sums of zero; -inf minus -inf must not meet it.
        const float mine = top == -INFINITY ? 0 : __expf(top - joint);
        const float theirs = otherTop == -INFINITY ? 0 : __expf(otherTop - joint);
        sum = sum * mine + otherSum * theirs, weighted = weighted * mine + otherWeighted * theirs, top = joint;
    }
    if (lane == 0 && first + row < tokens) {
        const float log = top + logf(sum);
        logSum[matrix + first + row] = log;
        entropy[matrix + first + row] = log - weighted / sum;
    }
}

/// Grid (row offset, tile of query columns x tile of key columns, head). Writes the diagonals of one tile pair.
template <class T>
__global__ void fieldTiles(const T* q, const T* k, const float* logSum, int batch, int heads, int rows, int cols,
                           int dim, float scale, float* partial) {
    __shared__ TileMemory memory;
    __shared__ float tile[kTile][kTile + 1];
    const int row = threadIdx.x / 8, lane = threadIdx.x % 8;
    const int tiles = (cols + kTile - 1) / kTile, offset = static_cast<int>(blockIdx.x) - (rows - 1);
    const int queryCol = blockIdx.y / tiles * kTile, keyCol = blockIdx.y % tiles * kTile, head = blockIdx.z;
    const int queries = min(kTile, cols - queryCol), keys = min(kTile, cols - keyCol);
    float total[kPerThread] = {};
    for (int b = 0; b < batch; ++b) {
        const long long matrix = (static_cast<long long>(b) * heads + head) * rows * cols;
        for (int r = max(0, -offset); r < min(rows, rows - offset); ++r) {
            const long long query = matrix + r * cols + queryCol, key = matrix + (r + offset) * cols + keyCol;
            float s[kPerThread];
            logitTile(memory, q + query * dim, queries, k + key * dim, keys, dim, scale, s);
            if (row >= queries) continue;
            const float log = logSum[query + row];
            for (int i = 0; i < kPerThread; ++i)
                if (lane + 8 * i < keys) total[i] += __expf(s[i] - log);
        }
    }
    for (int i = 0; i < kPerThread; ++i) tile[row][lane + 8 * i] = total[i];
    __syncthreads();
    if (threadIdx.x >= kDiagonals) return;
    const int shift = static_cast<int>(threadIdx.x) - (kTile - 1);
    float sum = 0;
    for (int c = max(0, -shift); c < min(kTile, kTile - shift); ++c) sum += tile[c][c + shift];
    const long long slot = (static_cast<long long>(head) * gridDim.x + blockIdx.x) * gridDim.y + blockIdx.y;
    partial[slot * kDiagonals + threadIdx.x] = sum;
}

/// One thread per bin adds the tile pairs that hold it, in a fixed order.
__global__ void joinTiles(const float* partial, int rows, int cols, int bins, float share, float* field) {
    const int bin = blockIdx.x * blockDim.x + threadIdx.x;
    if (bin >= bins) return;
    const int width = 2 * cols - 1, tiles = (cols + kTile - 1) / kTile;
    const int offset = bin % width - (cols - 1);
    const long long base = static_cast<long long>(bin / width) * tiles * tiles;
    float sum = 0;
    for (int a = 0; a < tiles; ++a)
        for (int b = 0; b < tiles; ++b) {
            const int diagonal = offset - (b - a) * kTile + kTile - 1;
            if (diagonal >= 0 && diagonal < kDiagonals) sum += partial[(base + a * tiles + b) * kDiagonals + diagonal];
        }
    field[bin] = sum * share;
}

template <class T>
void launch(const FieldKernelArguments& a) {
    const T* q = static_cast<const T*>(a.q);
    const T* k = static_cast<const T*>(a.k);
    const int tokens = a.rows * a.cols, tiles = (a.cols + kTile - 1) / kTile;
    const dim3 rowGrid((tokens + kTile - 1) / kTile, a.batch * a.heads);
    rowSums<T><<<rowGrid, kThreads>>>(q, k, tokens, a.dim, a.scale, a.logSum, a.entropy);
    const dim3 fieldGrid(2 * a.rows - 1, tiles * tiles, a.heads);
    fieldTiles<T><<<fieldGrid, kThreads>>>(q, k, a.logSum, a.batch, a.heads, a.rows, a.cols, a.dim, a.scale, a.partial);
    const int bins = a.heads * (2 * a.rows - 1) * (2 * a.cols - 1);
    const float share = 1.0f / (static_cast<float>(a.batch) * tokens);
    joinTiles<<<(bins + 255) / 256, 256>>>(a.partial, a.rows, a.cols, bins, share, a.field);
}

}  // namespace

std::int64_t fieldPartialFloats(int rows, int cols) {
    const std::int64_t tiles = (cols + kTile - 1) / kTile;
    return (2 * rows - 1) * tiles * tiles * kDiagonals;
}

const char* launchFieldKernels(const FieldKernelArguments& arguments) {
    switch (arguments.element) {
        case CudaElement::F32:
            launch<float>(arguments);
            break;
        case CudaElement::F16:
            launch<__half>(arguments);
            break;
        case CudaElement::BF16:
            launch<__nv_bfloat16>(arguments);
            break;
    }
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace ropescope
