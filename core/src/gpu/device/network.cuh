// Small networks over tiles of samples in shared memory.
//
// A warp takes 16 samples through all layers on its own: a layer's rows are its own, and only weights are shared by the
// block. Rows lie `width + PAD` values apart, which keeps the lanes of a warp on different banks.
#pragma once
#include "activation.cuh"
#include "mma.cuh"
#include "sh.cuh"
#include "shape.cuh"

constexpr uint32_t PAD = 8;
// Samples of a warp.
constexpr uint32_t ROWS = TILE_ROWS;

__device__ inline uint32_t stride(uint32_t width) { return width + PAD; }

// Values of a network's weights in shared memory, and of their transposes.
__device__ inline uint32_t staged(const Network& n) {
    uint32_t sum = 0;
    for (uint32_t l = 0; l < n.layers; l++) sum += n.out[l] * stride(n.in[l]);
    return sum;
}
__device__ inline uint32_t staged_transposed(const Network& n) {
    uint32_t sum = 0;
    for (uint32_t l = 0; l < n.layers; l++) sum += n.in[l] * stride(n.out[l]);
    return sum;
}

// Copies a network's weights, `[out][in]`, rows `stride(in)` apart; the whole block.
template <class T> __device__ void stage(const Network& n, const T* weights, T* to) {
    for (uint32_t l = 0; l < n.layers; l++) {
        const T* from = weights + n.weight[l];
        uint32_t in = n.in[l], step = stride(in);
        for (uint32_t i = threadIdx.x; i < n.out[l] * in; i += blockDim.x) to[i / in * step + i % in] = from[i];
        to += n.out[l] * step;
    }
}

// The same, transposed: `[in][out]`.
template <class T> __device__ void stage_transposed(const Network& n, const T* weights, T* to) {
    for (uint32_t l = 0; l < n.layers; l++) {
        const T* from = weights + n.weight[l];
        uint32_t in = n.in[l], step = stride(n.out[l]);
        for (uint32_t i = threadIdx.x; i < n.out[l] * in; i += blockDim.x) to[i % in * step + i / in] = from[i];
        to += in * step;
    }
}

