// The rays of a step: through random pixels of the views, by the same random words as on the processor, a ray a thread.
#include "lens.cuh"
#include "philox.cuh"
#include "rigid.cuh"
#include "shape.cuh"

// A view on the device.
struct View {
    Camera camera;
    // `[row][column][channel]`, 3 or 4 of them.
    const uint8_t* pixels;
    // The pixels that count, or null for all.
    const uint32_t* kept;
    // Pixels with known distances.
    const uint32_t* point_pixels;
    const float* point_distances;
    // Depths along the optical axis, or null.
    const float* depth;
    uint32_t width, height, channels;
    uint32_t kept_count, point_count;
    float depth_scale;
};

struct DrawParams {
    const View* views;
    uint32_t view_count;
    // The first so many cameras are moved, by these.
    uint32_t moved;
    const Correction* corrections;
    const StepState* step;
    // The render box, its steps, and the nearest sample.
    float side, cone, shortest, longest, near;
    Ray* rays;
    RayState* states;
    // `[ray][columns]`: red, green, blue, alpha, background; behind them the known distance, if `has_distance`.
    float* targets;
    uint32_t target_columns, has_distance;
};

// Rays that are given: what is known of them at the start.
struct StartParams {
    const Ray* rays;
    RayState* states;
    const StepState* step;
};

__device__ inline RayState fresh(const Ray& ray) {
    return RayState{ray.near < ray.far ? ray.near : INFINITY, 1.0f, 0, 0, 0};
}

// Where a ray enters and leaves the cube of this side, centred at 0.5.
__device__ inline void clip(const float o[3], const float d[3], float side, float& enter, float& leave) {
    enter = 0.0f;
    leave = INFINITY;
    float half = side / 2.0f;
    for (int a = 0; a < 3; a++) {
        float from = o[a] - 0.5f;
        if (fabsf(d[a]) < 1e-12f) {
            if (fabsf(from) > half) {
                enter = INFINITY;
                leave = 0.0f;
                return;
            }
            continue;
        }
        float x = (-half - from) / d[a], y = (half - from) / d[a];
        enter = fmaxf(enter, fminf(x, y));
        leave = fminf(leave, fmaxf(x, y));
    }
}

KERNEL(draw_rays, DrawParams, 128) {
    for (uint64_t i = thread_index(); i < p.step->rays; i += thread_count()) {
        const StepState& st = *p.step;
        Words random = random_words(st.seed, STREAM_PIXELS, st.step, uint32_t(i));
        uint32_t camera = below(random.w[0], p.view_count), pixel;
        const View& view = p.views[camera];
        float distance = 0.0f;
        if (view.point_count > 0 && uniform(random.w[3]) < st.point_share) {
            uint32_t point = below(random.w[1], view.point_count);
            pixel = view.point_pixels[point];
            distance = view.point_distances[point];
        } else if (view.kept != nullptr) {
            pixel = view.kept[below(random.w[1], view.kept_count)];
        } else {
            pixel = below(random.w[1], view.width * view.height);
        }
        uint32_t column = pixel % view.width, row = pixel / view.width;
        Ray ray;
        for (int a = 0; a < 3; a++) ray.origin[a] = view.camera.origin[a];
        cast(view.camera, double(column) + 0.5, double(row) + 0.5, ray.direction);
        // Depth is measured along the axis as it was given.
        float forward = 0.0f;
        for (int a = 0; a < 3; a++) forward += ray.direction[a] * view.camera.forward[a];
        if (camera < p.moved) correct(p.corrections[camera], ray.origin, ray.direction);
        float enter, leave;
        clip(ray.origin, ray.direction, p.side, enter, leave);
        enter = fmaxf(enter, p.near);
        ray.near = enter + uniform(random.w[2]) * fminf(fmaxf(enter * p.cone, p.shortest), p.longest);
        ray.far = leave;
        ray.camera = camera;
        p.rays[i] = ray;
        p.states[i] = fresh(ray);
        float* target = p.targets + i * p.target_columns;
        const uint8_t* stored = view.pixels + uint64_t(pixel) * view.channels;
        for (int c = 0; c < 3; c++) target[c] = float(stored[c]) / 255.0f;
        target[3] = view.channels == 4 ? float(stored[3]) / 255.0f : 1.0f;
        Words background = random_words(st.seed, STREAM_BACKGROUND, st.step, uint32_t(i));
        for (int c = 0; c < 3; c++) target[4 + c] = st.random_background ? uniform(background.w[c]) : st.background[c];
        if (!p.has_distance) continue;
        if (!(distance > 0.0f) && view.depth != nullptr) {
            float depth = view.depth[pixel];
            if (depth > 0.0f && forward > 0.05f) distance = depth * view.depth_scale / forward;
        }
        target[7] = distance;
    }
}

KERNEL(start_rays, StartParams, 128) {
    for (uint64_t i = thread_index(); i < p.step->rays; i += thread_count()) p.states[i] = fresh(p.rays[i]);
}
