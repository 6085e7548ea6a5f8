// HollowNeRF's saliency grid: looked up for samples, its gradient, and its step.
#include "activation.cuh"
#include "shape.cuh"

struct LookUpParams {
    // Logits, x fastest.
    const float* grid;
    uint32_t side;
    const float* positions;
    uint64_t capacity;
    const Range* range;
    float* logits;
};

struct LookUpBackwardParams {
    uint32_t side;
    const float* positions;
    uint64_t capacity;
    const Range* range;
    // The place of every gradient among the positions.
    const uint32_t* source;
    const float* d_logits;
    float* grads;
};

struct PenalizeParams {
    const float* grid;
    // As sums over rays, times the loss scale: what the penalty adds is brought to that.
    float* grads;
    uint64_t count;
    const StepState* step;
    const LossScale* scale;
    const Counters* counters;
};

struct ClampParams {
    float* grid;
    uint64_t count;
    float limit;
    const StepState* step;
    Counters* counters;
};

// The logit below a point on an axis and the share of the one above.
__device__ inline void along(uint32_t side, float x, uint32_t& low, float& up) {
    float at = fminf(fmaxf(fmaf(x, float(side), -0.5f), 0.0f), float(side - 1));
    low = min(uint32_t(at), side - 2);
    up = at - float(low);
}

// The eight logits around a point and their weights.
__device__ inline void around(uint32_t side, float x, float y, float z, uint64_t index[8], float weight[8]) {
    uint32_t lx, ly, lz;
    float ux, uy, uz;
    along(side, x, lx, ux);
    along(side, y, ly, uy);
    along(side, z, lz, uz);
    for (uint32_t c = 0; c < 8; c++) {
        uint32_t i = c & 1, j = c >> 1 & 1, k = c >> 2;
        index[c] = (uint64_t(lz + k) * side + ly + j) * side + lx + i;
        weight[c] = (i ? ux : 1.0f - ux) * ((j ? uy : 1.0f - uy) * (k ? uz : 1.0f - uz));
    }
}

KERNEL(look_up_saliency, LookUpParams, 256) {
    uint64_t index[8];
    uint32_t end = range_end(p.range, p.capacity);
    float weight[8];
    for (uint64_t i = p.range->begin + thread_index(); i < end; i += thread_count()) {
        around(p.side, p.positions[i], p.positions[p.capacity + i], p.positions[2 * p.capacity + i], index, weight);
        float sum = 0.0f;
        for (int c = 0; c < 8; c++) sum = fmaf(weight[c], p.grid[index[c]], sum);
        p.logits[i] = sum;
    }
}

KERNEL(saliency_backward, LookUpBackwardParams, 256) {
    uint64_t index[8];
    float weight[8];
    for (uint64_t i = p.range->begin + thread_index(); i < p.range->end; i += thread_count()) {
        uint32_t at = p.source[i];
        float d = p.d_logits[i];
        around(p.side, p.positions[at], p.positions[p.capacity + at], p.positions[2 * p.capacity + at], index, weight);
        for (int c = 0; c < 8; c++) atomicAdd(p.grads + index[c], weight[c] * d);
    }
}

// Adds the push to close.
KERNEL(penalize_saliency, PenalizeParams, 256) {
    uint32_t rays = p.step->rays - min(p.counters->crowded_out, p.step->rays);
    float up = p.scale->scale * float(rays > 0 ? rays : 1);
    for (uint64_t i = thread_index(); i < p.count; i += thread_count()) {
        float open = sigmoid(p.grid[i]);
        p.grads[i] += p.step->pruning * open * (1.0f - open) * up;
    }
}

// Keeps logits within their limit, and sums their sigmoids.
KERNEL(clamp_saliency, ClampParams, 256) {
    double sum = 0.0;
    uint64_t whole = (p.count + WARP - 1) / WARP * WARP;
    for (uint64_t i = thread_index(); i < whole; i += thread_count()) {
        if (i >= p.count) continue;
        float logit = p.grid[i];
        if (p.step->prunes) {
            logit = fminf(fmaxf(logit, -p.limit), p.limit);
            p.grid[i] = logit;
        }
        sum += double(sigmoid(logit));
    }
    sum = warp_sum(sum);
    if (lane() == 0) atomicAdd(&p.counters->saliency, sum);
}