// Y = X W^T for the warp's rows, through a ReLU if `relu`.
template <class T>
__device__ void layer(const T* x, uint32_t in, const T* w, uint32_t out, bool relu, T* y) {
    DO_NOT_UNROLL
    for (uint32_t n = 0; n < out; n += TILE_COLUMNS) {
        float c[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        gemm_nt(c, x, stride(in), w + n * stride(in), stride(in), in);
        if (relu)
            for (uint32_t i = 0; i < 4; i++) c[i] = fmaxf(c[i], 0.0f);
        T* at = y + tile_row(0) * stride(out) + n + tile_column(0);
        store_pair(at, c[0], c[1]);
        store_pair(at + 8 * stride(out), c[2], c[3]);
    }
    __syncwarp();
}

// dX = dY W for the warp's rows, written over X: where `relu`, only where X was above zero.
template <class T>
__device__ void layer_back(const T* dy, uint32_t out, const T* transposed, uint32_t in, bool relu, T* x) {
    DO_NOT_UNROLL
    for (uint32_t n = 0; n < in; n += TILE_COLUMNS) {
        float c[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        gemm_nt(c, dy, stride(out), transposed + n * stride(out), stride(out), out);
        T* at = x + tile_row(0) * stride(in) + n + tile_column(0);
        for (uint32_t half = 0; half < 2; half++, at += 8 * stride(in)) {
            float2 was = load_pair(at);
            store_pair(at, relu && !(was.x > 0.0f) ? 0.0f : c[2 * half],
                       relu && !(was.y > 0.0f) ? 0.0f : c[2 * half + 1]);
        }
    }
    __syncwarp();
}

// Where a network's rows lie for one block: its input, every layer's output.
template <class T> struct Rows {
    // Layer l reads `at[l]` and fills `at[l + 1]`.
    T* at[MOST_LAYERS + 1];
};

// Takes `rows` rows from `room` on for all layers of a network; returns what is behind them.
template <class T> __device__ T* place_rows(const Network& n, uint32_t rows, T* room, Rows<T>& to) {
    to.at[0] = room;
    room += rows * stride(n.in[0]);
    for (uint32_t l = 0; l < n.layers; l++) {
        to.at[l + 1] = room;
        room += rows * stride(n.out[l]);
    }
    return room;
}

// The network for the warp's rows, which are the block's from `first` on.
template <class T> __device__ void forward(const Network& n, const T* weights, const Rows<T>& rows, uint32_t first) {
    DO_NOT_UNROLL
    for (uint32_t l = 0; l < n.layers; l++) {
        layer(rows.at[l] + first * stride(n.in[l]), n.in[l], weights, n.out[l], l + 1 < n.layers,
              rows.at[l + 1] + first * stride(n.out[l]));
        weights += n.out[l] * stride(n.in[l]);
    }
}

// Fills the warp's input rows of the density network with the features of samples `sample` (one a row, ALL for none):
// `features[level][capacity][F]`, times `scale`, one a row.
template <class T>
__device__ void load_features(const Shape& s, const T* features, uint64_t capacity, const uint32_t* sample,
                              const float* scale, T* x) {
    uint32_t step = stride(s.density.in[0]), f = s.level_features, columns = s.levels * f;
    for (uint32_t i = lane(); i < s.levels * ROWS; i += WARP) {
        uint32_t row = i % ROWS, level = i / ROWS;
        for (uint32_t k = 0; k < f; k++) {
            float v = 0.0f;
            if (sample[row] != ALL) v = to_float(features[(level * capacity + sample[row]) * f + k]) * scale[row];
            x[row * step + level * f + k] = from_float<T>(v);
        }
    }
    for (uint32_t i = lane(); i < ROWS * (s.density.in[0] - columns); i += WARP) {
        uint32_t pad = s.density.in[0] - columns;
        x[i / pad * step + columns + i % pad] = from_float<T>(0.0f);
    }
    __syncwarp();
}

// The gate of a row of features that the density network sees (see ops/gate); 1 where there is none.
template <class T> __device__ float gate_of(const Shape& s, float alpha, const T* row, float& norm) {
    norm = 1.0f;
    if (!s.has_gate || !(alpha > 0.0f)) return 1.0f;
    float square = 1e-30f;
    for (uint32_t k = 0; k < s.levels * s.level_features; k++) {
        float v = to_float(row[k]);
        square = fmaf(v, v, square);
    }
    norm = sqrtf(square);
    return tanhf(alpha * norm);
}

// Fills the warp's input rows of the color network: harmonics of the rays' directions, then what the density network
// hands on; zeros behind. A row without a sample has ray ALL.
template <class T>
__device__ void load_color_inputs(const Shape& s, const Ray* rays, const uint32_t* ray, const T* geometry, T* x) {
    uint32_t step = stride(s.color.in[0]), from = stride(s.density.out[s.density.layers - 1]);
    if (lane() < ROWS) {
        float out[HARMONICS];
        for (uint32_t k = 0; k < HARMONICS; k++) out[k] = 0.0f;
        if (ray[lane()] != ALL) {
            const float* d = rays[ray[lane()]].direction;
            harmonics(d[0], d[1], d[2], out);
        }
        for (uint32_t k = 0; k < s.harmonics; k++) x[lane() * step + k] = from_float<T>(out[k]);
    }
    uint32_t rest = s.color.in[0] - s.harmonics;
    for (uint32_t i = lane(); i < ROWS * rest; i += WARP) {
        uint32_t row = i / rest, k = i % rest;
        x[row * step + s.harmonics + k] = k < s.color_inputs ? geometry[row * from + k] : from_float<T>(0.0f);
    }
    __syncwarp();
}
