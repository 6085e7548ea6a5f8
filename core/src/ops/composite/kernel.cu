// Compositing, a ray a thread: in training with the loss and the way back to the samples, in pictures round by round.
#include "shape.cuh"

enum PenaltyKind : uint32_t { PENALTY_MSE = 0, PENALTY_HUBER = 1, PENALTY_L1 = 2 };

struct CompositeParams {
    const Ray* rays;
    const RayState* states;
    const StepState* step;
    Samples samples;
    // The places of the samples that count.
    const uint32_t* source;
    // Red, green, blue, density of each of them; the first is overwritten.
    float* shaded;
    // `[ray][columns]`, see DrawParams.
    const float* targets;
    uint32_t target_columns, has_distance;
    uint32_t penalty;
    // Factor on the photometric loss.
    float weight;
    // Weights of distortion and of the deviation from the known distance, and the scale of distances (see ops/distortion).
    float distortion, deviation, knee, factor;
    // The cameras' own colors, `[camera][12]`, or null, and the sums of their gradients.
    const float* codes;
    float* d_codes;
    const LossScale* scale;
    // Gradients of the raw red, green, blue, and of the density, of each sample that counts: times the loss scale, not yet
    // divided by the number of rays.
    float* d_shaded;
    Counters* counters;
};

struct PictureParams {
    RayState* states;
    const StepState* step;
    Samples samples;
    const float* shaded;
    // `[ray]`: red, green, blue, depth, opacity.
    float* out;
    // Rays that go on.
    uint32_t* alive;
    // Afterwards empty, for the next round to fill.
    Range* range;
};

__device__ inline float penalty_of(uint32_t kind, float d, float& slope) {
    float size = fabsf(d), sign = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f;
    if (kind == PENALTY_HUBER && size > 0.1f) {
        slope = 0.2f * sign;
        return 0.2f * (size - 0.05f);
    }
    if (kind == PENALTY_L1) {
        slope = sign;
        return size;
    }
    slope = 2.0f * d;
    return d * d;
}

// The photometric loss of what a ray shows; adds to the opacity's gradient.
__device__ inline float photometric(uint32_t kind, const float shown[3], float opacity, const float* target, float d_shown[3],
                                    float& d_opacity) {
    float sum = 0.0f, alpha = target[3];
    for (int c = 0; c < 3; c++) {
        float b = target[4 + c], slope;
        float error = shown[c] + (1.0f - opacity) * b - (alpha * target[c] + (1.0f - alpha) * b);
        sum += penalty_of(kind, error, slope) / 3.0f;
        d_shown[c] = slope / 3.0f;
        d_opacity -= slope / 3.0f * b;
    }
    return sum;
}

// The place of a distance on the scale that deviations are measured on, and the length of a stretch there.
__device__ inline float place_at(const CompositeParams& p, float t) {
    return p.factor * (t <= p.knee ? t : p.knee * (1.0f + logf(t / p.knee)));
}
__device__ inline float length_at(const CompositeParams& p, float t, float dt) {
    return p.factor * dt * (t <= p.knee ? 1.0f : p.knee / t);
}

