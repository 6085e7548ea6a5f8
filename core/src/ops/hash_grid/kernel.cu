// Hash encoding of samples, and the gradient of the tables. A block works on one level, so that blocks that run side by side
// share that level's table in the cache.
#include "grid.cuh"
#include "shape.cuh"

struct EncodeParams {
    const GridLevel* levels;
    uint32_t level_count, features;
    // Blocks that work on each level.
    uint32_t blocks;
    // `[level][entry][F]`.
    const void* tables;
    // In the unit cube, `[axis][capacity]`.
    const float* positions;
    uint64_t capacity;
    const Range* range;
    // `[level][capacity][F]`.
    void* out;
};

struct EncodeBackwardParams {
    const GridLevel* levels;
    uint32_t level_count, features;
    uint32_t blocks;
    const float* positions;
    uint64_t capacity;
    const Range* range;
    // The place of every gradient among the positions.
    const uint32_t* source;
    // `[level][capacity][F]`, by place in the range.
    const void* d_features;
    // Sums, as the tables.
    void* grads;
};

template <class T> __device__ void encode(const EncodeParams& p) {
    const GridLevel level = p.levels[blockIdx.x / p.blocks];
    const T* table = static_cast<const T*>(p.tables) + level.offset;
    T* out = static_cast<T*>(p.out) + uint64_t(blockIdx.x / p.blocks) * p.capacity * p.features;
    uint32_t step = p.blocks * blockDim.x, f = p.features, end = range_end(p.range, p.capacity);
    for (uint64_t i = p.range->begin + (blockIdx.x % p.blocks) * blockDim.x + threadIdx.x; i < end; i += step) {
        Corners c = corners(level, p.positions[i], p.positions[p.capacity + i], p.positions[2 * p.capacity + i]);
        if (f == 2) {
            float2 sum = make_float2(0.0f, 0.0f);
            for (int k = 0; k < 8; k++) {
                float2 v = load_pair(table + uint64_t(c.entry[k]) * 2);
                sum.x = fmaf(c.weight[k], v.x, sum.x);
                sum.y = fmaf(c.weight[k], v.y, sum.y);
            }
            store_pair(out + i * 2, sum.x, sum.y);
            continue;
        }
        for (uint32_t j = 0; j < f; j++) {
            float sum = 0.0f;
            for (int k = 0; k < 8; k++) sum = fmaf(c.weight[k], to_float(table[uint64_t(c.entry[k]) * f + j]), sum);
            out[i * f + j] = from_float<T>(sum);
        }
    }
}

// Gradients of type G from features of type T.
template <class T, class G> __device__ void encode_backward(const EncodeBackwardParams& p) {
    const GridLevel level = p.levels[blockIdx.x / p.blocks];
    G* grads = static_cast<G*>(p.grads) + level.offset;
    const T* d = static_cast<const T*>(p.d_features) + uint64_t(blockIdx.x / p.blocks) * p.capacity * p.features;
    uint32_t step = p.blocks * blockDim.x, f = p.features, end = range_end(p.range, p.capacity);
    for (uint64_t i = p.range->begin + (blockIdx.x % p.blocks) * blockDim.x + threadIdx.x; i < end; i += step) {
        uint32_t at = p.source[i];
        Corners c = corners(level, p.positions[at], p.positions[p.capacity + at], p.positions[2 * p.capacity + at]);
        if (f == 1) {
            float g = to_float(d[i]);
            if (g != 0.0f)
                for (int k = 0; k < 8; k++) add_one(grads + c.entry[k], c.weight[k] * g);
            continue;
        }
        for (uint32_t j = 0; j < f; j += 2) {
            float2 g = load_pair(d + i * f + j);
            if (g.x == 0.0f && g.y == 0.0f) continue;
            for (int k = 0; k < 8; k++)
                add_pair(grads + uint64_t(c.entry[k]) * f + j, c.weight[k] * g.x, c.weight[k] * g.y);
        }
    }
}

KERNEL(encode_f16, EncodeParams, 256) { encode<__half>(p); }
KERNEL(encode_f32, EncodeParams, 256) { encode<float>(p); }
// Sums in half precision are one atomic operation a pair, in f32 two.
KERNEL(encode_backward_f16, EncodeBackwardParams, 256) { encode_backward<__half, __half>(p); }
KERNEL(encode_backward_f16_to_f32, EncodeBackwardParams, 256) { encode_backward<__half, float>(p); }
KERNEL(encode_backward_f32, EncodeBackwardParams, 256) { encode_backward<float, float>(p); }
