// Cameras' poses: the corrections that move rays, and what rays say about them.
#include "rigid.cuh"
#include "shape.cuh"

struct PlaceCamerasParams {
    // `[camera][6]`: a turn, a shift.
    const float* rows;
    Correction* corrections;
    uint32_t count;
};

struct TraceRaysParams {
    const Ray* rays;
    const RayState* states;
    const StepState* step;
    Samples samples;
    // The places of the samples that count.
    const uint32_t* source;
    // Gradients of the samples' positions in the unit cube, and of the directions as the networks see them: `[sample][4]`.
    const float *d_positions, *d_directions;
    // 1 / side of the box that the encoding covers.
    float shrink;
    // `[camera][6]`: sums over its rays of d' x d_d' and d_o'.
    double* sums;
};

struct TurnPosesParams {
    const float* rows;
    const double* sums;
    // Of the rows.
    float* grads;
    uint32_t count;
};

KERNEL(place_cameras, PlaceCamerasParams, 64) {
    for (uint64_t i = thread_index(); i < p.count; i += thread_count()) {
        const float* row = p.rows + i * 6;
        double c[3], rotation[9];
        turn_coefficients(row, c);
        turn_series(row, c[0], c[1], rotation);
        for (int k = 0; k < 9; k++) p.corrections[i].rotation[k] = float(rotation[k]);
        for (int a = 0; a < 3; a++) p.corrections[i].shift[a] = row[3 + a];
    }
}

KERNEL(trace_rays, TraceRaysParams, 128) {
    for (uint64_t i = thread_index(); i < p.step->rays; i += thread_count()) {
        if (p.states[i].crowded || p.states[i].kept == 0) continue;
        uint32_t start = p.states[i].start, n = p.states[i].kept;
        float origin[3] = {0.0f, 0.0f, 0.0f}, along[3] = {0.0f, 0.0f, 0.0f}, seen[3] = {0.0f, 0.0f, 0.0f};
        for (uint32_t k = start; k < start + n; k++) {
            const float *d = p.d_positions + uint64_t(k) * 4, *of_direction = p.d_directions + uint64_t(k) * 4;
            float t = p.samples.t[p.source[k]];
            for (int a = 0; a < 3; a++) {
                origin[a] += d[a];
                along[a] = fmaf(t, d[a], along[a]);
                seen[a] += of_direction[a];
            }
        }
        const float* u = p.rays[i].direction;
        float d[3];
        for (int a = 0; a < 3; a++) d[a] = fmaf(p.shrink, along[a], seen[a]);
        double* sums = p.sums + uint64_t(p.rays[i].camera) * 6;
        atomicAdd(sums, double(u[1] * d[2] - u[2] * d[1]));
        atomicAdd(sums + 1, double(u[2] * d[0] - u[0] * d[2]));
        atomicAdd(sums + 2, double(u[0] * d[1] - u[1] * d[0]));
        for (int a = 0; a < 3; a++) atomicAdd(sums + 3 + a, double(p.shrink * origin[a]));
    }
}

KERNEL(turn_poses, TurnPosesParams, 64) {
    for (uint64_t i = thread_index(); i < p.count; i += thread_count()) {
        const double* moment = p.sums + i * 6;
        double c[3], jacobian[9];
        turn_coefficients(p.rows + i * 6, c);
        turn_series(p.rows + i * 6, c[1], c[2], jacobian);
        for (int k = 0; k < 3; k++) {
            double g = jacobian[k] * moment[0] + jacobian[3 + k] * moment[1] + jacobian[6 + k] * moment[2];
            p.grads[i * 6 + k] = float(g);
            p.grads[i * 6 + 3 + k] = float(moment[3 + k]);
        }
    }
}