KERNEL(composite, CompositeParams, 128) {
    double loss = 0.0, spread = 0.0, off = 0.0;
    float up = p.scale->scale;
    uint64_t whole = (uint64_t(p.step->rays) + WARP - 1) / WARP * WARP;
    for (uint64_t i = thread_index(); i < whole; i += thread_count()) {
        if (i >= p.step->rays || p.states[i].crowded) continue;
        uint32_t start = p.states[i].start, n = p.states[i].kept;
        const float* target = p.targets + i * p.target_columns;
        // Forward.
        float through = 1.0f, color[3] = {0.0f, 0.0f, 0.0f}, opacity = 0.0f, all_places = 0.0f;
        float first = n > 0 ? place_at(p, p.samples.t[p.source[start]]) : 0.0f;
        for (uint32_t k = start; k < start + n; k++) {
            const float* s = p.shaded + uint64_t(k) * 4;
            uint32_t at = p.source[k];
            float alpha = 1.0f - expf(-s[3] * p.samples.dt[at]), w = through * alpha;
            for (int c = 0; c < 3; c++) color[c] = fmaf(w, s[c], color[c]);
            opacity += w;
            if (p.distortion > 0.0f) all_places = fmaf(w, place_at(p, p.samples.t[at]) - first, all_places);
            through *= 1.0f - alpha;
        }
        // The loss.
        float d_color[3], d_opacity = 0.0f;
        if (p.codes != nullptr && n > 0) {
            const float* code = p.codes + uint64_t(p.rays[i].camera) * 12;
            float shown[3], d[3];
            for (int r = 0; r < 3; r++)
                shown[r] = color[r] + (code[3 * r] * color[0] + code[3 * r + 1] * color[1] + code[3 * r + 2] * color[2]) +
                           code[9 + r] * opacity;
            loss += double(photometric(p.penalty, shown, opacity, target, d, d_opacity));
            float* d_code = p.d_codes + uint64_t(p.rays[i].camera) * 12;
            for (int r = 0; r < 3; r++) {
                float g = d[r] * p.weight;
                for (int c = 0; c < 3; c++) atomicAdd(d_code + 3 * r + c, g * color[c]);
                atomicAdd(d_code + 9 + r, g * opacity);
            }
            for (int c = 0; c < 3; c++) d_color[c] = d[c] + (code[c] * d[0] + code[3 + c] * d[1] + code[6 + c] * d[2]);
            d_opacity += code[9] * d[0] + code[10] * d[1] + code[11] * d[2];
        } else {
            loss += double(photometric(p.penalty, color, opacity, target, d_color, d_opacity));
        }
        for (int c = 0; c < 3; c++) d_color[c] *= p.weight;
        d_opacity *= p.weight;
        bool known = p.deviation > 0.0f && p.has_distance && target[7] > 0.0f;
        float place = known ? place_at(p, target[7]) : 0.0f;
        // Front to back: what a unit of weight is worth, and the colors. The worth is kept where the density's gradient goes.
        float ahead = 0.0f, ahead_places = 0.0f;
        through = 1.0f;
        for (uint32_t k = start; k < start + n; k++) {
            const float* s = p.shaded + uint64_t(k) * 4;
            float* d = p.d_shaded + uint64_t(k) * 4;
            uint32_t at = p.source[k];
            float dt = p.samples.dt[at], alpha = 1.0f - expf(-s[3] * dt), w = through * alpha, worth = d_opacity;
            for (int c = 0; c < 3; c++) {
                worth = fmaf(d_color[c], s[c], worth);
                d[c] = w * d_color[c] * s[c] * (1.0f - s[c]) * up;
            }
            if (p.distortion > 0.0f || known) {
                float t = p.samples.t[at], here = place_at(p, t);
                if (p.distortion > 0.0f) {
                    float from = here - first, front = from * ahead - ahead_places;
                    ahead += w;
                    ahead_places = fmaf(w, from, ahead_places);
                    float behind = (all_places - ahead_places) - from * (opacity - ahead);
                    float own = w * length_at(p, t, dt) / 3.0f;
                    spread += double(w * (2.0f * front + own));
                    worth += 2.0f * p.distortion * (front + behind + own);
                }
                if (known) {
                    float far = fabsf(here - place);
                    off += double(w * far);
                    worth += p.deviation * far;
                }
            }
            d[3] = worth;
            p.shaded[uint64_t(k) * 4] = through;
            through *= 1.0f - alpha;
        }
        // Back to front: the light that a sample hides is what lies behind it.
        float behind = 0.0f;
        for (uint32_t k = start + n; k-- > start;) {
            const float* s = p.shaded + uint64_t(k) * 4;
            float* d = p.d_shaded + uint64_t(k) * 4;
            float dt = p.samples.dt[p.source[k]], alpha = 1.0f - expf(-s[3] * dt), before = s[0], worth = d[3];
            d[3] = dt * (before * (1.0f - alpha) * worth - behind) * up;
            behind = fmaf(before * alpha, worth, behind);
        }
    }
    loss = warp_sum(loss);
    spread = warp_sum(spread);
    off = warp_sum(off);
    if (lane() == 0) {
        atomicAdd(&p.counters->loss, loss);
        if (p.distortion > 0.0f) atomicAdd(&p.counters->distortion, spread);
        if (p.deviation > 0.0f) atomicAdd(&p.counters->deviation, off);
    }
}

// Adds what the samples of round 0 show, and lets those rays go on that something gets through.
KERNEL(picture, PictureParams, 128) {
    uint64_t whole = (uint64_t(p.step->rays) + WARP - 1) / WARP * WARP;
    for (uint64_t i = thread_index(); i < whole; i += thread_count()) {
        bool on = false;
        if (i < p.step->rays) {
            uint32_t start = p.samples.starts[i], n = p.samples.counts[i];
            float through = p.states[i].transmittance, *out = p.out + i * 5;
            float sum[5] = {out[0], out[1], out[2], out[3], out[4]};
            for (uint32_t k = start; k < start + n; k++) {
                const float* s = p.shaded + uint64_t(k) * 4;
                float alpha = 1.0f - expf(-s[3] * p.samples.dt[k]), w = through * alpha;
                for (int c = 0; c < 3; c++) sum[c] = fmaf(w, s[c], sum[c]);
                sum[3] = fmaf(w, p.samples.t[k], sum[3]);
                sum[4] += w;
                through *= 1.0f - alpha;
            }
            for (int c = 0; c < 5; c++) out[c] = sum[c];
            p.states[i].transmittance = through;
            on = p.states[i].from < INFINITY && !(through < p.step->min_transmittance);
            if (!on) p.states[i].from = INFINITY;
        }
        count(p.alive, on);
    }
    if (thread_index() == 0) p.range->begin = p.range->end = 0;
}
