// Adam over whole blocks, a value a thread, and what follows from a step for the next one.
#include "shape.cuh"

struct AdamParams {
    // The values, and their copy that kernels read: in half precision, or null where they read the values themselves.
    float* weights;
    __half* copies;
    // Sums of gradients: times the loss scale if `scaled`, not yet divided by the number of rays. Zeroed.
    void* grads;
    uint32_t half_grads, scaled;
    // Both moments in a word each (see ops/adam/packed.rs), or else first and second.
    uint32_t* packed;
    float *m, *v;
    uint64_t count;
    // 1: values without a gradient keep what they are.
    uint32_t sparse;
    // The learning rate and epsilon with the bias corrections in them, decay's factor, and the moments' decays: of this step.
    const struct AdamState* state;
    // The average of the values, or null, and its decay.
    float* average;
    float average_decay;
    const StepState* step;
    const LossScale* scale;
    Counters* counters;
};

// A group's settings at a step.
struct AdamState {
    float rate, eps, keep, beta1, beta2;
    // 1: nothing moves.
    uint32_t frozen;
};

// Values whose copies are made anew.
struct RoundParams {
    const float* weights;
    __half* copies;
    uint64_t count;
};

struct FinishParams {
    LossScale* scale;
    const Counters* counters;
};

// Gradients in this block of values: sums as the kernels leave them become means over the rays that took part.
__device__ inline float gradient_share(const AdamParams& p) {
    uint32_t rays = p.step->rays - min(p.counters->crowded_out, p.step->rays);
    float share = 1.0f / float(rays > 0 ? rays : 1);
    return p.scaled ? share / p.scale->scale : share;
}

__device__ inline float unpack_m(uint32_t word) { return __uint_as_float(word & 0xffff0000u); }
__device__ inline float unpack_v(uint32_t word) { return __uint_as_float(word << 16 >> 1); }
__device__ inline uint32_t pack_moments(float m, float v) {
    return ((__float_as_uint(m) + 0x8000u) & 0xffff0000u) | (__float_as_uint(v) + 0x4000u) >> 15;
}

// One value's step along `g`.
__device__ inline void adam_step(const AdamParams& p, const AdamState& s, uint64_t i, float g) {
    float m = p.packed != nullptr ? unpack_m(p.packed[i]) : p.m[i];
    float v = p.packed != nullptr ? unpack_v(p.packed[i]) : p.v[i];
    m = fmaf(s.beta1, m, (1.0f - s.beta1) * g);
    v = fmaf(s.beta2, v, (1.0f - s.beta2) * g * g);
    if (p.packed != nullptr) {
        p.packed[i] = pack_moments(m, v);
    } else {
        p.m[i] = m;
        p.v[i] = v;
    }
    float w = fmaf(-s.rate, m / (sqrtf(v) + s.eps), s.keep * p.weights[i]);
    p.weights[i] = w;
    if (p.copies != nullptr) p.copies[i] = __float2half_rn(w);
}

KERNEL(adam, AdamParams, 256) {
    AdamState s = *p.state;
    float share = gradient_share(p);
    bool broken = p.counters->broken != 0;
    for (uint64_t i = thread_index(); i < p.count; i += thread_count()) {
        float g = p.half_grads ? to_float(static_cast<__half*>(p.grads)[i]) : static_cast<float*>(p.grads)[i];
        if (g != 0.0f) {
            if (p.half_grads)
                static_cast<__half*>(p.grads)[i] = from_float<__half>(0.0f);
            else
                static_cast<float*>(p.grads)[i] = 0.0f;
        }
        // A sum beyond half precision's range is as good as none; the scale falls by the other gradients' doing.
        if (!isfinite(g)) g = 0.0f;
        if (!s.frozen && !broken && (g != 0.0f || !p.sparse)) adam_step(p, s, i, g * share);
        if (p.average != nullptr)
            p.average[i] = fmaf(p.average_decay, p.average[i], (1.0f - p.average_decay) * p.weights[i]);
    }
}

KERNEL(round_values, RoundParams, 256) {
    for (uint64_t i = thread_index(); i < p.count; i += thread_count()) p.copies[i] = __float2half_rn(p.weights[i]);
}

// Adapts the loss scale: halved when a gradient broke, doubled after two thousand steps in which none did.
KERNEL(finish, FinishParams, 32) {
    if (thread_index() != 0) return;
    LossScale s = *p.scale;
    s.steps++;
    if (p.counters->broken) {
        s.scale = fmaxf(s.scale * 0.5f, 1.0f);
        s.steps = 0;
    } else if (s.steps >= 2000) {
        s.scale = fminf(s.scale * 2.0f, 65536.0f);
        s.steps = 0;
    }
    *p.scale = s;
}
