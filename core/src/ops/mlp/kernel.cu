// The field's networks over samples: densities alone, densities and colors, and back. See gpu/device/network.cuh.
//
// A block holds the weights in shared memory and takes tile after tile of samples. On the way back it computes what the way
// there held anew, which costs less than to keep it, and sums the weights' gradients in registers over all its tiles.
#include "network.cuh"

// Warps of a block, by the stored type: what fits into shared memory.
template <class T> struct Warps;
template <> struct Warps<__half> { static constexpr uint32_t count = 4; };
template <> struct Warps<float> { static constexpr uint32_t count = 2; };

// Tiles of all weights' gradients, at most: the host refuses fields with more.
constexpr uint32_t MOST_GRADIENT_TILES = 96;

struct NetworkParams {
    Shape shape;
    // `[out][in]`, layer by layer, padded.
    const void* weights;
    // `[level][capacity][F]`.
    const void* features;
    uint64_t capacity;
    // The saliency's logit of every sample, if the field has a grid.
    const float* logits;
    const StepState* step;
    // The samples to take.
    const Range* range;
    // Their places among the features, or null where that is the same.
    const uint32_t* source;
    // The ray of every place among the features.
    const uint32_t* sample_ray;
    const Ray* rays;
};

struct ProbeParams {
    NetworkParams net;
    float* sigma;
};

struct ShadeParams {
    NetworkParams net;
    // Red, green, blue, density of every sample.
    float* out;
};

struct BackwardParams {
    NetworkParams net;
    // Gradients of the raw red, green and blue, and of the density.
    const float* d_out;
    // `[level][capacity][F]`, by place in the range.
    void* d_features;
    // Of the saliency's logits, by place in the range.
    float* d_logits;
    // Of the directions, as the color network sees them: `[sample][4]`, by place in the range; or null.
    float* d_directions;
    // Sums of the weights' gradients.
    float* grads;
    Counters* counters;
};

// What the lanes of a warp know of its rows.
struct Batch {
    uint32_t sample[ROWS], ray[ROWS];
    float scale[ROWS];
};

// Looks up the warp's rows `first ..`, as far as they lie in front of `end`.
__device__ inline void look_up(const NetworkParams& p, uint64_t first, uint32_t end, Batch& b) {
    if (lane() < ROWS) {
        uint64_t at = first + lane();
        uint32_t sample = ALL;
        if (at < end) sample = p.source != nullptr ? p.source[at] : uint32_t(at);
        b.sample[lane()] = sample;
        b.ray[lane()] = sample == ALL || p.sample_ray == nullptr ? ALL : p.sample_ray[sample];
        b.scale[lane()] = sample != ALL && p.logits != nullptr ? sigmoid(p.logits[sample]) : 1.0f;
    }
    __syncwarp();
}

template <class T> __device__ void probe(const ProbeParams& p) {
    constexpr uint32_t WARPS = Warps<T>::count;
    DYNAMIC_SHARED(T, room);
    __shared__ Batch batches[WARPS];
    const Shape& s = p.net.shape;
    const Network& n = s.density;
    stage(n, static_cast<const T*>(p.net.weights), room);
    Rows<T> rows;
    place_rows(n, WARPS * ROWS, room + staged(n), rows);
    __syncthreads();
    Batch& b = batches[warp()];
    uint32_t mine = warp() * ROWS, end = range_end(p.net.range, p.net.capacity);
    T* x = rows.at[0] + mine * stride(n.in[0]);
    const T* y = rows.at[n.layers] + mine * stride(n.out[n.layers - 1]);
    uint64_t first = p.net.range->begin + (uint64_t(blockIdx.x) * WARPS + warp()) * ROWS;
    for (; first < end; first += uint64_t(gridDim.x) * WARPS * ROWS) {
        look_up(p.net, first, end, b);
        load_features(s, static_cast<const T*>(p.net.features), p.net.capacity, b.sample, b.scale, x);
        forward(n, room, rows, mine);
        if (lane() < ROWS && first + lane() < end) {
            float norm, gate = gate_of(s, p.net.step->gate_alpha, x + lane() * stride(n.in[0]), norm);
            float raw = to_float(y[lane() * stride(n.out[n.layers - 1]) + s.density_column]);
            p.sigma[first + lane()] = gate * density_of(raw);
        }
        __syncwarp();
    }
}

