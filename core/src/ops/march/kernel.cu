// Marching, a ray a thread, in rounds: a stretch of every ray, then what is behind it of those that are not opaque yet. After
// the last round the samples that count are listed, ray by ray.
#include "cells.cuh"
#include "shape.cuh"

struct MarchParams {
    const Ray* rays;
    RayState* states;
    const StepState* step;
    // Occupied cells as in ops/march: words of 4^3 cells, and a bit for each that is not empty.
    const uint64_t *words, *blocks;
    uint32_t cascades;
    float cone, shortest, longest;
    // 1 / side of the box that the encoding covers.
    float shrink;
    Samples samples;
    uint32_t round, limit;
    // Its end moves on; its begin is this round's.
    Range* range;
    Counters* counters;
};

struct AdvanceParams {
    RayState* states;
    const StepState* step;
    Samples samples;
    const float* sigma;
    uint32_t round;
    // Afterwards empty, for the next round to fill.
    Range* range;
};

struct GatherParams {
    RayState* states;
    const StepState* step;
    Samples samples;
    uint32_t rounds;
    // The samples that count, and their places.
    Range* kept;
    uint32_t* source;
    Counters* counters;
};

struct PlaceParams {
    const Ray* rays;
    RayState* states;
    const StepState* step;
    float shrink;
    Samples samples;
    // Where each ray's samples end, and their distances and lengths: those of the samples.
    const uint32_t* ends;
    const float *t, *dt;
    Range* range;
    Counters* counters;
};

// Visits to cells: which, and where in them.
struct VisitParams {
    // The random values' key, and the number of the first visit.
    uint64_t seed, step;
    uint32_t first;
    // Cells of all cascades, and groups of their words.
    uint32_t cells, groups;
    // 1: visit i goes to cell i.
    uint32_t in_order;
    // Of the others every second one goes to an occupied cell, from this one on all, the rest to open ones, or, where that
    // is null, to any.
    uint32_t mixed;
    float side;
    CellSet occupied, open;
    const Range* range;
    uint32_t* picked;
    // In the encoding's unit cube, `[axis][capacity]`.
    float* positions;
    uint64_t capacity;
};

__device__ inline float step_at(const MarchParams& p, float t) {
    return fminf(fmaxf(t * p.cone, p.shortest), p.longest);
}

// Where a ray is, relative to the centre of the box.
struct Walk {
    float origin[3], direction[3], inverse[3];
    float t, far;
};

__device__ inline Walk start_walk(const Ray& ray, float from) {
    Walk w;
    for (int a = 0; a < 3; a++) {
        float d = ray.direction[a];
        w.origin[a] = ray.origin[a] - 0.5f;
        w.direction[a] = d;
        w.inverse[a] = 1.0f / (fabsf(d) < 1e-12f ? 1e-12f : d);
    }
    w.t = from;
    w.far = ray.far;
    return w;
}

// Goes on to the next sample: true, and `t` is its distance and `dt` its length; the walk is behind it. False at the end.
__device__ inline bool next_sample(const MarchParams& p, Walk& w, float& t, float& dt) {
    while (w.t < w.far) {
        t = w.t;
        dt = step_at(p, t);
        float next = t + dt;
        if (!(next > t)) return false;
        float at[3], reach = 0.0f;
        for (int a = 0; a < 3; a++) {
            at[a] = fmaf(t, w.direction[a], w.origin[a]);
            reach = fmaxf(reach, fabsf(at[a]));
        }
        uint32_t cascade = 0;
        if (p.cascades > 1) {
            // The exponent of the cube that holds the point and whose cells are not shorter than the step, rounded up.
            float size = fmaxf(fmaxf(2.0f * reach, dt * float(SIDE)), 1.0f);
            cascade = min((__float_as_uint(size) + 0x7fffffu) >> 23, 127u + p.cascades - 1u) - 127u;
        }
        float size = __uint_as_float((127u + cascade - 7u) << 23), cells = 1.0f / size;
        float g[3];
        uint32_t cell[3];
        for (int a = 0; a < 3; a++) {
            g[a] = fmaf(at[a], cells, float(SIDE / 2));
            cell[a] = uint32_t(min(max(int(g[a]), 0), int(SIDE) - 1));
        }
        uint32_t code = spread_bits(cell[0]) | spread_bits(cell[1]) << 1 | spread_bits(cell[2]) << 2;
        uint32_t index = code + cascade * CELLS;
        uint64_t word = p.words[index / 64];
        if (word >> (code % 64) & 1) {
            w.t = next;
            return true;
        }
        // Out of the cell, or of the block that is empty.
        uint32_t around = 1;
        if (word == 0) {
            around = 4;
            if (p.cascades == 1 && p.blocks[index / 4096] == 0) around = 16;
        }
        float leave = INFINITY;
        for (int a = 0; a < 3; a++) {
            uint32_t plane = (cell[a] & (0u - around)) + (w.inverse[a] > 0.0f ? around : 0);
            leave = fminf((float(plane) - g[a]) * w.inverse[a], leave);
        }
        float target = fmaf(fmaxf(leave, 0.0f), size, t);
        if (p.cone == 0.0f) {
            // The samples' lattice is t + k dt, whatever is skipped.
            w.t = fmaf(fmaxf(-floorf((t - target) / dt), 1.0f), dt, t);
        } else {
            target = fminf(target, w.far);
            for (w.t = next; w.t < target;) {
                float further = w.t + step_at(p, w.t);
                w.t = further > w.t ? further : INFINITY;
            }
        }
    }
    return false;
}

