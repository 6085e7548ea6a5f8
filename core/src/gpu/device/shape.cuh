// What a field is to kernels: sizes and places, the same structs as in gpu/params.rs.
#pragma once
#include "kernel.cuh"

// Layers of a network, at most.
constexpr uint32_t MOST_LAYERS = 6;

// One network. Sizes are padded to multiples of 16; what lies beyond the real ones is zero.
struct Network {
    uint32_t layers;
    uint32_t in[MOST_LAYERS], out[MOST_LAYERS];
    // Where each layer's `[out][in]` begins in the weights.
    uint32_t weight[MOST_LAYERS];
};

// The field: encoding, density network, color network.
struct Shape {
    Network density, color;
    // Of the encoding.
    uint32_t levels, level_features;
    // Columns of the density network's output: which one is the raw density, and how many the color network sees.
    uint32_t density_column, color_inputs;
    // Spherical harmonics, in front of those.
    uint32_t harmonics;
    uint32_t has_saliency, has_gate;
    // Weights of both networks.
    uint32_t weights;
};

// A range of samples, in device memory: a kernel learns there how far others have come.
struct Range { uint32_t begin, end; };

// A ray, as in ops/march.
struct Ray {
    float origin[3], direction[3];
    float near, far;
    uint32_t camera;
};

// What changes from step to step; the host writes it before a step begins.
struct StepState {
    // The key of random values.
    uint64_t seed, step;
    uint32_t rays;
    // 1: a new color for every ray; else `background`.
    uint32_t random_background;
    float background[3];
    // The share of rays through pixels whose distance a point tells.
    float point_share;
    // The gate's alpha; 0 while it stands open.
    float gate_alpha;
    // Samples that less light gets to are dropped; 0 takes all.
    float min_transmittance;
    // The slope that pushes the saliency grid's cells to close, and whether there is one.
    float pruning;
    uint32_t prunes;
};

// What a step has come to: zeroed when it begins, read by the host when it has ended.
struct Counters {
    // Losses of all rays, summed: photometric, distortion, deviation.
    double loss, distortion, deviation;
    // Sum of the saliency grid's sigmoids.
    double saliency;
    // Samples marched, samples that count, rays that met an occupied cell.
    uint32_t samples, kept, hits;
    // Rays that found no room for their samples: they are left out.
    uint32_t crowded_out;
    // A gradient was infinite or not a number: nothing is learnt in this step.
    uint32_t broken;
    uint32_t reserved;
};

// What gradients are multiplied with, so that half precision holds them; it adapts (see `finish` in ops/adam/kernel.cu).
struct LossScale {
    float scale;
    // Steps since it was changed or a gradient broke.
    uint32_t steps;
};

// A ray on its way.
struct RayState {
    // Where to go on marching; infinite at the end.
    float from;
    // What still gets through.
    float transmittance;
    // Samples that count, and where they begin among those.
    uint32_t kept, start;
    // 1: there was no room for its samples.
    uint32_t crowded;
};

// The samples of a step, by place.
struct Samples {
    // Distances along the rays, and lengths.
    float *t, *dt;
    // In the encoding's unit cube, `[axis][capacity]`.
    float* positions;
    uint32_t* ray;
    uint64_t capacity;
    // Per round and ray: where its samples begin, and how many there are; after probing, how many count.
    uint32_t *starts, *counts;
    // Rays that there is room for.
    uint32_t most_rays;
};

// The range of samples as far as there is room for them.
__device__ inline uint32_t range_end(const Range* range, uint64_t capacity) {
    return uint64_t(range->end) < capacity ? range->end : uint32_t(capacity);
}