template <class T> __device__ void shade(const ShadeParams& p) {
    constexpr uint32_t WARPS = Warps<T>::count;
    DYNAMIC_SHARED(T, room);
    __shared__ Batch batches[WARPS];
    const Shape& s = p.net.shape;
    const Network &d = s.density, &c = s.color;
    const T* weights = static_cast<const T*>(p.net.weights);
    T *density_weights = room, *color_weights = room + staged(d);
    stage(d, weights, density_weights);
    stage(c, weights, color_weights);
    Rows<T> density, color;
    T* behind = place_rows(d, WARPS * ROWS, color_weights + staged(c), density);
    place_rows(c, WARPS * ROWS, behind, color);
    __syncthreads();
    Batch& b = batches[warp()];
    uint32_t mine = warp() * ROWS, end = range_end(p.net.range, p.net.capacity);
    uint32_t geometry_step = stride(d.out[d.layers - 1]), color_step = stride(c.out[c.layers - 1]);
    T *x = density.at[0] + mine * stride(d.in[0]), *geometry = density.at[d.layers] + mine * geometry_step;
    T *inputs = color.at[0] + mine * stride(c.in[0]), *shown = color.at[c.layers] + mine * color_step;
    uint64_t first = p.net.range->begin + (uint64_t(blockIdx.x) * WARPS + warp()) * ROWS;
    for (; first < end; first += uint64_t(gridDim.x) * WARPS * ROWS) {
        look_up(p.net, first, end, b);
        load_features(s, static_cast<const T*>(p.net.features), p.net.capacity, b.sample, b.scale, x);
        forward(d, density_weights, density, mine);
        load_color_inputs(s, p.net.rays, b.ray, geometry, inputs);
        forward(c, color_weights, color, mine);
        if (lane() < ROWS && first + lane() < end) {
            float norm, gate = gate_of(s, p.net.step->gate_alpha, x + lane() * stride(d.in[0]), norm);
            const T* rgb = shown + lane() * color_step;
            float* out = p.out + (first + lane()) * 4;
            for (uint32_t k = 0; k < 3; k++) out[k] = sigmoid(to_float(rgb[k]));
            out[3] = gate * density_of(to_float(geometry[lane() * geometry_step + s.density_column]));
        }
        __syncwarp();
    }
}

// This warp's tiles of the weights' gradients, of all layers: tile t is warp t % warps'.
template <uint32_t WARPS> struct Gradients {
    static constexpr uint32_t MOST = MOST_GRADIENT_TILES / WARPS;
    float tile[MOST][4];

    __device__ void clear() {
        UNROLL
        for (uint32_t i = 0; i < MOST; i++)
            for (uint32_t k = 0; k < 4; k++) tile[i][k] = 0.0f;
    }

    // dW += dY^T X of a layer whose tiles begin with number `base`.
    template <class T>
    __device__ void add(uint32_t base, const T* dy, uint32_t out, const T* x, uint32_t in, uint32_t rows) {
        uint32_t columns = in / TILE_COLUMNS, tiles = out / TILE_ROWS * columns;
        UNROLL
        for (uint32_t i = 0; i < MOST; i++) {
            uint32_t t = i * WARPS + warp() - base;
            if (t < tiles)
                gemm_tn(tile[i], dy + t / columns * TILE_ROWS, stride(out), x + t % columns * TILE_COLUMNS, stride(in),
                        rows);
        }
    }

    // Adds a layer's to the sums. True if one is infinite or not a number.
    __device__ bool store(uint32_t base, uint32_t out, uint32_t in, float* grads) {
        uint32_t columns = in / TILE_COLUMNS, tiles = out / TILE_ROWS * columns;
        bool broken = false;
        UNROLL
        for (uint32_t i = 0; i < MOST; i++) {
            uint32_t t = i * WARPS + warp() - base;
            if (t >= tiles) continue;
            for (uint32_t k = 0; k < 4; k++) {
                uint32_t row = t / columns * TILE_ROWS + tile_row(k), column = t % columns * TILE_COLUMNS + tile_column(k);
                broken = broken || !isfinite(tile[i][k]);
                atomicAdd(grads + row * in + column, tile[i][k]);
            }
        }
        return broken;
    }
};

// All layers in the order of the way back: the color network's from its last to its first, then the density network's.
struct Chain {
    const Shape& s;

    __device__ uint32_t layers() const { return s.color.layers + s.density.layers; }
    __device__ bool is_color(uint32_t i) const { return i < s.color.layers; }
    __device__ const Network& network(uint32_t i) const { return is_color(i) ? s.color : s.density; }
    // The layer's number in its network.
    __device__ uint32_t layer(uint32_t i) const { return (is_color(i) ? s.color.layers : layers()) - 1 - i; }
};