// Puts a sample down.
__device__ inline void put(const Samples& s, float shrink, const Ray& ray, uint32_t index, uint64_t at, float t, float dt) {
    s.t[at] = t;
    s.dt[at] = dt;
    s.ray[at] = index;
    for (int a = 0; a < 3; a++)
        s.positions[a * s.capacity + at] = fmaf(fmaf(t, ray.direction[a], ray.origin[a]) - 0.5f, shrink, 0.5f);
}

KERNEL(march, MarchParams, 128) {
    uint64_t whole = (uint64_t(p.step->rays) + WARP - 1) / WARP * WARP;
    for (uint64_t i = thread_index(); i < whole; i += thread_count()) {
        bool there = i < p.step->rays;
        Ray ray = {};
        uint32_t found = 0;
        float from = INFINITY, t, dt;
        if (there) {
            ray = p.rays[i];
            from = p.states[i].from;
            if (from < ray.far) {
                Walk walk = start_walk(ray, from);
                while (found < p.limit && next_sample(p, walk, t, dt)) found++;
            }
        }
        uint32_t start = warp_take(&p.range->end, found);
        if (found > 0 && uint64_t(start) + found > p.samples.capacity) {
            p.states[i].crowded = 1;
            atomicAdd(&p.counters->crowded_out, 1u);
            found = 0;
        }
        count(&p.counters->samples, found);
        if (!there) continue;
        uint64_t entry = uint64_t(p.round) * p.samples.most_rays + i;
        p.samples.starts[entry] = start;
        p.samples.counts[entry] = found;
        float next = INFINITY;
        if (found > 0) {
            Walk walk = start_walk(ray, from);
            for (uint32_t k = 0; k < found; k++) {
                next_sample(p, walk, t, dt);
                put(p.samples, p.shrink, ray, uint32_t(i), uint64_t(start) + k, t, dt);
            }
            if (found == p.limit && walk.t < walk.far) next = walk.t;
        }
        p.states[i].from = next;
    }
}

// Takes samples that are known beforehand, as the only round.
KERNEL(place_samples, PlaceParams, 128) {
    for (uint64_t i = thread_index(); i < p.step->rays; i += thread_count()) {
        uint32_t begin = i == 0 ? 0 : p.ends[i - 1], count = p.ends[i] - begin;
        p.samples.starts[i] = begin;
        p.samples.counts[i] = count;
        p.states[i].from = INFINITY;
        for (uint32_t k = 0; k < count; k++)
            put(p.samples, p.shrink, p.rays[i], uint32_t(i), begin + k, p.t[begin + k], p.dt[begin + k]);
        if (i + 1 == p.step->rays) {
            p.range->end = p.ends[i];
            p.counters->samples = p.ends[i];
        }
    }
}

KERNEL(advance, AdvanceParams, 128) {
    for (uint64_t i = thread_index(); i < p.step->rays; i += thread_count()) {
        uint64_t entry = uint64_t(p.round) * p.samples.most_rays + i;
        uint32_t start = p.samples.starts[entry], count = p.samples.counts[entry], kept = 0;
        float through = p.states[i].transmittance, least = p.step->min_transmittance;
        for (; kept < count && !(through < least); kept++)
            through *= expf(-p.sigma[start + kept] * p.samples.dt[start + kept]);
        p.samples.counts[entry] = kept;
        p.states[i].transmittance = through;
        p.states[i].kept += kept;
        if (through < least) p.states[i].from = INFINITY;
    }
    if (thread_index() == 0) p.range->begin = range_end(p.range, p.samples.capacity);
}

KERNEL(gather, GatherParams, 128) {
    uint64_t whole = (uint64_t(p.step->rays) + WARP - 1) / WARP * WARP;
    for (uint64_t i = thread_index(); i < whole; i += thread_count()) {
        bool there = i < p.step->rays;
        uint32_t kept = there && !p.states[i].crowded ? p.states[i].kept : 0;
        uint32_t start = warp_take(&p.kept->end, kept);
        count(&p.counters->hits, kept > 0);
        count(&p.counters->kept, kept);
        if (!there) continue;
        p.states[i].start = start;
        p.states[i].kept = kept;
        if (kept == 0) continue;
        for (uint32_t round = 0; round < p.rounds; round++) {
            uint64_t entry = uint64_t(round) * p.samples.most_rays + i;
            uint32_t from = p.samples.starts[entry], count = p.samples.counts[entry];
            for (uint32_t k = 0; k < count; k++) p.source[start++] = from + k;
        }
    }
}

KERNEL(visit_cells, VisitParams, 256) {
    uint32_t end = range_end(p.range, p.capacity);
    for (uint64_t i = p.range->begin + thread_index(); i < end; i += thread_count()) {
        uint32_t visit = p.first + uint32_t(i), cell = visit;
        Words random = random_words(p.seed, STREAM_OCCUPANCY, p.step, visit);
        if (!p.in_order) {
            const CellSet& from = (visit & 1) == 1 || visit >= p.mixed ? p.occupied : p.open;
            if (from.words == nullptr || !pick_set(from, p.groups, random.w[3], cell)) cell = below(random.w[3], p.cells);
        }
        p.picked[i] = cell;
        float size = float(1u << (cell / CELLS));
        for (uint32_t a = 0; a < 3; a++) {
            float unit = ((float(gather_bits(cell % CELLS >> a)) + uniform(random.w[a])) / float(SIDE) - 0.5f) * size;
            p.positions[a * p.capacity + i] = unit / p.side + 0.5f;
        }
    }
}
