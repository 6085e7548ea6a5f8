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

struct TracePointsParams {
    const GridLevel* levels;
    // Of the coarsest levels, which alone are heard.
    uint32_t level_count, features;
    const void* tables;
    const float* positions;
    uint64_t capacity;
    const Range* range;
    const uint32_t* source;
    const void* d_features;
    // Gradients of the positions, `[sample][4]`, by place in the range.
    float* out;
};

// The first sample of this thread, where so many blocks share a level's.
__device__ inline uint64_t first_sample(const Range* range, uint32_t blocks) {
    return range->begin + uint64_t(blockIdx.x % blocks) * blockDim.x + threadIdx.x;
}

template <class T> __device__ void encode(const EncodeParams& p) {
    const GridLevel level = p.levels[blockIdx.x / p.blocks];
    const T* table = static_cast<const T*>(p.tables) + level.offset;
    T* out = static_cast<T*>(p.out) + uint64_t(blockIdx.x / p.blocks) * p.capacity * p.features;
    uint32_t step = p.blocks * blockDim.x, f = p.features, end = range_end(p.range, p.capacity);
    for (uint64_t i = first_sample(p.range, p.blocks); i < end; i += step) {
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
    for (uint64_t i = first_sample(p.range, p.blocks); i < end; i += step) {
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

// The gradient of a position, of all levels that are heard: per corner the product of its entry with the features' gradient,
// then the slopes of the trilinear mean of these.
template <class T> __device__ void trace_points(const TracePointsParams& p) {
    uint32_t f = p.features, end = range_end(p.range, p.capacity);
    for (uint64_t i = p.range->begin + thread_index(); i < end; i += thread_count()) {
        uint32_t at = p.source[i];
        float x = p.positions[at], y = p.positions[p.capacity + at], z = p.positions[2 * p.capacity + at];
        float sum[3] = {0.0f, 0.0f, 0.0f};
        DO_NOT_UNROLL
        for (uint32_t l = 0; l < p.level_count; l++) {
            const GridLevel level = p.levels[l];
            const T* table = static_cast<const T*>(p.tables) + level.offset;
            const T* d = static_cast<const T*>(p.d_features) + (l * p.capacity + i) * f;
            Corners c = corners(level, x, y, z);
            float worth[8] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
            DO_NOT_UNROLL
            for (uint32_t j = 0; j < f; j++) {
                float g = to_float(d[j]);
                UNROLL
                for (int k = 0; k < 8; k++) worth[k] = fmaf(to_float(table[uint64_t(c.entry[k]) * f + j]), g, worth[k]);
            }
            UNROLL
            for (int a = 0; a < 3; a++) {
                int b = (a + 1) % 3, e = (a + 2) % 3;
                float slope = 0.0f;
                UNROLL
                for (int k = 0; k < 4; k++) {
                    int low = (k & 1) << b | (k >> 1) << e;
                    float weight = (k & 1 ? c.up[b] : 1.0f - c.up[b]) * (k >> 1 ? c.up[e] : 1.0f - c.up[e]);
                    slope = fmaf(weight, worth[low + (1 << a)] - worth[low], slope);
                }
                sum[a] = fmaf(level.scale, slope, sum[a]);
            }
        }
        for (int a = 0; a < 3; a++) p.out[i * 4 + a] = sum[a];
    }
}

KERNEL(trace_points_f16, TracePointsParams, 256) { trace_points<__half>(p); }
KERNEL(trace_points_f32, TracePointsParams, 256) { trace_points<float>(p); }
KERNEL(encode_f16, EncodeParams, 256) { encode<__half>(p); }
KERNEL(encode_f32, EncodeParams, 256) { encode<float>(p); }
// Sums in half precision are one atomic operation a pair, in f32 two.
KERNEL(encode_backward_f16, EncodeBackwardParams, 256) { encode_backward<__half, __half>(p); }
KERNEL(encode_backward_f16_to_f32, EncodeBackwardParams, 256) { encode_backward<__half, float>(p); }
KERNEL(encode_backward_f32, EncodeBackwardParams, 256) { encode_backward<float, float>(p); }