// From the gradient of what the density network sees, through gate and saliency, to that of the features; the warp's rows.
template <class T>
__device__ bool leave_features(const BackwardParams& p, const Batch& b, const float* d_gate, uint64_t first, uint32_t end,
                               const T* dx) {
    const Shape& s = p.net.shape;
    const T* features = static_cast<const T*>(p.net.features);
    T* d_features = static_cast<T*>(p.d_features);
    uint32_t f = s.level_features, step = stride(s.density.in[0]);
    float alpha = p.net.step->gate_alpha;
    bool broken = false, gated = s.has_gate && alpha > 0.0f;
    if (lane() < ROWS && first + lane() < end) {
        uint32_t row = lane(), sample = b.sample[row];
        float share = b.scale[row], along = 0.0f, pull = 0.0f;
        if (gated) {
            float square = 1e-30f;
            for (uint32_t level = 0; level < s.levels; level++)
                for (uint32_t k = 0; k < f; k++) {
                    // Rounded, as the network has seen it.
                    float v = to_float(from_float<T>(to_float(features[(level * p.net.capacity + sample) * f + k]) * share));
                    square = fmaf(v, v, square);
                }
            float norm = sqrtf(square), gate = tanhf(alpha * norm);
            pull = d_gate[row] * (1.0f - gate * gate) * alpha / norm;
        }
        for (uint32_t level = 0; level < s.levels; level++)
            for (uint32_t k = 0; k < f; k++) {
                uint64_t column = level * p.net.capacity;
                float v = 0.0f, d = to_float(dx[row * step + level * f + k]);
                if (gated || s.has_saliency) v = to_float(features[(column + sample) * f + k]) * share;
                d = fmaf(pull, v, d);
                along = fmaf(d, v, along);
                broken = broken || !isfinite(d);
                d_features[(column + first + row) * f + k] = from_float<T>(d * share);
            }
        if (s.has_saliency) p.d_logits[first + row] = along * (1.0f - share);
    }
    return broken;
}

// Between the networks: the gradient of the density network's output, from that of the color network's input and from the
// densities', written over the output; and the gates' gradients. The warp's rows.
template <class T>
__device__ void enter_density(const BackwardParams& p, const T* inputs, T* geometry, const T* x, float* d_gate, uint64_t first,
                              uint32_t end) {
    const Shape& s = p.net.shape;
    const Network &d = s.density, &c = s.color;
    uint32_t row = lane(), step = stride(d.out[d.layers - 1]);
    if (row < ROWS) {
        float norm, gate = gate_of(s, p.net.step->gate_alpha, x + row * stride(d.in[0]), norm);
        float raw = to_float(geometry[row * step + s.density_column]);
        float d_sigma = first + row < end ? p.d_out[(first + row) * 4 + 3] : 0.0f;
        d_gate[row] = d_sigma * density_of(raw);
        for (uint32_t k = 0; k < d.out[d.layers - 1]; k++) {
            float g = k < s.color_inputs ? to_float(inputs[row * stride(c.in[0]) + s.harmonics + k]) : 0.0f;
            if (k == s.density_column) g += d_sigma * density_slope(raw, gate);
            geometry[row * step + k] = from_float<T>(g);
        }
    }
    __syncwarp();
}

// The gradient of the direction from that of its harmonics; the warp's rows. True if one is infinite or not a number.
template <class T>
__device__ bool leave_directions(const BackwardParams& p, const Batch& b, const T* inputs, uint64_t first, uint32_t end) {
    if (p.d_directions == nullptr || lane() >= ROWS || first + lane() >= end) return false;
    const Shape& s = p.net.shape;
    const float* d = p.net.rays[b.ray[lane()]].direction;
    const T* row = inputs + lane() * stride(s.color.in[0]);
    float out[3] = {0.0f, 0.0f, 0.0f};
    harmonics_backward(d[0], d[1], d[2], s.harmonics, [row](uint32_t k) { return to_float(row[k]); }, out);
    for (int a = 0; a < 3; a++) p.d_directions[(first + lane()) * 4 + a] = out[a];
    return !isfinite(out[0] + out[1] + out[2]);
}

template <class T> __device__ void backward(const BackwardParams& p) {
    constexpr uint32_t WARPS = Warps<T>::count;
    DYNAMIC_SHARED(T, room);
    __shared__ Batch batches[WARPS];
    __shared__ float d_gates[WARPS][ROWS];
    const Shape& s = p.net.shape;
    const Network &d = s.density, &c = s.color;
    const T* weights = static_cast<const T*>(p.net.weights);
    T *density_weights = room, *color_weights = density_weights + staged(d), *density_back = color_weights + staged(c),
      *color_back = density_back + staged_transposed(d);
    stage(d, weights, density_weights);
    stage(c, weights, color_weights);
    stage_transposed(d, weights, density_back);
    stage_transposed(c, weights, color_back);
    Rows<T> density, color;
    T* behind = place_rows(d, WARPS * ROWS, color_back + staged_transposed(c), density);
    place_rows(c, WARPS * ROWS, behind, color);
    Chain chain{s};
    Gradients<WARPS> grads;
    grads.clear();
    __syncthreads();
    Batch& b = batches[warp()];
    float* d_gate = d_gates[warp()];
    uint32_t mine = warp() * ROWS, begin = p.net.range->begin, end = range_end(p.net.range, p.net.capacity), row = lane();
    uint32_t geometry_step = stride(d.out[d.layers - 1]), color_step = stride(c.out[c.layers - 1]);
    T *x = density.at[0] + mine * stride(d.in[0]), *geometry = density.at[d.layers] + mine * geometry_step;
    T *inputs = color.at[0] + mine * stride(c.in[0]), *shown = color.at[c.layers] + mine * color_step;
    bool broken = false;
    for (uint64_t tile = begin + uint64_t(blockIdx.x) * WARPS * ROWS; tile < end; tile += uint64_t(gridDim.x) * WARPS * ROWS) {
        uint64_t first = tile + mine;
        look_up(p.net, first, end, b);
        load_features(s, static_cast<const T*>(p.net.features), p.net.capacity, b.sample, b.scale, x);
        forward(d, density_weights, density, mine);
        load_color_inputs(s, p.net.rays, b.ray, geometry, inputs);
        forward(c, color_weights, color, mine);
        bool there = row < ROWS && first + row < end;
        if (row < ROWS) {
            for (uint32_t k = 0; k < c.out[c.layers - 1]; k++)
                shown[row * color_step + k] = from_float<T>(there && k < 3 ? p.d_out[(first + row) * 4 + k] : 0.0f);
        }
        __syncwarp();
        uint32_t base = 0;
        DO_NOT_UNROLL
        for (uint32_t i = 0; i < chain.layers(); i++) {
            const Network& n = chain.network(i);
            const Rows<T>& rows = chain.is_color(i) ? color : density;
            uint32_t l = chain.layer(i), in = n.in[l], out = n.out[l];
            if (i == c.layers) {
                broken = leave_directions(p, b, inputs, first, end) || broken;
                enter_density(p, inputs, geometry, x, d_gate, first, end);
            }
            // All rows of the block are there.
            __syncthreads();
            grads.add(base, rows.at[l + 1], out, rows.at[l], in, WARPS * ROWS);
            base += out / TILE_ROWS * (in / TILE_COLUMNS);
            // They have been read by all.
            __syncthreads();
            T* transposed = (chain.is_color(i) ? color_back : density_back);
            for (uint32_t k = 0; k < l; k++) transposed += n.in[k] * stride(n.out[k]);
            layer_back(rows.at[l + 1] + mine * stride(out), out, transposed, in, l > 0, rows.at[l] + mine * stride(in));
        }
        broken = leave_features(p, b, d_gate, first, end, x) || broken;
        // The rows are free for the next tile.
        __syncthreads();
    }
    uint32_t base = 0;
    DO_NOT_UNROLL
    for (uint32_t i = 0; i < chain.layers(); i++) {
        const Network& n = chain.network(i);
        uint32_t l = chain.layer(i);
        broken = grads.store(base, n.out[l], n.in[l], p.grads + n.weight[l]) || broken;
        base += n.out[l] / TILE_ROWS * (n.in[l] / TILE_COLUMNS);
    }
    if (broken) atomicOr(&p.counters->broken, 1u);
}
KERNEL(probe_f16, ProbeParams, 128) { probe<__half>(p); }
KERNEL(probe_f32, ProbeParams, 64) { probe<float>(p); }
KERNEL(shade_f16, ShadeParams, 128) { shade<__half>(p); }
KERNEL(shade_f32, ShadeParams, 64) { shade<float>(p); }
KERNEL(backward_f16, BackwardParams, 128) { backward<__half>(p); }
KERNEL(backward_f32, BackwardParams, 64) { backward<float>(p); }
